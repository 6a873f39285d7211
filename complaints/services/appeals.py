"""What follows the answer: the complainant's verdict, appeal, reopening, an external body."""

from __future__ import annotations

from complaints.domain import commands
from complaints.domain.forms import ConfirmationForm
from complaints.domain.vocabulary import Audience, StepKind
from complaints.services import decision, notices, opening, thread
from complaints.services.transition import perform
from complaints.store.columns import new_id
from complaints.store.tables import Complaint, Survey
from complaints.store.unit import Work


def confirm(work: Work, complaint: Complaint, form: ConfirmationForm, *, via: str) -> None:
    """The complainant's verdict: accepted closes the case, otherwise it is an appeal. The survey is kept either way."""
    work.session.add(
        Survey(
            id=new_id(work.now),
            complaint_id=complaint.id,
            at=work.now,
            round=complaint.round,
            accepted=form.accepted,
            rating=form.rating,
            resolved=form.resolved,
            effort=form.effort,
            words=form.words,
            via=via,
        )
    )
    if not form.accepted:
        appeal(work, complaint, form.words)
        return
    complaint.closing_category = decision.closing_category(work, complaint)
    perform(
        work,
        complaint,
        "confirm",
        audience=Audience.COMPLAINANT,
        data={"rating": form.rating, "via": via},
    )


def close_unconfirmed(work: Work, complaint: Complaint, reason: str) -> None:
    """No verdict came: the case closes with the category of what was done."""
    complaint.closing_category = decision.closing_category(work, complaint)
    perform(
        work,
        complaint,
        "confirm",
        reason=reason,
        data={"via": "staff", "confirmed": False},
    )


def appeal(work: Work, complaint: Complaint, reason: str) -> None:
    """Somebody independent looks at it again."""
    event = perform(work, complaint, "appeal", reason=reason, audience=Audience.COMPLAINANT)
    if reason:
        thread.post(
            work,
            complaint,
            reason,
            direction="in",
            audience=Audience.COMPLAINANT,
            kind="appeal",
        )
    notices.tell_complainants(work, complaint, "appeal_acknowledgment", str(event.seq))


def reopen(work: Work, complaint: Complaint, reason: str) -> None:
    """Take a closed complaint up again; the clocks keep what they counted."""
    perform(work, complaint, "reopen", reason=reason)


def refer_externally(work: Work, complaint: Complaint, body: str, reason: str) -> None:
    """The case goes to an outside body."""
    perform(
        work,
        complaint,
        "refer_externally",
        reason=reason,
        audience=Audience.COMPLAINANT,
        data={"body": body},
    )
    for step in opening.open_steps(work, complaint):
        if step.kind == StepKind.EXTERNAL:
            step.context = {**step.context, "body": body}
            work.session.add(step)


def external_accepts(work: Work, complaint: Complaint, command: commands.ExternalAccepts) -> None:
    """The outside body takes the case up; its own clocks follow."""
    data = {"body_reference": command.body_reference}
    perform(work, complaint, "external_accepts", reason=command.reason, audience=Audience.COMPLAINANT, data=data)
