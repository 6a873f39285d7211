"""Waiting that is over: a silent complainant, no verdict on the outcome, the end of the appeal window."""

from __future__ import annotations

from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Status, StepKind
from complaints.services import decision, notices, opening
from complaints.services.transition import perform, record, wake
from complaints.store.tables import Complaint, Person
from complaints.store.unit import Store, Work

_WAITING = (Status.AWAITING_CUSTOMER, Status.CONFIRMING, Status.CLOSED)


def end_waiting(store: Store, limit: int = 500) -> int:
    """End up to `limit` waits whose time is over, each in its own transaction; several processes may do it at once."""
    ended = 0
    while ended < limit:
        with store.work(SYSTEM) as work:
            complaint = work.session.exec(
                select(Complaint)
                .where(
                    col(Complaint.status).in_(_WAITING),
                    col(Complaint.waiting_until) <= work.now,
                )
                .order_by(col(Complaint.waiting_until))
                .limit(1)
                .with_for_update(skip_locked=True)
            ).first()
            if complaint is None:
                return ended
            _end(work, complaint)
            ended += 1
    return ended


def _end(work: Work, complaint: Complaint) -> None:
    if complaint.status == Status.AWAITING_CUSTOMER:
        event = perform(work, complaint, "customer_silent", reason="no answer within the time given")
        person = work.session.get(Person, complaint.assignee_id) if complaint.assignee_id else None
        notices.tell_staff(
            work,
            complaint,
            "reminder",
            f"silent-{event.seq}",
            people=[person] if person else (),
            tags=["team", complaint.team],
            context={"reason": "the complainant did not answer"},
        )
    elif complaint.status == Status.CONFIRMING:
        complaint.closing_category = decision.closing_category(work, complaint)
        perform(work, complaint, "confirmation_timeout", reason="no answer to the response")
    else:
        complaint.waiting_until = None
        for step in opening.open_steps(work, complaint):
            if step.kind == StepKind.CLOSURE:
                step.state, step.completed_at, step.completed_by = (
                    "done",
                    work.now,
                    SYSTEM.name,
                )
                step.version += 1
                work.session.add(step)
        event = record(work, complaint, "window_ended")
        wake(work, complaint, event.seq)
