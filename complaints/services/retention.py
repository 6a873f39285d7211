"""How long dossiers are kept: what is due for disposal, whose request stands, what was erased. `disposal` erases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, or_, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from complaints.domain.vocabulary import Status
from complaints.services.access import visible
from complaints.store.tables import AdminEvent, Complaint, Event
from complaints.store.unit import Work

#: Dossiers on a page.
PAGE = 50


@dataclass(frozen=True)
class Dossier:
    """An archived case that may go; `request` is the one that stands, where somebody asked for its disposal."""

    complaint: Complaint
    request: Event | None

    @property
    def requested_by(self) -> str:
        """Who asked; empty where nobody did."""
        return self.request.actor_name if self.request else ""


@dataclass(frozen=True)
class Tombstone:
    """What is left of an erased case: its row, and who erased it and why, as the log of administration has it.

    `removed` is the entry that its bag and files are gone, too; None while they are being removed.
    """

    complaint: Complaint
    erased: AdminEvent
    removed: AdminEvent | None


def due(work: Work, limit: int = PAGE, after: UUID | None = None) -> tuple[list[Dossier], UUID | None]:
    """Archived complaints whose retention date has come, the longest overdue first; where the next page begins."""
    key = (col(Complaint.retention_until), col(Complaint.id))
    query = select(Complaint).where(
        Complaint.status == Status.ARCHIVED, col(Complaint.retention_until) <= work.now, visible(work)
    )
    if after is not None and (last := work.session.get(Complaint, after)) is not None:
        query = query.where(tuple_(*key) > (last.retention_until, last.id))
    rows = work.session.exec(query.order_by(*key).limit(limit + 1)).all()
    found = [Dossier(row, request_for(work, row)) for row in rows[:limit]]
    return found, found[-1].complaint.id if len(rows) > limit else None


def requested(work: Work, limit: int = PAGE, after: int | None = None) -> tuple[list[Dossier], int | None]:
    """Archived complaints of which somebody asked for the disposal, also before their time; the oldest request first.

    The second value is where the next page begins.
    """
    query = (
        select(Event, Complaint)
        .join(Complaint, col(Complaint.id) == col(Event.complaint_id))
        .where(Event.kind == "request_disposal", Complaint.status == Status.ARCHIVED, visible(work), _stands())
    )
    if after is not None:
        query = query.where(col(Event.id) > after)
    rows = work.session.exec(query.order_by(col(Event.id)).limit(limit + 1)).all()
    found = [Dossier(complaint, event) for event, complaint in rows[:limit]]
    return found, rows[limit - 1][0].id if len(rows) > limit else None


def erased(work: Work, limit: int = PAGE, before: int | None = None) -> tuple[list[Tombstone], int | None]:
    """Erased complaints, the latest first, and where the next page begins."""
    query = (
        select(AdminEvent, Complaint)
        .join(Complaint, col(Complaint.reference) == col(AdminEvent.object))
        .where(AdminEvent.kind == "case_erased", visible(work))
    )
    if before is not None:
        query = query.where(col(AdminEvent.id) < before)
    rows = work.session.exec(query.order_by(col(AdminEvent.id).desc()).limit(limit + 1)).all()
    removals = select(AdminEvent).where(
        AdminEvent.kind == "files_erased", col(AdminEvent.object).in_([c.reference for _, c in rows])
    )
    removed = {event.object: event for event in work.session.exec(removals).all()}
    found = [Tombstone(complaint, event, removed.get(complaint.reference)) for event, complaint in rows[:limit]]
    return found, rows[limit - 1][0].id if len(rows) > limit else None


def request_for(work: Work, complaint: Complaint) -> Event | None:
    """The request that stands: the last one, unless a legal hold came after it."""
    return work.session.exec(
        select(Event).where(Event.complaint_id == complaint.id, Event.kind == "request_disposal", _stands())
    ).first()


def _stands() -> Any:
    """Whether a request is the last one of its case and no legal hold came after it."""
    later = aliased(Event)
    held = and_(col(later.kind) == "legal_hold", later.data["hold"].as_boolean())
    return ~exists(
        select(later.id).where(
            later.complaint_id == col(Event.complaint_id),
            later.seq > col(Event.seq),
            or_(col(later.kind) == "request_disposal", held),
        )
    ).correlate(Event)
