"""The complaint page: everything about one complaint, and beside it the one form that is due."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import NotFound
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import OPEN, Need
from complaints.services import access, casefile, presence
from complaints.services.casefile import CaseFile, Task
from complaints.services.contact import Way, way_to_reach
from complaints.store.tables import Complainant, Complaint, Step
from complaints.store.unit import Work
from web.console import case_forms
from web.console.case_words import MINOR, CaseWords
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import CASEWORK, Staff
from web.console.when import Span

router = APIRouter(route_class=PageRoute)
#: Needs that must not be overlooked before anybody writes or calls.
_LOUD = frozenset({Need.VULNERABLE, Need.SAFE_CONTACT_ONLY, Need.NO_PHONE, Need.NO_EMAIL})
#: Kinds of files that a browser may show.
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")


@router.get("/complaints/{reference}")
def page(screen: Staff, reference: str, step: str = "", whole: str = "") -> Response:
    """The page; `step` chooses among several open tasks, `whole` shows thread and log uncut."""
    with screen.reading() as work:
        values = gather(screen, work, access.see(work, reference), step=step, everything=bool(whole))
    return screen.page("case.html", **values)


def again(screen: Screen, reference: str, status: int, **more: Any) -> Response:
    """The page once more, with what was wrong; arguments as of `gather`."""
    with screen.reading() as work:
        values = gather(screen, work, access.see(work, reference), **more)
    return screen.page("case.html", status, **values)


def gather(
    screen: Screen,
    work: Work,
    complaint: Complaint,
    *,
    step: str = "",
    everything: bool = False,
    given: Mapping[str, Any] | None = None,
    faults: Mapping[str, str] | None = None,
    notice: str = "",
    files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the template shows. `given`, `faults`: a form that was sent; `files`: what was wrong with which file."""
    case = casefile.read(work, complaint, everything=everything)
    works = screen.seat.actor.has(*CASEWORK)
    task = _chosen(case, step)
    due = None
    if task and works and not task.refused and casefile.may_take_over(work, task):
        due = case_forms.due_form(screen, work, case, task, given, faults)
    policy = work.policies.get(complaint.policy_hash)
    return {
        "case": case,
        "one": complaint,
        "task": task,
        "due": due,
        "notice": notice,
        "file_faults": files or {},
        "largest": screen.product.settings.attachment_limit,
        "words": CaseWords(screen.label, policy),
        "policy": policy,
        "works": works,
        "more_time": casefile.more_time(work, complaint, task.step) if task else None,
        "due_action": "",  # where the form goes, if not to its step
        "deeds": [a for a in case.whole.allowed if works],
        "pictures": case_forms.PICTURES,
        "chips": [_chip(screen, work, clock) for clock in case.clocks],
        "people": [_card(person) for person in case.whole.complainants],
        "loud": _loud(case),
        "minor": MINOR,
        "shown": SHOWN,
        "once": token_hex(16),
        "here_now": presence.others(work, complaint),
        "run": _run(screen, complaint),
        "latest": casefile.LATEST,
        "most_others": casefile.OTHERS,
        "over": complaint.status not in OPEN,
        "everything": everything,
        "open_statuses": OPEN,
        "machine": SYSTEM.name,
    }


def _chosen(case: CaseFile, step: str) -> Task | None:
    return next((t for t in case.tasks if str(t.step.id) == step), case.tasks[0] if case.tasks else None)


def _chip(screen: Screen, work: Work, clock: dict[str, Any]) -> dict[str, Any]:
    """A clock as a countdown."""
    span = Span(screen.speech, work.now)
    state = str(clock["state"])
    due = span.due(clock["due_at"], paused=state == "paused", done=state == "met", near=clock["share"] >= 0.8 or None)
    return {**clock, "due": due, "name": screen.label("clock", clock["clock"].rpartition(".")[2])}


def _card(person: Complainant) -> tuple[Complainant, Way]:
    return person, way_to_reach(person)


def _loud(case: CaseFile) -> list[tuple[Complainant, list[str]]]:
    """Who must be treated with care, and how."""
    found = [(p, [need for need in p.needs if need in _LOUD]) for p in case.whole.complainants]
    return [(person, needs) for person, needs in found if needs]


def _run(screen: Screen, complaint: Complaint) -> str:
    """The flow run in Prefect's own pages."""
    if complaint.run_id is None:
        return ""
    return f"{screen.product.settings.prefect_api_url.removesuffix('/api')}/runs/flow-run/{complaint.run_id}"


def onward(screen: Screen, reference: str, say: str, *, tone: str = "good") -> Response:
    """Back to the complaint, or to the inbox where it has left one's sight."""
    try:
        with screen.reading() as work:
            access.see(work, reference)
    except NotFound:
        return screen.go("/console/inbox", say, tone=tone)
    return screen.go(f"/console/complaints/{reference}", say, tone=tone)


def belongs(work: Work, reference: str, step_id: UUID) -> Complaint:
    """The complaint that the actor sees and the step is of; else `NotFound`."""
    complaint = access.see(work, reference)
    step = work.session.get(Step, step_id)
    if step is None or step.complaint_id != complaint.id:
        raise NotFound("task", step_id)
    return complaint
