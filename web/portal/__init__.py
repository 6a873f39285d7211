"""The customers' portal: complain, and follow a complaint by the signed link. Server-rendered, in two languages.

Everything works without a script. What is in a form comes back with it, whatever was wrong.
"""

from fastapi import APIRouter

from web.portal import complain, files, pages, track

MOST_FILES = files.MOST
Portal = pages.Portal
takes_files = files.takes_files
told = pages.told

router = APIRouter(tags=["portal"], include_in_schema=False)
router.include_router(complain.router)
router.include_router(track.router)
