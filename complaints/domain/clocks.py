"""How events drive SLA clocks: one pure function, used alike by the running system and by the back-test of a policy.

Clocks are functions of events. Replaying a case's log under another policy therefore says what that policy would have
done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from complaints.domain.businesstime import Budget, answered
from complaints.domain.calendars import calendar
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import ClockPolicy, Profile
from complaints.domain.vocabulary import ANSWERED, OPEN, Severity, Status

#: Events after which category, severity or jurisdiction may select other profiles or budgets.
RECLASSIFIES = frozenset({"received", "classified", "reclassify", "refer_externally"})
#: Clocks that start when work on the case begins also start when a person confirmed the triage.
_BEGINS_WORK = frozenset({"route", "confirm_triage"})
#: While the case is here, our answer to it is still to come.
_AT_WORK = OPEN - ANSWERED
_PAUSING = {
    Status.AWAITING_CUSTOMER: "awaiting_customer",
    Status.AWAITING_THIRD_PARTY: "awaiting_third_party",
    Status.EXTERNAL: "external",
}


class Case(NamedTuple):
    """What clocks need to know of a complaint at the moment of an event."""

    received_at: datetime
    status: Status = Status.RECEIVED
    category: str = ""
    severity: Severity = Severity.MODERATE
    jurisdiction: str = ""
    closing: str | None = None
    acknowledged_at: datetime | None = None
    purpose: str = ""  #: for what a third party is asked, while it is
    body: str = ""  #: the external body, while the case is with one
    referred_at: datetime | None = None  #: since when it is


class Happened(NamedTuple):
    """One event of the case log; `moved` when it changed the status."""

    kind: str
    at: datetime
    moved: bool = False


class Running(NamedTuple):
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


@dataclass(frozen=True)
class _Heard:
    """Kinds of event that some clock of a policy listens to, and those of them that may start one."""

    any: frozenset[str]
    starting: frozenset[str]


def _heard(policy: PolicyBundle) -> _Heard:
    known = _HEARD.get(policy.hash)
    if known is None:
        rules = [c for p in policy.sla.profiles for c in p.clocks]
        starting = frozenset(
            {e for c in rules for e in (c.starts, *c.restarts)} | RECLASSIFIES | _BEGINS_WORK | {"reopen"}
        )
        others = frozenset({e for c in rules for e in (*c.stops, *c.continues)})
        known = _HEARD[policy.hash] = _Heard(starting | others, starting)
    return known


_HEARD: dict[str, _Heard] = {}


def concerns(policy: PolicyBundle, event: Happened) -> bool:
    """Could the event change any clock?"""
    return event.moved or event.kind in _heard(policy).any


def may_start(policy: PolicyBundle, event: Happened) -> bool:
    """Could the event start a clock? Only then it matters when the matter was received."""
    return event.kind in _heard(policy).starting


def react(policy: PolicyBundle, case: Case, clocks: Clocks, event: Happened) -> Clocks:
    """The clocks after an event. `case` is the complaint as it stands after it."""
    profiles = _applying(policy, case, event) if event.kind in RECLASSIFIES else clocks.profiles
    found = list(clocks.running)
    if profiles != clocks.profiles:
        found = [c if c.profile in profiles else _ended(c, event.at) for c in found]
    for key in profiles if may_start(policy, event) else ():
        profile = policy.sla.profile(key)
        for rule in profile.clocks if profile else ():
            begun = _start(case, key, rule, found, event, selected=key not in clocks.profiles)
            if begun is not None:
                found = [_replaced(policy, rule, c, event.at) if (c.profile, c.name) == begun[:2] else c for c in found]
                found.append(begun)
    return Clocks(profiles, tuple([_follow(policy, case, clock, event, found) for clock in found]))


def backdated(policy: PolicyBundle, clocks: Clocks, receipt: datetime) -> Clocks:
    """The clocks when a complaint received at `receipt` was merged in: those that count from a receipt count from the
    earliest."""

    def earlier(clock: Running) -> Running:
        rule, book = policy.sla.clock(clock.profile, clock.name), clock.ledger
        counts = rule is not None and rule.starts == "received" and clock.round == 1 and book.running
        return clock._replace(ledger=book.backdated(receipt)) if counts and receipt < book.started_at else clock

    return replace(clocks, running=tuple(earlier(c) for c in clocks.running))


def extended(policy: PolicyBundle, clocks: Clocks, name: str, extra: int, at: datetime, reason: str) -> Clocks:
    """The clocks when `name` (`profile.name`) was granted `extra` units, as far as the policy's cap lets them."""

    def longer(clock: Running) -> Running:
        rule, book = policy.sla.clock(clock.profile, clock.name), clock.ledger
        if f"{clock.profile}.{clock.name}" != name or not book.running or rule is None or rule.extension is None:
            return clock
        granted = min(extra, rule.extension.most - book.extra)
        return clock._replace(ledger=book.extend(at, granted, reason)) if granted > 0 else clock

    return replace(clocks, running=tuple(longer(c) for c in clocks.running))


