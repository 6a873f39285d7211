"""More time for a clock: asked for with a reason, decided by a role that its rule names, told to the complainants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from complaints.domain.commands import RequestExtension
from complaints.domain.errors import Conflict, InvalidInput
from complaints.domain.ledger import Ledger
from complaints.domain.sla_policy import ClockPolicy
from complaints.domain.vocabulary import Audience, Role, StepKind
from complaints.services import clocks, informing, opening, superiors
from complaints.services.transition import perform
from complaints.store.tables import Clock, Complaint, Step
from complaints.store.unit import Work


def request(work: Work, complaint: Complaint, command: RequestExtension) -> None:
    """Ask for more time; whoever the rule names decides before the old time is over, and is told of the request."""
    clock = clocks.running(work, complaint, command.clock)
    policy = work.policies.get(complaint.policy_hash)
    rule, _ = clocks.spec_of(policy, clock)
    if rule.extension is None:
        raise Conflict(f"{command.clock} cannot be extended: its rule allows none.")
    _within_cap(rule, Ledger.from_json(clock.ledger), command.days)
    if clock.due_at is not None and clock.due_at <= work.now:
        raise Conflict(
            f"{command.clock} is over since {clock.due_at.isoformat(timespec='minutes')}; too late to extend."
        )
    perform(
        work, complaint, "request_extension", reason=command.reason, data={"clock": command.clock, "by": command.days}
    )
    step = opening.open_step(
        work,
        complaint,
        StepKind.EXTENSION,
        context={"clock_id": str(clock.id), "clock": command.clock, "days": command.days, "reason": command.reason},
        due_in=clock.due_at - work.now if clock.due_at else None,
    )
    superiors.hand_over(work, complaint, step, Role.LEAD if Role.LEAD in rule.extension.roles else Role.MANAGER)


def _within_cap(rule: ClockPolicy, book: Ledger, days: int) -> None:
    assert rule.extension is not None
    if book.extra + days > rule.extension.most:
        raise InvalidInput(
            f"at most {rule.extension.most} {rule.budget.unit} in all, {book.extra} are granted already", "days"
        )


def decide(work: Work, complaint: Complaint, step: Step, *, approve: bool, reason: str) -> None:
    """Grant or refuse. Granting is refused once the old time is over; where the rule demands notice, every complainant
    is told (`informing`). A notice that has not gone out when the old time is over raises an alarm (`watch`)."""
    name, days = step.context["clock"], int(step.context["days"])
    if not approve:
        perform(work, complaint, "refuse_extension", reason=reason, data={"clock": name})
        return
    clock = work.session.get_one(Clock, UUID(step.context["clock_id"]), with_for_update=True)
    if clock.state not in clocks.RUNNING or (clock.due_at is not None and clock.due_at <= work.now):
        raise Conflict(f"{name} is over; it can no longer be extended. Refuse the request instead.")
    policy = work.policies.get(complaint.policy_hash)
    rule, _ = clocks.spec_of(policy, clock)
    assert rule.extension is not None
    if not {str(r) for r in work.actor.roles} & {str(r) for r in rule.extension.roles}:
        raise Conflict(f"{name} may be extended by: {', '.join(rule.extension.roles)}.")
    old, book = clock.due_at, Ledger.from_json(clock.ledger)
    _within_cap(rule, book, days)  # another request may have been granted since this one was made
    clocks.replace_ledger(work, complaint, clock, book.extend(work.now, days, step.context["reason"]))
    event = perform(
        work,
        complaint,
        "extend",
        reason=step.context["reason"],
        audience=Audience.COMPLAINANT,
        data={"clock": name, "by": days, "old": _text(old), "new": _text(clock.due_at)},
    )
    if rule.extension.notice:
        told = {"reason": step.context["reason"], "old_due_at": _text(old)}
        informing.inform(work, complaint, "extension_notice", str(event.seq), told, before=old)


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
