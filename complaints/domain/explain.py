"""Why a clock is due when it is: the ledger told day by day, in Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from complaints.domain.businesstime import BusinessCalendar, Unit
from complaints.domain.ledger import Ledger
from complaints.domain.vocabulary import Language

_DAY = timedelta(days=1)
#: Days told at most; a longer ledger is cut in the middle of nowhere, and says so.
MOST_DAYS = 800


@dataclass(frozen=True)
class DayRow:
    """One day of a ledger. `counted` and `total` are seconds, or whole days where the budget counts days."""

    day: date
    counted: float
    total: float
    note: str  #: holiday, closed, day_of_receipt, open, makeup, or a pause's reason
    name: str = ""  #: of the holiday
    due: bool = False


def explain(ledger: Ledger, calendar: BusinessCalendar, now: datetime) -> list[DayRow]:
    """The days from receipt to the due time (to `now`, while the clock stands still)."""
    return list(_rows(ledger, calendar, now))[:MOST_DAYS]


def _rows(ledger: Ledger, calendar: BusinessCalendar, now: datetime) -> Iterator[DayRow]:
    due = ledger.due(calendar)
    end = due or now
    by_date = ledger.allowed.by_date
    last = calendar.local_date(end - timedelta(microseconds=1)) if by_date else calendar.local_date(end)
    first = day = calendar.local_date(ledger.started_at)
    total = 0.0
    while day <= last:
        start, close = calendar.instant(day, 0), calendar.instant(day, 1440)
        counted = (
            _day_counts(ledger, calendar, day, first)
            if by_date
            else ledger.counted(calendar, min(close, end)) - ledger.counted(calendar, start)
        )
        total += counted
        note, name = _note(ledger, calendar, day, first, start, close, counted)
        yield DayRow(day, counted, total, note, name, due is not None and day == last)
        day += _DAY


def _day_counts(ledger: Ledger, calendar: BusinessCalendar, day: date, first: date) -> float:
    budget = ledger.allowed
    if day == first:
        return float(budget.first_day and calendar.counts_day(budget.unit, day))
    if not calendar.counts_day(budget.unit, day):
        return 0.0
    end = calendar.instant(day, 1440)
    stood = any(a < end <= b for a, b in ledger.suspended_between(ledger.started_at, end + _DAY))
    return 0.0 if stood else 1.0


def _note(
    ledger: Ledger,
    calendar: BusinessCalendar,
    day: date,
    first: date,
    start: datetime,
    close: datetime,
    counted: float,
) -> tuple[str, str]:
    uses_calendar = ledger.allowed.unit in (Unit.WORKING_HOURS, Unit.WORKING_MINUTES, Unit.BUSINESS_DAYS)
    if uses_calendar and not calendar.is_business_day(day):
        name = calendar.holidays.get(day, "")
        return ("holiday" if name else "closed"), name
    paused = [
        i.reason for i in ledger.intervals if i.suspended and i.start < close and (i.end is None or i.end > start)
    ]
    if paused and (counted == 0 or not ledger.allowed.by_date):
        return paused[0], ""
    if day == first and ledger.allowed.by_date and counted == 0:
        return "day_of_receipt", ""
    if uses_calendar and day in calendar.extra_days:
        return "makeup", ""
    return "open", ""


_WORDS = {
    "open": ("counted", "计时"),
    "closed": ("closed", "非工作日"),
    "holiday": ("public holiday", "法定节假日"),
    "makeup": ("counted (make-up working day)", "计时(调休上班)"),
    "day_of_receipt": ("day of receipt, counting begins the day after", "收到当日,次日起算"),
    "awaiting_customer": ("paused: waiting for the complainant", "暂停:等待投诉人答复"),
    "awaiting_third_party": ("paused: waiting for a third party", "暂停:等待第三方"),
    "appraisal": ("paused: an appraisal is awaited", "暂停:等待鉴定结果"),
    "external": ("paused: with the external body", "暂停:外部机构处理中"),
    "stopped": ("stopped in between", "其间已停止"),
}


def render(rows: list[DayRow], ledger: Ledger, calendar: BusinessCalendar, language: Language) -> list[str]:
    """The rows as lines of text, ending with the due time."""
    zh = language is Language.ZH
    by_date = ledger.allowed.by_date
    lines = []
    for row in rows:
        words = _WORDS.get(row.note, (row.note, row.note))[zh]
        name = f" ({row.name})" if row.name else ""
        amount = f"{row.counted:g}" if by_date else _hours(row.counted)
        total = f"{row.total:g}" if by_date else _hours(row.total)
        lines.append(f"{row.day:%Y-%m-%d %a}  {amount:>6}  {total:>7}  {words}{name}{'  ◀' if row.due else ''}")
    for change in ledger.changes:
        what = (
            f"{change.extra:+d}"
            if change.extra
            else f"{change.budget.amount} {change.budget.unit}"
            if change.budget
            else ""
        )
        label = "预算变更" if zh else "budget changed"
        lines.append(f"{change.at.astimezone(calendar.zone):%Y-%m-%d %H:%M}  {label}: {what} – {change.reason}")
    due = ledger.due(calendar)
    if due is None:
        lines.append(
            "到期时间:时钟暂停中,恢复后确定" if zh else "Due: the clock stands still; it follows when it resumes"
        )
    else:
        local = due.astimezone(calendar.zone)
        lines.append(f"{'到期时间' if zh else 'Due'}: {local:%Y-%m-%d %H:%M} ({calendar.zone.key})")
    return lines


def _hours(seconds: float) -> str:
    whole = round(seconds / 60)
    return f"{whole // 60}:{whole % 60:02d}" if seconds >= 60 or seconds == 0 else f"{seconds:.0f}s"
