"""Telling operations what they would otherwise find too late: a clock that stands still, runs that failed for good.

Prefect's own automations are not used for it: they need the event store and the trigger evaluation of its server, which
cost a fifth of it or more, and they are silent when that server is what failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from complaints.domain.vocabulary import Language
from complaints.services import marks, notices
from complaints.store.unit import Work

#: The clock ticks every half minute; silent for so long, it stands still.
SILENT = timedelta(minutes=5)
_TAGS = ("operations",)


def clock_stands_still(work: Work) -> bool:
    """Alert once an hour while the SLA clock has not ticked for `SILENT`."""
    last = marks.marks(work).get("sla_clock")
    if last is None or work.now - last.at < SILENT:
        return False
    minutes = int((work.now - last.at).total_seconds() // 60)
    _alert(
        work,
        f"clock:{work.now:%Y-%m-%dT%H}",
        {
            Language.ZH: f"SLA 时钟已停 {minutes} 分钟",
            Language.EN: f"the SLA clock has not ticked for {minutes} minutes",
        },
        f"last tick {last.at.isoformat(timespec='seconds')}",
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
            Language.EN: f"the flow runs of {len(references)} complaints have failed",
        },
        named,
    )
    return True


def hash_of(references: Sequence[str]) -> str:
    """A short name of a set of references."""
    return hashlib.sha256(" ".join(sorted(references)).encode()).hexdigest()[:12]


def _alert(work: Work, once: str, headline: dict[Language, str], detail: str) -> None:
    language = Language.ZH
    context = {"subject_line": headline[language] + " / " + headline[Language.EN], "detail": detail}
    notices.tell_staff(work, None, "operations_alert", once, tags=_TAGS, context=context)