def _ended(clock: Running, at: datetime) -> Running:
    """The rule no longer applies to the case."""
    return clock._replace(ledger=clock.ledger.cancel(at)) if clock.ledger.running else clock


def _replaced(policy: PolicyBundle, rule: ClockPolicy, clock: Running, at: datetime) -> Running:
    """Another round takes the place of this one; what was late by then stays late."""
    days = calendar(policy.hash, policy.sla, rule.calendar)
    due = answered(days, clock.ledger.due) if clock.ledger.running else None
    late = due is not None and due < at
    return clock._replace(ledger=clock.ledger.stop(at)) if late else _ended(clock, at)


def _applying(policy: PolicyBundle, case: Case, event: Happened) -> tuple[str, ...]:
    """Keys of the profiles that apply, in file order. Days are those of the profile's own time zone."""
    category = policy.taxonomy.category(case.category)
    named = category.profiles if category else ()

    def applies(profile: Profile) -> bool:
        rule = profile.applies
        since = (case.referred_at or event.at) if rule.external else case.received_at
        zone = calendar(policy.hash, policy.sla, profile.calendar).zone
        return (
            profile.in_force(since.astimezone(zone).date())
            and (case.status is Status.EXTERNAL or not rule.external)
            and (
                rule.all
                or (case.jurisdiction != "" and case.jurisdiction in rule.jurisdictions)
                or (case.category != "" and case.category in rule.categories)
                or profile.key in named
                or any(word.casefold() in case.body.casefold() for word in rule.bodies)
            )
        )

    return tuple(p.key for p in policy.sla.profiles if applies(p))


def _budget(rule: ClockPolicy, severity: Severity) -> Budget:
    return (rule.by_severity.get(severity) or rule.budget).budget


def _start(
    case: Case, profile: str, rule: ClockPolicy, found: list[Running], event: Happened, *, selected: bool
) -> Running | None:
    """Start the clock, or a fresh round of it; a profile that is selected late counts from the receipt all the same.

    A case that ended without an answer and is reopened owes one anew, counted from the reopening. What starts a clock
    in the house (a referral, a decision) starts it again when it happens again after the clock has ended.

    `selected`: the profile has come to apply by this event, perhaps again (then the clocks it had were cancelled).
    """
    late = rule.starts == "received" and event.kind in RECLASSIFIES
    begins = event.kind == rule.starts or (rule.starts in _BEGINS_WORK and event.kind in _BEGINS_WORK)
    mine = [c for c in found if c.profile == profile and c.name == rule.name]
    owed = event.kind == "reopen" and rule.answers and bool(mine) and mine[-1].ledger.cancelled
    if not (late or begins or owed or event.kind in rule.restarts):
        return None
    anew = begins and rule.starts != "received" and bool(mine) and not mine[-1].ledger.running
    again = owed or anew or (bool(mine) and event.kind in rule.restarts)
    there = bool(mine) and not (selected and all(c.ledger.cancelled for c in mine))
    if not again and (there or not (late or begins)):
        return None
    if rule.answers and case.status not in _AT_WORK:
        return None  # the answer has been given: nothing would fulfil the duty, unless the case goes back to work
    start = case.received_at if rule.starts == "received" and not again else event.at
    book = Ledger.start(start, _budget(rule, case.severity))
    if late and case.acknowledged_at is not None and "acknowledged" in rule.stops:
        book = book.stop(case.acknowledged_at)  # done before the rule came to apply
    return Running(profile, rule.name, len(mine) + 1, book)


