"""Recording intents in the transaction that causes them. Acting on them is `dispatch`'s business, after commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from complaints.domain.vocabulary import IntentKind
from complaints.store.columns import new_id
from complaints.store.tables import Outbox
from complaints.store.unit import Work


@dataclass(frozen=True)
class Intent:
    """What to record: `key` is unique for ever."""

    kind: IntentKind
    key: str
    complaint_id: UUID | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None


def add(
    work: Work,
    kind: IntentKind,
    key: str,
    *,
    complaint_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Record the intent; False when `key` was recorded before (then nothing happens: an intent exists once)."""
    return add_all(work, [Intent(kind, key, complaint_id, payload or {}, not_before)]) == 1


def add_all(work: Work, intents: Sequence[Intent]) -> int:
    """Record several in one statement; how many of them had not been recorded before."""
    if not intents:
        return 0
    rows = [
        {
            "id": new_id(work.now),
            "key": intent.key,
            "kind": intent.kind,
            "complaint_id": intent.complaint_id,
            "payload": dict(intent.payload),
            "state": "pending",
            "attempts": 0 if intent.not_before or work.lease is None else 1,
            "created_at": work.now,
            "next_at": max(intent.not_before or work.now + (work.lease or timedelta()), work.now),
            "last_error": "",
            "receipt": {},
        }
        for intent in intents
    ]
    statement = insert(Outbox).on_conflict_do_nothing(index_elements=["key"]).returning(col(Outbox.id))
    recorded = work.session.scalars(statement, rows).all()
    later = {row["id"] for row, intent in zip(rows, intents, strict=True) if intent.not_before}
    work.intents.extend(found for found in recorded if found not in later)
    return len(recorded)


def again(work: Work, row: Outbox) -> None:
    """Make a recorded intent due now, from its first attempt."""
    row.state, row.last_error = "pending", ""
    row.attempts = 0 if work.lease is None else 1
    row.next_at = work.now + (work.lease or timedelta())
    work.session.add(row)
    work.intents.append(row.id)
