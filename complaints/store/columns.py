"""Column kinds used by all tables, and time-ordered ids."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import count
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


#: Numbers the ids that this process makes; it begins anywhere.
_made = count(int.from_bytes(os.urandom(4), "big"))


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562): ordered by `now`, and those of one millisecond in the order in which the process made them.

    So whatever is written down at one moment is listed in the order in which it was given. (Once in 67 million ids the
    number begins anew; the id is unique all the same.)
    """
    milliseconds, number = int(now.timestamp() * 1000), next(_made)
    tail = int.from_bytes(os.urandom(6), "big")
    value = (
        (milliseconds & (2**48 - 1)) << 80
        | 0x7 << 76
        | (number >> 14 & 0xFFF) << 64
        | 0b10 << 62
        | (number & 0x3FFF) << 48
        | tail
    )
    return UUID(int=value)
