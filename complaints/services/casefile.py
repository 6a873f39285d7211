"""A complaint as somebody works on it: all its rows, the step that is due for the reader, what stands around it.

Read with a fixed number of queries, however long the case is: thread and log are cut to their latest entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import col, select

from complaints.domain.businesstime import answered
from complaints.domain.ledger import Ledger
from complaints.domain.vocabulary import Role, StepKind, StepState
from complaints.services import attachments, clocks, opening, routing, view
from complaints.services.access import visible
from complaints.store.tables import Attachment, Clock, Complainant, Complaint, Event, Message, Person, Step
from complaints.store.unit import Work

#: So many of the latest messages and events are shown at once.
LATEST = 100
#: No complaint has so many events or messages.
_ALL = 10_000
#: So many other complaints of the same person.
OTHERS = 10


@dataclass(frozen=True)
class Task:
    """An open step, as it is for the reader: theirs to do, or `refused` says why not."""

    step: Step
    refused: str = ""
    holder: str = ""  #: who has taken it
    mine: bool = False

    @property
    def held_by_other(self) -> bool:
        """Somebody else has taken it."""
        return bool(self.holder) and not self.mine


@dataclass(frozen=True)
class CaseFile:
    """What the complaint page shows."""

    whole: view.Whole
    tasks: list[Task]
    thread: list[Message]
    events: list[Event]
    files: list[Attachment]
    clocks: list[dict[str, Any]]
    others: list[Complaint]
    around: dict[str, Complaint]
    names: dict[UUID, str]

    @property
    def complaint(self) -> Complaint:
        """The complaint itself."""
        return self.whole.complaint


def read(work: Work, complaint: Complaint, *, everything: bool = False) -> CaseFile:
    """The file of a complaint that the actor sees; `everything` does not cut thread and log."""
    whole = view.whole(work, complaint)
    may_read = view.audiences(work)
    most = _ALL if everything else LATEST
    held = {step.assignee_id for step in whole.open_steps} | {complaint.assignee_id}
    names = _names(work, held)
    return CaseFile(
        whole=whole,
        tasks=tasks(work, complaint, whole.open_steps, names),
        thread=_latest(work, Message, complaint, may_read, most),
        events=_latest(work, Event, complaint, may_read, most),
        files=attachments.of(work, complaint, may_read),
        clocks=clocks.summary(work, complaint),
        others=_others(work, complaint, whole.complainants),
        around=_around(work, {relation.reference for relation in whole.relations}),
        names=names,
    )


def history(work: Work, complaint: Complaint) -> list[Event]:
    """The whole case log as far as the actor may read it, oldest first."""
    return _latest(work, Event, complaint, view.audiences(work), _ALL)


def tasks(
    work: Work, complaint: Complaint, open_steps: Iterable[Step], names: dict[UUID, str] | None = None
) -> list[Task]:
    """The open steps, first what the actor is to do: taken by them, then open to them, then the rest."""
    steps = list(open_steps)
    known = names if names is not None else _names(work, {step.assignee_id for step in steps})
    found = [_task(work, complaint, step, known) for step in steps]
    return sorted(
        found, key=lambda t: (bool(t.refused), not t.mine, t.held_by_other, _beside(t.step), t.step.opened_at)
    )


def _task(work: Work, complaint: Complaint, step: Step, names: dict[UUID, str]) -> Task:
    taken = step.state == StepState.CLAIMED and step.assignee_id is not None
    mine = taken and str(step.assignee_id) == work.actor.id
    holder = names.get(step.assignee_id, "") if taken and step.assignee_id else ""
    return Task(step, routing.not_eligible(work, complaint, step, work.actor) or "", holder, mine)


def _beside(step: Step) -> bool:
    return step.kind not in opening.BLOCKING


def may_take_over(work: Work, task: Task) -> bool:
    """Leads and managers may take, and complete, what somebody else has taken."""
    return not task.held_by_other or work.actor.has(Role.LEAD, Role.MANAGER)


def more_time(work: Work, complaint: Complaint, step: Step) -> tuple[datetime | None, datetime | None] | None:
    """For a request of more time: when its clock is due, and when it would be if the request is granted."""
    if step.kind != StepKind.EXTENSION:
        return None
    clock = work.session.get_one(Clock, UUID(step.context["clock_id"]))
    _, days = clocks.spec_of(work.policies.get(complaint.policy_hash), clock)
    book = Ledger.from_json(clock.ledger).extend(work.now, int(step.context["days"]), step.context["reason"])
    return clock.due_at, answered(days, book.due)


def since(work: Work, complaint: Complaint, seq: int) -> list[Event]:
    """What has happened after the event number `seq`, oldest first."""
    return list(
        work.session.exec(
            select(Event)
            .where(Event.complaint_id == complaint.id, Event.seq > seq)
            .order_by(col(Event.seq))
            .limit(LATEST)
        ).all()
    )


def assignable(work: Work) -> list[Person]:
    """Who can be given a complaint: present people who handle complaints, by name."""
    wanted = {Role.AGENT.value, Role.LEAD.value, Role.APPROVER.value, Role.MANAGER.value}
    people = work.session.exec(select(Person).where(col(Person.active).is_(True)).order_by(Person.name)).all()
    return [p for p in people if wanted & set(p.roles) and routing.present(p, work.now)]


def _latest(work: Work, table: Any, complaint: Complaint, may_read: Iterable[str], most: int) -> list[Any]:
    rows = work.session.exec(
        select(table)
        .where(table.complaint_id == complaint.id, col(table.audience).in_(list(may_read)))
        .order_by(col(table.at).desc(), col(table.id).desc())
        .limit(most)
    ).all()
    return list(reversed(rows))


def _others(work: Work, complaint: Complaint, people: list[Complainant]) -> list[Complaint]:
    """Complaints of the same people, newest first; found by address or number."""
    emails = {p.email for p in people if p.email}
    phones = {p.phone for p in people if p.phone}
    same = []
    if emails:
        same.append(col(Complainant.email).in_(emails))
    if phones:
        same.append(col(Complainant.phone).in_(phones))
    if not same:
        return []
    ids = select(Complainant.id).where(or_(*same))
    rows = work.session.exec(
        select(Complaint)
        .where(col(Complaint.complainant_id).in_(ids), Complaint.id != complaint.id, visible(work))
        .order_by(col(Complaint.received_at).desc())
        .limit(OTHERS + 1)
    ).all()
    return list(rows)


def _around(work: Work, references: set[str]) -> dict[str, Complaint]:
    if not references:
        return {}
    rows = work.session.exec(select(Complaint).where(col(Complaint.reference).in_(references), visible(work))).all()
    return {row.reference: row for row in rows}


def _names(work: Work, ids: set[UUID | None]) -> dict[UUID, str]:
    wanted = ids - {None}
    return (
        dict(work.session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wanted))).all())
        if wanted
        else {}
    )
