"""A letter came back. An acknowledgment that did not arrive is none: the duty to acknowledge begins anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from complaints.services import notices
from complaints.services.transition import perform
from complaints.store.tables import Complaint, Event, Party, Person
from complaints.store.unit import Work


def acknowledgment_bounced(
    work: Work, complaint: Complaint, complainant_id: UUID, evidence: Mapping[str, Any]
) -> Event | None:
    """The acknowledgment to a party was returned; None when it was not counted as delivered (a bounce told twice).

    Nothing is sent again to an address that does not exist: the handler is told, and finds another way.
    """
    party = work.session.get_one(Party, (complaint.id, complainant_id))
    if party.acknowledged_at is None:
        return None
    party.acknowledged_at = complaint.acknowledged_at = None
    work.session.add(party)
    event = perform(work, complaint, "acknowledgment_bounced", data=evidence)
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
    return event
