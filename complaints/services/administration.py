"""The log of administration: who changed people, keys, policy, texts. Append-only and hash-chained like a case log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlmodel import col, select

from complaints.domain.policy import PolicyBundle
from complaints.store.chain import GENESIS, Break
from complaints.store.tables import AdminEvent
from complaints.store.unit import Work

_TURN = "administration"  # one writer at a time: the chain has one end


def note(work: Work, kind: str, object: str, data: Mapping[str, Any] | None = None) -> AdminEvent:
    """Add one entry: what was done (`kind`, such as `person_changed`) to what, with what changed in `data`."""
    work.take_turn(_TURN)
    last = work.session.exec(select(AdminEvent.hash).order_by(col(AdminEvent.id).desc()).limit(1)).first()
    event = AdminEvent(
        at=work.now,
        actor_id=work.actor.id,
        actor_name=work.actor.name,
        kind=kind,
        object=object,
        data=dict(data or {}),
        previous=last or GENESIS,
        hash="",
    )
    event.hash = _digest(event)
    work.session.add(event)
    work.session.flush()
    return event


def policy_activated(work: Work, bundle: PolicyBundle, by: str, since: datetime) -> AdminEvent:
    """Add the entry that a policy was put in force from `since`."""
    about = {"name": bundle.name, "by": by, "effective_from": since.isoformat(timespec="seconds")}
    return note(work, "policy_activated", bundle.hash, about)


def verify(work: Work) -> list[Break]:
    """Every break in the log; empty means untouched. `Break.seq` is the row's number."""
    breaks, previous = [], GENESIS
    for event in work.session.exec(select(AdminEvent).order_by(col(AdminEvent.id))).yield_per(500):
        assert event.id is not None
        if event.previous != previous:
            breaks.append(Break(event.id, "does not follow the entry before it"))
        if event.hash != _digest(event):
            breaks.append(Break(event.id, "its content was changed"))
        previous = event.hash
    return breaks


def _digest(event: AdminEvent) -> str:
    body = {
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": [event.actor_id, event.actor_name],
        "kind": event.kind,
        "object": event.object,
        "data": event.data,
    }
    canonical = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{event.previous}\n{canonical}".encode()).hexdigest()
