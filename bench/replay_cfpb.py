"""Real complaints under the CFPB profile: their 15-day clocks, and what the CFPB's "Timely response?" says of them.

    python -m bench.replay_cfpb [FILE]

The file says when a complaint was sent to the company and whether the answer was timely; it does not say when the
company answered. So the clock's beginning and end can be computed for each complaint and its outcome cannot: of a
timely one we know that it ended by the due time, of an untimely one that it did not.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from complaints.domain.backtest import LogEntry, replay
from complaints.domain.calendars import calendar
from complaints.domain.clocks import Case
from complaints.domain.policy import PolicyBundle
from config.policy import load

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "cfpb_sample.csv"
POLICY = Path(__file__).resolve().parents[1] / "config" / "policies" / "default"
_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%y")
CLOCK = "response"


@dataclass(frozen=True)
class Row:
    """What the file says of one complaint."""

    id: str
    received: datetime
    sent: datetime | None
    response: str
    timely: str


@dataclass
class Replay:
    """Verdicts and distributions, in days."""

    outcomes: Counter[str]
    forwarded_after: Counter[int]  #: days from the CFPB's receipt to the company's
    allowed: Counter[int]  #: days from the company's receipt to the due time
    earlier_by_receipt: int = 0  #: had the clock counted from the CFPB's receipt: this many would be due earlier
    undated: int = 0


def read(path: Path = DATA) -> Iterator[Row]:
    """The rows; dates come in three spellings."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            received = _day(row["Date received"])
            assert received is not None, f"complaint {row['Complaint ID']} was never received"
            yield Row(
                row["Complaint ID"], received, _day(row["Date sent to company"]),
                row["Company response to consumer"], row["Timely response?"],
            )  # fmt: skip


def _day(text: str) -> datetime | None:
    """Noon in UTC: the same date in every time zone of the United States."""
    for spelling in _FORMATS:
        try:
            return datetime.strptime(text, spelling).replace(hour=17, tzinfo=UTC)
        except ValueError:
            continue
    if text:
        raise ValueError(f"{text!r} is no date in any known spelling")
    return None


def run(rows: list[Row], policy: PolicyBundle) -> Replay:
    """Each complaint's clocks, as the running system would start them."""
    found = Replay(Counter(), Counter(), Counter())
    days = calendar(policy.hash, policy.sla, "us_days")
    for row in rows:
        if row.sent is None:
            found.undated += 1
            continue
        due, from_receipt = (_due(policy, at) for at in (row.sent, row.received))
        found.forwarded_after[(row.sent - row.received).days] += 1
        last = due - timedelta(microseconds=1)  # a clock of days is due as its last day ends
        found.allowed[(days.local_date(last) - days.local_date(row.sent)).days] += 1
        found.earlier_by_receipt += from_receipt < due
        found.outcomes[_outcome(row)] += 1
    return found


def _due(policy: PolicyBundle, receipt: datetime) -> datetime:
    _, clocks = replay(policy, Case(receipt, jurisdiction="us"), [LogEntry("received", receipt, None, None, {})])
    clock = next(c for c in clocks.running if (c.profile, c.name) == ("cfpb", CLOCK))
    due = clock.ledger.due(calendar(policy.hash, policy.sla, "us_days"))
    assert due is not None
    return due


def _outcome(row: Row) -> str:
    if row.timely == "Yes" and row.response == "In progress":
        return "timely, still in progress: cfpb.final runs on for 60 days"
    if row.timely == "Yes":
        return "timely: answered by the due time, how early is not told"
    if row.timely == "No" and row.response == "Untimely response":
        return "late: no answer when the time was over"
    if row.timely == "No":
        return "late: answered after the due time, how late is not told"
    return "not told"


def main() -> None:
    """Replay and print."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    rows = list(read(path))
    found = run(rows, load(POLICY))
    dated = len(rows) - found.undated
    print(f"{len(rows):,} complaints, {dated:,} with the day they were sent to the company, {found.undated:,} without")
    for what, times in found.outcomes.most_common():
        print(f"  {times:5,}  {times / dated:6.1%}  {what}")
    late = sum(n for what, n in found.outcomes.items() if what.startswith("late"))
    print(f"late: {late} of {dated} ({late / dated:.1%})")
    print("days from sending to the due time: " + ", ".join(f"{d}: {n}" for d, n in sorted(found.allowed.items())))
    print("days from receipt by the CFPB to sending: " + _spread(found.forwarded_after))
    print(
        f"counted from the CFPB's receipt, {found.earlier_by_receipt} would be due earlier; "
        "the rule counts from sending"
    )


def _spread(days: Counter[int]) -> str:
    bands = ((0, 0), (1, 1), (2, 7), (8, 15), (16, 60), (61, 100_000))
    count = {band: sum(n for d, n in days.items() if band[0] <= d <= band[1]) for band in bands}
    negative = sum(n for d, n in days.items() if d < 0)
    told = [f"{a}–{b}: {n}" if a != b else f"{a}: {n}" for (a, b), n in count.items() if n]
    return ", ".join(([f"before: {negative}"] if negative else []) + told)


if __name__ == "__main__":
    main()
