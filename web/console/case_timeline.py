"""What happened in a case, as a file."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.services import access, casefile
from web.console.case_words import CaseWords
from web.console.route import PageRoute
from web.console.seat import Staff
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_COLUMNS = (N_("Number"), N_("When"), N_("Who"), N_("What"), N_("Status"), N_("Reason"), N_("Who may read it"))


@router.get("/complaints/{reference}/timeline.csv")
def timeline(screen: Staff, reference: str) -> Response:
    """The whole history, oldest first, as far as the reader may see it."""
    label = screen.label
    with screen.reading() as work:
        complaint = access.see(work, reference)
        words = CaseWords(label, work.policies.get(complaint.policy_hash))
        events = casefile.history(work, complaint)
    rows = [
        (
            event.seq,
            event.at,
            label("who", event.actor_name),
            words.event(event),
            label("status", event.to_status) if event.to_status else "",
            words.why(event.reason) if event.reason else "",
            label("audience", event.audience),
        )
        for event in events
    ]
    return sheet(screen, f"{complaint.reference}-timeline", _COLUMNS, rows)
