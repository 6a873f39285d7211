"""What waits for somebody with authority: decisions to approve, more time asked for, cases for management's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlmodel import col, func, select

from complaints.domain.vocabulary import StepKind, StepState
from complaints.services.access import visible
from complaints.store.tables import Complaint, Person, Step
from complaints.store.unit import Work

KINDS = (StepKind.APPROVAL, StepKind.EXTENSION, StepKind.MANAGEMENT_REVIEW)
#: So many, the most urgent ones, are shown at once.
MOST = 100


@dataclass(frozen=True)
class Request:
    """One of them; `holder` is whose it is, or the empty string."""

    step: Step
    complaint: Complaint
    holder: str


def waiting(
    work: Work, kinds: Sequence[StepKind] = KINDS, most: int | None = MOST, only: UUID | None = None
) -> list[Request]:
    """The requests that the actor sees, due first, those without a due time in the order they came; or `only` one."""
    found = work.session.exec(
        select(Step, Complaint, Person.name)
        .join(Complaint, col(Complaint.id) == col(Step.complaint_id))
        .outerjoin(Person, col(Person.id) == col(Step.assignee_id))
        .where(_open(work, kinds), *([Step.id == only] if only else []))
        .order_by(col(Step.due_at).asc().nulls_last(), col(Step.opened_at), col(Step.id))
        .limit(most)
    ).all()
    return [Request(step, complaint, holder or "") for step, complaint, holder in found]


def counts(work: Work) -> dict[StepKind, int]:
    """How many of each kind, at most `MOST` + 1."""
    found = {}
    for kind in KINDS:
        some = (
            select(Step.id)
            .join(Complaint, col(Complaint.id) == col(Step.complaint_id))
            .where(_open(work, [kind]))
            .limit(MOST + 1)
        )
        found[kind] = work.session.exec(select(func.count()).select_from(some.subquery())).one()
    return found


def _open(work: Work, kinds: Sequence[StepKind]) -> ColumnElement[bool]:
    live = col(Step.state).in_([StepState.OPEN, StepState.CLAIMED])
    return and_(live, col(Step.kind).in_(kinds), visible(work))
