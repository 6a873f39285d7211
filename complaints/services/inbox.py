"""The inbox: whose work is where. Views, filters, order, pages by key, and counts that stop at a hundred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, func, literal, literal_column, or_, text, tuple_, union_all
from sqlalchemy.orm import aliased, load_only
from sqlmodel import col, select

from complaints.domain.errors import InvalidInput
from complaints.domain.reference import parse
from complaints.domain.searchtext import patterns
from complaints.domain.vocabulary import OVER, SEVERITIES, Role, Status, StepKind, StepState
from complaints.services.access import visible
from complaints.services.reading import in_words
from complaints.store.tables import AT_WORK, SEVERITY_RANK, Clock, Complainant, Complaint, Event, Person, Step
from complaints.store.unit import Work

#: Counts above this are told as "more than".
MOST_COUNTED = 99
PAGE = 30
#: Several words are first looked for in so many complaints, the next in order: PostgreSQL takes words for unrelated to
#: each other, so it expects few hits where first and last name always come together, and fetches all of them.
WINDOW = 3_000
#: A deadline this near is about to be breached.
NEAR = timedelta(hours=24)
_LIVE = (StepState.OPEN, StepState.CLAIMED)
_BESIDE = (StepKind.EXTENSION, StepKind.MANAGEMENT_REVIEW, StepKind.INFORM)
_OVER = OVER | {Status.CLOSED}
_WAITING = (Status.AWAITING_CUSTOMER, Status.AWAITING_THIRD_PARTY, Status.CONFIRMING, Status.EXTERNAL)


class View(StrEnum):
    """What an inbox can show."""

    MINE = "mine"
    TEAM = "team"
    UNASSIGNED = "unassigned"
    NEAR = "near"
    WAITING = "waiting"
    ALL = "all"


class Sort(StrEnum):
    """In which order: next deadline first, newest first, or worst first."""

    DUE = "due"
    RECEIVED = "received"
    SEVERITY = "severity"


@dataclass(frozen=True)
class Query:
    """One list: a view, what it is narrowed by, its order. Empty fields do not narrow."""

    view: View = View.MINE
    words: str = ""
    status: Sequence[str] = ()
    severity: Sequence[str] = ()
    category: Sequence[str] = ()
    team: Sequence[str] = ()
    channel: Sequence[str] = ()
    flag: Sequence[str] = ()
    assignee: UUID | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None
    sort: Sort = Sort.DUE

    @property
    def past(self) -> bool:
        """Whether closed cases are looked at, too: those have no deadline and wait for nobody."""
        return self.view is View.ALL and bool(self.words or set(self.status) & _OVER)

    @property
    def order(self) -> Sort:
        """The order that makes sense: what is over is listed by its receipt."""
        return Sort.RECEIVED if self.past else self.sort


@dataclass(frozen=True)
class Line:
    """One row of the list."""

    complaint: Complaint
    complainant: str
    assignee: str
    step: Step | None
    holder: str  #: whose the step is
    due_at: datetime | None
    paused: bool
    clock: str  #: `profile.name` of the next deadline


@dataclass(frozen=True)
class Listing:
    """One page of lines, and the key after which the next page begins."""

    lines: list[Line]
    after: str | None = None


def listing(work: Work, query: Query, *, after: str = "", limit: int = PAGE) -> Listing:
    """A page of complaints the actor may see; a few queries, however long the page is."""
    rows, following = page(work, query, after=after, limit=limit)
    return Listing(lines(work, rows), following)


def page(work: Work, query: Query, *, after: str = "", limit: int = PAGE) -> tuple[list[Complaint], str | None]:
    """The complaints themselves."""
    where = _conditions(work, query)
    if after:
        where.append(_beyond(query.order, after))
    rows: list[Complaint] = []
    if query.past and len(query.words.split()) > 1:
        rows = _near(work, query, where, limit + 1)
    if len(rows) <= limit:
        found = select(Complaint).where(*where, *_of_words(query.words)).order_by(*_order(query.order))
        rows = list(work.session.exec(found.options(_brief(Complaint)).limit(limit + 1)).all())
    return rows[:limit], _key(query.order, rows[limit - 1]) if len(rows) > limit else None


def _near(work: Work, query: Query, where: list[ColumnElement[bool]], limit: int) -> list[Complaint]:
    """Those of the next `WINDOW` complaints that have the words; the limit inside keeps the text index out of it."""
    near = aliased(Complaint, select(Complaint).where(*where).order_by(*_order(query.order)).limit(WINDOW).subquery())
    found = select(near).where(*_of_words(query.words, near)).order_by(*_order(query.order, near)).limit(limit)
    return list(work.session.exec(found.options(_brief(near))).all())


#: Columns that a list shows or is ordered by. The others are long, or many: they are read when somebody asks for one.
_BRIEF = (
    "reference",
    "subject",
    "status",
    "severity",
    "category",
    "team",
    "channel",
    "flags",
    "confidential",
    "received_at",
    "due_at",
    "closed_at",
    "closing_category",
    "assignee_id",
    "complainant_id",
)


def _brief(of: type[Complaint]) -> Any:
    return load_only(*[getattr(of, name) for name in _BRIEF])


def counts(work: Work, views: Sequence[View] = tuple(View)) -> dict[View, int]:
    """How much each view holds, at most `MOST_COUNTED` + 1."""
    columns = []
    for view in views:
        inner = (
            select(literal(1))
            .select_from(Complaint)
            .where(*_conditions(work, Query(view=view)))
            .limit(MOST_COUNTED + 1)
            .subquery()
        )
        columns.append(select(func.count()).select_from(inner).scalar_subquery().label(view.value))
    found = work.session.execute(select(*columns)).one()
    return dict(zip(views, found, strict=True))


def newest(work: Work) -> int:
    """Grows whenever anything happens to any complaint: lists ask for it to know whether to look again."""
    return work.session.exec(select(func.max(Event.id))).one() or 0


def _conditions(work: Work, query: Query) -> list[ColumnElement[bool]]:
    where = [visible(work)]
    if not query.past:
        where.append(text(f"complaint.{AT_WORK}"))  # type: ignore[arg-type]  # the literal condition of the indexes
    where += _of_view(work, query.view)
    for column, values in (
        (col(Complaint.status), query.status),
        (col(Complaint.severity), query.severity),
        (col(Complaint.category), query.category),
        (col(Complaint.team), query.team),
        (col(Complaint.channel), query.channel),
    ):
        if values:
            where.append(column.in_(list(values)))
    where += [col(Complaint.flags).op("@>")(func.jsonb_build_array(flag)) for flag in query.flag]
    if query.assignee is not None:
        where.append(_with(query.assignee))
    if query.received_from is not None:
        where.append(col(Complaint.received_at) >= query.received_from)
    if query.received_before is not None:
        where.append(col(Complaint.received_at) < query.received_before)
    return where


def _of_words(words: str, of: type[Complaint] = Complaint) -> list[ColumnElement[bool]]:
    """A whole reference finds its complaint at once; everything else is looked for in text, names and references."""
    if not words:
        return []
    try:
        return [col(of.reference) == parse(words)]
    except InvalidInput:
        return [in_words(pattern, of) for pattern in patterns(words)]


def _of_view(work: Work, view: View) -> list[ColumnElement[bool]]:
    me = UUID(work.actor.id)
    match view:
        case View.MINE:
            return [_with(me)]
        case View.TEAM:
            return _of_teams(work)
        case View.UNASSIGNED:
            return [col(Complaint.assignee_id).is_(None), *_of_teams(work)]
        case View.NEAR:
            return [col(Complaint.due_at) < work.now + NEAR, *_of_teams(work)]
        case View.WAITING:
            return [col(Complaint.status).in_(_WAITING), *_of_teams(work)]
        case View.ALL:
            return []


def _with(person: UUID) -> ColumnElement[bool]:
    """Complaints they handle, and those in which they have a task."""
    given = select(Complaint.id).where(Complaint.assignee_id == person, text(f"complaint.{AT_WORK}"))
    held = select(Step.complaint_id).where(Step.assignee_id == person, col(Step.state).in_(_LIVE))
    return col(Complaint.id).in_(union_all(given, held))  # two indexes; an `or` would use none


def _of_teams(work: Work) -> list[ColumnElement[bool]]:
    """Their own teams' work; managers and auditors without a team look at all of it."""
    if not work.actor.teams and work.actor.has(Role.MANAGER, Role.AUDITOR, Role.ADMIN):
        return []
    return [col(Complaint.team).in_([*sorted(work.actor.teams), ""])]


