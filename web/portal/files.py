"""Files in the portal's forms: how many, how large, of which kinds; judged by their content, told by name."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from complaints.domain.errors import InvalidInput, LimitExceeded, UnsupportedType
from complaints.domain.filetype import safe_name
from complaints.services.attachments import Judged, NewFile, judge
from config.wiring import App
from web.language import N_, Speech

#: Most files in one form.
MOST = 5
#: For the file dialogue; what is taken is decided by content.
ACCEPT = ".jpg,.jpeg,.png,.gif,.webp,.heic,.pdf,.doc,.docx,.xls,.xlsx,.odt,.txt,.csv,.eml,.msg,.mp3,.m4a,.mp4,.mov"
_CHUNK = 1 << 18


def takes_files(path: str) -> bool:
    """Whether requests to this path may carry files."""
    return path in ("/complain", "/embed/complain") or (path.startswith("/track/") and path.count("/") == 2)


def megabytes(product: App) -> str:
    """The largest file, in words."""
    limit = product.settings.attachment_limit
    return f"{limit / 1_000_000:.0f} MB" if limit >= 1_000_000 else f"{limit / 1000:.0f} kB"


def about(product: App, *, lost: bool) -> dict[str, Any]:
    """What the field for files says of itself; `lost`: that files chosen before must be chosen again."""
    limit = str(product.settings.attachment_limit)
    return {"most": MOST, "limit": megabytes(product), "bytes": limit, "accept": ACCEPT, "lost": lost}


def form(request: Request, fields: int) -> AbstractAsyncContextManager[FormData]:
    """A form with files. A text too long for us is still read, so that it is told beside its field and not lost."""
    settings = request.app.state.portal.product.settings
    return request.form(max_files=MOST * 20, max_fields=fields, max_part_size=settings.request_limit)


def chosen(form: FormData) -> list[UploadFile]:
    """The files of a form; browsers send an empty part where none was chosen."""
    return [f for f in form.getlist("files") if isinstance(f, UploadFile) and f.filename]


def receive(product: App, uploads: list[UploadFile], speech: Speech) -> tuple[list[NewFile], list[str]]:
    """Store the files; what was wrong with which, in words. With any wrong, none is stored."""
    if len(uploads) > MOST:
        return [], [speech.say(N_("Choose at most %(most)s files. You can add more later."), most=MOST)]
    good, wrong = [], []
    with ExitStack() as held:  # until all are judged
        for upload in uploads:
            name = safe_name(upload.filename or "")
            try:
                good.append(_judged(product, held, upload.file, name))
            except LimitExceeded:
                said = N_("“%(name)s” is larger than %(limit)s. Choose a smaller file.")
                wrong.append(speech.say(said, name=name, limit=megabytes(product)))
            except UnsupportedType:
                said = N_("“%(name)s” is not a kind of file we can take, or its name does not match its content.")
                wrong.append(speech.say(said, name=name))
            except InvalidInput:
                wrong.append(speech.say(N_("“%(name)s” is empty. Choose another file."), name=name))
        return ([], wrong) if wrong else ([each.keep() for each in good], [])


def _judged(product: App, held: ExitStack, source: BinaryIO, name: str) -> Judged:
    settings = product.settings
    received = held.enter_context(product.blobs.upload(settings.attachment_limit))
    for piece in iter(lambda: source.read(_CHUNK), b""):
        received.write(piece)
    return judge(received, name, settings.attachment_types)
