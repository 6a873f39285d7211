"""What another policy would have done to past cases: which clocks it would have warned of, breached, extended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from complaints.domain.businesstime import BusinessCalendar, answered
from complaints.domain.calendars import calendar
from complaints.domain.clocks import Case, Clocks, Happened, after, backdated, concerns, extended, react
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import RungPolicy


class LogEntry(NamedTuple):
    """One event of a case log, as far as clocks are concerned."""

    kind: str
    at: datetime
    from_status: str | None
    to_status: str | None
    data: Mapping[str, Any]


@dataclass
class Tally:
    """Counts by (policy, clock, severity, team, verdict); verdicts: clocks, warned, breached, extended.

    `warned`: the clock reached a rung before its due time, of the ladder that its policy gives it.
    """

    counts: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)
    cases: int = 0

    def merge(self, other: Tally) -> None:
        """Add another tally's counts."""
        self.counts.update(other.counts)
        self.cases += other.cases


def at_receipt(policy: PolicyBundle, received_at: datetime, jurisdiction: str, log: Sequence[LogEntry]) -> Case:
    """A case before its first event, had it begun under `policy`. `jurisdiction` is what it is now: what it was is what
    the first correction replaced, and where nobody said one, the policy does."""
    corrected = (entry.data["jurisdiction"][0] for entry in log if "jurisdiction" in entry.data)
    return Case(received_at, jurisdiction=next(corrected, jurisdiction) or policy.sla.jurisdiction)


def replay(policy: PolicyBundle, case: Case, log: Iterable[LogEntry]) -> tuple[Case, Clocks]:
    """The clocks of one case, had it begun under `policy`."""
    clocks = Clocks()
    for entry in log:
        case = after(case, entry.kind, entry.to_status, entry.data, entry.at)
        moved = entry.from_status is not None and entry.from_status != entry.to_status
        happened = Happened(entry.kind, entry.at, moved)
        if concerns(policy, happened):
            clocks = react(policy, case, clocks, happened)
        elif entry.kind == "merged" and "earlier_receipt" in entry.data:
            clocks = backdated(policy, clocks, case.received_at)
        elif entry.kind == "extend":
            clocks = extended(policy, clocks, entry.data["clock"], entry.data["by"], entry.at, "")
    return case, clocks


def judge(name: str, policy: PolicyBundle, case: Case, clocks: Clocks, team: str, now: datetime, tally: Tally) -> None:
    """Add the verdicts on one case's clocks to a tally; what an external body owes is not ours to keep or break."""
    for clock in clocks.running:
        book = clock.ledger
        rule = policy.sla.clock(clock.profile, clock.name)
        assert rule is not None
        if book.cancelled or rule.kind == "external":
            continue
        days = calendar(policy.hash, policy.sla, rule.calendar)
        key = (name, f"{clock.profile}.{clock.name}", str(case.severity), team)
        tally.counts[(*key, "clocks")] += 1
        if book.extra:
            tally.counts[(*key, "extended")] += 1
        due, ended = answered(days, book.due), book.stopped_at or now
        if due is not None and ended > due:
            tally.counts[(*key, "breached")] += 1
        if any(_climbed(rung, book, days, due, ended) for rung in policy.sla.rungs(rule)):
            tally.counts[(*key, "warned")] += 1


def _climbed(rung: RungPolicy, book: Ledger, days: BusinessCalendar, due: datetime | None, ended: datetime) -> bool:
    """Had the clock reached a rung before its due time when it ended?"""
    if rung.share is not None:
        share = rung.share
        return share < 1 and answered(days, lambda enough: book.share(enough, ended)) >= share
    assert rung.offset is not None
    return rung.offset < timedelta(0) and due is not None and due + rung.offset <= ended
