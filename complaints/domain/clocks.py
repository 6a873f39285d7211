"""How events drive SLA clocks: one pure function, used alike by the running system and by the back-test of a policy.

Clocks are functions of events. Replaying a case's log under another policy therefore says what that policy would have
done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from complaints.domain.businesstime import Budget
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import ClockPolicy
from complaints.domain.vocabulary import ClosingCategory, Severity, Status

#: Events after which category, severity or jurisdiction may select other profiles or budgets.
RECLASSIFIES = frozenset({"received", "classified", "reclassify", "refer_externally"})
#: Clocks that start when work on the case begins also start when a person confirmed the triage.
_BEGINS_WORK = frozenset({"route", "confirm_triage"})
_ENDS_ALL = frozenset({ClosingCategory.WITHDRAWN, ClosingCategory.MERGED, ClosingCategory.REJECTED})
_PAUSING = {
    Status.AWAITING_CUSTOMER: "awaiting_customer",
    Status.AWAITING_THIRD_PARTY: "awaiting_third_party",
    Status.EXTERNAL: "external",
}


@dataclass(frozen=True)
class Case:
    """What clocks need to know of a complaint at the moment of an event."""

    received_at: datetime
    status: Status = Status.RECEIVED
    category: str = ""
    severity: Severity = Severity.MODERATE
    jurisdiction: str = ""
    closing: str | None = None


@dataclass(frozen=True)
class Happened:
    """One event of the case log; `moved` when it changed the status."""

    kind: str
    at: datetime
    moved: bool = False


@dataclass(frozen=True)
class Running:
    """One round of one clock, with its books."""

    profile: str
    name: str
    round: int
    ledger: Ledger


@dataclass(frozen=True)
class Clocks:
    """All clocks of a case, and the profiles that apply to it."""

    profiles: tuple[str, ...] = ()
    running: tuple[Running, ...] = ()


def triggers(policy: PolicyBundle) -> frozenset[str]:
    """Kinds of event that some clock of the policy listens to."""
    known = _TRIGGERS.get(policy.hash)
    if known is None:
        rules = [c for p in policy.sla.profiles for c in p.clocks]
        named = {e for c in rules for e in (c.starts, *c.stops, *c.restarts, *c.continues)}
        known = _TRIGGERS[policy.hash] = frozenset(named | RECLASSIFIES | _BEGINS_WORK)
    return known


_TRIGGERS: dict[str, frozenset[str]] = {}


def concerns(policy: PolicyBundle, event: Happened) -> bool:
    """Could the event change any clock?"""
    return event.moved or event.kind in triggers(policy)


def react(policy: PolicyBundle, case: Case, clocks: Clocks, event: Happened) -> Clocks:
    """The clocks after an event. `case` is the complaint as it stands after it."""
    profiles = _applying(policy, case) if event.kind in RECLASSIFIES else clocks.profiles
    found = list(clocks.running)
    if profiles != clocks.profiles:
        found = [c if c.profile in profiles else _ended(c, event.at) for c in found]
    for key in profiles:
        profile = policy.sla.profile(key)
        for rule in profile.clocks if profile else ():
            begun = _start(case, key, rule, found, event, selected=key not in clocks.profiles)
            if begun is not None:
                found.append(begun)
    return Clocks(profiles, tuple(_follow(policy, case, clock, event) for clock in found))


def backdated(policy: PolicyBundle, clocks: Clocks, receipt: datetime) -> Clocks:
    """The clocks when a complaint received at `receipt` was merged in: those that count from a receipt count from the
    earliest."""

    def earlier(clock: Running) -> Running:
        rule, book = policy.sla.clock(clock.profile, clock.name), clock.ledger
        counts = rule is not None and rule.starts == "received" and clock.round == 1 and book.running
        return replace(clock, ledger=book.backdated(receipt)) if counts and receipt < book.started_at else clock

    return replace(clocks, running=tuple(earlier(c) for c in clocks.running))


def extended(policy: PolicyBundle, clocks: Clocks, name: str, extra: int, at: datetime, reason: str) -> Clocks:
    """The clocks when `name` (`profile.name`) was granted `extra` units, as far as the policy's cap lets them."""

    def longer(clock: Running) -> Running:
        rule, book = policy.sla.clock(clock.profile, clock.name), clock.ledger
        if f"{clock.profile}.{clock.name}" != name or not book.running or rule is None or rule.extension is None:
            return clock
        granted = min(extra, rule.extension.most - book.extra)
        return replace(clock, ledger=book.extend(at, granted, reason)) if granted > 0 else clock

    return replace(clocks, running=tuple(longer(c) for c in clocks.running))


