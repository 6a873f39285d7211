"""Everything about one complaint, as plain data: what the archive keeps of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from complaints.domain.errors import InvalidInput

Record = dict[str, Any]


@dataclass(frozen=True)
class Dossier:
    """What `services.closing.collect` puts together: JSON-ready, in a fixed order."""

    complaint: Record
    complainants: list[Record]
    thread: list[Record]
    findings: list[Record]
    decisions: list[Record]
    remedies: list[Record]
    survey: list[Record]
    steps: list[Record]
    attachments: list[Record]
    events: list[Record]
    clocks: list[Record] = field(default_factory=list)

    @property
    def reference(self) -> str:
        """The complaint's reference."""
        return str(self.complaint["reference"])

    @property
    def closed_at(self) -> datetime:
        """When it was closed, in UTC; `InvalidInput` while it is open: only closed complaints are archived."""
        closed = self.complaint.get("closed_at")
        if not closed:
            raise InvalidInput(f"Complaint {self.reference} is not closed. Close it before it is archived.")
        return datetime.fromisoformat(closed).astimezone(UTC)

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Name and canonical JSON of each part, in the order of the fields."""
        for part in fields(self):
            yield part.name, canonical(getattr(self, part.name))


def canonical(value: Any) -> bytes:
    """The one way to write `value` as JSON: sorted keys, indented for readers, UTF-8, newline at the end."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()
