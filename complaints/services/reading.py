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

from sqlalchemy import ColumnElement, String, and_, cast, func, literal, or_, tuple_
from sqlmodel import col, select

from complaints.domain.errors import Conflict, InvalidInput, NotFound
from complaints.domain.reference import looks_like
from complaints.domain.searchtext import patterns
from complaints.domain.vocabulary import IntentState, Role, StepState
from complaints.services.access import see, visible
from complaints.store.tables import Complaint, Outbox, Step
from complaints.store.unit import Work

PAGE_LIMIT = 200
#: An id or the beginning or end of one, with eight digits or more; those of ids made in the same minute begin alike.
_ID_PART = re.compile(r"(?:-?[0-9A-Fa-f]){8,32}-?")
_WHOLE_ID = 32
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


def named_task(work: Work, name: str, gate: str = "") -> Step:
    """The step that a person means: by its id, by a part of the id of an open one, or by its complaint's reference.

    With a reference, `gate` says which, where several are open. `NotFound` as well where the actor may not see it.
    """
    own = select(Step).join(Complaint, col(Complaint.id) == col(Step.complaint_id)).where(visible(work))
    live = own.where(col(Step.state).in_((StepState.OPEN, StepState.CLAIMED)))
    if _ID_PART.fullmatch(name) and not looks_like(name):
        step: Step = _by_id(work, name, col(Step.id), own, live, "task")
        return step
    complaint = see(work, name)
    steps = list(
        work.session.exec(
            live.where(Step.complaint_id == complaint.id).order_by(col(Step.opened_at), col(Step.number))
        ).all()
    )
    if gate:
        steps = list(work.session.exec(own.where(Step.complaint_id == complaint.id, Step.gate == gate)).all())
    if len(steps) == 1:
        return steps[0]
    if gate:
        raise NotFound("task", f"{complaint.reference} {gate}")
    if not steps:
        raise Conflict(f"{complaint.reference} has no open task; it is {complaint.status}.")
    gates = ", ".join(step.gate for step in steps)
    raise InvalidInput(f"{complaint.reference} has {len(steps)} open tasks; add which: {gates}", "task")


def named_intent(work: Work, name: str) -> Outbox:
    """The intent with this id, or the dead one with this part of an id."""
    if not _ID_PART.fullmatch(name):
        raise InvalidInput("give an id, or at least eight digits of its beginning or end", "intent")
    every = select(Outbox)
    intent: Outbox = _by_id(work, name, col(Outbox.id), every, every.where(Outbox.state == IntentState.DEAD), "intent")
    return intent


def _by_id(work: Work, name: str, column: Any, every: Any, likely: Any, kind: str) -> Any:
    """The row whose id is `name`, or of the `likely` ones the only one whose id begins or ends with it."""
    if len(name.replace("-", "")) == _WHOLE_ID:
        rows = work.session.exec(every.where(column == UUID(name))).all()
    else:
        text = cast(column, String)
        part = name.lower()
        rows = work.session.exec(likely.where(or_(text.startswith(part), text.endswith(part))).limit(2)).all()
    if len(rows) > 1:
        raise InvalidInput(f"several ids begin or end with {name}; give more of it", kind)
    if not rows:
        raise NotFound(kind, name)
    return rows[0]


def check_filter(work: Work, wanted: Filter) -> None:
    """`InvalidInput` where a category or team is neither in the policy nor that of any complaint: it is mistyped."""
    taxonomy, routing = work.policy.taxonomy, work.policy.routing
    for name, column, values, known in (
        ("category", col(Complaint.category), wanted.category, [c.key for c in taxonomy.categories]),
        ("team", col(Complaint.team), wanted.team, [t.key for t in routing.teams]),
    ):
        for value in sorted(set(values) - set(known)):
            if work.session.exec(select(Complaint.id).where(column == value).limit(1)).first() is None:
                choices = ", ".join(known)
                raise InvalidInput(f"{value!r} is not known; known are: {choices}", name)


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
