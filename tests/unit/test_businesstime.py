"""Business time against a slow oracle that looks at every minute, and against examples worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.domain.businesstime import ALWAYS, Budget, BusinessCalendar, OutsideCalendar, Unit, Window, add_months
from complaints.domain.calendars import build
from complaints.domain.ledger import Ledger
from config.policy import load

ZONES = ["UTC", "Asia/Shanghai", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
MINUTE = timedelta(minutes=1)


def office(zone: str, **changes: object) -> BusinessCalendar:
    """Nine to twelve, one to six, Monday to Friday; open over midnight on Saturday night."""
    week = (*[(Window(540, 720), Window(780, 1080))] * 5, (Window(1320, 1440),), (Window(0, 60),))
    values = {"key": zone, "zone": ZoneInfo(zone), "week": week, "first_year": 2023, "last_year": 2026} | changes
    return BusinessCalendar(**values)  # type: ignore[arg-type]  # built from a dict


def open_at(calendar: BusinessCalendar, at: datetime) -> bool:
    """The oracle: is the calendar open in the minute that begins at this instant?"""
    local = at.astimezone(calendar.zone)
    minute = local.hour * 60 + local.minute
    return any(w.start <= minute < w.end for w in calendar.windows(local.date()))


def slow_minutes(calendar: BusinessCalendar, start: datetime, end: datetime) -> int:
    at, count = start, 0
    while at < end:
        count += open_at(calendar, at)
        at += MINUTE
    return count


instants = st.integers(min_value=0, max_value=2 * 365 * 24 * 60).map(
    lambda n: datetime(2024, 1, 1, tzinfo=UTC) + n * MINUTE
)


@settings(max_examples=60, deadline=None)
@given(zone=st.sampled_from(ZONES), start=instants, minutes=st.integers(0, 6 * 24 * 60))
def test_elapsed_agrees_with_looking_at_every_minute(zone: str, start: datetime, minutes: int) -> None:
    calendar = office(zone, holidays={date(2024, 5, 1): "holiday"})
    end = start + minutes * MINUTE
    assert calendar.elapsed(Unit.WORKING_MINUTES, start, end) == 60 * slow_minutes(calendar, start, end)


@settings(max_examples=100, deadline=None)
@given(zone=st.sampled_from(ZONES), start=instants, minutes=st.integers(1, 40 * 60))
def test_advance_is_the_earliest_instant_by_which_so_much_was_open(zone: str, start: datetime, minutes: int) -> None:
    calendar = office(zone)
    due = calendar.advance(Unit.WORKING_MINUTES, start, minutes * 60)
    assert calendar.elapsed(Unit.WORKING_MINUTES, start, due) == minutes * 60
    assert calendar.elapsed(Unit.WORKING_MINUTES, start, due - timedelta(seconds=1)) == minutes * 60 - 1


@settings(max_examples=100, deadline=None)
@given(start=instants, days=st.integers(1, 60), zone=st.sampled_from(ZONES))
def test_business_days_are_counted_one_by_one(start: datetime, days: int, zone: str) -> None:
    calendar = office(zone, holidays={date(2024, 12, 25): "Christmas", date(2025, 1, 1): "New Year"})
    day, left = calendar.local_date(start), days
    while left:
        day += timedelta(days=1)
        left -= calendar.is_business_day(day)
    due = Ledger.start(start, Budget(days, Unit.BUSINESS_DAYS)).due(calendar)
    assert due == calendar.instant(day, 1440)


@settings(max_examples=80, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=instants,
    budget=st.integers(30, 30 * 60),
    pauses=st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 2000)), max_size=4),
)
def test_a_paused_clock_needs_exactly_its_budget_of_counted_time(
    zone: str, start: datetime, budget: int, pauses: list[tuple[int, int]]
) -> None:
    calendar, book, at = office(zone), Ledger.start(start, Budget(budget, Unit.WORKING_MINUTES)), start
    for run, rest in pauses:
        at += run * MINUTE
        book = book.pause(at, "awaiting_customer")
        at += rest * MINUTE
        book = book.resume(at)
    due = book.due(calendar)
    assert due is not None
    assert book.counted(calendar, due) == pytest.approx(budget * 60)
    assert book.share(calendar, due) == pytest.approx(1.0)
    assert book.at_share(calendar, 0.5) <= due  # type: ignore[operator]  # it runs


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", date(2024, 3, 31), 23),
        ("Europe/London", date(2024, 10, 27), 25),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        ("Asia/Kathmandu", date(2024, 3, 31), 24),
    ],
)
def test_a_day_of_a_clock_change_is_as_long_as_it_really_is(zone: str, day: date, hours: float) -> None:
    calendar = office(zone)
    assert (calendar.instant(day, 1440) - calendar.instant(day, 0)).total_seconds() == hours * 3600


def test_a_wall_time_that_is_skipped_is_the_moment_of_the_change() -> None:
    assert office("Europe/London").instant(date(2024, 3, 31), 90) == datetime(2024, 3, 31, 1, tzinfo=UTC)


def test_windows_that_touch_over_midnight_are_one() -> None:
    calendar = office("UTC")  # Saturday 22:00 to Sunday 01:00
    start = datetime(2024, 6, 8, 22, tzinfo=UTC)
    assert calendar.advance(Unit.WORKING_HOURS, start, 3 * 3600) == datetime(2024, 6, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 11, 30), 3, date(2025, 2, 28)),
        (date(2024, 12, 15), 1, date(2025, 1, 15)),
    ],
)
def test_months_end_on_a_day_that_exists(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


def test_running_past_the_known_years_is_an_error_and_not_a_silent_workday() -> None:
    with pytest.raises(OutsideCalendar, match=r"calendars\.toml"):
        office("UTC").advance(Unit.WORKING_HOURS, datetime(2026, 12, 31, 17, tzinfo=UTC), 8 * 3600)
    with pytest.raises(OutsideCalendar, match=r"calendars\.toml"):
        office("UTC").nth_business_day(date(2026, 12, 20), 30)


# -- worked out by hand from the rules

DEFAULT = load(Path(__file__).resolve().parents[2] / "config" / "policies" / "default")
CALENDARS = {c.key: build(c) for c in DEFAULT.sla.calendars}


def due_day(clock: str, received: str) -> date:
    """The last day of a clock of the default policy for a receipt at a local time."""
    profile, _, name = clock.partition(".")
    rule = DEFAULT.sla.clock(profile, name)
    assert rule is not None
    calendar = CALENDARS.get(rule.calendar, ALWAYS)
    start = datetime.fromisoformat(received).replace(tzinfo=calendar.zone).astimezone(UTC)
    due = Ledger.start(start, rule.budget.budget).due(calendar)
    assert due is not None
    return calendar.local_date(due - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("clock", "received", "last_day"),
    [
        # DISP 1.5: the third business day after the day of receipt; Easter 2024 is 29 March and 1 April
        ("fca.summary", "2024-03-28 10:00", date(2024, 4, 4)),
        ("fca.summary", "2024-12-23 16:00", date(2024, 12, 30)),  # 25 and 26 December are holidays
        ("fca.final", "2024-01-05 09:00", date(2024, 3, 1)),  # eight weeks
        ("fca_psd.reply", "2024-12-20 09:00", date(2025, 1, 15)),  # 25, 26 December, 1 January
        ("asic.final", "2024-05-01 09:00", date(2024, 5, 31)),  # day 1 is the next day
        ("cfpb.response", "2024-02-20 09:00", date(2024, 3, 6)),  # over 29 February
        ("cfpb.final", "2024-02-20 09:00", date(2024, 4, 20)),
        ("cn_nfra.decision", "2024-02-08 09:00", date(2024, 2, 23)),
        # National Day 2024: 1 to 7 October off, Sunday 29 September and Saturday 12 October worked
        ("cn_samr.accept", "2024-09-27 09:00", date(2024, 10, 12)),
        ("cn_samr.mediation", "2024-09-27 09:00", date(2024, 11, 26)),
        ("in_rbi.final", "2024-02-01 09:00", date(2024, 3, 2)),
        ("ie_cpc.ack", "2024-05-02 09:00", date(2024, 5, 10)),  # 6 May is a holiday
    ],
)
def test_examples_worked_out_by_hand_from_the_rules(clock: str, received: str, last_day: date) -> None:
    assert due_day(clock, received) == last_day
