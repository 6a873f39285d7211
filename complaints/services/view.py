"""One complaint with all that hangs on it, read once for whoever shows it (API, console)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from sqlmodel import SQLModel, col, select

from complaints.domain.vocabulary import Audience, LinkKind, Role
from complaints.services import actions, decision, notices, opening
from complaints.services.access import visible
from complaints.store.tables import (
    Complainant,
    Complaint,
    Decision,
    Investigation,
    Link,
    Message,
    Remedy,
    Step,
    Survey,
)
from complaints.store.unit import Work

EVERYTHING = frozenset(Audience)
Row = TypeVar("Row", bound=SQLModel)


def audiences(work: Work) -> frozenset[Audience]:
    """What the actor may read of a complaint they see: staff everything, an integrator what the complainant may."""
    actor = work.actor
    if actor.kind in ("person", "system") or actor.has(Role.ADMIN):
        return EVERYTHING
    return frozenset({Audience.COMPLAINANT})


@dataclass(frozen=True)
class Relation:
    """Another complaint this one belongs with; `outgoing` when this one points to it."""

    reference: str
    kind: str
    score: float
    note: str
    outgoing: bool


@dataclass(frozen=True)
class Whole:
    """A complaint and its rows, each list oldest first."""

    complaint: Complaint
    complainants: list[Complainant]
    findings: list[Investigation]
    decisions: list[Decision]
    remedies: list[Remedy]
    surveys: list[Survey]
    open_steps: list[Step]
    relations: list[Relation]
    merged_into: str | None
    allowed: list[str]


def whole(work: Work, complaint: Complaint) -> Whole:
    """Everything but thread, events and files, which are read by themselves."""
    related = relations(work, complaint)
    merged = [r.reference for r in related if r.outgoing and r.kind == LinkKind.MERGED_INTO]
    return Whole(
        complaint=complaint,
        complainants=sorted(notices.parties(work, complaint), key=lambda p: p.id != complaint.complainant_id),
        findings=_rows(work, Investigation, complaint, "at"),
        decisions=_rows(work, Decision, complaint, "at"),
        remedies=decision.remedies(work, complaint),
        surveys=_rows(work, Survey, complaint, "at"),
        open_steps=opening.open_steps(work, complaint),
        relations=related,
        merged_into=merged[0] if merged and complaint.merged_into_id else None,
        allowed=actions.allowed_for(work, complaint),
    )


def thread(work: Work, complaint: Complaint, may_read: frozenset[Audience]) -> list[Message]:
    """Letters, mails, calls and notes that these audiences may read, oldest first."""
    return list(
        work.session.exec(
            select(Message)
            .where(Message.complaint_id == complaint.id, col(Message.audience).in_(may_read))
            .order_by(col(Message.at), col(Message.id))
        ).all()
    )


def steps(work: Work, complaint: Complaint) -> list[Step]:
    """All human steps, also those done and cancelled, oldest first."""
    return _rows(work, Step, complaint, "opened_at")


def relations(work: Work, complaint: Complaint) -> list[Relation]:
    """Links from and to other complaints, best first; those the actor may not see are left out."""
    found = []
    for here, there, outgoing in ((Link.from_id, Link.to_id, True), (Link.to_id, Link.from_id, False)):
        rows = work.session.exec(
            select(Link, Complaint.reference)
            .join(Complaint, col(Complaint.id) == there)
            .where(here == complaint.id, visible(work))
            .order_by(col(Link.score).desc(), col(Link.id))
        ).all()
        found += [Relation(reference, link.kind, link.score, link.note, outgoing) for link, reference in rows]
    return found


def _rows(work: Work, table: type[Row], complaint: Complaint, order: str) -> list[Row]:
    columns = table.__table__.c  # type: ignore[attr-defined]  # SQLModel does not type the table behind a class
    query = select(table).where(columns.complaint_id == complaint.id).order_by(columns[order], columns.id)
    return list(work.session.exec(query).all())
