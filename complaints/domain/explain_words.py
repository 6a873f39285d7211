"""A clock's explanation in words, in Chinese or English: head, a row per day, and at the end the due time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from complaints.domain.businesstime import Budget, Unit
from complaints.domain.explain import DayRow, Explanation, Rule, on_wall
from complaints.domain.ledger import Change
from complaints.domain.vocabulary import Language

_Words = Mapping[str, tuple[str, str]]  #: code → (English, Chinese)

SEVERITY_WORDS: _Words = {
    "critical": ("critical", "特别严重"),
    "serious": ("serious", "严重"),
    "moderate": ("moderate", "一般"),
    "minor": ("minor", "轻微"),
}
_REASONS: _Words = {
    "awaiting_customer": ("waiting for the complainant", "等待投诉人答复"),
    "awaiting_third_party": ("waiting for a third party", "等待第三方"),
    "appraisal": ("waiting for an appraisal", "等待鉴定结果"),
    "external": ("with the external body", "外部机构处理中"),
    "stopped": ("done, until it was taken up again", "已办结，其后恢复计时"),
}
_CANCELLED: _Words = {
    "withdrawn": ("the complaint was withdrawn", "投诉人撤回投诉"),
    "merged": ("the complaint was merged into another", "投诉已并入另一投诉"),
    "rejected": ("the complaint was not taken up", "投诉未予受理"),
    "inapplicable": ("its rule no longer applies to the case", "该规则不再适用于本案"),
    "restarted": ("it began anew in another round", "已重新起算，进入下一轮"),
}
_EVIDENCE: _Words = {
    "R": ("the rule's own text was read", "已核对规则原文"),
    "S": ("from a secondary source, verify before relying on it", "依据二手资料，使用前请核实"),
    "M": ("unverified, verify before relying on it", "未经核实，使用前请核实"),
    "ours": ("a target of our own", "内部目标"),
}
#: One, several (English), and the measure word with which Chinese follows a number.
_UNITS: Mapping[Unit, tuple[str, str, str]] = {
    Unit.SECONDS: ("second", "seconds", "秒"),
    Unit.MINUTES: ("minute", "minutes", "分钟"),
    Unit.HOURS: ("hour", "hours", "小时"),
    Unit.WORKING_MINUTES: ("working minute", "working minutes", "分钟（工作时间）"),
    Unit.WORKING_HOURS: ("working hour", "working hours", "个工作小时"),
    Unit.BUSINESS_DAYS: ("business day", "business days", "个工作日"),
    Unit.CALENDAR_DAYS: ("calendar day", "calendar days", "个自然日"),
    Unit.WEEKS: ("week", "weeks", "周"),
    Unit.MONTHS: ("month", "months", "个月"),
}
_WEEKDAYS = (
    ("Mon", "周一"),
    ("Tue", "周二"),
    ("Wed", "周三"),
    ("Thu", "周四"),
    ("Fri", "周五"),
    ("Sat", "周六"),
    ("Sun", "周日"),
)
_SPANS = ((86_400, "day", "天"), (3600, "hour", "小时"), (60, "minute", "分钟"), (1, "second", "秒"))
_SEVERITY = re.compile(r"severity (\w+)")


@dataclass(frozen=True)
class Row:
    """One day, in words."""

    day: str
    counted: str
    total: str
    why: str
    due: bool


@dataclass(frozen=True)
class Told:
    """An explanation in words: facts by name, the days, and how it ends. The last line is the due time."""

    head: tuple[tuple[str, str], ...]
    heading: str  #: what the rows show
    rows: tuple[Row, ...]
    tail: tuple[str, ...]
    colon: str

    def lines(self) -> list[str]:
        """As plain text."""
        counted, total = (max([4, *(len(getattr(r, name)) for r in self.rows)]) for name in ("counted", "total"))
        days = [f"{r.day}  {r.counted:>{counted}}  {r.total:>{total}}  {r.why}" for r in self.rows]
        head = [f"{name}{self.colon}{value}" for name, value in self.head]
        return [*head, self.heading, *days, *self.tail]


def quantity(amount: int, unit: Unit, language: Language) -> str:
    """So much of a unit, as `2 working hours`."""
    one, several, zh = _UNITS[unit]
    return f"{amount}{zh}" if language is Language.ZH else f"{amount} {one if abs(amount) == 1 else several}"


def tell(told: Explanation, language: Language) -> Told:
    """The explanation for a reader of a language."""
    return _Teller(told, language).told()


class _Teller:
    """Words for one explanation."""

    def __init__(self, told: Explanation, language: Language) -> None:
        self.it = told
        self.language = language
        self.zh = language is Language.ZH
        self.zone = ZoneInfo(told.zone)
        self.by_date = told.budget.by_date

    def told(self) -> Told:
        rows, tail = tuple(map(self._row, self.it.days)), tuple(self._tail())
        return Told(tuple(self._head()), self._heading(), rows, tail, self.say(": ", "："))

    def _heading(self) -> str:
        if self.by_date:
            return self.say("Day by day (days counted, and in all):", "逐日（当日计入、累计天数）：")
        if self.it.budget.unit is Unit.SECONDS:
            return self.say("Day by day (counted, and in all):", "逐日（当日计时、累计）：")
        return self.say("Day by day (hours:minutes counted, and in all):", "逐日（当日计时、累计，时：分）：")

    # -- small words

    def say(self, en: str, zh: str) -> str:
        return zh if self.zh else en

    def aside(self, text: str, remark: str) -> str:
        """A text and a remark on it in parentheses."""
        return text + self.say(f" ({remark})", f"（{remark}）")

    def word(self, table: _Words, code: str) -> str:
        return table.get(code, (code, code))[self.zh]

    def date(self, day: date) -> str:
        return f"{day:%Y-%m-%d} {_WEEKDAYS[day.weekday()][self.zh]}"

    def moment(self, at: datetime) -> str:
        return f"{self.date(at.astimezone(self.zone).date())} {self.clock(at)}"

    def clock(self, at: datetime) -> str:
        return on_wall(at, self.zone, self.it.budget.unit)

    def units(self, amount: int) -> str:
        return quantity(amount, self.it.budget.unit, self.language)

    def span(self, seconds: float) -> str:
        """A length of time, in its largest unit of which there are two."""
        size, en, zh = next((s for s in _SPANS if seconds >= 2 * s[0]), _SPANS[-1])
        n = round(seconds / size)
        return f"{n}{zh}" if self.zh else f"{n} {en}{'' if n == 1 else 's'}"

    def amount(self, value: float) -> str:
        """What was counted: whole days, or hours and minutes."""
        if self.by_date:
            return f"{value:g}"
        if self.it.budget.unit is Unit.SECONDS:
            return f"{value:.0f}{self.say(' s', '秒')}"
        minutes = round(value / 60)
        return f"{minutes // 60}:{minutes % 60:02d}"

    # -- head

    def _head(self) -> Iterator[tuple[str, str]]:
        it, rule = self.it, self.it.rule
        another = self.say(f", round {it.round}", f"，第{it.round}轮") if it.round > 1 else ""
        yield self.say("Clock", "时钟"), it.clock + another
        yield self.say("Rule", "规则"), self.say(rule.title_en, rule.title_zh)
        yield self.say("Citation", "出处"), rule.citation or self.say("none", "无")
        mark = "" if rule.evidence == "ours" else f"{rule.evidence} – "
        yield self.say("Evidence", "依据"), mark + self.word(_EVIDENCE, rule.evidence)
        if rule.evidence != "ours" and (rule.effective_from or rule.effective_until):
            yield self.say("In force", "施行"), self._in_force(rule)
        if rule.unverified:
            yield self.say("Not verified", "未核实"), self._unverified(rule)
        if rule.next:
            yield self.say("When it is over", "期满后"), self.say(f"{rule.next} governs", f"由{rule.next}接续")
        yield (
            self.say("Received", "收到") if it.from_receipt else self.say("Started", "起算"),
            self.aside(self.moment(it.started_at), it.zone),
        )
        yield self.say("Budget", "时限"), self._budget(it.budget)
        for change in it.changes:
            yield self.say("Changed", "变更"), f"{self.moment(change.at)}  {self._change(change)}"
        yield self.say("Calendar", "日历"), self._calendar()
        if it.state in ("running", "paused"):
            by = self.moment(it.as_of)
            yield (
                self.say("Counted so far", "迄今已计"),
                self.amount(it.total) + self.say(f", by {by}", f"（截至{by}）"),
            )

    def _in_force(self, rule: Rule) -> str:
        first, last = rule.effective_from, rule.effective_until
        told = [self.say(f"since {first}", f"自{first}起")] if first else []
        told += [self.say(f"until {last}", f"至{last}止")] if last else []
        return self.say(", ", "，").join(told)

    def _unverified(self, rule: Rule) -> str:
        told = (f"{one.path} = {one.value}" for one in rule.unverified)
        advice = self.say("verify before you rely on it", "使用前请核实")
        return self.say("; ", "；").join(told) + self.say(f" – {advice}", f"（{advice}）")

    def _budget(self, budget: Budget) -> str:
        granted = sum(change.extra for change in self.it.changes)
        told = self.units(budget.amount)
        if granted:
            own = budget.amount - granted
            told += self.say(
                f" ({self.units(own)} and {granted} granted)", f"（原{self.units(own)}，延长{self.units(granted)}）"
            )
        if not self.by_date:
            return told
        first = (
            self.say("the first day is that of the receipt", "收到当日为第一日")
            if budget.first_day
            else self.say("counted from the day after", "次日起算")
        )
        return told + self.say(f", {first}", f"，{first}")

    def _change(self, change: Change) -> str:
        severity = _SEVERITY.fullmatch(change.reason)
        if severity is not None:
            is_now = self.word(SEVERITY_WORDS, severity[1])
            why = self.say(f"the severity is now: {is_now}", f"严重程度改为：{is_now}")
        else:
            why = change.reason
        if change.budget is not None:
            units = self.units(change.budget.amount)
            what = self.say(f"budget now {units}", f"时限改为{units}")
        else:
            what = self.say(f"{self.units(change.extra)} granted", f"延长{self.units(change.extra)}")
        return self.say(f"{what} – {why}", f"{what}：{why}") if why else what

    def _calendar(self) -> str:
        if self.it.on_calendar:
            return self.aside(self.it.calendar, self.it.zone)
        if self.by_date:
            return self.say(f"every day counts, by the date in {self.it.zone}", f"每日均计，按{self.it.zone}日期")
        return self.say("day and night", "昼夜连续计时")

    # -- days

    def _row(self, row: DayRow) -> Row:
        why = self.say("; ", "；").join(self._why(row))
        return Row(self.date(row.day), self.amount(row.counted), self.amount(row.total), why, row.due)

    def _why(self, row: DayRow) -> Iterator[str]:
        began = self.it.started_at.astimezone(self.zone)
        first = row.day == began.date()
        paused = bool(row.pauses) and row.counted == 0
        if not paused or row.note in ("holiday", "closed"):
            yield self._day(row)
        if first and not self.by_date:
            yield self._began(row, self.clock(began))
        if row.note not in ("holiday", "closed"):
            yield from self._paused(row)
        if not row.known:
            yield self.say(
                f"holidays of {row.day.year} are not known", f"{row.day.year}年节假日未知，按每周工作时间推算"
            )
        yield from self._ends(row)

    def _day(self, row: DayRow) -> str:
        name = row.name or ""
        match row.note:
            case "holiday":
                return self.say(f"closed: {name}", f"休息：{name}")
            case "closed":
                return self.say("closed", "非工作日")
            case "day_of_receipt" if self.it.from_receipt:
                return self.say("day of receipt, counting begins the day after", "收到当日，次日起算")
            case "day_of_receipt":
                return self.say("first day, counting begins the day after", "起算当日，次日起计")
            case "first_day":
                return self.say("the first day", "第一日")
            case "unfinished":
                return self.say("the day was not over", "当日未满")
        opens = self._opens(row)
        if row.note == "open":
            return opens
        special = (
            self.say("make-up working day", "调休上班") if row.note == "makeup" else self.say("extra day", "加班营业")
        )
        named = self.aside(special, name) if row.note == "extra" and name else special
        return f"{named}{self.say(', ', '，')}{opens}"

    def _opens(self, row: DayRow) -> str:
        if not self.it.on_calendar:
            return self.say("counted", "计时") if not self.by_date else self.say("counted", "计入")
        if self.by_date:
            return self.say("business day", "工作日")
        if row.opens == ("00:00–24:00",):
            return self.say("open all day", "全天工作")
        return self.say("open ", "工作时间") + self.say(", ", "、").join(row.opens)

    def _began(self, row: DayRow, at: str) -> str:
        told = self.say("received", "收到") if self.it.from_receipt else self.say("started", "起算")
        late = row.counted == 0 and row.opens and at >= row.opens[-1].rpartition("–")[2]
        return f"{told} {at}" + (self.say(", after closing", "，已下班") if late else "")

    def _paused(self, row: DayRow) -> Iterator[str]:
        for pause in row.pauses:
            why = self.word(_REASONS, pause.reason)
            whole = (pause.start, pause.end) == ("00:00", "24:00")
            when = self.say(" all day", "全天") if whole else f" {pause.start}–{pause.end}"
            if pause.reason == "stopped":
                yield self.say(f"stopped{when}: {why}", f"停止{when}：{why}")
            else:
                yield self.say(f"paused{when}: {why}", f"暂停{when}：{why}")

    def _ends(self, row: DayRow) -> Iterator[str]:
        it = self.it
        if it.stopped_at is not None and it.stopped_at.astimezone(self.zone).date() == row.day:
            verb = self.say("cancelled", "取消") if it.cancelled_because else self.say("stopped", "停止")
            yield f"{verb} {self.clock(it.stopped_at)}"
        if row.due and it.due_at is not None:
            yield self.say("◀ due", "◀ 到期") + ("" if self.by_date else f" {self.clock(it.due_at)}")

    # -- tail

    def _tail(self) -> Iterator[str]:
        it = self.it
        if it.days_left_out:
            n = it.days_left_out
            yield self.say(f"… {n} more days, not listed", f"……另有{n}天未列出")
        if it.stopped_at is not None:
            yield self._ended(it.stopped_at)
        elif it.due_at is not None and it.due_at < it.as_of:
            late = self.span((it.as_of - it.due_at).total_seconds())
            yield self.say(f"Overdue for {late}", f"已逾期{late}")
        elif it.due_at is None:
            pause = it.pauses[-1]
            why = self.word(_REASONS, pause.reason)
            yield self.say("Paused since ", "暂停：自") + self.moment(pause.start) + self.say(f": {why}", f"起，{why}")
        yield self._due()

    def _ended(self, at: datetime) -> str:
        it = self.it
        if it.cancelled_because:
            why = self.word(_CANCELLED, it.cancelled_because)
            return self.say(f"Cancelled: {self.moment(at)}, {why}", f"取消：{self.moment(at)}，{why}")
        assert it.due_at is not None
        spare = (it.due_at - at).total_seconds()
        if spare >= 0:
            how = self.say(f"{self.span(spare)} before it was due", f"提前{self.span(spare)}")
        else:
            how = self.say(f"{self.span(-spare)} late", f"逾期{self.span(-spare)}")
        return self.say(f"Stopped: {self.moment(at)}, {how}", f"停止：{self.moment(at)}，{how}")

    def _due(self) -> str:
        due = self.it.due_at
        if due is None:
            return self.say(
                "Due: not known while the clock stands still; it follows when it resumes",
                "到期：时钟暂停中，恢复后确定",
            )
        if self.by_date:
            day = (due.astimezone(self.zone) - timedelta(microseconds=1)).date()
            when = f"{self.date(day)} {self.say('24:00, the end of the day', '24:00')}"
        else:
            when = self.moment(due)
        had = self.say(", had it gone on", "（如未取消）") if self.it.cancelled_because else ""
        return self.say("Due: ", "到期：") + self.aside(when, self.it.zone) + had
