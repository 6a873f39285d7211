"""Merging two complaints into one, and linking those that belong together. A merger ends no duty (decision 0021)."""

from __future__ import annotations

from sqlmodel import select

from complaints.domain import commands
from complaints.domain.errors import Conflict, InvalidInput, NotOpen
from complaints.domain.vocabulary import ANSWERED, OPEN, ClosingCategory, LinkKind, Status
from complaints.services import clocks, holding, notices, opening, reclassification, routing
from complaints.services.access import see
from complaints.services.contact import Way, way_to_reach
from complaints.services.transition import lock_beside, perform, record
from complaints.store.columns import new_id
from complaints.store.tables import Complainant, Complaint, Link, Party, Person
from complaints.store.unit import Work


def merge(work: Work, complaint: Complaint, into: Complaint, reason: str, field: str = "into") -> None:
    """End this case in favour of `into`: earliest receipt wins, everybody is still acknowledged and answered.

    `field` is where the caller named it.
    """
    if into.id == complaint.id:
        raise InvalidInput("a complaint cannot be merged into itself", field)
    if Status(into.status) not in OPEN:
        raise NotOpen(into.reference, into.status, field)
    joining = _who_joins(work, complaint, into)
    if joining and Status(into.status) in ANSWERED:
        raise Conflict(
            f"{into.reference} has been answered: who joins it now would get no answer. "
            "Answer this complaint by itself, and link the two.",
            field,
        )
    adopted = _rules_to_adopt(work, complaint, into, field)
    work.session.add_all(
        Party(complaint_id=into.id, complainant_id=party.id, via_complaint_id=complaint.id) for party in joining
    )
    first = clocks.receipt(work, complaint)
    earlier = first < clocks.receipt(work, into)
    complaint.merged_into_id = into.id
    complaint.closing_category = ClosingCategory.MERGED
    perform(work, complaint, "merge", reason=reason, data={"into": into.reference})
    _add_link(work, complaint, into, LinkKind.MERGED_INTO, reason)
    data = {
        "merged": complaint.reference,
        "received_at": complaint.received_at.isoformat(),
    }
    if earlier:
        data["earlier_receipt"] = first.isoformat()
        clocks.earlier_receipt(work, into, first)
    event = record(work, into, "merged", reason=reason, data=data)
    work.session.flush()
    if adopted:
        why = reason or f"{complaint.reference} was merged in"
        reclassification.reclassify(work, into, None, None, None, reason=why, jurisdiction=adopted)
    _take_from_the_interested(work, into)
    if into.acknowledgment_recorded_at is not None:
        notices.tell_complainants(work, into, "acknowledgment", "1")
    notices.tell_complainants(work, complaint, "merged_notice", str(event.seq), {"into": into.reference})


def _who_joins(work: Work, complaint: Complaint, into: Complaint) -> list[Complainant]:
    """Complainants that the other case does not have yet; who complained twice is answered once."""
    told = notices.parties(work, into)
    known, ways = {p.id for p in told}, {way_to_reach(p) for p in told} - {Way("none")}
    return [p for p in notices.parties(work, complaint) if p.id not in known and way_to_reach(p) not in ways]


def _rules_to_adopt(work: Work, complaint: Complaint, into: Complaint, field: str) -> str:
    """The jurisdiction that the other case must take over, lest a legal duty of this one ends with the merger; empty
    where it has it, or no rule hangs on it. A case is under the rules of one place: `Conflict` where there are two."""
    rules = work.policies.get(into.policy_hash).sla.jurisdictions
    mine, its = complaint.jurisdiction, into.jurisdiction
    if mine == its or mine not in rules:
        return ""
    if its in rules:
        raise Conflict(
            f"{into.reference} is under the rules for '{its}', this complaint under those for '{mine}'. Correct one of "
            "them first (reclassify), or link the two.",
            field,
        )
    return mine


def _take_from_the_interested(work: Work, complaint: Complaint) -> None:
    """Whoever is related to somebody who joined the case hands their open steps to somebody else."""
    complainants = notices.parties(work, complaint)
    for step in opening.open_steps(work, complaint):
        holder = work.session.get(Person, step.assignee_id) if step.assignee_id else None
        if holder is None or not routing.conflicted(complaint, complainants, holder):
            continue
        other = routing.choose(work, complaint, step)
        holding.give(work, complaint, step, other.id if other else None)
        record(work, complaint, "assign", data={"gate": step.gate, "to": other.name if other else ""})


def link_to(work: Work, complaint: Complaint, command: commands.LinkTo) -> None:
    """Relate two complaints."""
    other = named(work, complaint, command.to, "to")
    if other.id == complaint.id:
        raise InvalidInput("a complaint cannot be linked to itself", "to")
    perform(work, complaint, "link", data={"to": other.reference, "kind": command.kind})
    _add_link(work, complaint, other, command.kind, command.note)


def _add_link(work: Work, complaint: Complaint, other: Complaint, kind: LinkKind, note: str) -> None:
    seen = work.session.exec(
        select(Link).where(Link.from_id == complaint.id, Link.to_id == other.id, Link.kind == kind)
    ).first()
    if seen is None:
        work.session.add(
            Link(
                id=new_id(work.now),
                from_id=complaint.id,
                to_id=other.id,
                kind=kind,
                note=note,
                at=work.now,
            )
        )


def merge_named(work: Work, complaint: Complaint, command: commands.Merge) -> None:
    """Merge into the complaint whose reference was given."""
    merge(work, complaint, named(work, complaint, command.into, "into"), command.reason)


def named(work: Work, beside: Complaint, reference: str, field: str) -> Complaint:
    """Another complaint that the actor names in `field`, locked; one they may not see does not exist for them."""
    try:
        found = see(work, reference)
    except InvalidInput as error:
        raise InvalidInput(error.problems[0].message, field) from None
    return lock_beside(work, beside, found.id)
