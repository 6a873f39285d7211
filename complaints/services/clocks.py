"""SLA clocks of a complaint: driven by its events through the policy, read and explained. `ladders` climbs their rungs,
`extension` gives them more time.

A clock's row is its ledger; `due_at` and `next_at` (the next rung) are derived and stored so that the tick is one
indexed query. A complaint's clocks always follow the policy that it is pinned to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import col, func, select

from complaints.domain import clocks as domain
from complaints.domain.businesstime import BusinessCalendar, answered
from complaints.domain.calendars import calendar
from complaints.domain.errors import InvalidInput
from complaints.domain.explain import Explanation, Rule, day_by_day
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import ClockPolicy, Profile, RungPolicy
from complaints.domain.vocabulary import Severity, Status
from complaints.services import opening
from complaints.store.columns import new_id
from complaints.store.rows import pending
from complaints.store.tables import Clock, Complaint, Event, Rung
from complaints.store.unit import Work

#: States of a clock that has not come to its end.
RUNNING = ("running", "paused")


def of(work: Work, complaint: Complaint) -> list[Clock]:
    """All clocks of a complaint, in the order they were started."""
    known = work.clocks.get(complaint.id)
    if known is None:
        query = select(Clock).where(Clock.complaint_id == complaint.id)
        known = work.clocks[complaint.id] = list(work.session.exec(query).all())
    return sorted(known, key=lambda clock: (clock.started_at, clock.round, clock.id))


def spec_of(policy: PolicyBundle, clock: Clock) -> tuple[ClockPolicy, BusinessCalendar]:
    """The clock's rule and calendar, under the policy its complaint is pinned to."""
    rule = policy.sla.clock(clock.profile, clock.name)
    assert rule is not None, f"policy {policy.hash} has no clock {clock.profile}.{clock.name}"
    return rule, calendar(policy.hash, policy.sla, rule.calendar)


@dataclass(frozen=True)
class Promise:
    """By which day one rule makes us answer; `day` is a day of the calendar that its clock counts on."""

    profile: Profile
    clock: Clock
    day: date


def promises(work: Work, complaint: Complaint) -> list[Promise]:
    """What our answer is due by, earliest first: running clocks that only the answer stops.

    A clock that hands on to a later one of its profile promises nothing: missing it is allowed.
    """
    policy = work.policies.get(complaint.policy_hash)
    found = []
    for clock in of(work, complaint):
        rule, days = spec_of(policy, clock)
        profile = policy.sla.profile(clock.profile)
        handed_on = policy.sla.successor(clock.profile, rule) is not None
        if clock.state == "running" and clock.due_at is not None and rule.answers and not handed_on and profile:
            found.append(Promise(profile, clock, last_day(clock.due_at, days)))
    return sorted(found, key=lambda one: one.clock.due_at or work.now)


def last_day(due: datetime, days: BusinessCalendar) -> date:
    """The day that a due time belongs to: midnight ends the day before."""
    return days.local_date(due - timedelta(microseconds=1))


def answer_due(work: Work, complaint: Complaint) -> date | None:
    """The day by which we mean to answer; None while nothing promises one."""
    return next((one.day for one in promises(work, complaint)), None)


# -- driven by events


def on_event(work: Work, complaint: Complaint, event: Event) -> None:
    """Let the clocks see an event: start, stop, pause, resume, restart, change budget, cancel."""
    policy = work.policies.get(complaint.policy_hash)
    moved = event.from_status is not None and event.from_status != event.to_status
    happened = domain.Happened(event.kind, event.at, moved)
    if not domain.concerns(policy, happened):
        return
    rows = of(work, complaint) if event.kind != "received" else []
    before = _clocks(complaint, rows)
    starts = domain.may_start(policy, happened) and event.kind != "received"
    received = receipt(work, complaint) if starts else complaint.received_at
    case = _case(work, complaint, received, event)
    _keep(work, complaint, rows, before, domain.react(policy, case, before, happened))


