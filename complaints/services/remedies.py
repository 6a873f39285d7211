"""The record of a remedy: proposed, offered by the decision, accepted, done, verified by somebody else."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import select

from complaints.domain.commands import AcceptRemedy, ProposeRemedy, VerifyRemedy
from complaints.domain.errors import Conflict, Forbidden, InvalidInput
from complaints.domain.forms import RemedyForm, RemedyResult
from complaints.domain.vocabulary import RemedyState, StepKind
from complaints.services import decision
from complaints.services.transition import perform, wake
from complaints.store.tables import Complaint, Remedy, Step
from complaints.store.unit import Work


def propose(work: Work, complaint: Complaint, command: ProposeRemedy) -> None:
    """One more measure, for the decision."""
    perform(work, complaint, "propose_remedy", data={"kind": command.remedy.kind})
    decision.propose(work, complaint, command.remedy)


def accept(work: Work, complaint: Complaint, command: AcceptRemedy) -> None:
    """The complainant wants what is offered; somebody who heard so records it."""
    remedy = _one(work, complaint, command.remedy)
    if remedy.state != RemedyState.OFFERED:
        raise Conflict("Only a remedy that is offered can be accepted.")
    remedy.state = RemedyState.ACCEPTED
    work.session.add(remedy)
    perform(work, complaint, "accept_remedy", data={"remedy": remedy.kind, "evidence": command.evidence})


def carried_out(work: Work, complaint: Complaint, step: Step, form: RemedyForm) -> None:
    """The owner of a remedy says what became of it; when none is left, the response is due."""
    remedy = work.session.get_one(Remedy, UUID(step.context["remedy_id"]))
    if remedy.state == RemedyState.OFFERED and form.result is RemedyResult.DONE:
        raise Conflict("The customer has not accepted this remedy yet. Record that they do, then complete the task.")
    remedy.state = {
        RemedyResult.DONE: RemedyState.DONE,
        RemedyResult.DECLINED: RemedyState.DECLINED,
        RemedyResult.FAILED: RemedyState.FAILED,
    }[form.result]
    remedy.evidence = form.evidence
    remedy.done_at = work.now if form.result is RemedyResult.DONE else None
    work.session.add(remedy)
    event = perform(work, complaint, "update_remedy", data={"remedy": remedy.kind, "result": form.result})
    waiting = [r for r in decision.remedies(work, complaint) if r.state in (RemedyState.OFFERED, RemedyState.ACCEPTED)]
    if waiting:
        wake(work, complaint, event.seq)
    else:
        perform(work, complaint, "finish_remedies")


def verify(work: Work, complaint: Complaint, command: VerifyRemedy) -> None:
    """Somebody else than who carried it out has looked whether it arrived."""
    remedy = _one(work, complaint, command.remedy)
    if remedy.state != RemedyState.DONE:
        raise Conflict("Only a remedy that is carried out can be verified.")
    done_by = work.session.exec(
        select(Step.completed_by_id).where(
            Step.complaint_id == complaint.id,
            Step.kind == StepKind.REMEDY,
            Step.context["remedy_id"].as_string() == str(remedy.id),
        )
    ).all()
    if work.actor.id in done_by:
        raise Forbidden("Whoever carried out a remedy may not verify it (four eyes). Ask somebody else.")
    remedy.state = RemedyState.VERIFIED
    work.session.add(remedy)
    perform(work, complaint, "verify_remedy", data={"remedy": remedy.kind, "evidence": command.evidence})


def _one(work: Work, complaint: Complaint, remedy_id: UUID) -> Remedy:
    found = work.session.get(Remedy, remedy_id)
    if found is None or found.complaint_id != complaint.id:
        raise InvalidInput("no such remedy in this complaint", "remedy")
    return found
