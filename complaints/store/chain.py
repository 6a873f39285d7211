"""The hash chain of a case log: each event carries the hash of the one before it (as in RFC 9162's append-only logs).

An edit, a removal or an insertion in the middle breaks the chain; cutting its end is seen from the head that the
complaint's row and its archive bag carry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from complaints.store.tables import Event

#: `previous` of the first event.
GENESIS = "0" * 64


def event_body(event: Event) -> dict[str, Any]:
    """What is hashed: everything but the hashes themselves and the row number."""
    return {
        "complaint_id": str(event.complaint_id),
        "seq": event.seq,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": event.kind,
        "actor": [event.actor_kind, event.actor_id, event.actor_name],
        "audience": event.audience,
        "reason": event.reason,
        "from": event.from_status,
        "to": event.to_status,
        "data": event.data,
    }


def digest(event: Event) -> str:
    """SHA-256, hex, over `previous` and the canonical JSON of the body."""
    canonical = json.dumps(event_body(event), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{event.previous}\n{canonical}".encode()).hexdigest()


@dataclass(frozen=True)
class Break:
    """Where a chain is broken, and how."""

    seq: int
    what: str


def verify(events: Iterable[Event], head: str, count: int) -> list[Break]:
    """Every break in one complaint's log, given in order; empty means untouched."""
    breaks: list[Break] = []
    previous, expected = GENESIS, 0
    for event in events:
        expected += 1
        if event.seq != expected:
            breaks.append(Break(event.seq, f"event {expected} is missing"))
            expected = event.seq
        if event.previous != previous:
            breaks.append(Break(event.seq, "does not follow the event before it"))
        if digest(event) != event.hash:
            breaks.append(Break(event.seq, "its content was changed"))
        previous = event.hash
    if expected != count:
        breaks.append(Break(expected + 1, f"{count - expected} events at the end are missing"))
    elif previous != head and (count or head):
        breaks.append(Break(expected, "the head in the complaint's row does not match the last event"))
    return breaks
