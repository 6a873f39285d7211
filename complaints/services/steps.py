"""Human steps: list, claim, release, complete. Whatever the door (API, CLI, console, Prefect's form), it ends here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import select

from complaints.domain.errors import AlreadyDone, Conflict, Forbidden, InvalidInput, NotFound, StaleVersion
from complaints.domain.forms import (
    FORMS,
    ApprovalDecision,
    ApprovalForm,
    CallBackForm,
    ClosureDecision,
    ClosureForm,
    ConfirmationForm,
    ExtensionForm,
    ExternalDecision,
    ExternalForm,
    Form,
    InformForm,
    InvestigationForm,
    ManagementReviewForm,
    ResponseForm,
    ReviewDecision,
    ReviewForm,
    TriageDecision,
    TriageForm,
)
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Finding, Role, Status, StepKind, StepState
from complaints.services import (
    actions,
    appeals,
    decision,
    extension,
    holding,
    merging,
    reclassification,
    remedies,
    response,
    routing,
    waiting,
)
from complaints.services.transition import lock, perform, record, wake
from complaints.store.tables import Complaint, Person, Step
from complaints.store.unit import Work


def parse(kind: StepKind, answer: Mapping[str, Any]) -> Form:
    """The answer as the form of its step; `InvalidInput` names each wrong field."""
    try:
        return FORMS[kind].model_validate(dict(answer))
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None


def locked(work: Work, step_id: UUID) -> tuple[Complaint, Step]:
    """The step and its complaint, both locked."""
    step = work.session.get(Step, step_id)
    if step is None:
        raise NotFound("task", step_id)
    complaint = lock(work, step.complaint_id)
    work.session.refresh(step)
    return complaint, step


def _still_open(step: Step, version: int | None) -> None:
    if step.state == StepState.DONE:
        assert step.completed_at is not None
        raise AlreadyDone(f"Task {step.gate}", step.completed_by or "somebody", step.completed_at)
    if step.state == StepState.CANCELLED:
        raise Conflict(f"Task {step.gate} is no longer needed; the complaint has moved on.")
    if version is not None and version != step.version:
        raise StaleVersion(version, step.version)


def _may(work: Work, complaint: Complaint, step: Step) -> None:
    why = routing.not_eligible(work, complaint, step, work.actor)
    if why:
        raise Forbidden(why)


def claim(work: Work, step_id: UUID, version: int | None = None) -> Step:
    """Take a step: from now on it is the actor's. Claiming one's own again changes nothing."""
    complaint, step = locked(work, step_id)
    _still_open(step, version)
    _may(work, complaint, step)
    if work.actor.kind != "person":
        raise Forbidden("Only a person can claim a task; use a key that belongs to one.")
    me = UUID(work.actor.id)
    if step.state == StepState.CLAIMED and step.assignee_id == me:
        return step
    if step.state == StepState.CLAIMED and not work.actor.has(Role.LEAD, Role.MANAGER):
        holder = work.session.get(Person, step.assignee_id) if step.assignee_id else None
        raise Conflict(f"Task {step.gate} is already claimed by {holder.name if holder else 'somebody'}.")
    holding.give(work, complaint, step, me, taken=True)
    record(work, complaint, "step_claimed", data={"gate": step.gate})
    return step


def release(work: Work, step_id: UUID, version: int | None = None) -> Step:
    """Give a step back to its team."""
    complaint, step = locked(work, step_id)
    _still_open(step, version)
    if str(step.assignee_id) != work.actor.id and not work.actor.has(Role.LEAD, Role.MANAGER):
        raise Forbidden("Only the holder or a lead can release a task.")
    holding.give(work, complaint, step, None)
    record(work, complaint, "step_released", data={"gate": step.gate})
    return step


def save_draft(work: Work, step_id: UUID, draft: Mapping[str, Any]) -> Step:
    """Keep a half-filled form; it is not checked and decides nothing."""
    complaint, step = locked(work, step_id)
    _still_open(step, None)
    _may(work, complaint, step)
    step.draft = dict(draft)
    work.session.add(step)
    return step


def complete(work: Work, step_id: UUID, answer: Mapping[str, Any], version: int | None = None) -> Step:
    """Complete a step with its form. Exactly one actor does; the next gets `AlreadyDone` saying who and when."""
    complaint, step = locked(work, step_id)
    _still_open(step, version)
    form = parse(StepKind(step.kind), answer)
    _may(work, complaint, step)
    holder = step.assignee_id if step.state == StepState.CLAIMED else None
    if holder and str(holder) != work.actor.id and not work.actor.has(Role.LEAD, Role.MANAGER, Role.SYSTEM):
        person = work.session.get_one(Person, holder)
        raise Conflict(f"Task {step.gate} is claimed by {person.name}. Ask them to release it.")
    step.state, step.answer, step.draft = (
        StepState.DONE,
        form.model_dump(mode="json"),
        {},
    )
    step.completed_at, step.completed_by, step.completed_by_id = (
        work.now,
        work.actor.name,
        work.actor.id,
    )
    step.version += 1
    work.session.add(step)
    work.session.flush()
    _FOLLOW[StepKind(step.kind)](work, complaint, step, form)
    return step


def complete_gate(work: Work, complaint_id: UUID, gate: str, answer: Mapping[str, Any]) -> Step:
    """Complete the step with that gate (Prefect's own form names gates, not ids)."""
    step = work.session.exec(select(Step).where(Step.complaint_id == complaint_id, Step.gate == gate)).first()
    if step is None:
        raise NotFound("task", gate)
    return complete(work, step.id, answer)


def kind_of(work: Work, step_id: UUID) -> StepKind:
    """The kind of a step."""
    step = work.session.get(Step, step_id)
    if step is None:
        raise NotFound("task", step_id)
    return StepKind(step.kind)


def _triage(work: Work, complaint: Complaint, step: Step, form: TriageForm) -> None:
    holding.triaged(work, complaint, step)
    if form.category or form.severity or form.team:
        reclassification.reclassify(
            work,
            complaint,
            form.category,
            form.severity,
            form.team,
            reason=form.reason or "triage",
        )
    if form.decision is TriageDecision.INVESTIGATE:
        perform(work, complaint, "confirm_triage", reason=form.reason)
    elif form.decision is TriageDecision.FAST_TRACK:
        actions.fast_track(work, complaint, form.solution or "")
    elif form.decision is TriageDecision.REJECT:
        actions.reject(work, complaint, form.reason)
    else:
        assert form.merge_into is not None
        into = merging.named(work, complaint, form.merge_into, "merge_into")
        merging.merge(work, complaint, into, form.reason, "merge_into")


def _investigation(work: Work, complaint: Complaint, step: Step, form: InvestigationForm) -> None:
    policy = work.policies.get(complaint.policy_hash)
    if form.root_cause and form.root_cause not in {r.key for r in policy.taxonomy.root_causes}:
        known = ", ".join(r.key for r in policy.taxonomy.root_causes)
        raise InvalidInput(f"unknown root cause; known are: {known}", "root_cause")
    decision.note_findings(
        work,
        complaint,
        "investigation",
        form.finding,
        form.summary,
        root_cause=form.root_cause,
        responsible_unit=form.responsible_unit,
        internal_note=form.internal_note,
        proposals=form.remedies,
    )
    if complaint.status in (Status.AWAITING_CUSTOMER, Status.AWAITING_THIRD_PARTY):
        waiting.stop_waiting(work, complaint, "findings were submitted without waiting further")
    perform(
        work,
        complaint,
        "submit_findings",
        data={"finding": form.finding, "remedies": len(form.remedies)},
    )


def _approval(work: Work, complaint: Complaint, step: Step, form: ApprovalForm) -> None:
    approved = form.decision is ApprovalDecision.APPROVE
    decision.decide(
        work,
        complaint,
        "approve" if approved else "send_back",
        outcome="approved" if approved else "sent_back",
        reason=form.reason,
    )


def _response(work: Work, complaint: Complaint, step: Step, form: ResponseForm) -> None:
    response.send(work, complaint, body=form.body)


def _call_back(work: Work, complaint: Complaint, step: Step, form: CallBackForm) -> None:
    if not form.reached:
        appeals.close_unconfirmed(work, complaint, "called back, nobody answered")
    elif form.satisfied:
        appeals.confirm(
            work,
            complaint,
            ConfirmationForm(accepted=True, words=form.words),
            via="phone",
        )
    else:
        appeals.appeal(work, complaint, form.words or "not satisfied, said on the telephone")


def _confirmation(work: Work, complaint: Complaint, step: Step, form: ConfirmationForm) -> None:
    appeals.confirm(
        work,
        complaint,
        form,
        via="portal" if work.actor.kind == "complainant" else "staff",
    )


def _review(work: Work, complaint: Complaint, step: Step, form: ReviewForm) -> None:
    if form.decision is ReviewDecision.EXTERNAL:
        appeals.refer_externally(work, complaint, form.body_name or "", form.summary)
        return
    finding = form.finding or Finding(complaint.finding or Finding.NOT_UPHELD)
    decision.note_findings(work, complaint, "review", finding, form.summary, proposals=form.remedies)
    changes = form.decision is ReviewDecision.CHANGE
    perform(
        work,
        complaint,
        "change_outcome" if changes else "uphold_outcome",
        data={"finding": finding},
    )


def _external(work: Work, complaint: Complaint, step: Step, form: ExternalForm) -> None:
    data = {"body_reference": form.body_reference}
    if form.decision is ExternalDecision.CLOSES:
        complaint.closing_category = decision.closing_category(work, complaint)
        perform(work, complaint, "external_closes", reason=form.summary, data=data)
        return
    assert form.finding is not None
    decision.note_findings(work, complaint, "external", form.finding, form.summary, proposals=form.remedies)
    perform(work, complaint, "external_changes", reason=form.summary, data=data)


def _closure(work: Work, complaint: Complaint, step: Step, form: ClosureForm) -> None:
    if form.decision is ClosureDecision.REOPEN:
        appeals.reopen(work, complaint, form.reason)
    else:
        event = record(work, complaint, "window_ended", reason=form.reason)
        wake(work, complaint, event.seq)


def _extension(work: Work, complaint: Complaint, step: Step, form: ExtensionForm) -> None:
    extension.decide(work, complaint, step, approve=form.approve, reason=form.reason)


def _management_review(work: Work, complaint: Complaint, step: Step, form: ManagementReviewForm) -> None:
    perform(
        work,
        complaint,
        "review_management",
        reason=form.measures,
        data={"gate": step.gate},
    )
    if form.assignee is not None:
        actions.assign(work, complaint, form.assignee, reason=form.measures)


def _inform(work: Work, complaint: Complaint, step: Step, form: InformForm) -> None:
    about = {"gate": step.gate, "letter": step.context["letter"], "told": form.told}
    record(work, complaint, "informed", reason=form.words, data=about)


_FOLLOW: dict[StepKind, Callable[[Work, Complaint, Step, Any], None]] = {
    StepKind.TRIAGE: _triage,
    StepKind.INVESTIGATION: _investigation,
    StepKind.APPROVAL: _approval,
    StepKind.REMEDY: remedies.carried_out,
    StepKind.RESPONSE: _response,
    StepKind.CALL_BACK: _call_back,
    StepKind.CONFIRMATION: _confirmation,
    StepKind.REVIEW: _review,
    StepKind.EXTERNAL: _external,
    StepKind.CLOSURE: _closure,
    StepKind.EXTENSION: _extension,
    StepKind.MANAGEMENT_REVIEW: _management_review,
    StepKind.INFORM: _inform,
}

assert set(_FOLLOW) == set(FORMS), "every human step needs a form and a consequence"