def _ended(clock: Running, at: datetime) -> Running:
    """The rule no longer applies to the case."""
    return replace(clock, ledger=clock.ledger.cancel(at)) if clock.ledger.running else clock


def _applying(policy: PolicyBundle, case: Case) -> tuple[str, ...]:
    category = policy.taxonomy.category(case.category)
    found = policy.sla.applying(
        jurisdiction=case.jurisdiction,
        category=case.category,
        category_profiles=category.profiles if category else (),
        external=case.status is Status.EXTERNAL,
        on=case.received_at.date(),
    )
    return tuple(p.key for p in found)


def _budget(rule: ClockPolicy, severity: Severity) -> Budget:
    return (rule.by_severity.get(severity) or rule.budget).budget()


def _start(
    case: Case, profile: str, rule: ClockPolicy, found: list[Running], event: Happened, *, selected: bool
) -> Running | None:
    """Start the clock, or a fresh round of it; a profile that is selected late counts from the receipt all the same.

    `selected`: the profile has come to apply by this event, perhaps again (then the clocks it had were cancelled).
    """
    mine = [c for c in found if c.profile == profile and c.name == rule.name]
    again = bool(mine) and event.kind in rule.restarts
    late = rule.starts == "received" and event.kind in RECLASSIFIES
    begins = event.kind == rule.starts or (rule.starts in _BEGINS_WORK and event.kind in _BEGINS_WORK)
    there = bool(mine) and not (selected and all(c.ledger.cancelled for c in mine))
    if not again and (there or not (late or begins)):
        return None
    for old in mine:
        if old.ledger.running:
            found[found.index(old)] = _ended(old, event.at)
    start = case.received_at if rule.starts == "received" and not again else event.at
    return Running(profile, rule.name, len(mine) + 1, Ledger.start(start, _budget(rule, case.severity)))


def _follow(policy: PolicyBundle, case: Case, clock: Running, event: Happened) -> Running:
    rule = policy.sla.clock(clock.profile, clock.name)
    if rule is None:
        return clock
    book = clock.ledger
    if case.closing in _ENDS_ALL and case.status is Status.CLOSED:
        book = book.cancel(event.at)
    if event.kind in rule.stops:
        book = book.stop(event.at)
    elif event.kind in rule.continues and not book.cancelled:
        book = book.continue_(event.at)
    if book.running:
        reason = _PAUSING.get(case.status)
        book = book.pause(event.at, reason) if reason in rule.pauses else book.resume(event.at)
        book = book.rebudget(event.at, _budget(rule, case.severity), f"severity {case.severity}")
    return clock if book is clock.ledger else replace(clock, ledger=book)


def after(case: Case, kind: str, to_status: str | None, data: Mapping[str, Any]) -> Case:
    """The case after an event of its log, for replays: what the event says changed."""
    changes: dict[str, Any] = {}
    if to_status is not None:
        changes["status"] = Status(to_status)
    if kind == "classified":
        changes |= {"category": data["category"], "severity": Severity(data["severity"])}
    elif kind == "reclassify":
        changes |= {k: data[k][1] for k in ("category", "severity") if k in data}
        if "severity" in changes:
            changes["severity"] = Severity(changes["severity"])
    elif kind in ("withdraw", "merge", "reject"):
        changes["closing"] = {"withdraw": "withdrawn", "merge": "merged", "reject": "rejected"}[kind]
    elif kind == "merged" and "earlier_receipt" in data:
        changes["received_at"] = min(case.received_at, datetime.fromisoformat(data["earlier_receipt"]))
    elif kind == "reopen":
        changes["closing"] = None
    return replace(case, **changes) if changes else case