def receipt(work: Work, complaint: Complaint) -> datetime:
    """When the matter first reached us: the earliest receipt of the complaint and of all that were merged into it."""
    into = (
        select(Complaint.id, Complaint.received_at).where(Complaint.merged_into_id == complaint.id).cte(recursive=True)
    )
    into = into.union(
        select(Complaint.id, Complaint.received_at).join(into, col(Complaint.merged_into_id) == into.c.id)
    )
    first = work.session.exec(select(func.min(into.c.received_at))).one()
    return min(complaint.received_at, first) if first is not None else complaint.received_at


def earlier_receipt(work: Work, complaint: Complaint, received_at: datetime) -> None:
    """A complaint received earlier was merged in: the clocks count from that receipt."""
    rows = of(work, complaint)
    before = _clocks(complaint, rows)
    policy = work.policies.get(complaint.policy_hash)
    _keep(work, complaint, rows, before, domain.backdated(policy, before, received_at))


def _clocks(complaint: Complaint, rows: Sequence[Clock]) -> domain.Clocks:
    return domain.Clocks(tuple(complaint.profiles), tuple(_running(c) for c in rows))


def _keep(
    work: Work, complaint: Complaint, rows: Sequence[Clock], before: domain.Clocks, reached: domain.Clocks
) -> None:
    """Store what has changed."""
    if list(reached.profiles) != complaint.profiles:
        complaint.profiles = list(reached.profiles)
    policy = work.policies.get(complaint.policy_hash)
    by_key = {(c.profile, c.name, c.round): c for c in rows}
    known = {id(r) for r in before.running}
    for clock in reached.running:
        if id(clock) not in known:
            key = (clock.profile, clock.name, clock.round)
            if key in by_key:
                _save(work, policy, by_key[key], clock.ledger)
            else:
                by_key[key] = _new_row(work, complaint, policy, clock)
    opening.due(work, complaint, _earliest_due(list(by_key.values())))


def replace_ledger(work: Work, complaint: Complaint, clock: Clock, book: Ledger) -> None:
    """Give the clock this ledger; what follows from it for clock and complaint is derived anew."""
    _save(work, work.policies.get(complaint.policy_hash), clock, book)
    opening.due(work, complaint, _earliest_due(of(work, complaint)))


def _earliest_due(rows: Sequence[Clock]) -> datetime | None:
    """When we are late: the duties of external bodies are theirs."""
    ours = (c.due_at for c in rows if c.state in RUNNING and c.kind != "external")
    return min((at for at in ours if at is not None), default=None)


def due_once(work: Work, complaint: Complaint, happens: str) -> datetime | None:
    """When we are late next once `happens`, an event that is on its way: clocks that it stops no longer count."""
    policy = work.policies.get(complaint.policy_hash)
    return _earliest_due([c for c in of(work, complaint) if happens not in spec_of(policy, c)[0].stops])


def _case(work: Work, complaint: Complaint, received_at: datetime, event: Event) -> domain.Case:
    asked = _latest(work, complaint, "ask_third_party", event, Status.AWAITING_THIRD_PARTY)
    referred = _latest(work, complaint, "refer_externally", event, Status.EXTERNAL)
    return domain.Case(
        received_at,
        Status(complaint.status),
        complaint.category,
        Severity(complaint.severity),
        complaint.jurisdiction,
        complaint.closing_category,
        complaint.acknowledged_at,
        purpose=str(asked.data.get("purpose", "")) if asked else "",
        body=str(referred.data.get("body", "")) if referred else "",
        referred_at=referred.at if referred else None,
    )


def _latest(work: Work, complaint: Complaint, kind: str, event: Event, status: Status) -> Event | None:
    """The event that brought the case into `status`, while it is there."""
    if complaint.status != status or event.kind == kind:
        return event if event.kind == kind else None
    query = select(Event).where(Event.complaint_id == complaint.id, Event.kind == kind)
    return work.session.exec(query.order_by(col(Event.seq).desc()).limit(1)).first()


