"""What one visitor by link may read of a complaint that may have several complainants: only what is theirs.

After a merge several people follow one complaint. Each reads the common state and what was written to or by them,
never the other one's words, letters or files, whichever door they come by.
"""

from __future__ import annotations

from sqlmodel import col, select

from complaints.domain.vocabulary import Audience
from complaints.services import actions, attachments, view
from complaints.services.notices import parties
from complaints.services.tracking import Visitor
from complaints.store.tables import Attachment, Complaint, Event, Message, Party
from complaints.store.unit import Work

_PUBLIC = frozenset({Audience.COMPLAINANT})


class Sees:
    """What a visitor may read."""

    def __init__(self, work: Work, visitor: Visitor) -> None:
        self._work, self._visitor, self._complaint = work, visitor, visitor.complaint
        self.first = visitor.complaint.complainant_id == visitor.complainant.id
        self.subject, self.narrative = self._own_words()
        others = [p for p in parties(work, visitor.complaint) if p.id != visitor.complainant.id]
        self.alone = not others
        self._others = {p.name or "Complainant" for p in others}
        self._other_ids = {str(p.id) for p in others}

    def _own_words(self) -> tuple[str, str]:
        """Subject and narrative of what the visitor sent, which may have been merged more than once since."""
        own: Complaint | None = self._complaint
        if not self.first:
            me = self._visitor.complainant.id
            query = select(Complaint).join(Party, col(Party.complaint_id) == col(Complaint.id))
            query = query.where(Party.complainant_id == me, Complaint.complainant_id == me)
            own = self._work.session.exec(query).first()
        return (own.subject, own.narrative) if own is not None else ("", "")

    def thread(self) -> list[Message]:
        """Messages said by this visitor or to them, oldest first."""
        return [m for m in view.thread(self._work, self._complaint, _PUBLIC) if self._message(m)]

    def _message(self, message: Message) -> bool:
        """A message knows its author by name only: in doubt it is not shown."""
        if message.outbox_key is not None:  # a letter
            return f":{self._visitor.complainant.id}:" in message.outbox_key
        if message.direction != "in":
            return True
        return message.author not in self._others and (self.first or message.author == self._visitor.actor.name)

    def timeline(self) -> list[Event]:
        """What happened, in order. What others did is not told."""
        return [e for e in actions.timeline(self._work, self._complaint, _PUBLIC) if self._event(e)]

    def _event(self, event: Event) -> bool:
        if event.actor_kind != "complainant":
            return True
        mine = event.actor_id == str(self._visitor.complainant.id)
        return mine or (self.first and event.actor_id not in self._other_ids)

    def files(self) -> list[Attachment]:
        """Files that they sent; whoever complained first also has those that staff added for the complainant."""
        added = [e for e in self.timeline() if e.kind == "add_attachment"]
        theirs = {e.data["id"] for e in added if self.first or e.actor_kind == "complainant"}
        return [file for file in attachments.of(self._work, self._complaint, _PUBLIC) if str(file.id) in theirs]