# -- order and keys

_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_RANK: ColumnElement[int] = literal_column(f"({SEVERITY_RANK})", Integer)


def _order(sort: Sort, of: type[Complaint] = Complaint) -> list[Any]:
    row = col(of.id)
    match sort:
        case Sort.DUE:
            return [col(of.due_at), row]  # without a deadline: last
        case Sort.RECEIVED:
            return [col(of.received_at).desc(), row.desc()]
        case Sort.SEVERITY:
            return [_RANK, col(of.received_at), row]


def _key(sort: Sort, row: Complaint) -> str:
    match sort:
        case Sort.DUE:
            parts = [_instant(row.due_at)]
        case Sort.RECEIVED:
            parts = [_instant(row.received_at)]
        case Sort.SEVERITY:
            rank = next((n for n, s in enumerate(SEVERITIES) if s == row.severity), 9)
            parts = [str(rank), _instant(row.received_at)]
    return "_".join([*parts, row.id.hex])


def _instant(at: datetime | None) -> str:
    return str((at - _EPOCH) // _TICK) if at is not None else ""


def _beyond(sort: Sort, after: str) -> ColumnElement[bool]:
    """What comes after that key."""
    try:
        *parts, last = after.split("_")
        row, at = UUID(last), _EPOCH + int(parts[-1]) * _TICK if parts[-1] else None
        rank = int(parts[0]) if sort is Sort.SEVERITY else 0
    except (ValueError, IndexError, OverflowError):
        raise InvalidInput("not a cursor; use `next` of the page before, unchanged", "after") from None
    due, received, key = col(Complaint.due_at), col(Complaint.received_at), col(Complaint.id)
    match sort:
        case Sort.DUE if at is None:
            return and_(due.is_(None), key > row)
        case Sort.DUE:
            return or_(tuple_(due, key) > tuple_(literal(at), literal(row)), due.is_(None))
        case Sort.RECEIVED:
            return tuple_(received, key) < tuple_(literal(at), literal(row))
        case Sort.SEVERITY:
            return tuple_(_RANK, received, key) > tuple_(literal(rank), literal(at), literal(row))


# -- what a line tells beside the complaint


def lines(work: Work, rows: Sequence[Complaint]) -> list[Line]:
    """Names, the step that is due, the next deadline: three queries for all rows together."""
    if not rows:
        return []
    ids = [row.id for row in rows]
    steps = _steps(work, ids)
    clocks = _clocks(work, ids)
    people = _names(work, {p for row in rows for p in (row.assignee_id, _holder(steps.get(row.id))) if p})
    complainants = dict(
        work.session.exec(
            select(Complainant.id, Complainant.name).where(col(Complainant.id).in_({r.complainant_id for r in rows}))
        ).all()
    )
    made = []
    for row in rows:
        step, clock = steps.get(row.id), clocks.get(row.id)
        made.append(
            Line(
                complaint=row,
                complainant=complainants.get(row.complainant_id, ""),
                assignee=people.get(row.assignee_id, "") if row.assignee_id else "",
                step=step,
                holder=people.get(_holder(step), "") if step else "",  # type: ignore[arg-type]  # None has no name
                due_at=clock.due_at if clock else row.due_at,
                paused=clock is not None and clock.state == "paused",
                clock=f"{clock.profile}.{clock.name}" if clock else "",
            )
        )
    return made


def _holder(step: Step | None) -> UUID | None:
    return step.assignee_id if step is not None else None


def _steps(work: Work, ids: Sequence[UUID]) -> Mapping[UUID, Step]:
    """The step each case waits on; what stands beside it (extension, management review) only where nothing else is."""
    wanted = (Step.complaint_id, Step.kind, Step.state, Step.assignee_id)
    found = work.session.exec(
        select(Step)
        .options(load_only(*wanted))  # type: ignore[arg-type]  # columns
        .where(col(Step.complaint_id).in_(ids), col(Step.state).in_(_LIVE))
        .order_by(col(Step.kind).in_(_BESIDE).desc(), col(Step.opened_at).desc())
    ).all()
    return {step.complaint_id: step for step in found}


def _clocks(work: Work, ids: Sequence[UUID]) -> Mapping[UUID, Clock]:
    """The clock that ends next of each case; a running one before a paused one."""
    wanted = (Clock.complaint_id, Clock.profile, Clock.name, Clock.state, Clock.due_at)
    found = work.session.exec(
        select(Clock)
        .options(load_only(*wanted))  # type: ignore[arg-type]  # columns
        .where(col(Clock.complaint_id).in_(ids), col(Clock.state).in_(["running", "paused"]))
        .where(Clock.kind != "external")
        .order_by(and_(col(Clock.state) == "paused").desc(), col(Clock.due_at).desc())
    ).all()
    return {clock.complaint_id: clock for clock in found}


def _names(work: Work, ids: set[UUID]) -> dict[UUID, str]:
    return dict(work.session.exec(select(Person.id, Person.name).where(col(Person.id).in_(ids))).all()) if ids else {}
