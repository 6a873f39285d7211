"""Words for codes in letters, in both languages, in one table. A code without a word is shown as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from babel.dates import format_timedelta

from complaints.domain.explain_words import SEVERITY_WORDS

_Words = Mapping[str, tuple[str, str]]  #: code → (English, Chinese)

LABELS: Mapping[str, _Words] = {
    "finding": {
        "upheld": ("Your complaint is justified.", "您的投诉属实。"),
        "partly_upheld": ("Your complaint is justified in part.", "您的投诉部分属实。"),
        "not_upheld": (
            "On what we found, we cannot agree with your complaint.",
            "根据核实的情况，您的投诉未能成立。",
        ),
    },
    "remedy": {
        "apology": ("Apology", "致歉"),
        "refund": ("Refund", "退款"),
        "compensation": ("Compensation", "赔偿"),
        "replacement": ("Replacement", "更换"),
        "repair": ("Repair", "维修"),
        "correction": ("Correction", "更正"),
        "coupon": ("Voucher", "优惠券"),
        "points": ("Points", "积分"),
        "service_change": ("Change of our service", "服务改进"),
        "other": ("Measure", "其他措施"),
    },
    "closing": {
        "explanation": ("explained", "已作说明"),
        "monetary_relief": ("settled with a payment or credit", "已给予经济补偿"),
        "non_monetary_relief": ("put right without a payment", "已采取其他措施解决"),
        "not_upheld": ("we could not agree with the complaint", "投诉未能成立"),
        "withdrawn": ("withdrawn", "投诉人撤回"),
        "no_response": ("no answer to our questions", "未收到回复"),
        "rejected": ("not taken up", "未予受理"),
        "merged": ("handled together with another complaint", "已合并处理"),
    },
    "severity": SEVERITY_WORDS,
    "step": {
        "triage": ("triage", "分诊"),
        "investigation": ("investigation", "调查核实"),
        "approval": ("approval", "审批"),
        "remedy": ("remedy", "落实处理措施"),
        "response": ("response letter", "答复投诉人"),
        "call_back": ("call back", "电话回访"),
        "confirmation": ("confirmation by the complainant", "投诉人确认"),
        "review": ("review", "复核"),
        "external": ("case before an external body", "外部机构处理"),
        "closure": ("closure", "结案"),
        "extension": ("extension", "延期"),
        "management_review": ("management review", "管理层审阅"),
        "inform": ("telling the complainant by telephone or letter", "电话或信函告知投诉人"),
    },
    "clock": {
        "ack": ("the acknowledgment", "受理告知"),
        "accept": ("the acceptance", "受理"),
        "decision": ("the decision", "处理决定"),
        "final": ("the final response", "最终答复"),
        "investigate": ("the investigation", "调查核实"),
        "mediation": ("the mediation", "调解"),
        "reply": ("the reply", "答复"),
        "resolve": ("the resolution", "解决"),
        "response": ("the response", "答复"),
        "summary": ("the summary response", "简要答复"),
        "update": ("the progress report", "进展告知"),
    },
    "reason": {
        "the complainant answered": ("the complainant answered", "投诉人已回复"),
        "the complainant wrote": ("the complainant wrote", "投诉人发来新消息"),
        "the complainant accepted a remedy": ("the complainant accepted the remedy", "投诉人已接受处理措施"),
        "the complainant declined a remedy": ("the complainant does not want the remedy", "投诉人不接受处理措施"),
        "the notice of more time has not gone out": (
            "the notice of more time had not gone out when the old time was over",
            "延期通知未能在原期限届满前发出",
        ),
        "the complainant did not answer": ("the complainant did not answer", "投诉人未在期限内回复"),
    },
}


#: How the escalation ladder names what happened: clock, then the rung as a share of its time or a distance from the due
#: instant.
_RUNG = re.compile(r"(?P<profile>\w+)\.(?P<clock>\w+) (?:(?P<share>\d+)%|due(?P<seconds>[+-]\d+)s)")


def label(table: str, code: str, *, chinese: bool) -> str:
    """The word for `code`; free text (such as a reason typed by a person) comes back unchanged."""
    words = LABELS[table].get(code)
    return code if words is None else words[1 if chinese else 0]


def reason(text: str, *, chinese: bool) -> str:
    """Why somebody is told, in words: a known reason, a rung of a ladder, or what a person wrote, unchanged."""
    rung = _RUNG.fullmatch(str(text))  # str: an undefined value names itself
    if rung is None:
        return label("reason", text, chinese=chinese)
    clock, share, seconds = _clock(rung, chinese=chinese), rung["share"], rung["seconds"]
    if share is not None and int(share) != 100:
        return f"{clock}时限已用去{share}%" if chinese else f"{share}% of the time for {clock} is used"
    if share is not None or int(seconds) == 0:
        return f"{clock}时限已到期" if chinese else f"the time for {clock} is over"
    away = timedelta(seconds=abs(int(seconds)))
    far = format_timedelta(away, threshold=2, locale="zh_Hans_CN" if chinese else "en")
    if int(seconds) < 0:
        return f"{clock}时限将在{far}后到期" if chinese else f"{clock} is due in {far}"
    return f"{clock}时限已超过{far}" if chinese else f"{clock} has been overdue for {far}"


def _clock(rung: re.Match[str], *, chinese: bool) -> str:
    """What must be done in time, and under which rule if it is not a target of our own."""
    name, profile = label("clock", rung["clock"], chinese=chinese), rung["profile"]
    if profile == "default":
        return name
    return f"{name}（{profile}）" if chinese else f"{name} ({profile})"
