"""What a response letter must say, and whether a text says it. Pure: text in, verdict per element out.

A machine cannot judge whether a letter is good; it can see that an outcome, a limit or a body is not named at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from complaints.domain.businesstime import Unit
from complaints.domain.sla_policy import Duration, ExternalBody
from complaints.domain.vocabulary import Finding

#: Words that state an outcome, in letters of both languages. Those of the narrower outcomes contain those of the wider.
_OUTCOMES: dict[Finding, tuple[str, ...]] = {
    Finding.NOT_UPHELD: (
        "not upheld", "not uphold", "not justified", "cannot agree", "can not agree", "do not agree with your",
        "unjustified", "unfounded", "未能成立", "不成立", "不属实", "不能支持", "不予支持", "无法支持",
    ),
    Finding.PARTLY_UPHELD: (
        "justified in part", "upheld in part", "uphold your complaint in part", "uphold it in part", "in part",
        "partly justified", "partly upheld", "partly uphold", "partially justified", "partially upheld",
        "partially uphold", "partly", "partially", "部分属实", "部分成立", "部分支持",
    ),
    Finding.UPHELD: (
        "justified", "upheld", "uphold", "you are right", "you were right", "属实", "成立", "予以支持", "您说得对",
    ),
}  # fmt: skip
_REVIEW = ("appeal", "review", "复核", "申诉", "复查")
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight", 12: "twelve", 24: "twenty-four"}
_ZH_NUMBERS = {2: "两", 3: "三", 4: "四", 5: "五", 6: "六", 8: "八", 12: "十二", 24: "二十四"}
_UNITS = {
    Unit.CALENDAR_DAYS: ("day", "天", "日"), Unit.BUSINESS_DAYS: ("businessday", "个工作日"),
    Unit.WEEKS: ("week", "周"), Unit.MONTHS: ("month", "个月"),
}  # fmt: skip
#: Some limit or other: "within 14 days", "by 3 May 2026", "14天内", "于2026年5月3日前".
_ANY_LIMIT = re.compile(
    r"within(?:\d+|[a-z-]+?)(?:calendar|business|working)?(?:day|week|month|year)"
    r"|by\d{1,2}[a-z]{3,9}\d{4}|\d+(?:个)?(?:工作日|天|日|周|月|年)(?:之)?(?:内|前)|[一二两三四五六七八九十]+个?(?:天|日|周|月|年)内"
)


@dataclass(frozen=True)
class Case:
    """What the letter is about."""

    reference: str
    finding: Finding | None
    summary: str
    remedies: Sequence[str]  #: descriptions of what is offered
    bodies: Sequence[ExternalBody]  #: where the complainant may turn


def elements(required: Sequence[str], text: str, case: Case) -> list[tuple[str, bool]]:
    """Each required element with whether the text has it."""
    flat = _flat(text)
    present = {
        "reference": _flat(case.reference) in flat,
        "outcome": case.finding is not None and _states(flat, case.finding),
        "reasons": bool(case.summary.strip()) and _flat(case.summary) in flat,
        "remedy": all(_flat(r) in flat for r in case.remedies),
        "appeal_right": any(word in flat for word in _REVIEW),
        "external_body": bool(case.bodies) and all(_names(flat, body) for body in case.bodies),
        "time_limit": _limited(flat, case.bodies),
    }
    return [(name, present[name]) for name in required]


def _flat(text: str) -> str:
    return "".join(text.split()).casefold()


def _states(flat: str, finding: Finding) -> bool:
    """States this outcome and, where it is a wider one, not only a narrower one that contains its words."""
    for other, phrases in _OUTCOMES.items():
        words = [_flat(p) for p in phrases]
        if other is finding:
            return any(w in flat for w in words)
        for word in words:
            flat = flat.replace(word, "·")
    return False


def _names(flat: str, body: ExternalBody) -> bool:
    """By its full name or its usual abbreviation, in either language."""
    return any(_flat(form) in flat for name in (body.name_en, body.name_zh) for form in _forms(name) if form)


def _forms(name: str) -> list[str]:
    bare = name.removeprefix("the ")
    inside = re.search(r"[(（](.+?)[)）]", bare)
    return [bare, re.sub(r"[(（].+?[)）]", "", bare).strip(), inside.group(1) if inside else ""]


def _limited(flat: str, bodies: Sequence[ExternalBody]) -> bool:
    limits = [body.refer_within for body in bodies if body.refer_within is not None]
    if limits:
        return all(any(form in flat for form in _spelt(limit)) for limit in limits)
    return _ANY_LIMIT.search(flat) is not None


def _spelt(limit: Duration) -> list[str]:
    """How a limit may be written: six months, 6个月; two years for 24 months."""
    forms = _counted(limit.amount, _UNITS[limit.unit])
    if limit.unit is Unit.MONTHS and limit.amount % 12 == 0:
        years = limit.amount // 12
        forms += ["oneyear", "1year", "一年", "1年"] if years == 1 else _counted(years, ("year", "年"))
    return forms


def _counted(amount: int, units: Sequence[str]) -> list[str]:
    english, *chinese = units
    numbers = [str(amount), _NUMBERS.get(amount, "")]
    forms = [f"{n}{english}" for n in numbers if n]
    zh_numbers = [str(amount), _ZH_NUMBERS.get(amount, "")]
    return forms + [f"{n}{unit}" for unit in chinese for n in zh_numbers if n]
