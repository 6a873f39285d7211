"""Waiting that is over: a silent complainant, no verdict on the outcome, the end of the appeal window."""

from __future__ import annotations

import logging
from collections.abc import Collection
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Status, StepKind
from complaints.services import decision, marks, notices, opening
from complaints.services.transition import perform, record, wake
from complaints.store.tables import Complaint, Person
from complaints.store.unit import Store, Work

_log = logging.getLogger(__name__)
_WAITING = (Status.AWAITING_CUSTOMER, Status.CONFIRMING, Status.CLOSED)


def end_waiting(store: Store, limit: int = 500) -> int:
    """End up to `limit` waits whose time is over, each in its own transaction; several processes may do it at once.

    One that cannot be ended holds up no other: operations are told, and the next tick tries again.
    """
    ended, stuck = 0, set[UUID]()
    while ended < limit:
        over: tuple[UUID, str] | None = None
        try:
            with store.work(SYSTEM) as work:
                waiting = _first_over(work, stuck)
                if waiting is None:
                    return ended
                over = waiting.id, waiting.reference
                _end(work, waiting)
            ended += 1
        except (InterfaceError, OperationalError):
            raise  # the database, not a complaint
        except Exception as error:
            if over is None:
                raise
            _log.exception("The wait of complaint %s cannot be ended.", over[1])
            stuck.add(over[0])
            with store.work(SYSTEM) as work:
                marks.note_fault(work, over[1], f"{type(error).__name__}: {error}"[:300])
    return ended


def _first_over(work: Work, but: Collection[UUID]) -> Complaint | None:
    """The complaint whose wait has been over for longest, locked."""
    return work.session.exec(
        select(Complaint)
        .where(
            col(Complaint.status).in_(_WAITING),
            col(Complaint.waiting_until) <= work.now,
            col(Complaint.id).not_in(but),
        )
        .order_by(col(Complaint.waiting_until))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()


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
