"""The thread of a complaint: what was said, by whom, to whom."""

from __future__ import annotations

from complaints.domain.vocabulary import Audience
from complaints.store.columns import new_id
from complaints.store.tables import Complaint, Message
from complaints.store.unit import Work


def post(
    work: Work,
    complaint: Complaint,
    text: str,
    *,
    direction: str,
    audience: Audience,
    kind: str = "",
    channel: str = "portal",
    subject: str = "",
) -> Message:
    """Put a message into the thread."""
    message = Message(
        id=new_id(work.now),
        complaint_id=complaint.id,
        at=work.now,
        direction=direction,
        audience=audience,
        channel=channel,
        kind=kind,
        author=work.actor.name,
        subject=subject,
        body=text,
    )
    work.session.add(message)
    return message
