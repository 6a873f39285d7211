"""The customer's tracking links: sent anew, or revoked when one has come into wrong hands."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.services import access, tracking
from complaints.services.transition import lock
from web.console import case
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Caseworker, Entries
from web.language import N_

router = APIRouter(route_class=PageRoute)


@router.post("/complaints/{reference}/links")
def renew(screen: Caseworker, reference: str, entries: Entries) -> Response:
    """Mail every party a new link; all earlier ones open nothing any more."""
    with screen.work() as work:
        sent = tracking.reissue(work, lock(work, access.see(work, reference).id))
    if not sent:
        said = N_("The earlier links open nothing any more. Nobody has an e-mail address, so no new one was sent.")
        return case.onward(screen, reference, screen.speech.say(said), tone="note")
    said = N_("New links sent: %(count)s. The earlier ones open nothing any more.")
    return case.onward(screen, reference, screen.speech.say(said, count=sent))


@router.post("/complaints/{reference}/links/revoke")
def revoke(screen: Caseworker, reference: str, entries: Entries) -> Response:
    """Make all links worthless, once that is confirmed."""
    with screen.reading() as work:
        access.see(work, reference)
    if entries.get("sure") != "yes":
        return _ask(screen, reference)
    with screen.work() as work:
        tracking.revoke(work, lock(work, access.see(work, reference).id))
    said = N_("The links are revoked. The next letter brings a new one.")
    return case.onward(screen, reference, screen.speech.say(said))


def _ask(screen: Screen, reference: str) -> Response:
    home = f"/console/complaints/{reference}"
    why = screen.speech.say(N_("Links that were given out open nothing any more. The next letter brings a new one."))
    to = {"path": f"{home}/links/revoke", "back": home, "kept": {}, "object": reference}
    return screen.page("confirm.html", title=screen.speech.say(N_("Revoke tracking links")), why=why, to=to)
