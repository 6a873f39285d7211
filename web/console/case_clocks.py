"""Why a clock is due when it is, day by day: as a table, as text, as a file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.explain import Explanation
from complaints.domain.explain_words import Told, tell
from complaints.domain.policy import PolicyBundle
from complaints.services import access, clocks
from complaints.store.tables import Complaint
from web.console.case_words import CaseWords
from web.console.pages import Screen
from web.console.route import PageRoute, by_script
from web.console.seat import Staff
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_COLUMNS = (N_("Clock"), N_("Rule"), N_("Round"), N_("Day"), N_("Counted"), N_("Together"), N_("Why"))


@router.get("/complaints/{reference}/clocks")
def explain(screen: Staff, reference: str, clock: str = "") -> Response:
    """All clocks of the complaint, or one, with the days that counted."""
    one, policy, found = _told(screen, reference, clock)
    values: dict[str, Any] = {"one": one, "found": found, "words": CaseWords(screen.label, policy)}
    if by_script(screen.request):
        return screen.fragment("case_clock.html", **values)
    return screen.page("case_clocks.html", **values)


@router.get("/complaints/{reference}/clocks.csv")
def export(screen: Staff, reference: str, clock: str = "") -> Response:
    """The days as a file."""
    one, policy, found = _told(screen, reference, clock)
    words = CaseWords(screen.label, policy)
    rows = [
        (words.clock(it.clock), words.profile(it.clock.partition(".")[0]), it.round, r.day, r.counted, r.total, r.why)
        for it, told in found
        for r in told.rows
    ]
    return sheet(screen, f"{one.reference}-clocks", _COLUMNS, rows)


def _told(screen: Screen, reference: str, clock: str) -> tuple[Complaint, PolicyBundle, list[tuple[Explanation, Told]]]:
    """The complaint, its policy, and its clocks as facts and in words."""
    with screen.reading() as work:
        complaint = access.see(work, reference)
        policy = work.policies.get(complaint.policy_hash)
        found = clocks.explained(work, complaint, screen.speech.zone, clock or None)
    return complaint, policy, [(one, tell(one, screen.speech.language)) for one in found]
