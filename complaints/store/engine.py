"""The database engine: one pool per process, statement time-outs, short idle transactions."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, create_engine


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def make_engine(url: str, *, pool: int = 8, application: str = "complaints") -> Engine:
    """An engine for a `postgresql+psycopg://` URL.

    A statement may take 60 s and an idle transaction 60 s: a hung client must not hold a complaint's lock for ever.
    """
    return create_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        pool_pre_ping=True,
        pool_recycle=1800,
        json_serializer=_dumps,
        connect_args={
            "application_name": application,
            "connect_timeout": 10,
            "options": "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    )
