"""Telling operations what they would otherwise find too late: a clock that stands still, runs that failed for good.

Prefect's own automations are not used for it: they need the event store and the trigger evaluation of its server, which
cost a fifth of it or more, and they are silent when that server is what failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from complaints.domain.sla_policy import RungAction
from complaints.domain.vocabulary import Language
from complaints.services import informing, marks, notices, superiors
from complaints.store.unit import Work

#: The clock ticks every half minute; silent for so long, it stands still.
SILENT = timedelta(minutes=5)
_TAGS = ("operations",)


def clock_stands_still(work: Work) -> bool:
    """Alert once an hour while the SLA clock has not ticked for `SILENT`."""
    last = marks.marks(work).get("sla_clock")
    since = last.at if last is not None else marks.begun(work, marks.WATCH)
    if work.now - since < SILENT:
        return False
    minutes, instant = int((work.now - since).total_seconds() // 60), since.isoformat(timespec="seconds")
    _alert(
        work,
        f"clock:{work.now:%Y-%m-%dT%H}",
        {
            Language.ZH: f"SLA 时钟已停 {minutes} 分钟",
            Language.EN: f"The SLA clock has not ticked for {minutes} minutes",
        },
        {
            Language.ZH: f"{'最近一次运行' if last else '从未运行，开始监测于'}：{instant}",
            Language.EN: f"{'last tick' if last else 'no tick ever; watching since'} {instant}",
        },
    )
    return True


def clocks_fail(work: Work) -> bool:
    """Alert about complaints whose clocks cannot be calculated; once a day for each set of them."""
    found = marks.faults(work)
    if not found:
        return False
    count = len(found)
    _alert(
        work,
        f"clock_faults:{work.now:%Y-%m-%d}:{hash_of([*found])}",
        {
            Language.ZH: f"{count} 件投诉的时限无法计算，不再提醒",
            Language.EN: f"Nobody is reminded of complaints whose clocks cannot be calculated: {count}",
        },
        "\n".join(f"{reference}: {why}" for reference, why in sorted(found.items())[:20]),
    )
    return True


def runs_failed(work: Work, references: Sequence[str]) -> bool:
    """Alert about complaints whose flow run ended without archiving them; once a day for each set of them."""
    if not references:
        return False
    named = ", ".join(references[:20]) + (" …" if len(references) > 20 else "")
    _alert(
        work,
        f"failed:{work.now:%Y-%m-%d}:{hash_of(references)}",
        {
            Language.ZH: f"{len(references)} 件投诉的流程运行失败",
            Language.EN: f"Complaints whose flow run has failed: {len(references)}",
        },
        named,
    )
    return True


def extensions_untold(work: Work) -> int:
    """Alert operations, lead and manager about each notice of more time that has not gone out in time; how many.

    The clock keeps its new due time: that it was granted is a fact, and so is that it was not told.
    """
    late = informing.late_notices(work)
    for complaint, which in late:
        for who in (RungAction.NOTIFY_LEAD, RungAction.NOTIFY_MANAGER):
            superiors.tell(work, complaint, who, f"untold-{which}", "the notice of more time has not gone out")
    if late:
        references = sorted({c.reference for c, _ in late})
        _alert(
            work,
            f"untold:{hash_of([which for _, which in late])}",
            {
                Language.ZH: f"{len(references)} 件投诉的延期通知未在原期限前发出",
                Language.EN: f"Complaints whose notice of more time has not gone out in time: {len(references)}",
            },
            ", ".join(references),
        )
    return len(late)


def hash_of(references: Sequence[str]) -> str:
    """A short name of a set of references."""
    return hashlib.sha256(" ".join(sorted(references)).encode()).hexdigest()[:12]


def _alert(work: Work, once: str, headline: dict[Language, str], detail: dict[Language, str] | str) -> None:
    told = detail if isinstance(detail, dict) else dict.fromkeys(Language, detail)
    context = {"headline": headline, "detail": told}
    notices.tell_staff(work, None, "operations_alert", once, tags=_TAGS, context=context)
