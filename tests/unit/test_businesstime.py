"""Business time against a slow oracle that looks at every minute, and against examples worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.domain.businesstime import (
    ALWAYS,
    Budget,
    BusinessCalendar,
    OutsideCalendar,
    Unit,
    Window,
    add_months,
    answered,
)
from complaints.domain.calendars import build
from complaints.domain.ledger import Ledger
from complaints.domain.sla_policy import CalendarPolicy
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


#: Clock changes of every kind: gaps and folds of an hour, of half an hour, at midnight, over midnight, of a whole day.
CHANGES = {
    "Europe/London": ("2024-03-31T01:00", "2024-10-27T01:00"),
    "America/New_York": ("2024-03-10T07:00", "2024-11-03T06:00"),
    "Australia/Lord_Howe": ("2024-04-06T15:00", "2024-10-05T15:30"),
    "America/Havana": ("2024-03-10T05:00", "2024-11-03T05:00"),
    "America/St_Johns": ("2010-03-14T03:31", "2010-11-07T02:31"),
    "Asia/Beirut": ("2022-03-26T22:00", "2022-10-29T21:00"),
    "Pacific/Apia": ("2011-12-30T10:00", "2011-09-24T14:00"),
}
changes = st.sampled_from(
    [(zone, datetime.fromisoformat(at).replace(tzinfo=UTC)) for zone, ats in CHANGES.items() for at in ats]
)


@st.composite
def day_windows(draw: st.DrawFn) -> tuple[Window, ...]:
    """Windows of any length, most of them at night, where clocks change."""
    hours = st.one_of(st.integers(0, 180), st.integers(0, 1440), st.just(1440), st.integers(1320, 1440))
    edges = sorted(draw(st.sets(hours, min_size=2, max_size=6)))
    return tuple(Window(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False))


@settings(max_examples=120, deadline=None)
@given(
    change=changes,
    week=st.lists(day_windows(), min_size=7, max_size=7),
    before=st.integers(0, 36 * 60),
    minutes=st.integers(1, 60 * 60),
)
def test_a_window_is_open_whenever_the_wall_shows_a_time_in_it(
    change: tuple[str, datetime], week: list[tuple[Window, ...]], before: int, minutes: int
) -> None:
    """In gaps and folds of every kind."""
    zone, at = change
    calendar = office(zone, week=tuple(week), first_year=at.year, last_year=at.year + 1)
    start = at - before * MINUTE
    end = start + minutes * MINUTE
    opened = slow_minutes(calendar, start, end)
    assert calendar.elapsed(Unit.WORKING_MINUTES, start, end) == 60 * opened
    if opened:
        due = calendar.advance(Unit.WORKING_MINUTES, start, 60 * opened)
        assert start < due <= end
        assert slow_minutes(calendar, start, due) == opened
    days = office(zone, week=((Window(0, 1440),),) * 7, first_year=at.year, last_year=at.year + 1)
    assert days.elapsed(Unit.BUSINESS_DAYS, start, end) == (end - start).total_seconds()


@settings(max_examples=120, deadline=None)
@given(change=changes, first=st.integers(-3000, 3000), more=st.integers(0, 3000))
def test_later_on_the_wall_is_never_earlier_in_time(change: tuple[str, datetime], first: int, more: int) -> None:
    zone, at = change
    calendar = office(zone)
    day = calendar.local_date(at)
    assert calendar.instant(day, first) <= calendar.instant(day, first + more)


def test_a_time_shown_twice_is_counted_twice() -> None:
    """London, 27 October 2024: 00:30 to 01:30, and 01:00 to 01:30 once more."""
    night = office("Europe/London", week=((Window(30, 90),),) * 7)
    day = datetime(2024, 10, 26, 23, tzinfo=UTC)  # midnight in London
    assert night.elapsed(Unit.WORKING_MINUTES, day, day + timedelta(hours=25)) == 90 * 60
    assert night.advance(Unit.WORKING_MINUTES, day, 61 * 60) == datetime(2024, 10, 27, 1, 1, tzinfo=UTC)


def test_a_date_that_a_zone_skips_counts_nothing() -> None:
    """Samoa had no 30 December 2011."""
    samoa = office("Pacific/Apia", week=((Window(540, 1020),),) * 7, first_year=2011, last_year=2012)
    thursday, skipped = datetime(2011, 12, 29, 19, tzinfo=UTC), date(2011, 12, 30)  # 09:00 in Apia
    assert not samoa.is_business_day(skipped)
    assert samoa.instant(skipped, 0) == samoa.instant(skipped, 700) == samoa.instant(skipped, 1440)
    assert samoa.elapsed(Unit.WORKING_HOURS, thursday, thursday + timedelta(hours=32)) == 16 * 3600
    assert samoa.nth_business_day(date(2011, 12, 29), 1) == date(2011, 12, 31)


@pytest.mark.parametrize("at", [datetime(2015, 6, 8, 9, tzinfo=UTC), datetime(2030, 6, 3, 9, tzinfo=UTC)])
def test_outside_the_known_years_is_an_error_and_not_a_silent_workday(at: datetime) -> None:
    calendar = office("UTC")
    for ask in (
        lambda: calendar.advance(Unit.WORKING_HOURS, at, 3 * 3600),
        lambda: calendar.advance(Unit.BUSINESS_DAYS, at, 3 * 3600),
        lambda: calendar.elapsed(Unit.WORKING_HOURS, at, at + timedelta(hours=3)),
        lambda: calendar.nth_business_day(at.date(), 3),
    ):
        with pytest.raises(OutsideCalendar, match=r"calendars\.toml"):
            ask()


def test_running_past_the_known_years_is_an_error() -> None:
    with pytest.raises(OutsideCalendar, match=r"calendars\.toml"):
        office("UTC").advance(Unit.WORKING_HOURS, datetime(2026, 12, 31, 17, tzinfo=UTC), 8 * 3600)
    with pytest.raises(OutsideCalendar, match=r"calendars\.toml"):
        office("UTC").nth_business_day(date(2026, 12, 20), 30)


def test_a_clock_that_runs_past_the_known_years_goes_on_by_the_week() -> None:
    """And before them: nothing is moved to the first known day, nothing counts day and night."""
    week = ((Window(540, 720), Window(780, 1080)),) * 5 + ((), ())
    calendar = office("UTC", week=week, holidays={date(2026, 12, 25): "Christmas"})
    book = Ledger.start(datetime(2026, 12, 21, 9, tzinfo=UTC), Budget(80, Unit.WORKING_HOURS))
    assert answered(calendar, book.due) == datetime(2027, 1, 4, 18, tzinfo=UTC)  # 4 + 5 + 1 days, without the 25th
    assert not answered(calendar, lambda enough: enough.knows(date(2027, 1, 4)))
    early = Ledger.start(datetime(2015, 6, 8, 16, tzinfo=UTC), Budget(3, Unit.WORKING_HOURS))
    assert answered(calendar, early.due) == datetime(2015, 6, 9, 10, tzinfo=UTC)
    days = Ledger.start(datetime(2026, 12, 30, 9, tzinfo=UTC), Budget(400, Unit.BUSINESS_DAYS))
    assert answered(calendar, days.due) == datetime(2028, 7, 13, tzinfo=UTC)


def test_a_budget_longer_than_any_calendar_is_refused() -> None:
    never = office("UTC", week=((),) * 7)
    with pytest.raises(OutsideCalendar, match="knows 2023 to 2026"):
        answered(never, Ledger.start(datetime(2024, 1, 1, tzinfo=UTC), Budget(1, Unit.BUSINESS_DAYS)).due)


@pytest.mark.parametrize(
    ("received", "last_day"),
    [
        ("2024-06-03", date(2024, 6, 7)),  # Monday is the first of five
        ("2024-06-08", date(2024, 6, 14)),  # Saturday is none: Monday is
    ],
)
def test_the_day_of_receipt_is_day_one_only_if_it_counts(received: str, last_day: date) -> None:
    calendar = office("UTC", week=((Window(540, 1020),),) * 5 + ((), ()))
    start = datetime.fromisoformat(f"{received}T10:00+00:00")
    assert calendar.last_day(Budget(5, Unit.BUSINESS_DAYS, first_day=1), start) == last_day


def test_a_day_of_receipt_that_the_clock_stood_still_through_is_not_day_one() -> None:
    calendar, start = office("UTC"), datetime(2024, 6, 3, 10, tzinfo=UTC)
    book = Ledger.start(start, Budget(2, Unit.BUSINESS_DAYS, first_day=1))
    paused = book.pause(start + timedelta(hours=1), "external").resume(start + timedelta(hours=20))
    assert book.due(calendar) == datetime(2024, 6, 5, tzinfo=UTC)
    assert paused.due(calendar) == datetime(2024, 6, 6, tzinfo=UTC)


# -- from a policy's calendar


def built(**values: object) -> BusinessCalendar:
    """A calendar of a policy, open on Tuesday and Wednesday."""
    week = {"tue": ("13:00-18:00", "09:00-12:00"), "wed": ("10:00-16:00",)}
    return build(CalendarPolicy.model_validate({"key": "mine", "week": week} | values))


def test_windows_may_be_written_in_any_order() -> None:
    made = built(extra_days=[{"day": "2024-06-08", "windows": ["14:00-16:00", "08:00-09:00"]}])
    assert made.windows(date(2024, 6, 4)) == (Window(540, 720), Window(780, 1080))
    assert made.windows(date(2024, 6, 8)) == (Window(480, 540), Window(840, 960))
    tuesday = datetime(2024, 6, 4, 9, tzinfo=UTC)
    assert made.elapsed(Unit.WORKING_HOURS, tuesday, tuesday + timedelta(days=1)) == 8 * 3600


def test_a_make_up_day_takes_the_hours_of_the_first_open_weekday() -> None:
    made = built(working_days=["2024-06-08"], extra_days=[{"day": "2024-06-09", "name": "Stocktaking"}])
    assert made.windows(date(2024, 6, 8)) == made.windows(date(2024, 6, 9)) == made.windows(date(2024, 6, 4)) != ()
    assert made.extra_names == {date(2024, 6, 9): "Stocktaking"}


def test_a_closure_beats_a_make_up_day_and_an_extra_day_beats_both() -> None:
    values: dict[str, object] = {
        "holidays": {"2024-10-01": "National Day"},
        "working_days": ["2024-10-12", "2024-10-13"],
        "closures": [{"day": "2024-10-10", "until": "2024-10-12", "name": "Works holiday"}],
    }
    made = built(**values)
    assert [made.is_business_day(date(2024, 10, n)) for n in (1, 10, 12, 13)] == [False, False, False, True]
    assert made.holidays[date(2024, 10, 12)] == "Works holiday"
    assert built(**values, extra_days=[{"day": "2024-10-12"}]).is_business_day(date(2024, 10, 12))


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
