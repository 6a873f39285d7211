"""The machine's steps of one complaint. Each reads the row, does what is due, and says what is next.

A task may run twice (retry, crash, resume): the service looks at the row first and does nothing that was done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect import State, Task, task
from prefect.client.schemas.objects import TaskRun
from prefect.tasks import exponential_backoff
from sqlalchemy.exc import SQLAlchemyError

from complaints.crashpoints import reach
from complaints.domain.errors import AlreadyDone, InvalidInput, Refusal
from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Role
from complaints.domain.walk import Next
from complaints.services import closing, response, steps, walk
from complaints.store.unit import Work
from config.wiring import app


def _once_more(_: Task[..., Any], run: TaskRun, __: State[Any]) -> bool:
    """As often as policy says (`task_attempts`); what our database was away for, the flow does again."""
    try:
        return run.run_count < app().policies.active(app().store.now()).lifecycle.timings.task_attempts
    except SQLAlchemyError:
        return False


_RETRIES: dict[str, Any] = {
    "retries": 9,  # the most that policy may ask for
    "retry_condition_fn": _once_more,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "persist_result": False,
}
#: Whoever fills in Prefect's own form cannot be told apart; the case log says so.
PREFECT_FORM = Actor(
    "system", "prefect-form", "Prefect form", frozenset({Role.SYSTEM, Role.AGENT, Role.LEAD, Role.APPROVER})
)


def _do(service: Callable[[Work], Next]) -> Next:
    with app().store.work(SYSTEM, in_flow=True) as work:
        following = service(work)
    reach("after_task")
    return following


@task(name="intake", **_RETRIES)
def intake(complaint_id: UUID) -> Next:
    """Screen: is the same matter known already?"""
    return _do(lambda work: walk.screen(work, complaint_id, app().find_duplicates))


@task(name="classification", **_RETRIES)
def classification(complaint_id: UUID) -> Next:
    """Category, severity, team; route, answer at once, or ask a person."""
    return _do(lambda work: walk.classify(work, complaint_id, app().classifier))


@task(name="acknowledgment", **_RETRIES)
def acknowledgment(complaint_id: UUID) -> Next:
    """Tell the complainant the reference, what happens next and by when."""
    return _do(lambda work: walk.acknowledge(work, complaint_id))


@task(name="briefing", task_run_name="{step}", **_RETRIES)
def briefing(complaint_id: UUID, step: str) -> Next:
    """Hand the open human step to somebody and tell them. Bears the name of the step in Prefect."""
    return _do(lambda work: walk.brief(work, complaint_id))


@task(name="decision", **_RETRIES)
def decision(complaint_id: UUID) -> Next:
    """Decide within the investigator's authority, or open the approval."""
    return _do(lambda work: walk.decide(work, complaint_id))


@task(name="response", **_RETRIES)
def respond(complaint_id: UUID) -> Next:
    """Write the final response and send it, if the content gate lets it pass."""
    return _do(lambda work: response.respond(work, complaint_id, app().renderer))


@task(name="satisfaction survey", **_RETRIES)
def survey(complaint_id: UUID) -> Next:
    """Ask whether the outcome is accepted, and how it was."""
    return _do(lambda work: walk.survey(work, complaint_id))


@task(name="archive", **_RETRIES)
def archive(complaint_id: UUID) -> Next:
    """Write the dossier as a BagIt bag, then mark the case archived."""
    with app().store.reading(SYSTEM) as work:
        dossier = closing.collect(work, complaint_id)
    bag = app().write_bag(dossier)
    head = dossier["complaint"]["chain_head"]

    def mark(work: Work) -> Next:
        closing.archived(work, complaint_id, bag.url, bag.sha256, head)
        return walk.where(work, complaint_id)

    return _do(mark)


def take_up(complaint_id: UUID, run_id: UUID, name: str) -> Next | None:
    """What the row says is next for a run that begins a segment; None where the complaint has another run."""
    with app().store.reading(SYSTEM) as work:
        return walk.take_up(work, complaint_id, run_id, name)


def look(complaint_id: UUID) -> Next:
    """What the row says is next (not a task: it changes nothing)."""
    with app().store.reading(SYSTEM) as work:
        return walk.where(work, complaint_id)


@task(name="answer from Prefect's form", **_RETRIES)
def take_answer(complaint_id: UUID, gate: str, answer: dict[str, Any]) -> str | None:
    """Complete the step with what was typed into Prefect's own form; the sentence to show when it was refused.

    Where the step is done already, by somebody else or by an earlier try whose answer was lost, nothing is to be asked
    again: the row has moved on.
    """
    try:
        with app().store.work(PREFECT_FORM, in_flow=True) as work:
            steps.complete_gate(work, complaint_id, gate, answer)
    except AlreadyDone:
        return None
    except InvalidInput as error:
        return str(error)
    except Refusal as refusal:
        return refusal.args[0] if refusal.args else refusal.code
    return None
