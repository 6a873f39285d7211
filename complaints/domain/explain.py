"""Why a clock is due when it is: its ledger day by day, as facts. Words for them are in `explain_words`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice

from complaints.domain.businesstime import Budget, BusinessCalendar, Unit
from complaints.domain.ledger import Change, Interval, Ledger
from complaints.domain.sla_policy import Unverified

_DAY = timedelta(days=1)
_ON_CALENDAR = frozenset({Unit.WORKING_MINUTES, Unit.WORKING_HOURS, Unit.BUSINESS_DAYS})
#: Days listed at most: ten years. What is left out is counted, and said.
MOST_DAYS = 3_660


@dataclass(frozen=True)
class Pause:
    """The clock stood still on a day, by the clock on the wall (`HH:MM`; 24:00 is the end of the day)."""

    start: str
    end: str
    reason: str


@dataclass(frozen=True)
class DayRow:
    """One day of a ledger. `counted` and `total` are seconds, or whole days where the budget counts days."""

    day: date
    counted: float
    total: float
    note: str  #: open, makeup, extra, holiday, closed, day_of_receipt, first_day, paused, unfinished
    name: str = ""  #: of the holiday, closure or extra day
    opens: tuple[str, ...] = ()  #: the day's windows, where working time is counted
    pauses: tuple[Pause, ...] = ()
    known: bool = True  #: False: the calendar does not know the holidays of this year
    due: bool = False


@dataclass(frozen=True)
class Days:
    """A ledger day by day, from the start to the due time; to the end, where the clock ended before, or to now."""

    days: tuple[DayRow, ...]
    days_left_out: int
    total: float  #: counted until the clock ended, or until now
    due_at: datetime | None


@dataclass(frozen=True)
class Rule:
    """Where a clock's numbers come from."""

    title_en: str
    title_zh: str
    citation: str
    evidence: str  #: R, S, M or ours
    verify_first: bool
    effective_from: date | None = None
    effective_until: date | None = None
    unverified: tuple[Unverified, ...] = ()  #: what no source that was read says
    next: str = ""  #: `profile.name` of the clock that governs when this one is over


@dataclass(frozen=True)
class Explanation:
    """Everything that makes a due time what it is."""

    clock: str  #: `profile.name`
    round: int
    kind: str
    state: str
    rule: Rule
    calendar: str
    zone: str
    from_receipt: bool  #: it counts from the receipt of the complaint, not from an event in the house
    started_at: datetime
    stopped_at: datetime | None
    cancelled_because: str  #: withdrawn, merged, rejected, inapplicable, restarted; empty where it was not
    budget: Budget  #: with what was changed and granted
    pauses: tuple[Interval, ...]
    changes: tuple[Change, ...]
    days: tuple[DayRow, ...]
    days_left_out: int
    total: float
    due_at: datetime | None
    as_of: datetime  #: now, when it was told

    @property
    def on_calendar(self) -> bool:
        """Does the budget count the calendar's hours or business days?"""
        return self.budget.unit in _ON_CALENDAR


def day_by_day(ledger: Ledger, calendar: BusinessCalendar, now: datetime) -> Days:
    """The days of a ledger."""
    due, ended = ledger.due(calendar), ledger.stopped_at
    end = min(due or ended, ended) if ended is not None else due or now
    until = min(ended or now, now)
    rows = _rows(ledger, calendar, end, due)
    listed = tuple(islice(rows, MOST_DAYS))
    left_out = sum(1 for _ in rows)
    if ledger.allowed.by_date:
        total = sum(r.counted for r in listed if calendar.instant(r.day, 1440) <= until)
    else:
        total = ledger.counted(calendar, until)
    return Days(listed, left_out, total, due)


def _rows(ledger: Ledger, calendar: BusinessCalendar, end: datetime, due: datetime | None) -> Iterator[DayRow]:
    by_date, total = ledger.allowed.by_date, 0.0
    day = first = calendar.local_date(ledger.started_at)
    last = max(first, calendar.local_date(end - timedelta(microseconds=1) if by_date else end))
    due_on = calendar.local_date(due - timedelta(microseconds=1) if by_date else due) if due is not None else None
    while day <= last:
        start, close = calendar.instant(day, 0), calendar.instant(day, 1440)
        if by_date:
            note, counted = _whole_day(ledger, calendar, day, first)
        else:
            counted = ledger.counted(calendar, min(close, end)) - ledger.counted(calendar, start)
            note = _note(ledger, calendar, day)
        total += counted
        yield DayRow(
            day,
            counted,
            total,
            note,
            calendar.extra_names.get(day, "") if note == "extra" else calendar.holidays.get(day, ""),
            _opens(calendar, day) if ledger.allowed.unit in _ON_CALENDAR and not by_date else (),
            tuple(_pauses(ledger, calendar, start, min(close, max(end, start)))),
            ledger.allowed.unit not in _ON_CALENDAR or calendar.knows(day),
            day == due_on,
        )
        day += _DAY


def _whole_day(ledger: Ledger, calendar: BusinessCalendar, day: date, first: date) -> tuple[str, float]:
    """What a day is to a budget in days, and whether it counts."""
    note, end = _note(ledger, calendar, day), calendar.instant(day, 1440)
    if not calendar.counts_day(ledger.allowed.unit, day):
        return note, 0.0
    if day == first and not ledger.allowed.first_day:
        return "day_of_receipt", 0.0
    if any(a < end <= b for a, b in ledger.suspended_between(ledger.started_at, end + _DAY)):
        return "paused", 0.0
    if ledger.stopped_at is not None and ledger.stopped_at < end:
        return "unfinished", 0.0
    return ("first_day" if day == first else note), 1.0


def _note(ledger: Ledger, calendar: BusinessCalendar, day: date) -> str:
    if ledger.allowed.unit not in _ON_CALENDAR:
        return "open"
    if not calendar.is_business_day(day):
        return "holiday" if day in calendar.holidays else "closed"
    if day in calendar.extra_days:
        return "extra" if day in calendar.extra_names else "makeup"
    return "open"


def _opens(calendar: BusinessCalendar, day: date) -> tuple[str, ...]:
    return tuple(f"{_wall(w.start)}–{_wall(w.end)}" for w in calendar.windows(day))


def _wall(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _pauses(ledger: Ledger, calendar: BusinessCalendar, start: datetime, close: datetime) -> Iterator[Pause]:
    """The pauses of a day, from when to when."""
    end_of_day = calendar.instant(calendar.local_date(start), 1440)
    for interval in ledger.intervals:
        a, b = max(interval.start, start), min(interval.end or close, close)
        if interval.suspended and a < b:
            told = ["24:00" if at == end_of_day else on_wall(at, calendar.zone, ledger.allowed.unit) for at in (a, b)]
            yield Pause(told[0], told[1], interval.reason)


def on_wall(at: datetime, zone: tzinfo, unit: Unit) -> str:
    """A time of day, to the second where seconds are counted."""
    return f"{at.astimezone(zone):{'%H:%M:%S' if unit is Unit.SECONDS else '%H:%M'}}"
