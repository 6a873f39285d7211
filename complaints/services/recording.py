"""Staff write down a complaint that came by telephone, by letter or at the counter: once, and not twice unseen."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, union_all
from sqlmodel import col, select

from complaints.domain.errors import Conflict
from complaints.domain.intake import NewComplaint, plain_number
from complaints.domain.ports import Classifier
from complaints.services import intake
from complaints.services.access import visible
from complaints.store.similar import LOOK_BACK
from complaints.store.tables import Complainant, Complaint, IdempotencyKey
from complaints.store.unit import Work

#: At most so many earlier complaints are shown.
MOST_SHOWN = 5


@dataclass(frozen=True)
class Recorded:
    """What came of it; `seen` is False where the recorder may not see the complaint: it is confidential, or theirs."""

    reference: str
    seen: bool


class AlreadyRecorded(Conflict):
    """The same form has recorded another complaint before, `reference`: somebody went back and changed it."""

    code = "already_recorded"

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(f"This form has recorded {reference} already. For another complaint send it once more.")


def record(work: Work, new: NewComplaint, classifier: Classifier, key: str) -> Recorded:
    """Take the complaint down. The same form sent twice (`key`) records it once; raises `AlreadyRecorded`."""
    owner = _owner(work)
    try:
        taken = intake.submit(work, new, classifier, owner=owner, key=key)
    except Conflict:
        before = work.session.get_one(IdempotencyKey, (owner, key))
        raise AlreadyRecorded(work.session.get_one(Complaint, before.complaint_id).reference) from None
    return Recorded(taken.reference, _seen(work, taken.id))


def recorded(work: Work, key: str) -> bool:
    """Whether this form has recorded its complaint already."""
    return work.session.get(IdempotencyKey, (_owner(work), key)) is not None


def likely(work: Work, *, email: str = "", phone: str = "", order_ref: str = "") -> list[Complaint]:
    """Recent complaints of the same person or about the same order that the actor may see, newest first."""
    known = ((Complainant.email, email), (Complainant.phone, plain_number(phone)))
    same = [col(column) == value for column, value in known if value]
    ways = []
    if same:
        people = select(Complainant.id).where(or_(*same))
        ways.append(select(Complaint.id).where(col(Complaint.complainant_id).in_(people)))
    if order_ref:
        ways.append(select(Complaint.id).where(Complaint.order_ref == order_ref))
    if not ways:
        return []
    return list(
        work.session.exec(
            select(Complaint)
            .where(col(Complaint.id).in_(union_all(*ways)), visible(work))
            .where(col(Complaint.received_at) >= work.now - LOOK_BACK)
            .order_by(col(Complaint.received_at).desc())
            .limit(MOST_SHOWN)
        ).all()
    )


def _seen(work: Work, complaint_id: UUID) -> bool:
    return (
        work.session.exec(select(Complaint.id).where(Complaint.id == complaint_id, visible(work))).first() is not None
    )


def _owner(work: Work) -> str:
    return f"console/{work.actor.id}"
