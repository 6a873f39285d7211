"""Who gets a human step: present, able, allowed, independent, and least loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, func, select

from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Role, StepKind, StepState
from complaints.services.notices import parties
from complaints.store.tables import (
    Complainant,
    Complaint,
    Event,
    Investigation,
    Person,
    Step,
)
from complaints.store.unit import Work

#: Roles that may stand in for the role a step asks for.
STANDS_IN: dict[str, frozenset[Role]] = {
    Role.AGENT: frozenset({Role.AGENT, Role.LEAD, Role.MANAGER}),
    Role.LEAD: frozenset({Role.LEAD, Role.MANAGER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.LEAD, Role.MANAGER}),
    Role.MANAGER: frozenset({Role.MANAGER}),
    Role.COMPLAINANT: frozenset({Role.COMPLAINANT, Role.AGENT, Role.LEAD, Role.MANAGER}),
}

#: Steps whose doer must not have investigated; the second must not have touched the case at all.
_INDEPENDENT_OF_INVESTIGATION = frozenset({StepKind.APPROVAL})
_INDEPENDENT_OF_EVERYTHING = frozenset({StepKind.REVIEW})
#: Steps that make an outcome: whoever did one may not pass the complainant's verdict on it.
_MAKE_THE_OUTCOME = (StepKind.INVESTIGATION, StepKind.APPROVAL, StepKind.RESPONSE, StepKind.REVIEW)


def present(person: Person, now: datetime) -> bool:
    """Active and not absent at `now`."""
    if not person.active:
        return False
    away_from, away_until = person.absent_from, person.absent_until
    return not (away_from and away_from <= now and (away_until is None or now < away_until))


def away_until(person: Person) -> datetime | None:
    """The last moment of an absence, which is kept with the moment after it; None: until further notice."""
    return person.absent_until - timedelta(microseconds=1) if person.absent_until else None


def conflicted(complaint: Complaint, complainants: Iterable[Complainant], person: Person) -> bool:
    """Named in or related to the complaint: such a person neither sees it nor is routed it."""
    people = list(complainants)
    emails = {c.email.casefold() for c in people if c.email}
    names = [complaint.reference, complaint.responsible_unit, *(c.name for c in people)]
    related = {r.casefold() for r in person.related_to}
    return bool(related & (emails | {n.casefold() for n in names if n}) or (person.email or "").casefold() in emails)


def not_eligible(
    work: Work, complaint: Complaint, step: Step, actor: Actor, complainants: Sequence[Complainant] | None = None
) -> str | None:
    """Why `actor` may not do this step, in a sentence; None when they may. `complainants` saves looking them up."""
    if not actor.roles & STANDS_IN[step.role]:
        return f"This step needs the role '{step.role}'."
    kind = StepKind(step.kind)
    if kind in _INDEPENDENT_OF_INVESTIGATION and actor.id in investigators(work, complaint):
        return "Whoever investigated may not approve (four eyes). Ask somebody else."
    if kind in _INDEPENDENT_OF_EVERYTHING and actor.id in touched_by(work, complaint):
        return "An appeal is reviewed by somebody who had no part in the case. Ask somebody else."
    if kind is StepKind.CONFIRMATION and _made_the_outcome(work, complaint, actor):
        return "Whoever investigated, decided or answered may not give the complainant's verdict. Ask somebody else."
    person = work.session.get(Person, UUID(actor.id)) if actor.kind == "person" else None
    known = parties(work, complaint) if complainants is None else complainants
    if kind is StepKind.CONFIRMATION and joined(complaint, known, actor):
        return "Whoever complained first says whether the answer settles it. If you do not agree, ask for a review."
    if person is not None and conflicted(complaint, known, person):
        return "You are named in or related to this complaint (conflict of interest)."
    return None


def joined(complaint: Complaint, complainants: Iterable[Complainant], actor: Actor) -> bool:
    """Whether `actor` is a complainant who came to this case by a merger. It is not theirs to end."""
    late = {str(c.id) for c in complainants if c.id != complaint.complainant_id}
    return actor.kind == "complainant" and actor.id in late


def investigators(work: Work, complaint: Complaint) -> set[str]:
    """Ids of those who investigated this complaint."""
    rows = work.session.exec(select(Investigation.by_id).where(Investigation.complaint_id == complaint.id)).all()
    return set(rows)


def _made_the_outcome(work: Work, complaint: Complaint, actor: Actor) -> bool:
    """Whether the actor did a step of this complaint that made its outcome. A complainant never does."""
    done = select(Step.id).where(
        Step.complaint_id == complaint.id,
        Step.completed_by_id == actor.id,
        col(Step.kind).in_(_MAKE_THE_OUTCOME),
        Step.state == StepState.DONE,
    )
    return actor.kind != "complainant" and work.session.exec(done.limit(1)).first() is not None


def touched_by(work: Work, complaint: Complaint) -> set[str]:
    """Ids of people who acted in this complaint at all."""
    rows = work.session.exec(
        select(Event.actor_id).where(Event.complaint_id == complaint.id, Event.actor_kind == "person").distinct()
    ).all()
    return set(rows)


def choose(work: Work, complaint: Complaint, step: Step, *, but: UUID | None = None) -> Person | None:
    """The least loaded present person who may do `step`; prefers the complaint's own assignee, then its team."""
    wanted, complainants = {r.value for r in STANDS_IN[step.role]}, parties(work, complaint)
    people = [
        p
        for p in work.session.exec(select(Person).where(col(Person.active).is_(True)).order_by(Person.login)).all()
        if p.id != but
        and wanted & set(p.roles)
        and present(p, work.now)
        and not_eligible(work, complaint, step, as_actor(p), complainants) is None
    ]
    if not people:
        return None
    if step.role == Role.AGENT:
        own = next((p for p in people if p.id == complaint.assignee_id), None)
        if own is not None:
            return own
    team = [p for p in people if step.team in p.teams] or people
    exact = [p for p in team if step.role in p.roles] or team
    load = load_of(work, [p.id for p in exact])
    return min(exact, key=lambda p: (load.get(p.id, 0), p.login))


def load_of(work: Work, people: list[UUID]) -> dict[UUID, int]:
    """Open steps per person."""
    rows = work.session.exec(
        select(Step.assignee_id, func.count())
        .where(
            col(Step.assignee_id).in_(people),
            col(Step.state).in_([StepState.OPEN, StepState.CLAIMED]),
        )
        .group_by(col(Step.assignee_id))
    ).all()
    return {person: count for person, count in rows if person is not None}


def as_actor(person: Person) -> Actor:
    """The actor that a person is."""
    return Actor(
        "person",
        str(person.id),
        person.name,
        frozenset(Role(r) for r in person.roles),
        frozenset(person.teams),
    )
