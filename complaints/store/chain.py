"""The hash chain of a case log: each event carries the hash of the one before it (as in RFC 9162's append-only logs).

An edit, a removal or an insertion in the middle breaks the chain; cutting its end is seen from the head that the
complaint's row and its archive bag carry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
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


def digest_body(previous: str, body: Mapping[str, Any]) -> str:
    """SHA-256, hex, over `previous` and the canonical JSON of a body made by `event_body`."""
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def digest(event: Event) -> str:
    """The hash that `event` must carry."""
    return digest_body(event.previous, event_body(event))


def entry(event: Event) -> dict[str, Any]:
    """One event as it is archived: its body with both hashes."""
    return event_body(event) | {"previous": event.previous, "hash": event.hash}


@dataclass(frozen=True)
class Break:
    """Where a chain is broken, and how."""

    seq: int
    what: str


def verify(events: Iterable[Event], head: str, count: int) -> list[Break]:
    """Every break in one complaint's log, given in order; empty means untouched."""
    return verify_entries((entry(e) for e in events), head, count)


def verify_entries(entries: Iterable[Mapping[str, Any]], head: str, count: int) -> list[Break]:
    """The same for a log as it lies in an archive bag."""
    breaks: list[Break] = []
    previous, expected = GENESIS, 0
    for each in entries:
        expected += 1
        body = {key: value for key, value in each.items() if key not in ("previous", "hash")}
        if body["seq"] != expected:
            breaks.append(Break(body["seq"], f"event {expected} is missing"))
            expected = body["seq"]
        if each["previous"] != previous:
            breaks.append(Break(expected, "does not follow the event before it"))
        if digest_body(each["previous"], body) != each["hash"]:
            breaks.append(Break(expected, "its content was changed"))
        previous = each["hash"]
    if expected < count:
        breaks.append(Break(expected + 1, f"{count - expected} events at the end are missing"))
    elif expected > count:
        breaks.append(Break(count + 1, f"{expected - count} events were added at the end"))
    elif previous != head and (count or head):
        breaks.append(Break(expected, "the head in the complaint's row does not match the last event"))
    return breaks
