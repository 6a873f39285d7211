"""The audit trail: searching what was done in cases and in administration, and checking that no log was touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import col, func, select

from complaints.domain.vocabulary import Status
from complaints.services import access, administration
from complaints.store import chain
from complaints.store.tables import AdminEvent, Complaint, Event
from complaints.store.unit import Work

PAGE = 100
#: Case logs that one step of a check reads.
STEP = 500


@dataclass(frozen=True)
class Sought:
    """What to look for; empty fields do not matter. `object` is a reference, or what was administered."""

    person: str = ""
    kind: str = ""
    object: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """How many logs were checked, and where they are broken: (reference, event, what)."""

    checked: int = 0
    broken: list[tuple[str, int, str]] = field(default_factory=list)
    last: UUID | None = None  #: where a check of all goes on; None at the end


def of_cases(
    work: Work, sought: Sought, before: int | None = None, limit: int = PAGE
) -> tuple[list[tuple[Event, str]], int | None]:
    """Entries of the case logs of complaints the actor may see, newest first, and where the next page begins."""
    query = (
        select(Event, Complaint.reference)
        .join(Complaint, col(Complaint.id) == col(Event.complaint_id))
        .where(access.visible(work), *_conditions(Event, sought))
    )
    if sought.object:
        query = query.where(Complaint.reference == sought.object.strip().upper())
    if before is not None and (last := work.session.get(Event, before)) is not None:
        query = query.where(tuple_(col(Event.at), col(Event.id)) < (last.at, last.id))
    rows = work.session.exec(query.order_by(col(Event.at).desc(), col(Event.id).desc()).limit(limit + 1)).all()
    found = [(event, reference) for event, reference in rows[:limit]]
    return found, found[-1][0].id if len(rows) > limit else None


def of_administration(
    work: Work, sought: Sought, before: int | None = None, limit: int = PAGE
) -> tuple[list[AdminEvent], int | None]:
    """The same for the log of administration."""
    query = select(AdminEvent).where(*_conditions(AdminEvent, sought))
    if sought.object:
        query = query.where(AdminEvent.object == sought.object.strip())
    if before is not None:
        query = query.where(col(AdminEvent.id) < before)
    rows = list(work.session.exec(query.order_by(col(AdminEvent.id).desc()).limit(limit + 1)).all())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def _conditions(table: type[Event] | type[AdminEvent], sought: Sought) -> list[Any]:
    found: list[Any] = []
    if sought.start:
        found.append(col(table.at) >= sought.start)
    if sought.end:
        found.append(col(table.at) < sought.end)
    if sought.kind:
        found.append(col(table.kind) == sought.kind.strip())
    if sought.person:
        found.append(col(table.actor_name).ilike(f"%{_plain(sought.person.strip())}%"))
    return found


def _plain(words: str) -> str:
    """Without the signs that mean something to LIKE."""
    return words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def check_case(work: Work, reference: str) -> Verdict:
    """Check one case log; `NotFound` where the actor may not see the complaint."""
    _one_moment(work)
    return _checked(work, [access.see(work, reference)])


def check_sample(work: Work, size: int = STEP) -> Verdict:
    """Check case logs drawn at random."""
    _one_moment(work)
    total = work.session.exec(select(func.count()).select_from(Complaint)).one()
    table = select(Complaint).where(access.visible(work))
    if total > size * 20:  # reading everything only to throw it away would be slow
        share = func.bernoulli(min(100.0, 300.0 * size / total))
        drawn = select(Complaint.id).select_from(Complaint.__table__.tablesample(share))  # type: ignore[attr-defined]  # SQLModel
        table = table.where(col(Complaint.id).in_(drawn))
    rows = work.session.exec(table.order_by(func.random()).limit(size)).all()
    return _checked(work, rows)


def check_onward(work: Work, after: UUID | None) -> Verdict:
    """Check the next case logs of all, in the order of their ids."""
    _one_moment(work)
    query = select(Complaint).where(access.visible(work))
    if after is not None:
        query = query.where(col(Complaint.id) > after)
    rows = work.session.exec(query.order_by(col(Complaint.id)).limit(STEP)).all()
    verdict = _checked(work, rows)
    return Verdict(verdict.checked, verdict.broken, rows[-1].id if len(rows) == STEP else None)


def check_administration(work: Work) -> Verdict:
    """Check the log of administration."""
    count = work.session.exec(select(func.count()).select_from(AdminEvent)).one()
    return Verdict(count, [("", b.seq, b.what) for b in administration.verify(work)])


def _one_moment(work: Work) -> None:
    """Heads and events as of one moment: the system goes on writing meanwhile."""
    work.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _checked(work: Work, complaints: Sequence[Complaint]) -> Verdict:
    events = work.session.exec(
        select(Event)
        .where(col(Event.complaint_id).in_([c.id for c in complaints]))
        .order_by(col(Event.complaint_id), col(Event.seq))
    ).all()
    logs = {key: list(group) for key, group in groupby(events, lambda e: e.complaint_id)}
    broken = [
        (c.reference, b.seq, b.what)
        for c in complaints
        for b in breaks(work, c.reference, c.status, logs.get(c.id, []), c.chain_head, c.event_count)
    ]
    return Verdict(len(complaints), broken)


def breaks(
    work: Work, reference: str, status: str, events: Sequence[Event], head: str, count: int
) -> list[chain.Break]:
    """Every break in the log of one complaint. An erased one has none left, and the log of administration says so."""
    if status != Status.ERASED:
        return chain.verify(events, head, count)
    found = [chain.Break(e.seq, "the complaint is erased, and this entry is there") for e in events]
    noted = select(AdminEvent.id).where(
        AdminEvent.kind == "case_erased",
        AdminEvent.object == reference,
        AdminEvent.data["chain_head"].as_string() == head,
    )
    if work.session.exec(noted).first() is None:
        found.append(chain.Break(0, "erased, and the log of administration does not say so"))
    return found
