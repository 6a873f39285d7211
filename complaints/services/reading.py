"""Lists: complaints and tasks, filtered, sorted, page by page with a cursor that stays right while rows are added."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, or_, tuple_
from sqlmodel import col, select

from complaints.domain.errors import InvalidInput
from complaints.domain.searchtext import patterns
from complaints.domain.vocabulary import Role, StepState
from complaints.services.access import visible
from complaints.store.tables import Complaint, Outbox, Step
from complaints.store.unit import Work

PAGE_LIMIT = 200
#: A pattern of `searchtext.patterns` that a part of a reference could match.
_OF_REFERENCE = re.compile(r"%[c\d-]{3,}%")
T = TypeVar("T")


@dataclass(frozen=True)
class Filter:
    """What to list; empty fields do not restrict."""

    status: Sequence[str] = ()
    category: Sequence[str] = ()
    severity: Sequence[str] = ()
    team: Sequence[str] = ()
    assignee: UUID | None = None
    unassigned: bool = False
    received_from: datetime | None = None
    received_before: datetime | None = None
    due_before: datetime | None = None
    words: str = ""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page and the cursor of the next, None at the end."""

    items: list[T]
    next: str | None


def _encode(values: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, UUID]:
    try:
        if len(cursor) > 200:
            raise ValueError
        at, row = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(row)
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError, AttributeError):
        raise InvalidInput("not a cursor; use `next` of the page before, unchanged", "cursor") from None


def conditions(work: Work, wanted: Filter) -> list[ColumnElement[bool]]:
    """The filter as SQL, with what the actor may see."""
    where: list[ColumnElement[bool]] = [visible(work)]
    for column, values in (
        (col(Complaint.status), wanted.status),
        (col(Complaint.category), wanted.category),
        (col(Complaint.severity), wanted.severity),
        (col(Complaint.team), wanted.team),
    ):
        if values:
            where.append(column.in_(list(values)))
    if wanted.assignee is not None:
        where.append(col(Complaint.assignee_id) == wanted.assignee)
    if wanted.unassigned:
        where.append(col(Complaint.assignee_id).is_(None))
    if wanted.received_from is not None:
        where.append(col(Complaint.received_at) >= wanted.received_from)
    if wanted.received_before is not None:
        where.append(col(Complaint.received_at) < wanted.received_before)
    if wanted.due_before is not None:
        where.append(col(Complaint.due_at) < wanted.due_before)
    return where + [in_words(pattern) for pattern in patterns(wanted.words)]


def in_words(pattern: str, of: type[Complaint] = Complaint) -> ColumnElement[bool]:
    """Text or names match; where the word may be a part of a reference, that is looked at, too."""
    text = col(of.search).like(pattern)
    return or_(text, func.lower(col(of.reference)).like(pattern)) if _OF_REFERENCE.fullmatch(pattern) else text


def complaints(work: Work, wanted: Filter, *, limit: int = 50, cursor: str | None = None) -> Page[Complaint]:
    """Newest receipt first."""
    size = max(1, min(limit, PAGE_LIMIT))
    query = select(Complaint).where(*conditions(work, wanted))
    if cursor:
        at, row = _decode(cursor)
        query = query.where(tuple_(col(Complaint.received_at), col(Complaint.id)) < (at, row))
    query = query.order_by(col(Complaint.received_at).desc(), col(Complaint.id).desc()).limit(size + 1)
    rows = list(work.session.exec(query).all())
    more = len(rows) > size
    rows = rows[:size]
    after = _encode([rows[-1].received_at.isoformat(), str(rows[-1].id)]) if more else None
    return Page(rows, after)


def count(work: Work, wanted: Filter) -> int:
    """How many there are."""
    return work.session.exec(select(func.count()).select_from(Complaint).where(*conditions(work, wanted))).one()


def tasks(
    work: Work,
    *,
    mine: bool = False,
    kind: str | None = None,
    team: str | None = None,
    reference: str | None = None,
    state: Sequence[str] = (StepState.OPEN, StepState.CLAIMED),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[tuple[Step, Complaint]]:
    """Human steps the actor may see, oldest first; `mine` keeps those given to the actor."""
    size = max(1, min(limit, PAGE_LIMIT))
    query = (
        select(Step, Complaint)
        .join(Complaint, col(Complaint.id) == col(Step.complaint_id))
        .where(visible(work), col(Step.state).in_(list(state)))
    )
    if not work.actor.has(Role.SYSTEM, Role.ADMIN, Role.AUDITOR, Role.INTEGRATOR):
        query = query.where(or_(col(Step.role) != Role.COMPLAINANT, literal(work.actor.kind == "person")))
    if mine:
        me: Any = UUID(work.actor.id) if work.actor.kind == "person" else None
        query = query.where(and_(col(Step.assignee_id) == me, col(Step.assignee_id).is_not(None)))
    if kind:
        query = query.where(Step.kind == kind)
    if team:
        query = query.where(Step.team == team)
    if reference:
        query = query.where(Complaint.reference == reference)
    if cursor:
        at, row = _decode(cursor)
        query = query.where(tuple_(col(Step.opened_at), col(Step.id)) > (at, row))
    rows = list(work.session.exec(query.order_by(col(Step.opened_at), col(Step.id)).limit(size + 1)).all())
    more = len(rows) > size
    rows = rows[:size]
    after = _encode([rows[-1][0].opened_at.isoformat(), str(rows[-1][0].id)]) if more else None
    return Page(rows, after)


def outbox(
    work: Work, *, state: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[tuple[Outbox, str | None]]:
    """Recorded intents with the reference of their complaint, oldest first."""
    size = max(1, min(limit, PAGE_LIMIT))
    query = select(Outbox, Complaint.reference).join(
        Complaint, col(Complaint.id) == col(Outbox.complaint_id), isouter=True
    )
    if state:
        query = query.where(Outbox.state == state)
    if cursor:
        at, row = _decode(cursor)
        query = query.where(tuple_(col(Outbox.created_at), col(Outbox.id)) > (at, row))
    rows = list(work.session.exec(query.order_by(col(Outbox.created_at), col(Outbox.id)).limit(size + 1)).all())
    more = len(rows) > size
    rows = rows[:size]
    after = _encode([rows[-1][0].created_at.isoformat(), str(rows[-1][0].id)]) if more else None
    return Page([(intent, reference) for intent, reference in rows], after)
