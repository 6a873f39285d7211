"""From the calendars of a policy to calendars that can be calculated with."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from zoneinfo import ZoneInfo

from complaints.domain.businesstime import ALWAYS, BusinessCalendar, OutsideCalendar, Window
from complaints.domain.ledger import Ledger
from complaints.domain.sla_policy import CalendarPolicy, SlaPolicy

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def window(text: str) -> Window:
    """`09:00-12:30` as a window."""
    start, end = text.split("-")
    return Window(_minutes(start), _minutes(end))


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def build(policy: CalendarPolicy) -> BusinessCalendar:
    """The calendar of a policy; its holidays were filled in when the policy was loaded."""
    if policy.always:
        return BusinessCalendar(policy.key, ZoneInfo(policy.zone), always=True)
    week = tuple(tuple(sorted(map(window, policy.week.get(d, ())), key=lambda w: w.start)) for d in _WEEK)  # type: ignore[call-overload]  # d is a Weekday
    monday = week[0]
    holidays = dict(policy.holidays)
    for closure in policy.closures:
        day = closure.day
        while day <= (closure.until or closure.day):
            holidays[day] = closure.name
            day += timedelta(days=1)
    extra = dict.fromkeys(policy.working_days, monday)
    extra |= {e.day: tuple(map(window, e.windows)) or monday for e in policy.extra_days}
    return BusinessCalendar(
        policy.key, ZoneInfo(policy.zone), week, holidays, extra, policy.first_year, policy.last_year
    )


def calendar(policy_hash: str, policy: SlaPolicy, key: str) -> BusinessCalendar:
    """The calendar `key` of a policy version, built once."""
    known = _BUILT.get((policy_hash, key))
    if known is None:
        found = next((c for c in policy.calendars if c.key == key), None)
        known = _BUILT[policy_hash, key] = ALWAYS if found is None else build(found)
    return known


_BUILT: dict[tuple[str, str], BusinessCalendar] = {}


def reaching(book: Ledger, days: BusinessCalendar) -> BusinessCalendar:
    """The calendar, or day and night in its zone where the ledger runs past the years that it knows.

    The duty is real though next year's holidays are not announced yet; the estimate is too early, never too late.
    """
    try:
        (book.resume(book.intervals[-1].start) if book.paused else book).due(days)
    except OutsideCalendar:
        return _day_and_night(days.zone)
    return days


@cache
def _day_and_night(zone: ZoneInfo) -> BusinessCalendar:
    return BusinessCalendar(f"24x7 {zone.key}", zone, always=True)
