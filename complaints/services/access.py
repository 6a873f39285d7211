"""Who sees which complaint: by team, by confidentiality, never with a conflict of interest. The one rule, as SQL."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, true
from sqlmodel import col, select

from complaints.domain.errors import NotFound
from complaints.domain.ports import Actor
from complaints.domain.reference import parse
from complaints.domain.vocabulary import Role
from complaints.store.tables import Complainant, Complaint, Party, Person, Step
from complaints.store.unit import Work

#: See every team's complaints, confidential ones too.
SEES_ALL = frozenset({Role.MANAGER, Role.AUDITOR, Role.ADMIN, Role.SYSTEM})


def visible(work: Work, actor: Actor | None = None) -> ColumnElement[bool]:
    """A condition on `Complaint` that holds for what the actor may see.

    An agent sees their teams' complaints, those not yet routed, and those in which they hold a step; confidential ones
    only as assignee, step holder or lead of the team. Nobody sees a complaint in which they have an interest.
    """
    who = actor or work.actor
    known: dict[Actor, ColumnElement[bool]] = work.session.info.setdefault("visible", {})
    if who not in known:
        known[who] = _condition(work, who)
    return known[who]


def _condition(work: Work, who: Actor) -> ColumnElement[bool]:
    if who.kind == "system":
        return true()
    if who.kind == "key":
        return true() if Role.ADMIN in who.roles else not_(col(Complaint.confidential))
    if who.kind != "person":
        return false()
    me = UUID(who.id)
    teams = list(who.teams)
    mine = or_(
        col(Complaint.assignee_id) == me,
        exists(select(Step.id).where(Step.complaint_id == Complaint.id, Step.assignee_id == me).correlate(Complaint)),
    )
    if who.roles & SEES_ALL:
        base: ColumnElement[bool] = true()
    elif Role.LEAD in who.roles:
        base = or_(mine, col(Complaint.team).in_([*teams, ""]))
    else:
        base = or_(
            mine,
            and_(col(Complaint.team).in_([*teams, ""]), not_(col(Complaint.confidential))),
        )
    return and_(base, not_(_interested(work, me)))


def _interested(work: Work, me: UUID) -> ColumnElement[bool]:
    """A complaint that the person is named in or related to, themselves or by any of its complainants."""
    person = work.session.get_one(Person, me)
    related = [r.casefold() for r in person.related_to]
    conditions: list[ColumnElement[bool]] = []
    if related:
        by_name = func.lower(col(Complainant.name)).in_(related)
        conditions += [
            func.lower(col(Complaint.reference)).in_(related),
            func.lower(col(Complaint.responsible_unit)).in_(related),
            _of(or_(func.lower(col(Complainant.email)).in_(related), by_name)),
        ]
    if person.email:
        conditions.append(_of(func.lower(col(Complainant.email)) == person.email.casefold()))
    return func.coalesce(or_(*conditions), False) if conditions else false()


def _of(those: ColumnElement[bool]) -> ColumnElement[bool]:
    """Complaints to which such a complainant is a party; looked up once, not for every row."""
    cases = select(Party.complaint_id).join(Complainant, col(Complainant.id) == col(Party.complainant_id)).where(those)
    return col(Complaint.id).in_(cases)


def see(work: Work, reference: str) -> Complaint:
    """The complaint with `reference`, if the actor may see it; else `NotFound`, as if it did not exist."""
    key = parse(reference)
    found = work.session.exec(select(Complaint).where(Complaint.reference == key, visible(work))).first()
    if found is None:
        raise NotFound("complaint", key)
    return found


def see_step(work: Work, step_id: UUID) -> Step:
    """The step, if the actor may see its complaint."""
    found = work.session.exec(
        select(Step)
        .join(Complaint, col(Complaint.id) == col(Step.complaint_id))
        .where(Step.id == step_id, visible(work))
    ).first()
    if found is None:
        raise NotFound("task", step_id)
    return found
