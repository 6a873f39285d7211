"""Figures of the dashboards: what arrives, what waits, what is in time, why people complain, how content they are.

Each function is a query or two over the rows themselves, narrowed to what the reader oversees; which indexes answer
them is said in docs/performance.md. Periods are half open: `since` counts, `until` does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Select, case, cast, exists, func, or_, text, tuple_
from sqlmodel import col, select

from complaints.domain.vocabulary import Finding, Role
from complaints.store.tables import AT_WORK, Clock, Complainant, Complaint, Party, Person, Survey
from complaints.store.unit import Work

#: Ages of the backlog: from so many days on.
AGES = (0, 3, 8, 16, 31, 61)
#: Breaches ahead: within so many hours; what is late already comes before.
AHEAD = (24, 72, 168)
_UPHELD = (Finding.UPHELD, Finding.PARTLY_UPHELD)
#: So many verbatim answers are listed.
_WORDS = 50


@dataclass(frozen=True)
class Slice:
    """Which complaints: a period, and what it is narrowed by; empty fields do not narrow."""

    since: datetime
    until: datetime
    zone: str
    team: str = ""
    category: str = ""
    severity: str = ""

    @property
    def before(self) -> Slice:
        """The period of the same length just before."""
        return replace(self, since=self.since - (self.until - self.since), until=self.since)


@dataclass(frozen=True)
class Today:
    """Arrivals and closures by day; the backlog by severity and age; what is late or will be."""

    arrivals: Mapping[date, int]
    closures: Mapping[date, int]
    ages: Mapping[tuple[str, int], int]  #: (severity, place in AGES)
    ahead: Mapping[tuple[str, int], int]  #: (severity, place in AHEAD; -1 is late, len(AHEAD) is later or no deadline)


@dataclass(frozen=True)
class InTime:
    """How many clocks of one name ended in a month, and how many of them in time."""

    profile: str
    clock: str
    month: date
    ended: int
    met: int


@dataclass(frozen=True)
class Took:
    """Days from receipt to something: how often, the median, and what nine of ten did not exceed."""

    number: int
    median: float | None
    p90: float | None


@dataclass(frozen=True)
class Contentment:
    """What the survey says. Shares are of those who answered that question; `replied` of the `asked`, which are the
    complaints whose answer went out in the period, have told what they think of it, whenever that was."""

    asked: int
    replied: int
    answers: int
    accepted: int
    ratings: Mapping[int, int]
    efforts: Mapping[int, int]
    resolved: int
    resolved_known: int


@dataclass(frozen=True)
class Said:
    """One answer in the customer's words."""

    reference: str
    at: datetime
    rating: int | None
    resolved: bool | None
    words: str


def overseen(work: Work, part: Slice) -> list[ColumnElement[bool]]:
    """Whose complaints count: a lead's own teams and what is not routed yet; for managers and auditors all of them.

    What the reader has an interest in is left out by id, which costs nothing where there is nothing of that kind.
    """
    where: list[ColumnElement[bool]] = []
    if not work.actor.has(Role.MANAGER, Role.AUDITOR, Role.ADMIN):
        where.append(col(Complaint.team).in_([*sorted(work.actor.teams), ""]))
    if part.team:
        where.append(col(Complaint.team) == part.team)
    if part.category:
        where.append(col(Complaint.category) == part.category)
    if part.severity:
        where.append(col(Complaint.severity) == part.severity)
    own = _own_affairs(work)
    return [*where, col(Complaint.id).not_in(own)] if own else where


def _own_affairs(work: Work) -> list[UUID]:
    """Complaints in which the reader has an interest (the rule of `access.visible`), looked up from their side."""
    me = work.session.get_one(Person, UUID(work.actor.id))
    related = sorted({r.casefold() for r in me.related_to})
    mails = sorted({*related, *([me.email.casefold()] if me.email else [])})
    if not mails:
        return []
    who = select(Complainant.id).where(
        or_(func.lower(col(Complainant.email)).in_(mails), func.lower(col(Complainant.name)).in_(related))
    )
    found = set(work.session.exec(select(Party.complaint_id).where(col(Party.complainant_id).in_(who))).all())
    if related:
        named = or_(
            func.lower(col(Complaint.responsible_unit)).in_(related), col(Complaint.reference).in_(_upper(related))
        )
        found |= set(work.session.exec(select(Complaint.id).where(named)).all())
    return sorted(found)


def _upper(references: Sequence[str]) -> list[str]:
    return [r.upper() for r in references]


def today(work: Work, part: Slice) -> Today:
    """What came, what went, what lies here, what is about to be late."""
    where = overseen(work, part)
    severity = col(Complaint.severity)
    age = func.extract("epoch", work.now - col(Complaint.received_at)) / 86_400
    bucket = func.width_bucket(age, [float(a) for a in AGES[1:]])
    due = col(Complaint.due_at)
    ahead = case(
        (due < work.now, -1),
        *((due < work.now + timedelta(hours=hours), n) for n, hours in enumerate(AHEAD)),
        else_=len(AHEAD),
    )
    rows = work.session.execute(
        select(severity, bucket.label("bucket"), ahead.label("ahead"), func.count())
        .where(text(f"complaint.{AT_WORK}"), *where)
        .group_by(severity, text("bucket"), text("ahead"))
    ).all()
    ages: dict[tuple[str, int], int] = {}
    coming: dict[tuple[str, int], int] = {}
    for code, place, later, number in rows:
        ages[code, place] = ages.get((code, place), 0) + number
        coming[code, later] = coming.get((code, later), 0) + number
    return Today(
        _by_day(work, part, col(Complaint.received_at), where),
        _by_day(work, part, col(Complaint.closed_at), where),
        ages,
        coming,
    )


