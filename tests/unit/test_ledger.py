"""The ledger of a clock: what is counted stays, what is paused stays, and a due time follows from both.

The pains that today's tools are known for are each a test named after the report (see the product's list).
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from complaints.domain.businesstime import ALWAYS, Budget, BusinessCalendar, Unit, Window
from complaints.domain.explain import day_by_day
from complaints.domain.ledger import Ledger

T0 = datetime(2024, 6, 3, 9, tzinfo=UTC)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFICE = BusinessCalendar(
    "office",
    ZoneInfo("UTC"),
    ((Window(540, 1020),),) * 5 + ((), ()),
    {date(2024, 6, 6): "Company day"},
    first_year=2024,
    last_year=2025,
)


def hours(n: int) -> Budget:
    return Budget(n, Unit.WORKING_HOURS)


def test_pain_01_a_clock_pauses_while_the_customer_owes_an_answer() -> None:
    """osTicket#3034"""
    book = Ledger.start(T0, hours(8)).pause(T0 + 2 * HOUR, "awaiting_customer").resume(T0 + DAY + 2 * HOUR)
    assert book.due(OFFICE) == T0 + DAY + 8 * HOUR


def test_pain_02_the_pause_survives_a_change_of_priority() -> None:
    """glpi#15605"""
    paused = Ledger.start(T0, hours(16)).pause(T0 + HOUR, "awaiting_customer")
    worse = paused.rebudget(T0 + 2 * HOUR, hours(8), "severity serious")
    assert worse.paused
    assert worse.resume(T0 + DAY).due(OFFICE) == T0 + DAY + 7 * HOUR


def test_pain_03_a_paused_clock_is_not_shown_as_violated() -> None:
    """glpi#24481"""
    book = Ledger.start(T0, hours(4)).pause(T0 + 3 * HOUR, "awaiting_third_party")
    assert book.due(OFFICE) is None
    assert book.share(OFFICE, T0 + 30 * DAY) == 0.75


def test_pain_03_what_is_stopped_while_it_stands_still_was_not_late() -> None:
    """glpi#24481"""
    book = Ledger.start(T0, hours(8)).pause(T0 + 2 * HOUR, "external").stop(T0 + 30 * DAY)
    due = book.due(OFFICE)
    assert due is not None
    assert due > T0 + 30 * DAY
    assert book.at_share(OFFICE, 0.25) == T0 + 2 * HOUR


def test_pain_04_hold_time_is_not_counted() -> None:
    """frappe/helpdesk#3776: a resolution of 42 days that was a hold of 41"""
    book = Ledger.start(T0, hours(80)).pause(T0 + HOUR, "awaiting_customer").resume(T0 + 42 * DAY)
    stopped = book.stop(T0 + 42 * DAY + HOUR)
    assert stopped.counted(OFFICE, T0 + 60 * DAY) == 2 * 3600


def test_pain_05_nights_weekends_and_holidays_are_not_counted() -> None:
    """chatwoot#13392, #6467, frappe/helpdesk#2212"""
    thursday_off = Ledger.start(T0 + 2 * DAY, hours(16)).due(OFFICE)  # Wednesday 9:00, Thursday is a holiday
    assert thursday_off == datetime(2024, 6, 7, 17, tzinfo=UTC)


def test_pain_09_a_reopened_case_is_not_overdue_at_once() -> None:
    """osTicket#5955"""
    closed = Ledger.start(T0, hours(16)).stop(T0 + 4 * HOUR)
    again = closed.continue_(T0 + 30 * DAY)
    due = again.due(OFFICE)
    assert due is not None
    assert due > T0 + 30 * DAY
    assert again.counted(OFFICE, T0 + 30 * DAY) == 4 * 3600


def test_pain_10_several_windows_a_day_in_the_zone_of_the_office() -> None:
    """glpi#22678"""
    shanghai = BusinessCalendar(
        "cn",
        ZoneInfo("Asia/Shanghai"),
        ((Window(540, 720), Window(780, 1080)),) * 5 + ((), ()),
        first_year=2024,
        last_year=2024,
    )
    start = datetime(2024, 6, 3, 3, 30, tzinfo=UTC)  # 11:30 in Shanghai
    assert Ledger.start(start, hours(1)).due(shanghai) == datetime(2024, 6, 3, 5, 30, tzinfo=UTC)  # 13:30


def test_an_extension_moves_the_due_time_and_says_why() -> None:
    book = Ledger.start(T0, Budget(15, Unit.CALENDAR_DAYS)).extend(T0 + DAY, 15, "complex matter")
    assert book.due(ALWAYS) == datetime(2024, 7, 4, tzinfo=UTC)
    assert book.changes[0].reason == "complex matter"


def test_a_clock_counts_from_the_receipt_and_not_from_when_it_was_keyed() -> None:
    book = Ledger.start(T0 - 3 * DAY, Budget(24, Unit.HOURS))
    assert book.due(ALWAYS) == T0 - 2 * DAY


