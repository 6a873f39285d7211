"""Recording intents in the transaction that causes them. Acting on them is `dispatch`'s business, after commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from complaints.domain.vocabulary import IntentKind
from complaints.store.columns import new_id
from complaints.store.tables import Outbox
from complaints.store.unit import Work


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
    row = {
        "id": new_id(work.now),
        "key": key,
        "kind": kind,
        "complaint_id": complaint_id,
        "payload": dict(payload or {}),
        "state": "pending",
        "attempts": 0,
        "created_at": work.now,
        "next_at": max(not_before or work.now, work.now),
        "last_error": "",
        "receipt": {},
    }
    statement = insert(Outbox).values(row).on_conflict_do_nothing(index_elements=["key"]).returning(col(Outbox.id))
    recorded = work.session.execute(statement).scalar_one_or_none()
    if recorded is not None:
        work.intents.append(recorded)
    return recorded is not None
