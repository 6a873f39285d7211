"""When something regular last happened: what `/healthz` and operations look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from complaints.store.pace import PREFIX
from complaints.store.tables import SystemMark
from complaints.store.unit import Work


def set_mark(work: Work, name: str, detail: Mapping[str, Any]) -> None:
    """It happened now."""
    row = {"name": name, "at": work.now, "detail": dict(detail)}
    statement = insert(SystemMark).values(row)
    work.session.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"at": work.now, "detail": row["detail"]})
    )


def marks(work: Work) -> dict[str, SystemMark]:
    """All marks by name; the turnstiles of `store.pace` beside them are none."""
    query = select(SystemMark).where(~col(SystemMark.name).startswith(PREFIX))
    return {m.name: m for m in work.session.exec(query).all()}
