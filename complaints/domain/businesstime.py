"""Business time: calendars, budgets, and the arithmetic between them. Pure; all instants are aware, results in UTC.

A calendar is turned once into sorted lines of open intervals with running sums; every question is then a binary search
(a month-long business calendar: well over 20,000 due times a second on one core). Windows are wall-clock times of the
calendar's zone, so days of a clock change are as long as they really are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from zoneinfo import ZoneInfo

from complaints.domain.errors import Refusal

_DAY = timedelta(days=1)


class OutsideCalendar(Refusal):
    """The calculation ran past the years that the calendar's holidays are known for."""

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
            raise OutsideCalendar("The calendar ends before the time is over. Extend its years in calendars.toml.")
        return self.starts[i] + open_seconds - self.sums[i]


@dataclass(frozen=True, eq=False)
class BusinessCalendar:
    """When work is done. `holidays` close a day and say why; `extra_days` open one (make-up working days)."""

    key: str
    zone: ZoneInfo
    week: tuple[tuple[Window, ...], ...] = ()  #: Monday first; empty with `always`
    holidays: Mapping[date, str] = field(default_factory=dict)
    extra_days: Mapping[date, tuple[Window, ...]] = field(default_factory=dict)
    first_year: int = 2000
    last_year: int = 2040
    always: bool = False

    def windows(self, day: date) -> tuple[Window, ...]:
        """The open windows of a day, in order; empty when it is closed."""
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

        A wall time that a clock change skips is the moment of the change; one that it repeats is its first occurrence.
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
        if there.astimezone(self.zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            before = (local - timedelta(hours=3)).astimezone(UTC)  # skipped: find the change
            return _change_after(before, self.zone)
        return there

    def local_date(self, at: datetime) -> date:
        """The date on the wall at `at`."""
        return at.astimezone(self.zone).date()

    @cached_property
    def _days(self) -> list[int]:
        """Ordinals of all business days."""
        first, last = date(self.first_year, 1, 1).toordinal(), date(self.last_year, 12, 31).toordinal()
        return [n for n in range(first, last + 1) if self.is_business_day(date.fromordinal(n))]

    @cached_property
    def working(self) -> Line:
        """The windows."""

        def intervals() -> Iterator[tuple[float, float]]:
            open_from, open_to = 0.0, -1.0
            for ordinal in self._days:
                day = date.fromordinal(ordinal)
                for window in self.windows(day):
                    a = self.instant(day, window.start).timestamp()
                    b = self.instant(day, window.end).timestamp()
                    if a <= open_to:
                        open_to = max(open_to, b)  # windows that touch, also over midnight, are one
                        continue
                    if open_to > open_from:
                        yield open_from, open_to
                    open_from, open_to = a, b
            if open_to > open_from:
                yield open_from, open_to

        return Line(intervals())

    @cached_property
    def whole_days(self) -> Line:
        """Business days from midnight to midnight, for the share of a budget in business days."""
        return Line(
            (self.instant(d, 0).timestamp(), self.instant(d, 1440).timestamp())
            for d in map(date.fromordinal, self._days)
        )

    def nth_business_day(self, after: date, count: int) -> date:
        """The `count`-th business day after a date (0: the date itself)."""
        if count <= 0:
            return after
        i = bisect_right(self._days, after.toordinal()) + count - 1
        if i >= len(self._days) or after.year < self.first_year:
            raise OutsideCalendar(
                f"Calendar '{self.key}' knows {self.first_year} to {self.last_year}; extend its years (calendars.toml)"
            )
        return date.fromordinal(self._days[i])

    def last_day(self, budget: Budget, start: datetime, extra: int = 0) -> date:
        """The date on which a budget counted in days ends, with `extra` days more."""
        received, amount = self.local_date(start), budget.amount - budget.first_day
        if budget.unit is Unit.BUSINESS_DAYS:
            return self.nth_business_day(received, amount + extra)
        if budget.unit is Unit.WEEKS:
            return received + timedelta(days=7 * budget.amount - budget.first_day + extra)
        if budget.unit is Unit.MONTHS:
            return add_months(received, budget.amount) + timedelta(days=extra - budget.first_day)
        return received + timedelta(days=amount + extra)

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
        return line.before(end.timestamp()) - line.before(start.timestamp())

    def advance(self, unit: Unit, start: datetime, seconds: float) -> datetime:
        """The earliest instant at which so many seconds have passed on the line of a unit."""
        line = self._line(unit)
        if line is None:
            return start + timedelta(seconds=seconds)
        if seconds <= 0:
            return start
        return datetime.fromtimestamp(line.at(line.before(start.timestamp()) + seconds), UTC)

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


def _change_after(start: datetime, zone: ZoneInfo) -> datetime:
    """The first change of a zone's offset within six hours of `start`."""
    low, high = 0, 6 * 3600
    offset = start.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if (start + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)


#: Day and night, for clocks that need no calendar.
ALWAYS = BusinessCalendar("24x7", ZoneInfo("UTC"), always=True)
