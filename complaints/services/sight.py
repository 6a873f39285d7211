"""What one complainant may read of a case that may have several.

After a merger several people follow one complaint. Each reads the common state and what was written to or by them,
never the other one's words, letters or files. Every door that a signed link opens looks through here.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import func, select

from complaints.domain.vocabulary import Audience
from complaints.services import actions, attachments, view
from complaints.services.notices import parties
from complaints.services.tracking import Visitor
from complaints.store.tables import Attachment, Complaint, Event, Message, Party
from complaints.store.unit import Work

_PUBLIC = frozenset({Audience.COMPLAINANT})
_FILED = "add_attachment"


class Sight:
    """One visitor's view of the complaint that their link opens."""

    def __init__(self, work: Work, visitor: Visitor) -> None:
        self._work, self._complaint = work, visitor.complaint
        self._me, self._my_name = str(visitor.complainant.id), visitor.actor.name
        #: Whether the complaint was theirs from the beginning.
        self.first = visitor.complaint.complainant_id == visitor.complainant.id
        self.own = self._theirs(visitor)
        others = [p for p in parties(work, visitor.complaint) if p.id != visitor.complainant.id]
        self._others = {str(p.id) for p in others}
        self._their_names = {p.name or "Complainant" for p in others}
        self._joined_at = self._first_merger() if others else None

    def _theirs(self, visitor: Visitor) -> Complaint | None:
        """The complaint that was theirs, however many mergers ago."""
        found = visitor.complaint
        while found.complainant_id != visitor.complainant.id:
            party = self._work.session.get(Party, (found.id, visitor.complainant.id))
            if party is None or party.via_complaint_id is None:
                return None
            found = self._work.session.get_one(Complaint, party.via_complaint_id)
        return found

    def _first_merger(self) -> datetime | None:
        mergers = select(func.min(Event.at)).where(Event.complaint_id == self._complaint.id, Event.kind == "merged")
        return self._work.session.exec(mergers).one()

    def _alone(self, at: datetime) -> bool:
        """Whether nobody but the reader was in the case then: whatever came in came from them."""
        return self.first and (self._joined_at is None or at < self._joined_at)

    @property
    def subject(self) -> str:
        """Of the reader's own complaint."""
        return self.own.subject if self.own else ""

    @property
    def narrative(self) -> str:
        """The reader's own words."""
        return self.own.narrative if self.own else ""

    def thread(self) -> list[Message]:
        """What was said by this visitor or to them, oldest first."""
        return [m for m in view.thread(self._work, self._complaint, _PUBLIC) if self._message(m)]

    def _message(self, message: Message) -> bool:
        """A message knows its author by name only, and what came by mail or telephone was put in by somebody else: in
        doubt it is not shown."""
        if message.outbox_key is not None:  # a letter
            return f":{self._me}:" in message.outbox_key
        if message.direction != "in" or self._alone(message.at):
            return True
        return message.author == self._my_name and message.author not in self._their_names

    def timeline(self) -> list[Event]:
        """What happened, in order; what others did is not told."""
        return [e for e in actions.timeline(self._work, self._complaint, _PUBLIC) if self._event(e)]

    def _event(self, event: Event) -> bool:
        if event.actor_kind == "complainant":
            return event.actor_id not in self._others if self.first else event.actor_id == self._me
        if event.kind != _FILED:
            return True
        # a file that we add is for whoever complained first; one that a mailbox passes on may be anybody's
        return self._alone(event.at) or (self.first and event.actor_kind == "person")

    def files(self) -> list[Attachment]:
        """What they sent, and what we added for them, oldest first."""
        theirs = {e.data["id"] for e in self.timeline() if e.kind == _FILED}
        return [f for f in attachments.of(self._work, self._complaint, _PUBLIC) if str(f.id) in theirs]
