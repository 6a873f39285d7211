"""Findings, remedies and the decision on them: what needs a second pair of eyes, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlmodel import col, select

from complaints.domain import placeholders
from complaints.domain.forms import RemedyProposal
from complaints.domain.vocabulary import (
    MONETARY_REMEDIES,
    ClosingCategory,
    Finding,
    RemedyState,
    Role,
    Severity,
)
from complaints.services.transition import perform
from complaints.store.columns import new_id
from complaints.store.tables import Complaint, Decision, Investigation, Person, Remedy
from complaints.store.unit import Work


def findings(work: Work, complaint: Complaint) -> Investigation | None:
    """The latest findings."""
    return work.session.exec(
        select(Investigation)
        .where(Investigation.complaint_id == complaint.id)
        .order_by(col(Investigation.at).desc(), col(Investigation.id).desc())
    ).first()


def remedies(work: Work, complaint: Complaint) -> list[Remedy]:
    """All remedies, oldest first."""
    return list(
        work.session.exec(
            select(Remedy).where(Remedy.complaint_id == complaint.id).order_by(col(Remedy.proposed_at), col(Remedy.id))
        ).all()
    )


def note_findings(
    work: Work,
    complaint: Complaint,
    source: str,
    finding: Finding,
    summary: str,
    *,
    root_cause: str | None = None,
    responsible_unit: str | None = None,
    internal_note: str = "",
    proposals: Sequence[RemedyProposal] = (),
) -> Investigation:
    """Store findings and the measures proposed with them; measures proposed earlier and not begun are replaced."""
    placeholders.refuse_unfilled(summary, "summary")
    row = Investigation(
        id=new_id(work.now),
        complaint_id=complaint.id,
        at=work.now,
        source=source,
        finding=finding,
        summary=summary,
        root_cause=root_cause,
        responsible_unit=responsible_unit,
        internal_note=internal_note,
        by_id=work.actor.id,
        by_name=work.actor.name,
    )
    work.session.add(row)
    complaint.finding = finding
    complaint.root_cause = root_cause or complaint.root_cause
    complaint.responsible_unit = responsible_unit or complaint.responsible_unit
    for old in remedies(work, complaint):
        if old.state == RemedyState.PROPOSED:
            old.state = RemedyState.DECLINED
            old.evidence = "replaced by newer findings"
            work.session.add(old)
    for proposal in proposals:
        propose(work, complaint, proposal)
    work.session.flush()
    return row


def propose(work: Work, complaint: Complaint, proposal: RemedyProposal) -> Remedy:
    """Add one proposed measure."""
    policy = work.policies.get(complaint.policy_hash)
    remedy = Remedy(
        id=new_id(work.now),
        complaint_id=complaint.id,
        kind=proposal.kind,
        description=proposal.description,
        amount=proposal.amount,
        currency=(proposal.currency or policy.authority.currency) if proposal.amount is not None else None,
        state=RemedyState.PROPOSED,
        due_at=work.now + timedelta(days=proposal.due_days),
        proposed_by=work.actor.name,
        proposed_at=work.now,
    )
    work.session.add(remedy)
    return remedy


def approval_needed(work: Work, complaint: Complaint) -> str | None:
    """Why somebody must approve, in a sentence; None when the machine may decide."""
    policy = work.policies.get(complaint.policy_hash).authority
    latest = findings(work, complaint)
    if Severity(complaint.severity) in policy.approve_severities:
        return f"severity is {complaint.severity}"
    if complaint.category in policy.approve_categories:
        return f"category is {complaint.category}"
    if latest is not None and Finding(latest.finding) in policy.approve_findings:
        return f"finding is {latest.finding}"
    open_remedies = [r for r in remedies(work, complaint) if r.state == RemedyState.PROPOSED]
    foreign = [r for r in open_remedies if r.currency not in (None, policy.currency)]
    if foreign:
        return f"a remedy is in {foreign[0].currency}, authority is given in {policy.currency}"
    total = sum((r.amount or Decimal() for r in open_remedies), Decimal())
    limit = _authority(work, latest.by_id if latest else "", policy.limits)
    if total > limit:
        return f"remedies of {total} {policy.currency} are above the investigator's authority of {limit}"
    return None


def _authority(work: Work, person_id: str, limits: dict[Role, Decimal]) -> Decimal:
    try:
        person = work.session.get(Person, UUID(person_id))
    except ValueError:
        person = None
    if person is None:
        return limits.get(Role.AGENT, Decimal())
    if person.authority is not None:
        return person.authority
    return max((limits.get(Role(r), Decimal()) for r in person.roles), default=Decimal())


def decide(work: Work, complaint: Complaint, action: str, *, outcome: str, reason: str) -> None:
    """Record the decision and go on: remedies are offered, or the response is due."""
    work.session.add(
        Decision(
            id=new_id(work.now),
            complaint_id=complaint.id,
            at=work.now,
            outcome=outcome,
            reason=reason,
            by_id=work.actor.id,
            by_name=work.actor.name,
        )
    )
    if outcome != "sent_back":
        for remedy in remedies(work, complaint):
            if remedy.state == RemedyState.PROPOSED:
                remedy.state = RemedyState.OFFERED
                work.session.add(remedy)
        work.session.flush()
    perform(work, complaint, action, reason=reason, data={"outcome": outcome})


def closing_category(work: Work, complaint: Complaint) -> ClosingCategory:
    """What kind of answer the complainant got (the CFPB's response categories)."""
    given = [r for r in remedies(work, complaint) if r.state in (RemedyState.DONE, RemedyState.VERIFIED)]
    if any(r.kind in MONETARY_REMEDIES for r in given):
        return ClosingCategory.MONETARY_RELIEF
    if given:
        return ClosingCategory.NON_MONETARY_RELIEF
    if complaint.finding == Finding.NOT_UPHELD:
        return ClosingCategory.NOT_UPHELD
    return ClosingCategory.EXPLANATION
