"""Business time: calendars, budgets, and the arithmetic between them. Pure; all instants are aware, results in UTC.

A calendar is turned once into sorted lines of open intervals with running sums; every question is then a binary search
(a month-long business calendar: well over 20,000 due times a second on one core). A calendar is open whenever the clock
on the wall of its zone shows a time inside a window: a time that is skipped counts nothing, one that is shown twice
counts twice. Days of a clock change are as long as they really are (docs/decisions/0012-days-of-deadlines.md).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

from complaints.domain.errors import Refusal

_DAY = timedelta(days=1)
_DAY_SECONDS, _HOUR = 86_400, 3600
_EPOCH = date(1970, 1, 1).toordinal()
#: No year beyond these is calculated with, however long a budget is.
_YEARS = (1970, 2100)
Answer = TypeVar("Answer")


class OutsideCalendar(Refusal):
    """The calculation ran past the years that the calendar's holidays are known for, at either end."""

    code = "outside_calendar"


class Unit(StrEnum):
    """What a budget is counted in."""

    SECONDS = "seconds"  #: for demonstrations
    MINUTES = "minutes"  #: of the clock on the wall, day and night
    HOURS = "hours"
    WORKING_MINUTES = "working_minutes"  #: inside the calendar's windows
    WORKING_HOURS = "working_hours"
    BUSINESS_DAYS = "business_days"  #: whole days on which the calendar is open
    CALENDAR_DAYS = "calendar_days"
    WEEKS = "weeks"
    MONTHS = "months"


_SECONDS = {Unit.SECONDS: 1, Unit.MINUTES: 60, Unit.HOURS: 3600, Unit.WORKING_MINUTES: 60, Unit.WORKING_HOURS: 3600}
_BY_DATE = frozenset({Unit.BUSINESS_DAYS, Unit.CALENDAR_DAYS, Unit.WEEKS, Unit.MONTHS})


@dataclass(frozen=True)
class Budget:
    """So much of a unit. `first_day` is the number that the day of receipt bears (0: counting begins the day after)."""

    amount: int
    unit: Unit
    first_day: int = 0

    @property
    def by_date(self) -> bool:
        """Counted in whole days, due when the last one ends."""
        return self.unit in _BY_DATE

    @property
    def seconds(self) -> float:
        """Length of a budget that is counted in time."""
        return float(self.amount * _SECONDS[self.unit])


@dataclass(frozen=True)
class Window:
    """Open from `start` to `end`, minutes after local midnight; 1440 is the end of the day."""

    start: int
    end: int


class Line:
    """Sorted, disjoint open intervals on the time axis (seconds since the epoch) with running sums."""

    def __init__(self, intervals: Iterable[tuple[float, float]]) -> None:
        pairs = list(intervals)
        self.starts = [a for a, _ in pairs]
        self.ends = [b for _, b in pairs]
        self.sums = [0.0, *accumulate(b - a for a, b in pairs)]

    def before(self, at: float) -> float:
        """Open seconds from the beginning of the line until `at`."""
        i = bisect_right(self.starts, at) - 1
        return 0.0 if i < 0 else self.sums[i] + min(at, self.ends[i]) - self.starts[i]

    def at(self, open_seconds: float) -> float:
        """The earliest instant by which so many seconds were open."""
        i = bisect_left(self.sums, open_seconds) - 1
        if i < 0:
            return self.starts[0]
        if i >= len(self.starts):
            raise OutsideCalendar("The calendar ends before the time is over. Extend its years (calendars.toml).")
        return self.starts[i] + open_seconds - self.sums[i]


