"""Who else is at this complaint, asked by its page every few seconds."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.services import access, presence
from web.console.route import PageRoute
from web.console.seat import Entries, Staff

router = APIRouter(route_class=PageRoute)


@router.post("/complaints/{reference}/presence")
def here(screen: Staff, reference: str, entries: Entries) -> Response:
    """Tell that one is here (or `gone`, or `writing`); hear who else is, and how many events the case has by now."""
    with screen.work() as work:
        complaint = access.see(work, reference)
        if entries.get("gone"):
            presence.leave(work, complaint)
            found = []
        else:
            presence.note(work, complaint, writing=entries.get("writing") == "yes")
            found = presence.others(work, complaint)
        seen = complaint.event_count
    return screen.json({"here": str(screen.html("case_here.html", here_now=found)), "seen": seen})
