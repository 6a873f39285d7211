"""The end of a case: the dossier is put together, stored as a bag, and the row says where."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlmodel import SQLModel, col, select

from complaints.domain.vocabulary import Language, Status
from complaints.services.transition import lock, perform
from complaints.store.chain import entry
from complaints.store.tables import (
    Attachment,
    Clock,
    Complainant,
    Complaint,
    Decision,
    Event,
    Investigation,
    Message,
    Party,
    Remedy,
    Step,
    Survey,
)
from complaints.store.unit import Work


def collect(work: Work, complaint_id: UUID) -> dict[str, Any]:
    """Everything about a complaint as JSON-ready plain data, in a fixed order."""
    complaint = work.session.get_one(Complaint, complaint_id)

    def rows(table: type[SQLModel], *order: Any) -> list[dict[str, Any]]:
        found = work.session.exec(
            select(table).where(table.complaint_id == complaint_id).order_by(*order)  # type: ignore[attr-defined]
        ).all()
        return [r.model_dump(mode="json") for r in found]

    people = work.session.exec(
        select(Complainant)
        .join(Party, col(Party.complainant_id) == col(Complainant.id))
        .where(Party.complaint_id == complaint_id)
        .order_by(col(Complainant.id))
    ).all()
    findings = rows(Investigation, col(Investigation.at), col(Investigation.id))
    causes = {complaint.root_cause, *(found["root_cause"] for found in findings)}
    events = work.session.exec(select(Event).where(Event.complaint_id == complaint_id).order_by(col(Event.seq))).all()
    return {
        "complaint": complaint.model_dump(mode="json", exclude={"search"})
        | {"in_words": _words(work, complaint, causes)},
        "complainants": [p.model_dump(mode="json") for p in people],
        "thread": rows(Message, col(Message.at), col(Message.id)),
        "findings": findings,
        "decisions": rows(Decision, col(Decision.at), col(Decision.id)),
        "remedies": rows(Remedy, col(Remedy.proposed_at), col(Remedy.id)),
        "survey": rows(Survey, col(Survey.at), col(Survey.id)),
        "clocks": rows(Clock, col(Clock.started_at), col(Clock.id)),
        "steps": rows(Step, col(Step.opened_at), col(Step.id)),
        "attachments": rows(Attachment, col(Attachment.at), col(Attachment.id)),
        "events": [entry(e) for e in events],
    }


def _words(work: Work, complaint: Complaint, causes: Collection[str | None]) -> dict[str, dict[str, str]]:
    """What the codes of the policy mean that stand in the dossier: its readers do not have the policy."""
    taxonomy, language = work.policies.get(complaint.policy_hash).taxonomy, Language(complaint.language)
    categories = [c for c in taxonomy.categories if c.key == complaint.category]
    root_causes = [r for r in taxonomy.root_causes if r.key in causes]
    return {
        "category": {c.key: c.label.in_(language) for c in categories},
        "root_cause": {r.key: r.label.in_(language) for r in root_causes},
    }


def archived(work: Work, complaint_id: UUID, url: str, bag_hash: str, head: str) -> bool:
    """Mark the complaint archived in the bag at `url`; False when its log has grown since the bag was written."""
    complaint = lock(work, complaint_id)
    if complaint.status != Status.CLOSED:
        return complaint.status == Status.ARCHIVED
    if complaint.chain_head != head:
        return False
    policy = work.policies.get(complaint.policy_hash)
    keep = policy.retention.by_category.get(complaint.category, policy.retention.default)
    complaint.bag_url, complaint.bag_hash = url, bag_hash
    complaint.retention_until = work.now + keep
    perform(work, complaint, "archive", data={"bag": url, "sha256": bag_hash})
    return True