def _running(row: Clock) -> domain.Running:
    return domain.Running(row.profile, row.name, row.round, Ledger.from_json(row.ledger))


def _new_row(work: Work, complaint: Complaint, policy: PolicyBundle, clock: domain.Running) -> Clock:
    rule = policy.sla.clock(clock.profile, clock.name)
    assert rule is not None
    days = calendar(policy.hash, policy.sla, rule.calendar)
    row = pending(
        Clock,
        id=new_id(work.now),
        complaint_id=complaint.id,
        profile=clock.profile,
        name=clock.name,
        round=clock.round,
        policy_hash=policy.hash,
        **_derived(policy, rule, days, clock.ledger, ()),
    )
    work.session.add(row)
    work.clocks.get(complaint.id, []).append(row)
    return row


def _save(work: Work, policy: PolicyBundle, clock: Clock, book: Ledger) -> None:
    """Store the ledger and what follows from it."""
    rule, days = spec_of(policy, clock)
    climbs = book.running and not book.paused and not _new(work, clock)
    fired = fired_rungs(work, [clock.id]).get(clock.id, set()) if climbs else set()
    for name, value in _derived(policy, rule, days, book, fired).items():
        setattr(clock, name, value)
    work.session.add(clock)


def _derived(
    policy: PolicyBundle, rule: ClockPolicy, days: BusinessCalendar, book: Ledger, fired: Collection[str]
) -> dict[str, Any]:
    """The columns that follow from a ledger, given which rungs have fired."""
    due = answered(days, book.due)
    if book.cancelled:
        state = "cancelled"
    elif book.stopped_at is not None:
        state = "met" if due is None or book.stopped_at <= due else "missed"
    else:
        state = "paused" if book.paused else "running"
    ahead = rung_times(policy, rule, days, book) if state == "running" else []
    return {
        "kind": rule.kind,
        "ledger": book.to_json(),
        "started_at": book.started_at,
        "stopped_at": book.stopped_at,
        "due_at": due,
        "state": state,
        "next_at": next((at for at, rung in ahead if rung.key not in fired), None),
    }


