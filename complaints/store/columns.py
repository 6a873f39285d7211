"""Column kinds used by all tables, and time-ordered ids."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

Json = dict[str, Any]


def instant(*, null: bool = False, index: bool = False) -> Any:
    """An instant, stored with time zone."""
    return Field(
        default=None if null else ...,
        sa_type=DateTime(timezone=True),
        nullable=null,
        index=index,
    )


def blob(factory: Any = dict) -> Any:
    """A JSON document."""
    return Field(default_factory=factory, sa_type=JSONB, nullable=False)


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562): ordered by `now`, so that indexes stay compact."""
    milliseconds = int(now.timestamp() * 1000)
    tail = int.from_bytes(os.urandom(10), "big")
    value = (
        (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (tail >> 68 & 0xFFF) << 64 | 0b10 << 62 | tail & (2**62 - 1)
    )
    return UUID(int=value)
