"""From the calendars of a policy to calendars that can be calculated with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

from complaints.domain.businesstime import ALWAYS, BusinessCalendar, Window
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
    """The calendar of a policy; its holidays were filled in when the policy was loaded.

    What is said later wins: the week, public holidays, make-up working days, the company's closures, its extra days.
    """
    if policy.always:
        return BusinessCalendar(policy.key, ZoneInfo(policy.zone), always=True)
    week = tuple(_windows(policy.week.get(d, ())) for d in _WEEK)  # type: ignore[call-overload]  # d is a Weekday
    usual = next(filter(None, week), ())
    holidays, extra = dict(policy.holidays), dict.fromkeys(policy.working_days, usual)
    for day, name in _closed(policy):
        holidays[day] = name
        extra.pop(day, None)
    return BusinessCalendar(
        policy.key,
        ZoneInfo(policy.zone),
        week,
        holidays,
        extra | {e.day: _windows(e.windows) or usual for e in policy.extra_days},
        policy.first_year,
        policy.last_year,
        extra_names={e.day: e.name for e in policy.extra_days},
    )


def _windows(texts: Iterable[str]) -> tuple[Window, ...]:
    return tuple(sorted(map(window, texts), key=lambda w: w.start))


def _closed(policy: CalendarPolicy) -> Iterator[tuple[date, str]]:
    for closure in policy.closures:
        for ordinal in range(closure.day.toordinal(), (closure.until or closure.day).toordinal() + 1):
            yield date.fromordinal(ordinal), closure.name


def calendar(policy_hash: str, policy: SlaPolicy, key: str) -> BusinessCalendar:
    """The calendar `key` of a policy version, built once."""
    known = _BUILT.get((policy_hash, key))
    if known is None:
        found = next((c for c in policy.calendars if c.key == key), None)
        known = _BUILT[policy_hash, key] = ALWAYS if found is None else build(found)
    return known


_BUILT: dict[tuple[str, str], BusinessCalendar] = {}
