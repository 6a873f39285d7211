"""When something regular last happened: what `/healthz` and operations look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from complaints.store.pace import PREFIX
from complaints.store.tables import SystemMark
from complaints.store.unit import Work

#: Name of the mark whose detail says which complaints' clocks cannot be calculated.
CLOCK_FAULTS = "clock_faults"
#: Name of the mark that says since when somebody looks whether the clock ticks.
WATCH = "watch"
_NOT_REGULAR = frozenset({CLOCK_FAULTS, WATCH})
#: They are tried every few minutes; what has not failed again for so long has been mended.
STILL_A_FAULT = timedelta(minutes=15)


def set_mark(work: Work, name: str, detail: Mapping[str, Any]) -> None:
    """It happened now."""
    row = {"name": name, "at": work.now, "detail": dict(detail)}
    statement = insert(SystemMark).values(row)
    work.session.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"at": work.now, "detail": row["detail"]})
    )


def begun(work: Work, name: str) -> datetime:
    """Since when we have been looking: noted at the first look."""
    statement = insert(SystemMark).values({"name": name, "at": work.now, "detail": {}})
    work.session.execute(statement.on_conflict_do_nothing(index_elements=["name"]))
    return work.session.exec(select(SystemMark.at).where(SystemMark.name == name)).one()


def note_fault(work: Work, reference: str, what: str) -> None:
    """The clocks of a complaint could not be calculated now."""
    recent = work.now - STILL_A_FAULT
    told = {k: v for k, v in _faults(work).items() if datetime.fromisoformat(v["at"]) > recent}
    set_mark(work, CLOCK_FAULTS, told | {reference: {"at": work.now.isoformat(), "what": what}})


def faults(work: Work) -> dict[str, str]:
    """References of complaints whose clocks cannot be calculated, with why."""
    recent = work.now - STILL_A_FAULT
    return {ref: v["what"] for ref, v in _faults(work).items() if datetime.fromisoformat(v["at"]) > recent}


def _faults(work: Work) -> Mapping[str, Any]:
    row = work.session.get(SystemMark, CLOCK_FAULTS)
    return row.detail if row is not None else {}


def marks(work: Work) -> dict[str, SystemMark]:
    """What happens regularly, by name: the age of each mark says whether it still does. The turnstiles of `store.pace`
    are none of it."""
    query = select(SystemMark).where(~col(SystemMark.name).startswith(PREFIX))
    return {m.name: m for m in work.session.exec(query).all() if m.name not in _NOT_REGULAR}
