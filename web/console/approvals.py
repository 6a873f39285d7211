"""The approvals queue: findings and remedies, more time asked for, reviews by management; decided in place."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import NotFound
from complaints.services import approvals
from complaints.services.approvals import KINDS
from complaints.store.tables import Step
from web.console import case, case_steps
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Approver, Entries, Witness
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/approvals"
_COLUMNS = (
    N_("Reference"),
    N_("Subject"),
    N_("Severity"),
    N_("Task"),
    N_("Team"),
    N_("With"),
    N_("Since"),
    N_("Deadline"),
)


@router.get("/approvals")
def show(screen: Witness, kind: str = "", step: str = "") -> Response:
    """The queue, and beside it one request with all that is needed to decide."""
    try:
        asked = UUID(step)
    except ValueError:
        asked = None
    return _page(screen, kind, asked)


def _page(screen: Screen, kind: str, step: UUID | None, status: int = HTTPStatus.OK, **sent: Any) -> Response:
    kinds = [k for k in KINDS if k == kind] or list(KINDS)
    with screen.reading() as work:
        found = approvals.waiting(work, kinds)
        counts = approvals.counts(work)
        asked = approvals.waiting(work, most=None, only=step) if step else []  # it may be beyond those that are listed
        chosen = next(iter(asked or found), None)
        values = case.gather(screen, work, chosen.complaint, step=str(chosen.step.id), **sent) if chosen else {}
    tabs = [(_HOME, screen.speech.say(N_("All")), _told(sum(counts.values())))]
    tabs += [(f"{_HOME}?kind={k}", screen.label("step", k), _told(counts[k])) for k in KINDS]
    values |= {"found": found, "tabs": tabs, "kind": kind, "current": f"{_HOME}?kind={kind}" if kind else _HOME}
    return screen.page("approvals.html", status, **values, chosen=chosen, most=approvals.MOST)


def _told(number: int) -> str:
    return str(number) if number <= approvals.MOST else f"{approvals.MOST}+"


@router.post("/approvals/{reference}/{step_id}")
def decide(screen: Approver, reference: str, step_id: UUID, entries: Entries, kind: str = "") -> Response:
    """Decide one request; the next one is shown."""
    with screen.reading() as work:
        case.belongs(work, reference, step_id)
        if work.session.get_one(Step, step_id).kind not in KINDS:
            raise NotFound("request", step_id)

    def again(given: Mapping[str, Any], faults: Mapping[str, str]) -> Response:
        wrong = HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(screen, kind, step_id, wrong, given=given, faults=faults)

    return case_steps.carry_out(
        screen, reference, step_id, entries, again, lambda said: screen.go(_address(kind), said)
    )


def _address(kind: str) -> str:
    return f"{_HOME}?kind={kind}" if kind in KINDS else _HOME


@router.get("/approvals.csv")
def export(screen: Witness, kind: str = "") -> Response:
    """The queue as a sheet."""
    kinds = [k for k in KINDS if k == kind] or list(KINDS)
    with screen.reading() as work:
        found = approvals.waiting(work, kinds, most=None)
    rows = [
        (
            request.complaint.reference,
            request.complaint.subject,
            screen.label("severity", request.complaint.severity),
            screen.label("step", request.step.kind),
            request.step.team,
            request.holder,
            request.step.opened_at,
            request.step.due_at,
        )
        for request in found
    ]
    return sheet(screen, "approvals", _COLUMNS, rows)
