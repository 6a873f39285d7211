"""The record of a remedy: proposed, offered by the decision, accepted or declined, done, verified by somebody else."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import select

from complaints.domain.commands import AcceptRemedy, DeclineRemedy, ProposeRemedy, VerifyRemedy
from complaints.domain.errors import Conflict, Forbidden, InvalidInput
from complaints.domain.forms import RemedyForm, RemedyResult
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Audience, RemedyState, Status, StepKind
from complaints.services import decision, opening
from complaints.services.transition import perform, wake
from complaints.store.tables import Complaint, Remedy, Step
from complaints.store.unit import Work


def propose(work: Work, complaint: Complaint, command: ProposeRemedy) -> None:
    """One more measure, for the decision."""
    perform(work, complaint, "propose_remedy", data={"kind": command.remedy.kind})
    decision.propose(work, complaint, command.remedy)


def accept(work: Work, complaint: Complaint, command: AcceptRemedy) -> None:
    """The complainant wants what is offered: they say so, or somebody who heard so records it."""
    remedy = _offered(work, complaint, command.remedy)
    about = {"remedy": remedy.kind, "evidence": command.evidence}
    perform(work, complaint, "accept_remedy", data=about, audience=_readers(work))
    remedy.state = RemedyState.ACCEPTED
    work.session.add(remedy)


def decline(work: Work, complaint: Complaint, command: DeclineRemedy) -> None:
    """The complainant does not want what is offered; its task ends, and with the last one the response is due."""
    remedy = _offered(work, complaint, command.remedy)
    about = {"remedy": remedy.kind}
    event = perform(work, complaint, "decline_remedy", reason=command.reason, data=about, audience=_readers(work))
    remedy.state, remedy.evidence = RemedyState.DECLINED, command.reason
    work.session.add(remedy)
    for step in opening.open_steps(work, complaint):
        if step.kind == StepKind.REMEDY and step.context["remedy_id"] == str(remedy.id):
            opening.cancel(work, step)
    if _one_waits(work, complaint):
        wake(work, complaint, event.seq)
    else:
        perform(work, complaint, "finish_remedies", actor=SYSTEM)  # it follows; the complainant does not do it


def offers(work: Work, complaint: Complaint, complainant_id: UUID) -> list[Remedy]:
    """What this complainant can accept or decline now, oldest first."""
    if complaint.status != Status.REMEDYING or complaint.complainant_id != complainant_id:
        return []
    return [remedy for remedy in decision.remedies(work, complaint) if remedy.state == RemedyState.OFFERED]


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
    if _one_waits(work, complaint):
        wake(work, complaint, event.seq)
    else:
        perform(work, complaint, "finish_remedies")


def _one_waits(work: Work, complaint: Complaint) -> bool:
    """Whether another remedy is to be accepted or carried out."""
    waiting = (RemedyState.OFFERED, RemedyState.ACCEPTED)
    return any(remedy.state in waiting for remedy in decision.remedies(work, complaint))


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
    perform(work, complaint, "verify_remedy", data={"remedy": remedy.kind, "evidence": command.evidence})
    remedy.state = RemedyState.VERIFIED
    work.session.add(remedy)


def _offered(work: Work, complaint: Complaint, remedy_id: UUID) -> Remedy:
    """A remedy that can be accepted or declined, by this actor; after a merge it is offered to whoever was first."""
    remedy = _one(work, complaint, remedy_id)
    if work.actor.kind == "complainant" and work.actor.id != str(complaint.complainant_id):
        raise Forbidden("This remedy is offered to somebody else who complained about the same matter.")
    if remedy.state != RemedyState.OFFERED:
        raise Conflict("Only a remedy that is offered can be accepted or declined.")
    return remedy


def _readers(work: Work) -> Audience:
    """What complainants say themselves they may read; what a colleague heard and where is noted for colleagues."""
    return Audience.COMPLAINANT if work.actor.kind == "complainant" else Audience.INTERNAL


def _one(work: Work, complaint: Complaint, remedy_id: UUID) -> Remedy:
    found = work.session.get(Remedy, remedy_id)
    if found is None or found.complaint_id != complaint.id:
        raise InvalidInput("no such remedy in this complaint", "remedy")
    return found