def _by_day(work: Work, part: Slice, at: Any, where: Sequence[ColumnElement[bool]]) -> dict[date, int]:
    day = func.date(func.timezone(part.zone, at)).label("day")
    statement = select(day, func.count()).where(*_within(part, at), *where).group_by(text("day"))
    rows = work.session.execute(statement).all()
    return {row[0]: row[1] for row in rows}


def _within(part: Slice, at: Any) -> list[ColumnElement[bool]]:
    return [at >= part.since, at < part.until]


def count(work: Work, part: Slice, *, closed: bool) -> int:
    """How many arrived, or were closed, in the period."""
    at = col(Complaint.closed_at if closed else Complaint.received_at)
    return work.session.exec(select(func.count()).where(*_within(part, at), *overseen(work, part))).one()


def in_time(work: Work, part: Slice) -> list[InTime]:
    """Clocks that ended in the period, by profile, name and month of their end.

    Cancelled ones count nowhere, nor do those of external bodies: their lateness is not ours.
    """
    theirs = [(p.key, c.name) for p in work.policy.sla.profiles for c in p.clocks if c.kind == "external"]
    ended = col(Clock.stopped_at)
    month = func.date(func.date_trunc("month", func.timezone(part.zone, ended))).label("month")
    statement = (
        select(  # type: ignore[call-overload]  # more columns than its overloads know
            Clock.profile, Clock.name, month, func.count(), func.count().filter(col(Clock.state) == "met")
        )
        .where(text("clock.state in ('met', 'missed')"), *_within(part, ended))
        .group_by(col(Clock.profile), col(Clock.name), text("month"))
        .order_by(col(Clock.profile), col(Clock.name), text("month"))
    )
    if theirs:
        statement = statement.where(tuple_(col(Clock.profile), col(Clock.name)).not_in(theirs))
    where = overseen(work, part)
    if where:
        statement = statement.join(Complaint, col(Complaint.id) == col(Clock.complaint_id)).where(*where)
    return [InTime(*row) for row in work.session.execute(statement).all()]


def took(work: Work, part: Slice, *, answered: bool) -> Took:
    """Calendar days from receipt to the answer (or, for acknowledgments, to those), of what got it in the period."""
    at = col(Complaint.responded_at if answered else Complaint.acknowledged_at)
    days = cast(func.extract("epoch", at - col(Complaint.received_at)) / 86_400, Float)
    row = work.session.execute(
        select(
            func.count(),
            func.percentile_cont(0.5).within_group(days),
            func.percentile_cont(0.9).within_group(days),
        ).where(*_within(part, at), *overseen(work, part))
    ).one()
    return Took(*row)


def causes(work: Work, part: Slice, *, root: bool, upheld: bool) -> list[tuple[str, int]]:
    """Closed complaints of the period by category or root cause, most frequent first; "" where none was found."""
    what = func.coalesce(col(Complaint.root_cause), "") if root else col(Complaint.category)
    where = [*_within(part, col(Complaint.closed_at)), *overseen(work, part)]
    if upheld:
        where.append(col(Complaint.finding).in_(_UPHELD))
    number = func.count()
    statement = select(what.label("what"), number).where(*where).group_by(text("what")).order_by(number.desc(), what)
    return [(code, n) for code, n in work.session.execute(statement).all()]


def contentment(work: Work, part: Slice) -> Contentment:
    """The survey's answers given in the period."""
    known = col(Survey.resolved)
    rows = work.session.execute(
        _answers(
            work, part, col(Survey.rating), col(Survey.effort), known, col(Survey.accepted), func.count()
        ).group_by(col(Survey.rating), col(Survey.effort), known, col(Survey.accepted))
    ).all()
    answered = [*_within(part, col(Complaint.responded_at)), *overseen(work, part)]
    asked = work.session.exec(select(func.count()).where(*answered)).one()
    told = exists(select(Survey.id).where(Survey.complaint_id == Complaint.id).correlate(Complaint))
    replied = work.session.exec(select(func.count()).where(*answered, told)).one()
    ratings: dict[int, int] = {}
    efforts: dict[int, int] = {}
    for rating, effort, _, _, n in rows:
        if rating is not None:
            ratings[rating] = ratings.get(rating, 0) + n
        if effort is not None:
            efforts[effort] = efforts.get(effort, 0) + n
    return Contentment(
        asked=asked,
        replied=replied,
        answers=sum(n for *_, n in rows),
        accepted=sum(n for *_, accepted, n in rows if accepted),
        ratings=ratings,
        efforts=efforts,
        resolved=sum(n for _, _, resolved, _, n in rows if resolved),
        resolved_known=sum(n for _, _, resolved, _, n in rows if resolved is not None),
    )


def verbatim(work: Work, part: Slice, limit: int = _WORDS) -> list[Said]:
    """The latest answers that have words."""
    statement = (
        _answers(work, part, Complaint.reference, Survey.at, Survey.rating, Survey.resolved, Survey.words)
        .where(col(Survey.words) != "")
        .order_by(col(Survey.at).desc(), col(Survey.id))
        .limit(limit)
    )
    return [Said(*row) for row in work.session.execute(statement).all()]


def _answers(work: Work, part: Slice, *what: Any) -> Select[Any]:
    """Answers of the period; their complaints are looked up only where something of them is asked."""
    where = overseen(work, part)
    found: Select[Any] = select(*what).select_from(Survey)
    if where or any(one is Complaint.reference for one in what):
        found = found.join(Complaint, col(Complaint.id) == col(Survey.complaint_id))
    return found.where(*_within(part, col(Survey.at)), *where)
