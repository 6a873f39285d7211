"""Doing a step of a complaint: take it, give it back, keep a draft, complete it. Nothing that was written is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from complaints.domain.errors import (
    AlreadyDone,
    ComplaintsError,
    Conflict,
    ContentGateFailed,
    Forbidden,
    InvalidInput,
    StaleVersion,
)
from complaints.domain.forms import FORMS
from complaints.domain.vocabulary import StepKind
from complaints.services import casefile, drafts, opening, steps
from complaints.services.drafts import Draft, DraftChanged
from complaints.store.tables import Complaint, Step
from web.console import case, case_conflict, case_forms, fields
from web.console.pages import Screen
from web.console.route import PageRoute, by_script, said_of
from web.console.seat import Caseworker, Entries
from web.language import N_

router = APIRouter(route_class=PageRoute)
_WRONG = HTTPStatus.UNPROCESSABLE_ENTITY
#: Of a draft; more is not what a person types into a form.
_LONGEST_DRAFT = 200_000


def _read(step: Step, entries: FormData) -> dict[str, Any]:
    """What was sent, as the form of the step takes it. PostgreSQL cannot keep NUL."""
    plain = {name: str(value).replace("\x00", "") for name, value in entries.items()}
    return fields.read(FORMS[StepKind(step.kind)], plain)


def _step(screen: Screen, reference: str, step_id: UUID) -> Step:
    with screen.reading() as work:
        case.belongs(work, reference, step_id)
        return work.session.get_one(Step, step_id)


@router.post("/complaints/{reference}/steps/{step_id}")
def complete(screen: Caseworker, reference: str, step_id: UUID, entries: Entries) -> Response:
    """Complete it with its form, and see the complaint again."""

    def again(given: Mapping[str, Any], faults: Mapping[str, str]) -> Response:
        return case.again(screen, reference, _WRONG, step=str(step_id), given=given, faults=faults)

    return carry_out(screen, reference, step_id, entries, again, lambda said: case.onward(screen, reference, said))


def carry_out(
    screen: Screen,
    reference: str,
    step_id: UUID,
    entries: FormData,
    again: Callable[[Mapping[str, Any], Mapping[str, str]], Response],
    onward: Callable[[str], Response],
) -> Response:
    """Complete a step with what was sent. Sent twice, it is done once; done by somebody else, both answers are shown.

    `again` shows the form with what was given and what was wrong, `onward` goes on and says what was done. What was
    refused is kept as the draft: whoever looks something up first finds it again.
    """
    step = _step(screen, reference, step_id)
    given = _read(step, entries)

    def refused(faults: Mapping[str, str]) -> Response:
        with suppress(ComplaintsError):  # too much for a draft, or not theirs to keep: it stands on the page
            _keep(screen, step_id, given, entries)
        return again(given, faults)

    try:
        with screen.work() as work:
            _, locked = steps.locked(work, step_id)
            if locked.state != "done":
                drafts.unchanged(work, locked, str(entries.get("draft_seen", "")))
            steps.complete(work, step_id, given, case_forms.number(entries, "version"))
    except InvalidInput as error:
        return refused(fields.faults(error.problems, screen.speech))
    except ContentGateFailed as error:
        return refused({"body": _lacks(screen, error.missing)})
    except AlreadyDone as error:
        if _same(screen, step_id, given):
            return onward(_said_next(screen, step))
        return case_conflict.show(screen, reference, step_id, given, error, entries)
    except (Conflict, Forbidden) as error:
        if not isinstance(error, DraftChanged | StaleVersion | Forbidden) and _may_mend(screen, step):
            return refused({error.field: said_of(screen.speech, error)})  # nobody came first: it is not possible
        return case_conflict.show(screen, reference, step_id, given, error, entries)
    return onward(_said_next(screen, step))


def _may_mend(screen: Screen, step: Step) -> bool:
    """Whether this person still gets the form of the step."""
    with screen.reading() as work:
        complaint = work.session.get_one(Complaint, step.complaint_id)
        found = casefile.tasks(work, complaint, [s for s in opening.open_steps(work, complaint) if s.id == step.id])
        return any(not task.refused and casefile.may_take_over(work, task) for task in found)


def _lacks(screen: Screen, missing: list[str]) -> str:
    names = screen.speech.series(screen.label("element", name) for name in missing)
    return screen.speech.say(N_("The letter still lacks: %(elements)s."), elements=names)


def _same(screen: Screen, step_id: UUID, given: Mapping[str, Any]) -> bool:
    """Whether it was this person who completed the step, with this very answer: a double click."""
    with screen.reading() as work:
        step = work.session.get_one(Step, step_id)
        if step.completed_by_id != work.actor.id:
            return False
        try:
            return steps.parse(StepKind(step.kind), given).model_dump(mode="json") == step.answer
        except InvalidInput:
            return False


def _said_next(screen: Screen, step: Step) -> str:
    """What is done, and what is due next here for this person."""
    done = screen.label("step", step.kind)
    with screen.reading() as work:
        complaint = work.session.get_one(Complaint, step.complaint_id)
        tasks = casefile.tasks(work, complaint, opening.open_steps(work, complaint))
        following = next((t.step.kind for t in tasks if not t.refused and casefile.may_take_over(work, t)), "")
    if following:
        said = N_("Done: %(done)s. Next here: %(next)s.")
        return screen.speech.say(said, done=done, next=screen.label("step", following))
    return screen.speech.say(N_("Done: %(done)s. Nothing more is due here from you."), done=done)


@router.post("/complaints/{reference}/steps/{step_id}/claim")
def claim(screen: Caseworker, reference: str, step_id: UUID, entries: Entries) -> Response:
    """Take it."""
    return _hand(screen, reference, step_id, take=True)


@router.post("/complaints/{reference}/steps/{step_id}/release")
def release(screen: Caseworker, reference: str, step_id: UUID, entries: Entries) -> Response:
    """Give it back to the team."""
    return _hand(screen, reference, step_id, take=False)


def _hand(screen: Screen, reference: str, step_id: UUID, *, take: bool) -> Response:
    _step(screen, reference, step_id)
    said, tone = handed(screen, step_id, take=take)
    return case.onward(screen, reference, said, tone=tone)


def handed(screen: Screen, step_id: UUID, *, take: bool) -> tuple[str, str]:
    """Take a task or give it back; what is to be said of it, and in which tone."""
    try:
        with screen.work() as work:
            (steps.claim if take else steps.release)(work, step_id)
    except (Conflict, Forbidden) as error:
        return said_of(screen.speech, error), "bad"
    return screen.speech.say(N_("The task is yours.") if take else N_("The task is back with the team.")), "good"


@router.post("/complaints/{reference}/steps/{step_id}/draft")
def keep(screen: Caseworker, reference: str, step_id: UUID, entries: Entries) -> Response:
    """Keep what is written so far; nothing is checked. A script hears when, a browser sees the page again."""
    step = _step(screen, reference, step_id)
    given = _read(step, entries)
    try:
        kept = _keep(screen, step_id, given, entries)
    except (Conflict, Forbidden) as error:
        if by_script(screen.request):
            return screen.json({"say": case_conflict.sentence(screen, error), "stop": True}, HTTPStatus.CONFLICT)
        return case_conflict.show(screen, reference, step_id, given, error, entries)
    assert kept.at is not None
    said = screen.speech.say(N_("Draft kept at %(time)s."), time=screen.speech.clock(kept.at))
    if by_script(screen.request):
        return screen.json({"say": said, "seen": kept.mark})
    return screen.go(f"/console/complaints/{reference}?step={step_id}", said)


def _keep(screen: Screen, step_id: UUID, given: Mapping[str, Any], entries: FormData) -> Draft:
    if sum(len(str(value)) for value in entries.values()) > _LONGEST_DRAFT:
        raise InvalidInput("This is too long.", "draft")
    with screen.work() as work:
        return drafts.keep(work, step_id, given, str(entries.get("draft_seen", "")))
