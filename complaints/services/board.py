"""The team's load: who has what, how urgent it is, and handing tasks from one person to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case
from sqlmodel import col, func, select, text

from complaints.domain.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, StaleVersion
from complaints.domain.vocabulary import Role, StepKind, StepState
from complaints.services import actions, holding, notices, routing, steps
from complaints.services.access import see_step, visible
from complaints.services.routing import as_actor, away_until, not_eligible, present
from complaints.services.transition import record
from complaints.store.tables import AT_WORK, Complaint, Person, Step
from complaints.store.unit import Work

#: A task due within this is near its breach.
NEAR = timedelta(hours=24)
#: So many cards, the most urgent ones, are shown of each person.
CARDS = 12
_LIVE = (StepState.OPEN, StepState.CLAIMED)
#: Roles whose tasks a team works on; what waits for the customer is nobody's load.
_WORKERS = (Role.AGENT.value, Role.LEAD.value, Role.APPROVER.value, Role.MANAGER.value)


@dataclass(frozen=True)
class Card:
    """One task on the board."""

    step: Step
    complaint: Complaint


@dataclass
class Column:
    """What one person has; `person` is None for what nobody has."""

    person: Person | None
    away: bool = False
    until: datetime | None = None  #: the last moment they are away
    owned: int = 0  #: open complaints assigned to them
    tasks: int = 0
    late: int = 0
    near: int = 0
    severities: dict[str, int] = field(default_factory=dict)
    cards: list[Card] = field(default_factory=list)


@dataclass(frozen=True)
class Move:
    """A task going to somebody: what is proposed, or what was done and can be undone."""

    step: Step
    complaint: Complaint
    origin: Person | None
    to: Person | None
    why: str = ""  #: away, unassigned or load: the reason of a proposal


def teams(work: Work) -> list[str]:
    """Keys of the teams whose board the actor may see, their own first."""
    known = [t.key for t in work.policy.routing.teams]
    own = [k for k in known if k in work.actor.teams]
    if work.actor.has(Role.MANAGER, Role.AUDITOR, Role.ADMIN):
        return own + [k for k in known if k not in own]
    return own


def columns(work: Work, team: str) -> list[Column]:
    """The board of `team`: what nobody has first, then everybody of the team, whoever has most first.

    Six queries, however large.
    """
    members = {p.id: p for p in _people(work) if team in p.teams and set(p.roles) & set(_WORKERS)}
    made: dict[UUID | None, Column] = {None: Column(None)}
    counted = _counts(work, team)
    strangers = {who for who, *_ in counted if who is not None} - set(members)
    if strangers:
        found = work.session.exec(select(Person).where(col(Person.id).in_(strangers))).all()
        members |= {p.id: p for p in found}
    for person in sorted(members.values(), key=lambda p: (p.name, p.login)):
        away = not present(person, work.now)
        made[person.id] = Column(person, away, away_until(person) if away else None)
    for who, severity, number, late, near in counted:
        column = made[who]
        column.severities[severity] = number
        column.tasks, column.late, column.near = column.tasks + number, column.late + late, column.near + near
    for who, owned in _owned(work, team):
        if who in made:
            made[who].owned = owned
    for card in _cards(work, team):
        made[card.step.assignee_id].cards.append(card)
    nobodys = made.pop(None)
    return [nobodys, *sorted(made.values(), key=lambda c: -c.tasks)]  # by name among those who have as much


def tasks(work: Work, team: str) -> list[tuple[Card, str]]:
    """Every open task of the team, next due first, each with the name of whoever has it."""
    query = _tasks(work, team, Step, Complaint, Person.name).join(
        Person, col(Person.id) == col(Step.assignee_id), isouter=True
    )
    rows = work.session.exec(query.order_by(col(Step.due_at), col(Step.id))).all()
    return [(Card(step, complaint), holder or "") for step, complaint, holder in rows]


def move(work: Work, step_id: UUID, to: UUID | None, version: int | None = None) -> Move:
    """Give the task to somebody, or with None back to the team; refused where routing would not give it to them."""
    if not work.actor.has(Role.LEAD, Role.MANAGER):
        raise Forbidden("Only a lead or a manager moves tasks between people.")
    see_step(work, step_id)
    complaint, step = steps.locked(work, step_id)
    if step.state == StepState.DONE and step.completed_at is not None:
        raise AlreadyDone(f"Task {step.gate}", step.completed_by or "somebody", step.completed_at)
    if step.state not in _LIVE:
        raise Conflict(f"Task {step.gate} is no longer needed; the complaint has moved on.")
    if version is not None and version != step.version:
        raise StaleVersion(version, step.version)
    origin = work.session.get(Person, step.assignee_id) if step.assignee_id else None
    person = _receiver(work, complaint, step, to) if to else None
    if person is None:
        steps.release(work, step.id)
    elif step.kind == StepKind.INVESTIGATION:
        actions.act(work, complaint.reference, "assign", {"person": str(person.id), "reason": ""})
    else:
        _hand_over(work, complaint, step, person)
    work.session.flush()
    return Move(step, complaint, origin, person)


def _receiver(work: Work, complaint: Complaint, step: Step, to: UUID) -> Person:
    person = work.session.get(Person, to)
    if person is None or not person.active:
        raise InvalidInput("no such active person", "to")
    if not present(person, work.now):
        raise Conflict(f"{person.name} is away. Choose somebody who is present.")
    if not_eligible(work, complaint, step, as_actor(person)):
        raise Conflict(f"{person.name} may not do this task: role, four eyes or a conflict of interest forbid it.")
    return person


def _hand_over(work: Work, complaint: Complaint, step: Step, person: Person) -> None:
    holding.give(work, complaint, step, person.id)
    about = {"gate": step.gate, "to": person.name, "person_id": str(person.id)}
    event = record(work, complaint, "assign", data=about)
    due = step.due_at.isoformat() if step.due_at else None
    context = {"step": step.kind, "gate": step.gate, "due_at": due}
    notices.tell_staff(work, complaint, "step_assigned", f"assign-{event.seq}", people=[person], context=context)


# -- proposals


def rebalance(work: Work, team: str, most: int = 20) -> list[Move]:
    """Who could take what, so that the load is even: from people who are away, from nobody, from the most loaded.

    Nothing is done. Each receiver is present, has the role, no conflict of interest and no part in the case that four
    eyes forbid; a skill for the category counts as much as two tasks less. What somebody has claimed stays with them
    unless they are away.
    """
    people = [p for p in _people(work) if team in p.teams and present(p, work.now)]
    load = {p.id: 0 for p in people} | routing.load_of(work, [p.id for p in people])
    if not people:
        return []
    waiting = _to_move(work, team, [p.id for p in people])
    proposed: list[Move] = []
    for step, complaint in waiting:
        if len(proposed) >= most:
            break
        holder = step.assignee_id
        why = "unassigned" if holder is None else "load" if holder in load else "away"
        ranked = sorted((p for p in people if p.id != holder), key=lambda p: (_weight(p, complaint, load), p.login))
        fit = next((p for p in ranked if not_eligible(work, complaint, step, as_actor(p)) is None), None)
        if fit is None or (why == "load" and holder is not None and load[fit.id] + 1 >= load[holder]):
            continue
        origin = work.session.get(Person, holder) if holder else None
        proposed.append(Move(step, complaint, origin, fit, why))
        load[fit.id] += 1
        if holder in load:
            load[holder] -= 1
    return proposed


def _weight(person: Person, complaint: Complaint, load: dict[UUID, int]) -> int:
    return load[person.id] - (2 if complaint.category and complaint.category in person.skills else 0)


def _to_move(work: Work, team: str, here: Sequence[UUID]) -> list[tuple[Step, Complaint]]:
    """First what is of people who are away, then what nobody has, then of the most loaded what they have not begun."""
    held = col(Step.assignee_id)
    load = (
        select(Step.assignee_id, func.count().label("n"))
        .where(held.in_(here), col(Step.state).in_(_LIVE))
        .group_by(held)
        .subquery()
    )
    movable = (col(Step.state) == StepState.OPEN) | held.is_(None) | held.not_in(list(here))
    rank = case((held.is_(None), 1), (held.in_(here), 2), else_=0)
    rows = work.session.exec(
        _tasks(work, team, Step, Complaint)
        .join(load, load.c.assignee_id == held, isouter=True)
        .where(movable)
        .order_by(rank, func.coalesce(load.c.n, 0).desc(), col(Step.due_at), col(Step.id))
        .limit(200)
    ).all()
    return [(step, complaint) for step, complaint in rows]


# -- what the board reads


def _people(work: Work) -> list[Person]:
    return list(work.session.exec(select(Person).where(col(Person.active).is_(True)).order_by(Person.login)).all())


def _tasks(work: Work, team: str, *what: Any) -> Any:
    """Open tasks of the team, as far as the actor sees their complaints."""
    return (
        select(*what)
        .select_from(Step)
        .join(Complaint, col(Complaint.id) == col(Step.complaint_id))
        .where(
            text("step.state in ('open', 'claimed')"),  # the literal condition of the index
            Step.team == team,
            col(Step.role).in_(_WORKERS),
            visible(work),
        )
    )


def _counts(work: Work, team: str) -> list[tuple[UUID | None, str, int, int, int]]:
    due = col(Step.due_at)
    late = func.count().filter(due < work.now)
    near = func.count().filter(and_(due >= work.now, due < work.now + NEAR))
    rows = work.session.exec(
        _tasks(work, team, Step.assignee_id, Complaint.severity, func.count(), late, near).group_by(
            col(Step.assignee_id), col(Complaint.severity)
        )
    ).all()
    return [(who, severity, n, late, near) for who, severity, n, late, near in rows]


def _owned(work: Work, team: str) -> list[tuple[UUID, int]]:
    rows = work.session.execute(
        select(col(Complaint.assignee_id), func.count())
        .where(text(f"complaint.{AT_WORK}"), Complaint.team == team, col(Complaint.assignee_id).is_not(None))
        .where(visible(work))
        .group_by(col(Complaint.assignee_id))
    ).all()
    return [(who, n) for who, n in rows]


def _cards(work: Work, team: str) -> list[Card]:
    place = func.row_number().over(partition_by=col(Step.assignee_id), order_by=(col(Step.due_at), col(Step.id)))
    inner = _tasks(work, team, col(Step.id).label("id"), place.label("place")).subquery()
    rows = work.session.exec(
        select(Step, Complaint)
        .join(inner, inner.c.id == Step.id)
        .join(Complaint, col(Complaint.id) == col(Step.complaint_id))
        .where(inner.c.place <= CARDS)
        .order_by(col(Step.due_at), col(Step.id))
    ).all()
    return [Card(step, complaint) for step, complaint in rows]