def fired_rungs(work: Work, clocks: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Rungs that have fired, by clock."""
    rows = work.session.exec(select(Rung.clock_id, Rung.rung).where(col(Rung.clock_id).in_(clocks))).all()
    found: dict[UUID, set[str]] = {}
    for clock_id, rung in rows:
        found.setdefault(clock_id, set()).add(rung)
    return found


def rung_times(
    policy: PolicyBundle, rule: ClockPolicy, days: BusinessCalendar, book: Ledger
) -> list[tuple[datetime, RungPolicy]]:
    """When each rung of a clock is due, in order; empty while it stands still."""
    due = answered(days, book.due)
    if due is None:
        return []

    def when(rung: RungPolicy) -> datetime:
        if rung.offset is not None:
            return due + rung.offset
        share = rung.share
        assert share is not None
        at = answered(days, lambda enough: book.at_share(enough, share))
        assert at is not None  # it does not stand still
        return at

    return sorted(((when(rung), rung) for rung in policy.sla.rungs(rule)), key=lambda pair: pair[0])


def used(book: Ledger, days: BusinessCalendar, at: datetime) -> float:
    """Share of the budget used at an instant."""
    return answered(days, lambda enough: book.share(enough, at))


def _new(work: Work, clock: Clock) -> bool:
    return clock not in work.session or clock in work.session.new


# -- for people


def running(work: Work, complaint: Complaint, name: str) -> Clock:
    """The running clock called `profile.name`."""
    profile, _, clock_name = name.partition(".")
    found = [c for c in of(work, complaint) if c.state in RUNNING]
    match = next((c for c in found if c.profile == profile and c.name == clock_name), None)
    if match is None:
        known = ", ".join(f"{c.profile}.{c.name}" for c in found) or "none"
        raise InvalidInput(f"no running clock {name!r}; running are: {known}", "clock")
    return match


def summary(work: Work, complaint: Complaint) -> list[dict[str, Any]]:
    """The complaint's clocks for screens and programs: state, due time, share of the budget used now."""
    policy = work.policies.get(complaint.policy_hash)
    found = []
    for clock in of(work, complaint):
        book = Ledger.from_json(clock.ledger)
        profile = policy.sla.profile(clock.profile)
        found.append(
            {
                "clock": f"{clock.profile}.{clock.name}",
                "round": clock.round,
                "kind": clock.kind,
                "state": clock.state,
                "started_at": clock.started_at,
                "due_at": clock.due_at,
                "stopped_at": clock.stopped_at,
                "share": round(used(book, spec_of(policy, clock)[1], book.stopped_at or work.now), 4),
                "verify_first": bool(profile and profile.verify_first),
                "citation": profile.citation if profile else "",
            }
        )
    return found


def explained(work: Work, complaint: Complaint, zone: ZoneInfo, name: str | None = None) -> list[Explanation]:
    """Each clock (or the one called `profile.name`) with its ledger day by day.

    Days are those of the clock's calendar; for a clock that runs day and night, those of `zone`.
    """
    found = [c for c in of(work, complaint) if name is None or f"{c.profile}.{c.name}" == name]
    if name is not None and not found:
        known = ", ".join(f"{c.profile}.{c.name}" for c in of(work, complaint)) or "none"
        raise InvalidInput(f"no clock {name!r}; this complaint has: {known}", "clock")
    return [_explained(work, work.policies.get(complaint.policy_hash), clock, zone) for clock in found]


def _explained(work: Work, policy: PolicyBundle, clock: Clock, zone: ZoneInfo) -> Explanation:
    rule, days = spec_of(policy, clock)
    profile, book = policy.sla.profile(clock.profile), Ledger.from_json(clock.ledger)
    assert profile is not None
    if days.always and not book.allowed.by_date:
        days = replace(days, zone=zone)
    told = answered(days, lambda enough: day_by_day(book, enough, work.now))
    return Explanation(
        clock=f"{clock.profile}.{clock.name}",
        round=clock.round,
        kind=clock.kind,
        state=clock.state,
        rule=_rule(policy, profile, rule),
        calendar=days.key,
        zone=days.zone.key,
        from_receipt=rule.starts == "received" and clock.round == 1,
        started_at=book.started_at,
        stopped_at=book.stopped_at,
        cancelled_because=_why_cancelled(work, clock) if book.cancelled else "",
        budget=book.allowed,
        pauses=tuple(i for i in book.intervals if i.suspended),
        changes=book.changes,
        days=told.days,
        days_left_out=told.days_left_out,
        total=told.total,
        due_at=told.due_at,
        as_of=work.now,
    )


def _rule(policy: PolicyBundle, profile: Profile, clock: ClockPolicy) -> Rule:
    after = policy.sla.successor(profile.key, clock)
    return Rule(
        profile.title_en,
        profile.title_zh,
        profile.citation,
        profile.evidence,
        profile.verify_first,
        profile.effective_from,
        profile.effective_until,
        profile.unverified_of(clock.name),
        f"{profile.key}.{after.name}" if after else "",
    )


def _why_cancelled(work: Work, clock: Clock) -> str:
    """By the event at that moment: the matter ended, the rule ceased to apply, or another round began."""
    query = select(Event.kind).where(Event.complaint_id == clock.complaint_id, Event.at == clock.stopped_at)
    kinds = set(work.session.exec(query).all())
    ends = {"withdraw": "withdrawn", "merge": "merged", "reject": "rejected"} | dict.fromkeys(
        domain.RECLASSIFIES, "inapplicable"
    )
    return next((why for kind, why in ends.items() if kind in kinds), "restarted")
