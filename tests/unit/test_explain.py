"""Why a clock is due when it is, told to a person: facts, days and words, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from complaints.domain.businesstime import ALWAYS, Budget, BusinessCalendar, Unit, Window, answered
from complaints.domain.explain import MOST_DAYS, DayRow, Explanation, Rule, day_by_day
from complaints.domain.explain_words import tell
from complaints.domain.ledger import Ledger
from complaints.domain.sla_policy import Unverified
from complaints.domain.vocabulary import Language

EN, ZH = Language.EN, Language.ZH
SHANGHAI = ZoneInfo("Asia/Shanghai")
WINDOWS = (Window(540, 720), Window(780, 1080))
OFFICE = BusinessCalendar(
    "office",
    SHANGHAI,
    (WINDOWS,) * 5 + ((), ()),
    {date(2026, 5, 14): "Company day"},
    {date(2026, 5, 16): WINDOWS, date(2026, 5, 17): WINDOWS},
    2026,
    2026,
    extra_names={date(2026, 5, 17): "Stocktaking"},
)
RULE = Rule("Our own targets", "内部时限", "Ours.", "ours", False)


def at(text: str) -> datetime:
    """An instant of May 2026 in Shanghai: `12 10:30`."""
    day, _, clock = text.partition(" ")
    return datetime.fromisoformat(f"2026-05-{day}T{clock}").replace(tzinfo=SHANGHAI).astimezone(UTC)


def hours(n: int) -> Budget:
    return Budget(n, Unit.WORKING_HOURS)


def explained(book: Ledger, now: datetime, calendar: BusinessCalendar = OFFICE, **changes: object) -> Explanation:
    """The explanation of a ledger, as the service puts it together."""
    told = answered(calendar, lambda enough: day_by_day(book, enough, now))
    state = "running" if book.running else "met"
    made = Explanation(
        clock="default.resolve", round=1, kind="internal", state=state, rule=RULE, calendar=calendar.key,
        zone=calendar.zone.key, from_receipt=True, started_at=book.started_at, stopped_at=book.stopped_at,
        cancelled_because="", budget=book.allowed, pauses=tuple(i for i in book.intervals if i.suspended),
        changes=book.changes, days=told.days, days_left_out=told.days_left_out, total=told.total, due_at=told.due_at,
        as_of=now,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of the dataclass


def days(told: Explanation) -> dict[int, DayRow]:
    return {row.day.day: row for row in told.days}


def lines(told: Explanation, language: Language = EN) -> list[str]:
    return tell(told, language).lines()


BOOK = Ledger.start(at("11 19:00"), hours(24))


def test_hours_holidays_and_extra_days_are_named() -> None:
    told = explained(BOOK.extend(at("12 09:00"), 12, "Late records."), at("12 09:00"))
    rows = days(told)
    assert rows[12].opens == ("09:00–12:00", "13:00–18:00")
    assert [(rows[n].note, rows[n].name) for n in (14, 16, 17)] == [
        ("holiday", "Company day"), ("makeup", ""), ("extra", "Stocktaking"),
    ]  # fmt: skip
    assert sum(row.counted for row in told.days) == 36 * 3600
    text = "\n".join(lines(told))
    assert re.search(r"2026-05-11 Mon +0:00 +0:00  open 09:00–12:00, 13:00–18:00; received 19:00, after closing", text)
    assert "0:00  16:00  closed: Company day" in text
    assert "make-up working day, open 09:00–12:00" in text
    assert "extra day (Stocktaking), open 09:00–12:00" in text
    assert "36 working hours (24 working hours and 12 granted)" in text
    assert "2026-05-12 Tue 09:00  12 working hours granted – Late records." in text
    assert lines(told)[-1] == "Due: 2026-05-17 Sun 14:00 (Asia/Shanghai)"


def test_a_partly_paused_day_says_from_when_to_when_and_why() -> None:
    book = BOOK.pause(at("12 10:30"), "awaiting_customer").resume(at("12 15:00"))
    told = explained(book, at("12 16:00"))
    assert days(told)[12].counted == 4.5 * 3600
    (row,) = [line for line in lines(told) if "paused" in line]
    assert row.endswith("open 09:00–12:00, 13:00–18:00; paused 10:30–15:00: waiting for the complainant")
    (zh,) = [line for line in lines(told, ZH) if "暂停" in line]
    assert "2026-05-12 周二" in zh
    assert zh.endswith("暂停 10:30–15:00：等待投诉人答复")
    assert told.total == 2.5 * 3600
    assert "Counted so far: 2:30, by 2026-05-12 Tue 16:00" in lines(told)


def test_a_clock_that_stands_still_is_told_to_now() -> None:
    told = explained(BOOK.pause(at("12 10:30"), "external"), at("13 10:00"), state="paused")
    assert [row.day.day for row in told.days] == [11, 12, 13]
    said = lines(told)
    assert "paused 00:00–10:00: with the external body" in said[-3]
    assert said[-2:] == [
        "Paused since 2026-05-12 Tue 10:30: with the external body",
        "Due: not known while the clock stands still; it follows when it resumes",
    ]


@pytest.mark.parametrize(
    ("ended", "how", "last_day"),
    [("12 10:31", "Stopped: 2026-05-12 Tue 10:31, 3 days before it was due", 12), ("25 18:00", "10 days late", 15)],
)
def test_a_stopped_clock_is_told_until_it_stopped_and_no_longer(ended: str, how: str, last_day: int) -> None:
    told = explained(BOOK.stop(at(ended)), at("28 09:00"))
    said = lines(told)
    assert told.days[-1].day.day == last_day
    assert how in said[-2]
    assert said[-1] == "Due: 2026-05-15 Fri 18:00 (Asia/Shanghai)"
    assert not any("Counted so far" in line for line in said)


def test_a_cancelled_clock_says_why_and_when_it_would_have_been_due() -> None:
    told = explained(BOOK.cancel(at("12 10:31")), at("28 09:00"), state="cancelled", cancelled_because="withdrawn")
    assert lines(told)[-2:] == [
        "Cancelled: 2026-05-12 Tue 10:31, the complaint was withdrawn",
        "Due: 2026-05-15 Fri 18:00 (Asia/Shanghai), had it gone on",
    ]
    assert lines(told, ZH)[-2] == "取消：2026-05-12 周二 10:31，投诉人撤回投诉"


def test_an_overdue_clock_says_for_how_long() -> None:
    assert lines(explained(BOOK, at("18 20:00")))[-2:] == [
        "Overdue for 3 days",
        "Due: 2026-05-15 Fri 18:00 (Asia/Shanghai)",
    ]


def test_a_rule_says_since_when_it_holds_what_to_verify_and_which_clock_follows() -> None:
    rule = replace(
        RULE, evidence="R", effective_from=date(2016, 6, 30), effective_until=date(2027, 1, 31), next="fca.final",
        unverified=(Unverified("external_body.address", "Tower 1"), Unverified("clocks.ack.budget", "5 business_days")),
    )  # fmt: skip
    said = lines(explained(BOOK, at("12 12:00"), rule=rule))
    assert "In force: since 2016-06-30, until 2027-01-31" in said
    assert "When it is over: fca.final governs" in said
    doubts = "external_body.address = Tower 1; clocks.ack.budget = 5 business_days – verify before you rely on it"
    assert f"Not verified: {doubts}" in said
    zh = lines(explained(BOOK, at("12 12:00"), rule=rule), ZH)
    assert {"施行：自2016-06-30起，至2027-01-31止", "期满后：由fca.final接续"} <= set(zh)
    assert any(line.startswith("未核实：external_body.address") and line.endswith("（使用前请核实）") for line in zh)
    ours = replace(RULE, effective_from=date(1970, 1, 1))
    plain = "\n".join(lines(explained(BOOK, at("12 12:00"), rule=ours)))
    assert not any(word in plain for word in ("In force", "Not verified", "When it is over"))


def test_budgets_in_days_are_due_as_their_last_day_ends() -> None:
    book = Ledger.start(at("11 19:00"), Budget(3, Unit.BUSINESS_DAYS))
    paused = book.pause(at("12 09:00"), "awaiting_third_party").resume(at("13 09:00"))
    told = explained(paused, at("13 12:00"), rule=replace(RULE, evidence="S", verify_first=True))
    said = lines(told)
    assert "Budget: 3 business days, counted from the day after" in said
    assert "Evidence: S – from a secondary source, verify before relying on it" in said
    assert "day of receipt, counting begins the day after" in said[said.index(tell(told, EN).heading) + 1]
    assert "paused 09:00–24:00: waiting for a third party" in "\n".join(said)
    assert [(r.day.day, r.counted) for r in told.days if r.counted] == [(13, 1), (15, 1), (16, 1)]
    assert said[-1] == "Due: 2026-05-16 Sat 24:00, the end of the day (Asia/Shanghai)"
    assert told.total == 0, "no day is over yet"
    one = explained(Ledger.start(at("11 19:00"), Budget(1, Unit.CALENDAR_DAYS, 1)), at("11 20:00"), ALWAYS)
    assert "the first day is that of the receipt" in "\n".join(lines(one))
    assert one.days[0].note == "first_day"


def test_a_day_on_which_the_clock_was_stopped_is_not_over() -> None:
    told = explained(Ledger.start(at("11 19:00"), Budget(3, Unit.BUSINESS_DAYS)).stop(at("12 10:31")), at("20 09:00"))
    assert told.total == 0
    assert "the day was not over; stopped 10:31" in lines(told)[-3]


def test_days_beyond_the_known_years_say_so() -> None:
    book = Ledger.start(datetime(2026, 12, 30, 1, tzinfo=UTC), hours(30))
    told = explained(book, book.started_at)
    unknown = [row.day for row in told.days if not row.known]
    assert unknown == [date(2027, 1, n) for n in range(1, 5)]
    assert told.due_at == datetime(2027, 1, 4, 8, tzinfo=UTC), "by the week, not day and night"
    assert "holidays of 2027 are not known" in lines(told)[-2]
    assert "2027年节假日未知" in lines(told, ZH)[-2]


def test_a_change_of_severity_is_told_in_words() -> None:
    told = explained(BOOK.rebudget(at("12 10:00"), hours(8), "severity serious"), at("12 11:00"))
    assert "budget now 8 working hours – the severity is now: serious" in "\n".join(lines(told))
    assert "时限改为8个工作小时：严重程度改为：严重" in "\n".join(lines(told, ZH))


def test_what_is_left_out_of_a_long_list_is_counted_and_said() -> None:
    told = explained(Ledger.start(at("11 19:00"), Budget(MOST_DAYS + 99, Unit.CALENDAR_DAYS)), at("12 09:00"), ALWAYS)
    assert (len(told.days), told.days_left_out) == (MOST_DAYS, 100)
    assert lines(told)[-2] == "… 100 more days, not listed"
    assert lines(told, ZH)[-2] == "……另有100天未列出"


def test_a_clock_taken_up_again_says_when_it_did_not_run() -> None:
    book = BOOK.stop(at("12 12:00")).continue_(at("13 12:00"))
    assert "stopped 12:00–24:00: done, until it was taken up again" in "\n".join(lines(explained(book, at("13 13:00"))))


def test_seconds_are_told_to_the_second() -> None:
    start = at("11 19:00")
    book = Ledger.start(start, Budget(24, Unit.SECONDS))
    book = book.pause(start + timedelta(seconds=3), "awaiting_customer").resume(start + timedelta(seconds=9))
    said = "\n".join(lines(explained(book, start, replace(ALWAYS, zone=SHANGHAI))))
    assert "paused 19:00:03–19:00:09" in said
    assert said.endswith("Due: 2026-05-11 Mon 19:00:30 (Asia/Shanghai)")


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("ending", ["running", "paused", "met", "cancelled"])
def test_no_english_is_left_in_chinese(unit: Unit, ending: str) -> None:
    book = Ledger.start(at("11 19:00"), Budget(2, unit)).extend(at("11 19:00"), 1, "")
    book = book.rebudget(at("11 19:00"), Budget(2, unit), "severity minor")
    book = {
        "running": book,
        "paused": book.pause(at("12 10:00"), "awaiting_customer"),
        "met": book.stop(at("12 10:00")),
        "cancelled": book.cancel(at("12 10:00")),
    }[ending]
    why = "restarted" if ending == "cancelled" else ""
    rule = Rule("Mine", "内部", "出处", "M", True)
    told = explained(book, at("12 11:00"), state=ending, cancelled_because=why, rule=rule, round=2)
    text = "\n".join(lines(told, ZH))
    for name in ("default.resolve", "Asia/Shanghai", "office", "Company day", "Stocktaking", "M –"):
        text = text.replace(name, "")
    assert re.findall(r"[A-Za-z]{2,}", text) == []
    assert lines(told, EN)[-1].startswith("Due: ")
    assert lines(told, ZH)[-1].startswith("到期：")
