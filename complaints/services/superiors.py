"""Who is told of a case beside its handler: the team's lead, a manager, whoever listens where nobody is there."""

from __future__ import annotations

from sqlmodel import col, select

from complaints.domain.sla_policy import RungAction
from complaints.domain.vocabulary import Role
from complaints.services import holding, notices, routing
from complaints.store.tables import Complaint, Person, Step
from complaints.store.unit import Work

#: Recipient of a message: a person, or a tag where nobody is there.
Recipient = tuple[str, Person | None, tuple[str, ...]]


class Superiors:
    """Who is told of a complaint; people are read once."""

    def __init__(self, work: Work) -> None:
        self._people = list(
            work.session.exec(select(Person).where(col(Person.active).is_(True)).order_by(Person.login)).all()
        )
        self._now = work.now

    def recipient(self, action: RungAction, complaint: Complaint) -> Recipient:
        if action is RungAction.REMIND_ASSIGNEE:
            found = next((p for p in self._people if p.id == complaint.assignee_id), None)
            tags: tuple[str, ...] = ("team", complaint.team)
        else:
            role = Role.LEAD if action is RungAction.NOTIFY_LEAD else Role.MANAGER
            there = [p for p in self._people if role in p.roles and routing.present(p, self._now)]
            own = [p for p in there if complaint.team in p.teams]
            found = next(iter(own or there), None)
            tags = (role.value, complaint.team)
        return (str(found.id) if found else "/".join(tags), found, tags)


def tell(work: Work, complaint: Complaint, action: RungAction, once: str, reason: str) -> None:
    """Tell lead or manager of one complaint, outside of any ladder and at once."""
    _, person, tags = Superiors(work).recipient(action, complaint)
    people = [person] if person else []
    context = {"reason": reason, "due_at": complaint.due_at.isoformat() if complaint.due_at else None}
    notices.tell_staff(work, complaint, "escalation", once, people=people, tags=tags, context=context)


def hand_over(work: Work, complaint: Complaint, step: Step, role: Role) -> None:
    """Give lead or manager a step beside the flow run, and tell them; whoever listens, where nobody is there."""
    action = RungAction.NOTIFY_LEAD if role is Role.LEAD else RungAction.NOTIFY_MANAGER
    _, person, tags = Superiors(work).recipient(action, complaint)
    if person is not None:
        holding.give(work, complaint, step, person.id)
    step.briefed_at = work.now
    notices.tell_of_step(work, complaint, step, person, tags)