def _follow(policy: PolicyBundle, case: Case, clock: Running, event: Happened, found: list[Running]) -> Running:
    rule, book = policy.sla.clock(clock.profile, clock.name), clock.ledger
    if rule is None or not (book.running or event.kind in rule.continues):
        return clock
    if event.kind in rule.stops:
        book = book.stop(event.at)
    elif event.kind in rule.continues and not book.cancelled and _last_round(clock, found):
        book = book.continue_(event.at)
    if book.running and event.moved and case.status is Status.CLOSED:
        book = _closed(rule, case, book, event.at)
    if book.running:
        reason, budget = _standing(rule, case), _budget(rule, case.severity)
        book = book.pause(event.at, reason) if reason else book.resume(event.at)
        if budget != book.budget_now:
            book = book.rebudget(event.at, budget, f"severity {case.severity}")
    return clock if book is clock.ledger else Running(clock.profile, clock.name, clock.round, book)


def _last_round(clock: Running, found: list[Running]) -> bool:
    """Earlier rounds are over for good."""
    return not any(c[:2] == clock[:2] and c.round > clock.round for c in found)


def _closed(rule: ClockPolicy, case: Case, book: Ledger, at: datetime) -> Ledger:
    """The case has ended, and with it the duty; only an acknowledgment is owed until it has arrived."""
    if case.closing in rule.cancels:
        return book.cancel(at)
    return book if "acknowledged" in rule.stops else book.stop(at)


def _standing(rule: ClockPolicy, case: Case) -> str | None:
    """Why the clock stands still in the case's status, if it does."""
    if case.status is Status.AWAITING_THIRD_PARTY and case.purpose in rule.pauses:
        return case.purpose
    reason = _PAUSING.get(case.status)
    return reason if reason in rule.pauses else None


def after(case: Case, kind: str, to_status: str | None, data: Mapping[str, Any], at: datetime) -> Case:
    """The case after an event of its log, for replays: what the event says changed."""
    changes: dict[str, Any] = {}
    if to_status is not None and to_status != case.status:
        changes["status"] = Status(to_status)
    if kind == "classified":
        changes |= {"category": data["category"], "severity": Severity(data["severity"])}
    elif kind == "reclassify":
        changes |= {k: data[k][1] for k in ("category", "severity", "jurisdiction") if k in data}
        if "severity" in changes:
            changes["severity"] = Severity(changes["severity"])
    elif kind in ("withdraw", "merge", "reject"):
        changes["closing"] = {"withdraw": "withdrawn", "merge": "merged", "reject": "rejected"}[kind]
    elif kind == "merged" and "earlier_receipt" in data:
        changes["received_at"] = min(case.received_at, datetime.fromisoformat(data["earlier_receipt"]))
    elif kind == "reopen":
        changes["closing"] = None
    elif kind in ("acknowledged", "acknowledgment_bounced"):
        changes["acknowledged_at"] = at if kind == "acknowledged" else None
    elif kind == "ask_third_party":
        changes["purpose"] = data.get("purpose", "")
    elif kind == "refer_externally":
        changes |= {"body": data.get("body", ""), "referred_at": at}
    return case._replace(**changes) if changes else case
