"""What entering a status opens and leaving it closes: human steps, waiting times, dates. Part of the transition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, func, select

from complaints.domain.vocabulary import (
    OPEN,
    ClosingCategory,
    RemedyState,
    Role,
    Status,
    StepKind,
    StepState,
)
from complaints.services import notices
from complaints.services.contact import way_to_reach
from complaints.store.columns import new_id
from complaints.store.tables import Complainant, Complaint, Remedy, Step
from complaints.store.unit import Work

S = Status
#: In which statuses an open step of a kind still makes sense.
ALIVE: Mapping[StepKind, frozenset[Status]] = {
    StepKind.TRIAGE: frozenset({S.TRIAGE}),
    StepKind.INVESTIGATION: frozenset({S.INVESTIGATING, S.AWAITING_CUSTOMER, S.AWAITING_THIRD_PARTY}),
    StepKind.APPROVAL: frozenset({S.DECIDING}),
    StepKind.REMEDY: frozenset({S.REMEDYING}),
    StepKind.RESPONSE: frozenset({S.RESPONDING}),
    StepKind.CALL_BACK: frozenset({S.CONFIRMING}),
    StepKind.CONFIRMATION: frozenset({S.CONFIRMING}),
    StepKind.REVIEW: frozenset({S.REVIEWING}),
    StepKind.EXTERNAL: frozenset({S.EXTERNAL}),
    StepKind.CLOSURE: frozenset({S.CLOSED}),
    StepKind.EXTENSION: OPEN,
    StepKind.MANAGEMENT_REVIEW: OPEN,
    StepKind.INFORM: OPEN,
}

#: Steps that the flow run waits on; the others stand beside it.
BLOCKING = frozenset(ALIVE) - {StepKind.EXTENSION, StepKind.MANAGEMENT_REVIEW, StepKind.INFORM}

#: The role a person needs for a step.
ROLE: Mapping[StepKind, Role] = {
    StepKind.APPROVAL: Role.APPROVER,
    StepKind.REVIEW: Role.APPROVER,
    StepKind.CLOSURE: Role.LEAD,
    StepKind.EXTENSION: Role.LEAD,
    StepKind.MANAGEMENT_REVIEW: Role.MANAGER,
    StepKind.CONFIRMATION: Role.COMPLAINANT,
}

#: Steps with a time of their own: a promise, a window, a request. All others are due when the next clock is.
_OWN_TIME = frozenset(
    {StepKind.REMEDY, StepKind.CALL_BACK, StepKind.CONFIRMATION, StepKind.CLOSURE, StepKind.EXTENSION}
)

_LIVE = (StepState.OPEN, StepState.CLAIMED)

#: Ends that a letter of their own has told already.
_TOLD = frozenset({ClosingCategory.WITHDRAWN, ClosingCategory.MERGED, ClosingCategory.REJECTED})


def open_steps(work: Work, complaint: Complaint) -> list[Step]:
    """Steps not yet completed, oldest first."""
    known = work.steps.get(complaint.id)
    if known is None:
        query = (
            select(Step)
            .where(Step.complaint_id == complaint.id, col(Step.state).in_(_LIVE))
            .order_by(col(Step.opened_at), col(Step.number))
        )
        known = work.steps[complaint.id] = list(work.session.exec(query).all())
    return [step for step in known if step.state in _LIVE]


def due(work: Work, complaint: Complaint, at: datetime | None) -> None:
    """The next clock of the complaint ends at `at`; so do the open steps that have no time of their own."""
    if complaint.due_at == at:
        return
    complaint.due_at = at
    for step in open_steps(work, complaint) if complaint.event_count > 1 else ():  # nothing is open at its receipt
        if step.kind not in _OWN_TIME:
            step.due_at = at
            work.session.add(step)


def open_step(
    work: Work,
    complaint: Complaint,
    kind: StepKind,
    *,
    context: Mapping[str, Any] | None = None,
    due_in: timedelta | None = None,
    briefed: bool = False,
) -> Step:
    """Open the next step of `kind`; its gate is `kind-number`, unique within the complaint."""
    last = work.session.exec(
        select(func.max(Step.number)).where(Step.complaint_id == complaint.id, Step.kind == kind)
    ).one()
    number = (last or 0) + 1
    step = Step(
        id=new_id(work.now),
        complaint_id=complaint.id,
        kind=kind,
        number=number,
        gate=f"{kind}-{number}",
        state=StepState.OPEN,
        team=complaint.team or work.policy.routing.default_team,
        role=ROLE.get(kind, Role.AGENT),
        opened_at=work.now,
        briefed_at=work.now if briefed else None,
        due_at=work.now + due_in if due_in is not None else complaint.due_at,
        context=dict(context or {}),
    )
    work.session.add(step)
    work.session.flush()
    work.steps.get(complaint.id, []).append(step)
    return step


def left(work: Work, complaint: Complaint, before: Status, after: Status) -> None:
    """Cancel steps that make no sense in `after`, and stop waiting."""
    complaint.waiting_until = None
    for step in open_steps(work, complaint):
        if after not in ALIVE[StepKind(step.kind)]:
            cancel(work, step)
    if before is Status.CLOSED and after in OPEN:
        complaint.closed_at = None
        complaint.closing_category = None
        complaint.round += 1


def cancel(work: Work, step: Step) -> None:
    """End a step that nobody needs to do any more."""
    step.state = StepState.CANCELLED
    step.completed_at = work.now
    step.version += 1
    work.session.add(step)


def entered(work: Work, complaint: Complaint, status: Status) -> None:
    """Open what a person must do now, and set how long we wait for people outside."""
    timings = work.policies.get(complaint.policy_hash).lifecycle.timings
    if status is Status.TRIAGE:
        open_step(work, complaint, StepKind.TRIAGE)
    elif status is Status.INVESTIGATING:
        if not any(s.kind == StepKind.INVESTIGATION for s in open_steps(work, complaint)):
            open_step(work, complaint, StepKind.INVESTIGATION)
    elif status is Status.AWAITING_CUSTOMER:
        complaint.waiting_until = work.now + timings.customer_reply_within
    elif status is Status.REMEDYING:
        _open_remedies(work, complaint)
    elif status is Status.CONFIRMING:
        complaint.waiting_until = work.now + timings.confirm_within
        complainant = work.session.get_one(Complainant, complaint.complainant_id)
        by_mail = way_to_reach(complainant).kind == "email"
        open_step(
            work,
            complaint,
            StepKind.CONFIRMATION if by_mail else StepKind.CALL_BACK,
            due_in=timings.confirm_within,
        )
    elif status is Status.REVIEWING:
        open_step(work, complaint, StepKind.REVIEW)
    elif status is Status.EXTERNAL:
        open_step(work, complaint, StepKind.EXTERNAL)
    elif status is Status.CLOSED:
        _closed(work, complaint, timings.appeal_window)
    elif status is Status.ARCHIVED:
        complaint.archived_at = work.now
    work.session.add(complaint)


def _open_remedies(work: Work, complaint: Complaint) -> None:
    to_accept = work.policies.get(complaint.policy_hash).lifecycle.remedies_to_accept
    remedies = work.session.exec(
        select(Remedy)
        .where(
            Remedy.complaint_id == complaint.id,
            col(Remedy.state).in_([RemedyState.PROPOSED, RemedyState.OFFERED]),
        )
        .order_by(col(Remedy.proposed_at), col(Remedy.id))
    ).all()
    for remedy in remedies:  # the gates are numbered as the measures were proposed
        remedy.state = RemedyState.OFFERED if remedy.kind in to_accept else RemedyState.ACCEPTED
        work.session.add(remedy)
        open_step(
            work,
            complaint,
            StepKind.REMEDY,
            context={
                "remedy_id": str(remedy.id),
                "kind": remedy.kind,
                "description": remedy.description,
            },
            due_in=remedy.due_at - work.now,
        )
    offered = [r for r in remedies if r.state == RemedyState.OFFERED]
    if offered:  # to whoever complained first, who is the one to accept
        told = [{"kind": r.kind, "description": r.description, **_worth(r)} for r in offered]
        once, first = str(complaint.event_count), complaint.complainant_id
        notices.tell_complainants(work, complaint, "remedy_offer", once, {"remedies": told}, only=first)


def _worth(remedy: Remedy) -> dict[str, str | None]:
    return {"amount": None if remedy.amount is None else str(remedy.amount), "currency": remedy.currency}


def _closed(work: Work, complaint: Complaint, window: timedelta) -> None:
    complaint.closed_at = work.now
    if complaint.closing_category not in _TOLD:
        notices.tell_complainants(work, complaint, "closure", str(complaint.round))
    final = complaint.closing_category in (
        ClosingCategory.WITHDRAWN,
        ClosingCategory.MERGED,
    )
    if window > timedelta() and not final:
        complaint.waiting_until = work.now + window
        open_step(work, complaint, StepKind.CLOSURE, due_in=window, briefed=True)
