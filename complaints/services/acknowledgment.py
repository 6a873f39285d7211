"""Acknowledged: told, with evidence, that the complaint is here. An acknowledgment that comes back is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from complaints.domain.commands import Acknowledge, AcknowledgmentBounced
from complaints.domain.errors import Conflict, InvalidInput
from complaints.domain.vocabulary import Audience
from complaints.services import notices
from complaints.services.transition import perform, record
from complaints.store.tables import Complaint, Party, Person
from complaints.store.unit import Work


def acknowledged(work: Work, complaint: Complaint, complainant_id: UUID, evidence: Mapping[str, Any]) -> None:
    """The acknowledgment was handed over for delivery; the first one stops the acknowledgment clock."""
    party = work.session.get(Party, (complaint.id, complainant_id))
    if party is not None and party.acknowledged_at is None:
        party.acknowledged_at = work.now
        work.session.add(party)
    if complaint.acknowledged_at is None:
        complaint.acknowledged_at = work.now
        record(work, complaint, "acknowledged", audience=Audience.COMPLAINANT, data=evidence)


def by_hand(work: Work, complaint: Complaint, command: Acknowledge) -> None:
    """Somebody acknowledged by telephone, on paper or at the counter, to everybody who had no acknowledgment yet."""
    waiting = work.session.exec(
        select(Party.complainant_id).where(Party.complaint_id == complaint.id, col(Party.acknowledged_at).is_(None))
    ).all()
    if not waiting:
        raise Conflict("Everybody has been given an acknowledgment already.")
    evidence = {"how": command.how, "evidence": command.evidence}
    perform(work, complaint, "acknowledge", data=evidence)
    for complainant_id in waiting:
        acknowledged(work, complaint, complainant_id, evidence)


def came_back(work: Work, complaint: Complaint, command: AcknowledgmentBounced) -> None:
    """Operations, or the mail gateway by its key, tell of a letter that was returned: the duty begins anew.

    Nothing is sent again to an address that does not exist: the handler is told, and finds another way.
    """
    people = notices.parties(work, complaint)
    mine = [p for p in people if command.address is None or (p.email or "").casefold() == command.address.casefold()]
    if not mine:
        raise InvalidInput("no complainant of this complaint has this address", "address")
    if len(mine) > 1:
        raise InvalidInput("several people complain; say whose address it is", "address")
    party = work.session.get_one(Party, (complaint.id, mine[0].id))
    if party.acknowledged_at is None:  # or a bounce told twice
        raise Conflict("No acknowledgment to this address counts as delivered.")
    party.acknowledged_at = complaint.acknowledged_at = None
    work.session.add(party)
    told = {"address": mine[0].email or "", "evidence": command.evidence}
    event = perform(work, complaint, "acknowledgment_bounced", data=told)
    handler = work.session.get(Person, complaint.assignee_id) if complaint.assignee_id else None
    notices.tell_staff(
        work,
        complaint,
        "reminder",
        f"bounced-{event.seq}",
        people=[handler] if handler else (),
        tags=["team", complaint.team],
        context={"reason": "the acknowledgment came back; the address does not work"},
    )