@dataclass(frozen=True, eq=False)
class BusinessCalendar:
    """When work is done. `holidays` close a day and say why; `extra_days` open one (make-up working days).

    Holidays are known from `first_year` to `last_year`; what lies outside raises `OutsideCalendar`, unless `spare`
    years at both ends are calculated with by the week alone (see `answered`).
    """

    key: str
    zone: ZoneInfo
    week: tuple[tuple[Window, ...], ...] = ()  #: Monday first; empty with `always`
    holidays: Mapping[date, str] = field(default_factory=dict)
    extra_days: Mapping[date, tuple[Window, ...]] = field(default_factory=dict)
    first_year: int = 2000
    last_year: int = 2040
    always: bool = False
    extra_names: Mapping[date, str] = field(default_factory=dict)  #: why the company works on a day, where it says so
    spare: int = 0

    def knows(self, day: date) -> bool:
        """Are the holidays of the day's year known?"""
        return self.always or self.first_year <= day.year <= self.last_year

    @cached_property
    def wider(self) -> BusinessCalendar:
        """The same calendar with more years at both ends, in which nothing is known but the week."""
        if (self._first.year, self._last.year) == _YEARS:
            raise self._outside()
        return replace(self, spare=max(8, 2 * self.spare))

    @cached_property
    def _first(self) -> date:
        return date(max(self.first_year - self.spare, _YEARS[0]), 1, 1)

    @cached_property
    def _last(self) -> date:
        return date(min(self.last_year + self.spare, _YEARS[1]), 12, 31)

    @cached_property
    def _span(self) -> tuple[float, float]:
        return self.instant(self._first, 0).timestamp(), self.instant(self._last, 1440).timestamp()

    def _outside(self) -> OutsideCalendar:
        return OutsideCalendar(
            f"Calendar '{self.key}' knows {self.first_year} to {self.last_year}; extend its years (calendars.toml)"
        )

    def windows(self, day: date) -> tuple[Window, ...]:
        """The open windows of a day, in order; empty when it is closed, or when the zone skips that date."""
        if self.instant(day, 0) == self.instant(day, 1440):
            return ()
        if self.always:
            return (Window(0, 1440),)
        if day in self.extra_days:
            return self.extra_days[day]
        return () if day in self.holidays else self.week[day.weekday()]

    def is_business_day(self, day: date) -> bool:
        """Open at all."""
        return bool(self.windows(day))

    def instant(self, day: date, minutes: int) -> datetime:
        """The instant so many minutes after local midnight, by the clock on the wall; 1440 is the next midnight.

        A wall time that a clock change skips is the moment of the change; one that it repeats is its first occurrence:
        the earliest instant by which the clock has come so far.
        """
        known = self._instants.get((day, minutes))
        if known is None:
            known = self._instants[day, minutes] = self._instant(day, minutes)
        return known

    @cached_property
    def _instants(self) -> dict[tuple[date, int], datetime]:
        """What was asked before: the same few days are asked for again and again."""
        return {}

    def _instant(self, day: date, minutes: int) -> datetime:
        whole, rest = divmod(minutes, 1440)
        local = datetime.combine(day + whole * _DAY, time(rest // 60, rest % 60), tzinfo=self.zone)
        there = local.astimezone(UTC)
        if there.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return there
        # Skipped: by the offset after the change it is an instant before it, and the other way round.
        before = local.replace(fold=1).timestamp()
        (change,) = self._changes(int(before), int(there.timestamp()))
        return datetime.fromtimestamp(change, UTC)

    def local_date(self, at: datetime) -> date:
        """The date on the wall at `at`."""
        return at.astimezone(self.zone).date()

    def open_between(self, day: date, windows: Iterable[Window]) -> Iterator[tuple[float, float]]:
        """When the clock on the wall shows a time inside the windows on a date; seconds since the epoch.

        In a stretch without a clock change that is the window itself; so each stretch that touches the date is asked.
        """
        midnight = (day.toordinal() - _EPOCH) * _DAY_SECONDS
        earliest, latest = midnight - 15 * _HOUR, midnight + 39 * _HOUR  # offsets lie between -12 and +14 hours
        for since, until in pairwise((earliest, *self._changes(earliest, latest), latest)):
            shift = midnight - self._offset(since)
            for window in windows:
                a, b = max(since, shift + 60 * window.start), min(until, shift + 60 * window.end)
                if a < b:
                    yield a, b

    def _changes(self, low: int, high: int) -> list[int]:
        """The instants after `low` until `high` from which another offset holds (those that do not cancel out)."""
        if self._offset(low) == self._offset(high):
            return []
        if high - low == 1:
            return [high]
        middle = (low + high) // 2
        return self._changes(low, middle) + self._changes(middle, high)

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, self.zone).utcoffset()
        assert offset is not None
        return round(offset.total_seconds())

    @cached_property
    def _days(self) -> list[int]:
        """Ordinals of all business days."""
        first, last = self._first.toordinal(), self._last.toordinal()
        return [n for n in range(first, last + 1) if self.is_business_day(date.fromordinal(n))]

    @cached_property
    def working(self) -> Line:
        """The windows."""
        return Line(_joined(span for day in self._open_days() for span in self.open_between(day, self.windows(day))))

    @cached_property
    def whole_days(self) -> Line:
        """Business days from midnight to midnight, for the share of a budget in business days."""
        return Line(_joined(span for day in self._open_days() for span in self.open_between(day, (Window(0, 1440),))))

    def _open_days(self) -> Iterator[date]:
        return map(date.fromordinal, self._days)

    def nth_business_day(self, after: date, count: int) -> date:
        """The `count`-th business day after a date (0: the date itself)."""
        if count <= 0:
            return after
        i = bisect_right(self._days, after.toordinal()) + count - 1
        if i >= len(self._days) or after < self._first:
            raise self._outside()
        return date.fromordinal(self._days[i])

    def last_day(self, budget: Budget, start: datetime, extra: int = 0) -> date:
        """The date on which a budget counted in days ends, with `extra` days more."""
        received = self.local_date(start)
        if budget.first_day and self.counts_day(budget.unit, received):
            extra -= 1  # the day of receipt is the first
        if budget.unit is Unit.BUSINESS_DAYS:
            return self.nth_business_day(received, budget.amount + extra)
        if budget.unit is Unit.WEEKS:
            return received + timedelta(days=7 * budget.amount + extra)
        if budget.unit is Unit.MONTHS:
            return add_months(received, budget.amount) + timedelta(days=extra)
        return received + timedelta(days=budget.amount + extra)

    def counts_day(self, unit: Unit, day: date) -> bool:
        """Does the day count for a budget in `unit`?"""
        return unit is not Unit.BUSINESS_DAYS or self.is_business_day(day)

    def elapsed(self, unit: Unit, start: datetime, end: datetime) -> float:
        """Seconds between two instants on the line of a unit: working windows, whole business days, or all time."""
        if end <= start:
            return 0.0
        line = self._line(unit)
        if line is None:
            return (end - start).total_seconds()
        return line.before(self._inside(end)) - line.before(self._inside(start))

    def advance(self, unit: Unit, start: datetime, seconds: float) -> datetime:
        """The earliest instant at which so many seconds have passed on the line of a unit."""
        line = self._line(unit)
        if line is None:
            return start + timedelta(seconds=seconds)
        if seconds <= 0:
            return start
        return datetime.fromtimestamp(line.at(line.before(self._inside(start)) + seconds), UTC)

    def _inside(self, at: datetime) -> float:
        """Seconds since the epoch, of an instant in the years that are calculated with."""
        seconds, (first, last) = at.timestamp(), self._span
        if not first <= seconds <= last:
            raise self._outside()
        return seconds

    def _line(self, unit: Unit) -> Line | None:
        if self.always or unit not in (Unit.WORKING_MINUTES, Unit.WORKING_HOURS, Unit.BUSINESS_DAYS):
            return None
        return self.whole_days if unit is Unit.BUSINESS_DAYS else self.working


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or its last day where there is none (31 January + 1 month: 28 or 29 February)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    first_of_next = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), first_of_next - _DAY)


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The spans in order; those that touch, also over midnight, are one."""
    found: list[tuple[float, float]] = []
    for a, b in sorted(spans):
        if found and a <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], b))
        else:
            found.append((a, b))
    return found


def answered(calendar: BusinessCalendar, question: Callable[[BusinessCalendar], Answer]) -> Answer:
    """The answer to a question, from a calendar that reaches far enough.

    A duty is real though the holidays of its year are not announced yet, or lie before the calendar's first: outside
    the known years the week goes on without holidays. The due time may then be too early, by those holidays, never too
    late.
    """
    while True:
        try:
            return question(calendar)
        except OutsideCalendar:
            calendar = calendar.wider


#: Day and night, for clocks that need no calendar.
ALWAYS = BusinessCalendar("24x7", ZoneInfo("UTC"), always=True)
