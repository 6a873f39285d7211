"""What rungs do: remind, tell, raise, reassign, review, call. Messages to one person in one tick become a digest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from complaints.domain.sla_policy import QuietHours, RungAction, RungPolicy
from complaints.domain.vocabulary import OPEN, SEVERITIES, IntentKind, IntentState, Severity, StepKind
from complaints.services import holding, notices, opening, outbox, routing
from complaints.services.reclassification import reclassify
from complaints.services.superiors import Recipient, Superiors
from complaints.services.transition import perform, record
from complaints.store.tables import Clock, Complaint, Outbox, Step
from complaints.store.unit import Work

#: A digest waits this long for what else the burst brings; while it waits, everything for its recipient joins it.
GATHER = timedelta(seconds=20)
#: A digest that lists so many matters takes no more.
DIGEST_MOST = 500


@dataclass(frozen=True)
class Fired:
    """One rung that has just fired."""

    complaint: Complaint
    clock: Clock
    rung: RungPolicy
    due_at: datetime
    share: float


def act(work: Work, fired: Sequence[Fired]) -> None:
    """Do what the fired rungs say, in the transaction in which they fired."""
    if not fired:
        return
    letters: dict[str, list[tuple[Recipient, dict[str, Any], Complaint]]] = defaultdict(list)
    staff = Superiors(work)
    for one in fired:
        for action in one.rung.actions:
            if action in _TELLS:
                recipient = staff.recipient(action, one.complaint)
                letters[recipient[0]].append((recipient, _item(one, action), one.complaint))
            else:
                _do(work, one, action)
        _log(work, one)
    _send(work, letters)


_TELLS = frozenset({RungAction.REMIND_ASSIGNEE, RungAction.NOTIFY_LEAD, RungAction.NOTIFY_MANAGER})


def _item(one: Fired, action: RungAction) -> dict[str, Any]:
    return {
        "reference": one.complaint.reference,
        "clock": f"{one.clock.profile}.{one.clock.name}",
        "kind": one.clock.kind,
        "rung": one.rung.key,
        "share": round(one.share, 3),
        "due_at": one.clock.due_at.isoformat() if one.clock.due_at else None,
        "action": action.value,
        "once": f"{one.clock.id}:{one.rung.key}",
    }


def _send(work: Work, letters: Mapping[str, list[tuple[Recipient, dict[str, Any], Complaint]]]) -> None:
    """One message each, or one digest where there are many for one recipient; what comes in the quiet hours is told
    in one digest when they are over."""
    policy = work.policy.sla
    quiet_until = after_quiet(policy.quiet, work.now)
    for items in letters.values():
        (_, person, tags) = items[0][0]
        people = [person] if person else []
        told = [{k: v for k, v in item.items() if k != "once"} for _, item, _ in items]
        if _joined(work, notices.who(person, tags), told):
            continue
        if quiet_until is not None or len(items) > policy.digest_above:
            notices.tell_staff(
                work,
                None,
                "digest",
                items[0][1]["once"],
                people=people,
                tags=tags,
                context={"items": told},
                not_before=quiet_until or work.now + GATHER,
            )
            continue
        for _, item, complaint in items:
            kind = "reminder" if item["action"] == RungAction.REMIND_ASSIGNEE else "escalation"
            reason = f"{item['clock']} {item['rung']}"
            notices.tell_staff(
                work,
                complaint,
                kind,
                item["once"],
                people=people,
                tags=tags,
                context={"reason": reason, "share": item["share"], "due_at": item["due_at"]},
            )


def _joined(work: Work, who: str, told: list[dict[str, Any]]) -> bool:
    """Put the matters into a digest that still waits for the recipient; False where there is none.

    Another tick may be adding to it: then it is not waited for, the recipient gets a second digest.
    """
    waiting = work.session.exec(
        select(Outbox)
        .where(
            col(Outbox.complaint_id).is_(None),
            Outbox.state == IntentState.PENDING,
            Outbox.attempts == 0,
            col(Outbox.next_at) > work.now,
            col(Outbox.key).startswith(f"digest:all:{who}:", autoescape=True),
        )
        .with_for_update(skip_locked=True)
    ).all()
    for row in waiting:
        items = row.payload["context"]["items"]
        if len(items) < DIGEST_MOST:
            row.payload = {**row.payload, "context": {**row.payload["context"], "items": [*items, *told]}}
            work.session.add(row)
            return True
    return False


def after_quiet(quiet: QuietHours | None, now: datetime) -> datetime | None:
    """When a reminder may leave: None for at once, else the end of the quiet hours."""
    if quiet is None:
        return None
    local = now.astimezone(ZoneInfo(quiet.zone))
    at = local.time().replace(tzinfo=None)
    overnight = quiet.start > quiet.end
    inside = (at >= quiet.start or at < quiet.end) if overnight else quiet.start <= at < quiet.end
    if not inside:
        return None
    end = local.replace(hour=quiet.end.hour, minute=quiet.end.minute, second=0, microsecond=0)
    return end if end > local else end + timedelta(days=1)


def _do(work: Work, one: Fired, action: RungAction) -> None:
    complaint = one.complaint
    if action is RungAction.RAISE_SEVERITY:
        _raise_severity(work, one)
    elif action is RungAction.CHANGE_QUEUE:
        complaint.queue = one.rung.queue or complaint.queue
    elif action is RungAction.REASSIGN:
        _reassign(work, complaint)
    elif action is RungAction.OPEN_MANAGEMENT_REVIEW:
        _open_review(work, one)
    elif action is RungAction.WEBHOOK:
        outbox.add(
            work,
            IntentKind.WEBHOOK,
            f"webhook:{one.clock.id}:{one.rung.key}",
            complaint_id=complaint.id,
            payload={"url": one.rung.webhook, "body": _item(one, action)},
        )
    work.session.add(complaint)


def _raise_severity(work: Work, one: Fired) -> None:
    """One worse (at most critical), as a change of class like any other: logged, and seen by the clocks."""
    worse = SEVERITIES[max(0, SEVERITIES.index(Severity(one.complaint.severity)) - 1)]
    if one.complaint.status in OPEN:
        why = f"{one.clock.profile}.{one.clock.name} {one.rung.key}"
        reclassify(work, one.complaint, None, worse, None, reason=why)


def _reassign(work: Work, complaint: Complaint) -> None:
    """Give the open investigation to the least loaded other member of the team, and tell them."""
    for step in opening.open_steps(work, complaint):
        if step.kind != StepKind.INVESTIGATION:
            continue
        found = routing.choose(work, complaint, step, but=complaint.assignee_id)
        if found is not None:
            holding.give(work, complaint, step, found.id)
            data = {"to": found.name, "person_id": str(found.id), "gate": step.gate}
            event = perform(work, complaint, "assign", reason="escalated", data=data)
            due = step.due_at.isoformat() if step.due_at else None
            context = {"step": step.kind, "gate": step.gate, "due_at": due}
            notices.tell_staff(work, complaint, "step_assigned", f"assign-{event.seq}", people=[found], context=context)


def _open_review(work: Work, one: Fired) -> None:
    there = work.session.exec(
        select(Step.id).where(
            Step.complaint_id == one.complaint.id,
            Step.kind == StepKind.MANAGEMENT_REVIEW,
            col(Step.state).in_(["open", "claimed"]),
        )
    ).first()
    if there is None:
        opening.open_step(
            work,
            one.complaint,
            StepKind.MANAGEMENT_REVIEW,
            context={"clock": f"{one.clock.profile}.{one.clock.name}", "rung": one.rung.key},
            briefed=True,
        )


def _log(work: Work, one: Fired) -> None:
    record(
        work,
        one.complaint,
        "rung_fired",
        data={
            "clock": f"{one.clock.profile}.{one.clock.name}",
            "rung": one.rung.key,
            "actions": [str(a) for a in one.rung.actions],
            "share": round(one.share, 3),
        },
    )
