"""The ledger of one SLA clock: its budget, what was counted, what was suspended and why. A due time is derived.

Every operation returns a new ledger. Nothing edits a due date: the way to move one is to pause, resume, extend, change
the budget or restart, each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from complaints.domain.businesstime import Budget, BusinessCalendar, Unit

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Interval:
    """Time that was counted (`reason` empty) or suspended for a reason; `end` None: still going on."""

    start: datetime
    end: datetime | None
    reason: str = ""

    @property
    def suspended(self) -> bool:
        """The clock stood still."""
        return bool(self.reason)


@dataclass(frozen=True)
class Change:
    """The budget was changed: an extension (`extra` units more), or another budget altogether."""

    at: datetime
    reason: str
    extra: int = 0
    budget: Budget | None = None


@dataclass(frozen=True)
class Ledger:
    """One clock's books. `started_at` is the receipt, not when the row was made."""

    started_at: datetime
    budget: Budget
    intervals: tuple[Interval, ...]
    changes: tuple[Change, ...] = ()
    stopped_at: datetime | None = None
    cancelled: bool = False

    # -- operations

    @staticmethod
    def start(at: datetime, budget: Budget) -> Ledger:
        """Begin counting at `at`."""
        return Ledger(at, budget, (Interval(at, None),))

    @property
    def running(self) -> bool:
        """Neither stopped nor cancelled."""
        return self.stopped_at is None and not self.cancelled

    @property
    def paused(self) -> bool:
        """Running, but standing still."""
        return self.running and self.intervals[-1].suspended

    def pause(self, at: datetime, reason: str) -> Ledger:
        """Stand still from `at`; a clock that stands still already keeps its first reason."""
        return self._switch(at, reason) if self.running and not self.paused else self

    def resume(self, at: datetime) -> Ledger:
        """Count again from `at`."""
        return self._switch(at, "") if self.paused else self

    def _switch(self, at: datetime, reason: str) -> Ledger:
        last = self.intervals[-1]
        at = max(at, last.start)
        closed = Interval(last.start, at, last.reason)
        return replace(self, intervals=(*self.intervals[:-1], closed, Interval(at, None, reason)))

    def stop(self, at: datetime) -> Ledger:
        """The duty is done."""
        if not self.running:
            return self
        last = self.intervals[-1]
        at = max(at, last.start)
        closed = Interval(last.start, at, last.reason)
        return replace(self, intervals=(*self.intervals[:-1], closed), stopped_at=at)

    def cancel(self, at: datetime) -> Ledger:
        """The duty has fallen away (withdrawn, merged)."""
        return replace(self.stop(at), cancelled=True) if self.running else self

    def continue_(self, at: datetime) -> Ledger:
        """Take a stopped clock up again: what was counted stays, the time in between is suspended."""
        if self.stopped_at is None:
            return self
        gap = Interval(self.stopped_at, at, "stopped")
        return replace(self, intervals=(*self.intervals, gap, Interval(at, None)), stopped_at=None, cancelled=False)

    def extend(self, at: datetime, extra: int, reason: str) -> Ledger:
        """`extra` units of the budget more."""
        return replace(self, changes=(*self.changes, Change(at, reason, extra=extra)))

    def rebudget(self, at: datetime, budget: Budget, reason: str) -> Ledger:
        """Another budget (the severity changed); what was counted, paused and extended stays."""
        return replace(self, changes=(*self.changes, Change(at, reason, budget=budget)))

    def backdated(self, at: datetime) -> Ledger:
        """The receipt was earlier than known (a complaint received before was merged in); what was paused stays."""
        first = replace(self.intervals[0], start=at)
        return replace(self, started_at=at, intervals=(first, *self.intervals[1:]))

    # -- what follows from it

    @property
    def budget_now(self) -> Budget:
        """The budget in force, without extensions."""
        if not self.changes:
            return self.budget
        return next((c.budget for c in reversed(self.changes) if c.budget is not None), self.budget)

    @property
    def extra(self) -> int:
        """Units granted by extensions."""
        return sum(c.extra for c in self.changes)

    @cached_property
    def allowed(self) -> Budget:
        """The budget with its extensions."""
        base, extra = self.budget_now, self.extra
        return replace(base, amount=base.amount + extra) if extra else base

    def suspended_between(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Suspended parts of a period."""
        return [
            (max(i.start, start), min(i.end or end, end))
            for i in self.intervals
            if i.suspended and i.start < end and (i.end is None or i.end > start)
        ]

    def due(self, calendar: BusinessCalendar) -> datetime | None:
        """When the budget is used up; None while the clock stands still (it moves with every moment)."""
        if self.paused:
            return None
        if calendar not in self._dues:
            by_date = self.allowed.by_date
            self._dues[calendar] = self._due_by_date(calendar) if by_date else self._due_by_time(calendar)
        return self._dues[calendar]

    @cached_property
    def _dues(self) -> dict[BusinessCalendar, datetime]:
        """What `due` has found out: each rung of a ladder asks for it, and a ledger never changes."""
        return {}

    def _due_by_time(self, calendar: BusinessCalendar) -> datetime:
        return self._when_counted(calendar, self.allowed.seconds)

    def _when_counted(self, calendar: BusinessCalendar, left: float) -> datetime:
        """When so many seconds have been counted; a clock stopped before that is taken to count on from there."""
        unit, last = self.allowed.unit, self.started_at
        for interval in self.intervals:
            last = interval.start
            if interval.end is None:
                break
            if not interval.suspended:
                used = calendar.elapsed(unit, interval.start, interval.end)
                if used >= left:
                    break
                left -= used
            last = interval.end
        return calendar.advance(unit, last, left)

    def _due_by_date(self, calendar: BusinessCalendar) -> datetime:
        """The end of the last day. A day on whose end the clock stood still does not count."""
        lost = 0
        while True:
            day = calendar.last_day(self.allowed, self.started_at, lost)
            found = self._lost_days(calendar, day)
            if found <= lost:
                return calendar.instant(day, 1440)
            lost = found

    def _lost_days(self, calendar: BusinessCalendar, until: date) -> int:
        end = calendar.instant(until, 1440)
        first = calendar.local_date(self.started_at) + (0 if self.allowed.first_day else 1) * _DAY
        lost: set[date] = set()
        for a, b in self.suspended_between(self.started_at, end + _DAY):
            day = calendar.local_date(a)
            while day <= until and calendar.instant(day, 1440) <= b:
                if calendar.counts_day(self.allowed.unit, day) and day >= first:
                    lost.add(day)
                day += _DAY
        return len(lost)

    def counted(self, calendar: BusinessCalendar, until: datetime) -> float:
        """Seconds counted until an instant, on the line of the budget's unit."""
        unit = self.allowed.unit
        return sum(
            calendar.elapsed(unit, i.start, min(i.end or until, until))
            for i in self.intervals
            if not i.suspended and i.start < until
        )

    def share(self, calendar: BusinessCalendar, at: datetime) -> float:
        """Share of the budget used at an instant: 1.0 is due."""
        whole = self._whole(calendar, at)
        return self.counted(calendar, at) / whole if whole > 0 else 1.0

    def _whole(self, calendar: BusinessCalendar, at: datetime) -> float:
        if not self.allowed.by_date:
            return self.allowed.seconds
        due = self.due(calendar) or self.resume(at).due(calendar)
        assert due is not None
        whole = self.resume(at).counted(calendar, due)
        if self.stopped_at is not None:  # what was left when it stopped is part of the whole
            whole += calendar.elapsed(self.allowed.unit, self.stopped_at, due)
        return whole

    def at_share(self, calendar: BusinessCalendar, share: float) -> datetime | None:
        """When that share will be used; None while the clock stands still."""
        due = self.due(calendar)
        if due is None:
            return None
        if share == 1.0:
            return due
        return self._when_counted(calendar, self._whole(calendar, due) * share)

    # -- JSON

    def to_json(self) -> dict[str, Any]:
        """Plain data; instants as ISO 8601 in UTC."""
        return {
            "started_at": _text(self.started_at),
            "budget": asdict(self.budget),
            "intervals": [[_text(i.start), _text(i.end), i.reason] for i in self.intervals],
            "changes": [
                {
                    "at": _text(c.at),
                    "reason": c.reason,
                    "extra": c.extra,
                    "budget": asdict(c.budget) if c.budget else None,
                }
                for c in self.changes
            ],
            "stopped_at": _text(self.stopped_at),
            "cancelled": self.cancelled,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Ledger:
        """The ledger that `to_json` wrote."""
        started = _instant(data["started_at"])
        assert started is not None
        return Ledger(
            started,
            _budget(data["budget"]),
            tuple(Interval(_must(a), _instant(b), reason) for a, b, reason in data["intervals"]),
            tuple(
                Change(_must(c["at"]), c["reason"], c["extra"], _budget(c["budget"]) if c["budget"] else None)
                for c in data["changes"]
            ),
            _instant(data["stopped_at"]),
            data["cancelled"],
        )


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at is not None else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _must(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _budget(data: Mapping[str, Any]) -> Budget:
    return Budget(int(data["amount"]), Unit(data["unit"]), int(data["first_day"]))
