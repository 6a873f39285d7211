"""Earlier complaints that may be about the same matter: the same person or the same order, not too long ago."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, select

from complaints.store.tables import Complainant, Complaint

#: How far back the same complainant's complaints, or those about the same order, are looked at.
LOOK_BACK = timedelta(days=90)
#: At most this many are compared.
MOST = 30


def earlier(session: Session, complaint: Complaint) -> list[Complaint]:
    """Candidates for duplicates of `complaint`, newest first, found by address, number or order (all indexed)."""
    who = session.get_one(Complainant, complaint.complainant_id)
    same = []
    if who.email:
        same.append(col(Complainant.email) == who.email)
    if who.phone:
        same.append(col(Complainant.phone) == who.phone)
    if complaint.order_ref:
        same.append(col(Complaint.order_ref) == complaint.order_ref)
    if not same:
        return []
    return list(
        session.exec(
            select(Complaint)
            .join(Complainant, col(Complainant.id) == col(Complaint.complainant_id))
            .where(
                or_(*same),
                Complaint.id != complaint.id,
                Complaint.created_at <= complaint.created_at,
                Complaint.received_at >= complaint.received_at - LOOK_BACK,
            )
            .order_by(col(Complaint.received_at).desc())
            .limit(MOST)
        ).all()
    )
