"""The database engine: one pool per process, statement time-outs, short idle transactions."""

from __future__ import annotations

import json
import select
from typing import Any

from psycopg import Connection
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _loads(data: bytes) -> Any:
    # given bytes, the library looks for the encoding of each document, which takes longer than reading most of them
    return json.loads(str(data, "utf-8"))


def make_engine(url: str, *, pool: int = 8, application: str = "complaints") -> Engine:
    """An engine for a `postgresql+psycopg://` URL.

    A statement may take 60 s and an idle transaction 60 s: a hung client must not hold a complaint's lock for ever.
    """
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=pool,
        pool_recycle=1800,
        hide_parameters=True,  # what a statement was given is people's words: not for logs, nor for Prefect
        json_serializer=_dumps,
        json_deserializer=_loads,
        connect_args={
            "application_name": application,
            "connect_timeout": 10,
            "options": "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    )
    event.listen(engine, "checkout", _alive)
    return engine


def _alive(connection: Connection[Any], _record: Any, _fairy: Any) -> None:
    """Refuse a connection that the server has closed: there is something to read (its last words, or the end).

    Asking the server (`pool_pre_ping`) would be one question more for each of the many short transactions.
    """
    poll = select.poll()
    if not connection.closed:
        poll.register(connection.fileno(), select.POLLIN)
    if connection.closed or poll.poll(0):
        raise InvalidatePoolError  # the others are no better: a new one is made


def is_away(error: Exception) -> bool:
    """Whether the database cannot be reached at the moment, or went away under the statement: nobody's bug.

    SQLSTATE (PostgreSQL, appendix A): 08 connection, 53 resources, 57P shutting down or starting.
    """
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    gone = error.connection_invalidated or (isinstance(error, OperationalError) and not state)
    return gone or state[:2] in ("08", "53") or state[:3] == "57P"