def test_an_earlier_receipt_by_merging_moves_the_start_and_keeps_what_was_paused() -> None:
    book = Ledger.start(T0, Budget(48, Unit.HOURS)).pause(T0 + HOUR, "awaiting_customer").resume(T0 + 5 * HOUR)
    earlier = book.backdated(T0 - 10 * HOUR)
    assert earlier.due(ALWAYS) == T0 - 10 * HOUR + 52 * HOUR


def test_a_clock_in_days_that_stopped_early_has_not_used_all_of_its_budget() -> None:
    book = Ledger.start(T0.replace(hour=0), Budget(9, Unit.CALENDAR_DAYS))  # the day of receipt and nine more
    stopped = book.stop(T0.replace(hour=0) + 2 * DAY)
    assert stopped.share(ALWAYS, T0 + 30 * DAY) == book.share(ALWAYS, T0.replace(hour=0) + 2 * DAY) == 0.2
    assert stopped.at_share(ALWAYS, 0.5) == book.at_share(ALWAYS, 0.5) == T0.replace(hour=0) + 5 * DAY
    assert book.stop(T0.replace(hour=0) + 15 * DAY).share(ALWAYS, T0 + 30 * DAY) == 1.5
    assert book.cancel(T0.replace(hour=0) + 2 * DAY).share(ALWAYS, T0 + 30 * DAY) == 0.2


def test_a_day_on_whose_end_the_clock_stood_still_does_not_count() -> None:
    book = Ledger.start(T0, Budget(5, Unit.BUSINESS_DAYS)).pause(T0 + HOUR, "external").resume(T0 + 2 * DAY)
    assert book.due(OFFICE) == datetime(2024, 6, 13, tzinfo=UTC)  # 10, 11, 12 June after 5 and 7; the 6th is off


steps = st.lists(
    st.tuples(st.sampled_from(["pause", "resume", "extend", "rebudget", "stop", "continue_"]), st.integers(1, 3000)),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(steps=steps, unit=st.sampled_from([Unit.WORKING_MINUTES, Unit.MINUTES, Unit.BUSINESS_DAYS, Unit.CALENDAR_DAYS]))
def test_whatever_happens_the_books_stay_in_order_and_survive_storage(steps: list[tuple[str, int]], unit: Unit) -> None:
    book, at = Ledger.start(T0, Budget(5, unit)), T0
    for verb, minutes in steps:
        at += timedelta(minutes=minutes)
        match verb:
            case "pause":
                book = book.pause(at, "awaiting_customer")
            case "extend":
                book = book.extend(at, 1, "x")
            case "rebudget":
                book = book.rebudget(at, Budget(minutes % 7 + 1, unit), "severity")
            case _:
                book = getattr(book, verb)(at)
    ends = [i.end for i in book.intervals[:-1]]
    assert ends == [i.start for i in book.intervals[1:]]
    assert Ledger.from_json(json.loads(json.dumps(book.to_json()))) == book
    total = sum(((i.end or at) - i.start).total_seconds() for i in book.intervals)
    assert total == (at - T0).total_seconds() or book.stopped_at is not None
    due = book.due(OFFICE)
    assert (due is None) == book.paused
    told = day_by_day(book, OFFICE, at)
    assert told.days[0].day == T0.date()
    if book.running and due is not None and unit in (Unit.BUSINESS_DAYS, Unit.CALENDAR_DAYS):
        assert told.days[-1].total == book.allowed.amount
        assert told.days[-1].due
    if unit in (Unit.WORKING_MINUTES, Unit.MINUTES) and due is not None:
        ends = min(due, book.stopped_at or due)
        assert told.days[-1].total == book.counted(OFFICE, ends)


@settings(max_examples=150, deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 4000)), max_size=4),
    unit=st.sampled_from([u for u in Unit if u is not Unit.SECONDS]),
    share=st.sampled_from([0.25, 0.5, 0.75, 0.9, 1.5]),
    stop=st.none() | st.integers(1, 20_000),
)
def test_a_share_is_used_when_it_is_said_to_be_and_never_shrinks(
    spans: list[tuple[int, int]], unit: Unit, share: float, stop: int | None
) -> None:
    book, at = Ledger.start(T0, Budget(4, unit)), T0
    for run, rest in spans:
        book = book.pause(at + run * timedelta(minutes=1), "awaiting_customer")
        at += (run + rest) * timedelta(minutes=1)
        book = book.resume(at)
    when, due = book.at_share(OFFICE, share), book.due(OFFICE)
    assert when is not None
    assert due is not None
    assert abs(book.share(OFFICE, due) - 1) < 1e-9
    assert abs(book.share(OFFICE, when) - share) < 1e-9
    moments = sorted([T0 + n * 7 * HOUR for n in range(60)])
    shares = [book.share(OFFICE, moment) for moment in moments]
    assert shares == sorted(shares)
    if stop is not None:
        ended = at + stop * timedelta(minutes=1)
        told = book.stop(ended).share(OFFICE, ended + 99 * DAY)
        assert abs(told - book.share(OFFICE, ended)) < 1e-9, "what it had used when it stopped"
