"""A month of a city's service requests replayed as clocks: our verdicts must be the city's ONTIME and OVERDUE.

    python -m bench.replay_boston311 [FILE]

Two questions. First: a clock whose budget is what the city granted to each request, stopped when the request was
closed, is it met or missed as the city says? Second: how far does one budget per type of request, in one calendar, get,
that is, a policy as we would write it, without looking at the city's own target?
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from complaints.domain.businesstime import Budget, BusinessCalendar, Unit, Window
from complaints.domain.ledger import Ledger

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "boston311_2011-07.csv.gz"
ZONE = ZoneInfo("America/New_York")
WALL = BusinessCalendar("wall", ZONE, always=True)
#: Working days of 24 hours: a budget in working hours that skips weekends, as the city grants most of its days.
WEEKDAYS = BusinessCalendar(
    "weekdays", ZONE, ((Window(0, 1440),),) * 5 + ((), ()), {date(2011, 7, 4): "Independence Day"},
    first_year=2011, last_year=2030,  # some targets lie eight years ahead
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One row: instants in UTC."""

    id: str
    type: str
    opened: datetime
    target: datetime | None
    closed: datetime | None
    verdict: str


@dataclass
class Agreement:
    """How often our verdict is the city's, and each kind of row where there is nothing to compare or it differs."""

    same: int
    differ: list[Request]
    classes: Counter[str]

    @property
    def share(self) -> float:
        """Of the rows on which both have a verdict."""
        judged = self.same + len(self.differ)
        return self.same / judged if judged else 0.0


def read(path: Path = DATA) -> Iterator[Request]:
    """The rows of the file; its times are the city's, local."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="") as lines:
        for row in csv.DictReader(lines):
            opened = _instant(row["open_dt"])
            assert opened is not None, f"request {row['case_enquiry_id']} was never opened"
            yield Request(
                row["case_enquiry_id"], row["type"], opened, _instant(row["target_dt"]), _instant(row["closed_dt"]),
                row["ontime"],
            )  # fmt: skip


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC) if text else None


def verdict(ledger: Ledger, days: BusinessCalendar) -> str:
    """Of a stopped clock, in the city's words."""
    due = ledger.due(days)
    assert due is not None
    assert ledger.stopped_at is not None
    return "ONTIME" if ledger.stopped_at <= due else "OVERDUE"


def granted(requests: list[Request]) -> Agreement:
    """Clocks with the budgets that the city granted."""
    found = Agreement(0, [], Counter())
    for one in requests:
        if one.closed is None:
            found.classes["still open: no closing to judge"] += 1
        elif one.target is None:
            found.classes[f"no target: the city runs no clock and says {one.verdict or 'nothing'}"] += 1
        elif not one.verdict:
            late = verdict(_replayed(one), WALL)
            found.classes[f"closed, and the city left its verdict empty; ours: {late}"] += 1
        elif verdict(_replayed(one), WALL) == one.verdict:
            found.same += 1
        else:
            found.differ.append(one)
    return found


def _replayed(one: Request) -> Ledger:
    assert one.target is not None
    assert one.closed is not None
    budget = Budget(int((one.target - one.opened).total_seconds()), Unit.SECONDS)
    return Ledger.start(one.opened, budget).stop(one.closed)


def by_type(requests: list[Request]) -> tuple[Agreement, Counter[str]]:
    """Clocks with one budget per type, in the calendar that reproduces most of its targets, and how often which."""
    groups: dict[str, list[Request]] = defaultdict(list)
    for one in requests:
        if one.closed is not None and one.target is not None and one.verdict:
            groups[one.type].append(one)
    found, chosen = Agreement(0, [], Counter()), Counter[str]()
    for members in groups.values():
        budget, days = _rule(members)
        chosen[days.key] += len(members)
        for one in members:
            assert one.closed is not None
            ours = verdict(Ledger.start(one.opened, budget).stop(one.closed), days)
            if ours == one.verdict:
                found.same += 1
            else:
                found.differ.append(one)
                found.classes[f"ours {ours}, the city's {one.verdict}: {_why(one, budget, days)}"] += 1
    return found, chosen


def _rule(members: list[Request]) -> tuple[Budget, BusinessCalendar]:
    """The commonest budget of a type, in whole hours, in the calendar in which it is commonest."""
    best: tuple[int, Budget, BusinessCalendar] | None = None
    for days in (WALL, WEEKDAYS):
        lengths = Counter(_hours(one, days) for one in members)
        hours, times = lengths.most_common(1)[0]
        if best is None or times > best[0]:
            best = (times, Budget(hours, Unit.WORKING_HOURS), days)
    assert best is not None
    return best[1], best[2]


def _hours(one: Request, days: BusinessCalendar) -> int:
    assert one.target is not None
    return round(days.elapsed(Unit.WORKING_HOURS, one.opened, one.target) / 3600)


def _why(one: Request, budget: Budget, days: BusinessCalendar) -> str:
    if one.target is not None and one.target <= one.opened:
        return "its target lies before its opening"
    if abs(_hours(one, days) - budget.amount) <= 1:
        return "closed within the hour of the target"
    other = WEEKDAYS if days is WALL else WALL
    if abs(_hours(one, other) - budget.amount) <= 1:
        return "its target was counted in the other calendar"
    return "the city granted this request another budget than most of its type"


def main() -> None:
    """Replay and print."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    requests = list(read(path))
    first = granted(requests)
    print(f"{len(requests):,} requests; replayed with the budget that the city granted: "
          f"{first.same:,} of {first.same + len(first.differ):,} verdicts agree ({first.share:.2%})")  # fmt: skip
    for why, times in first.classes.most_common():
        print(f"  {times:6,}  not compared: {why}")
    for one in first.differ[:20]:
        print(f"  differs: {one}")
    second, calendars = by_type(requests)
    told = ", ".join(f"{times:,} in {key}" for key, times in calendars.most_common())
    print(f"one budget per type ({told}): {second.share:.2%} of {second.same + len(second.differ):,} verdicts agree")
    for why, times in second.classes.most_common():
        print(f"  {times:6,}  {why}")


if __name__ == "__main__":
    main()
