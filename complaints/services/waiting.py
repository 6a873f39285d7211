"""Waiting for an answer: from the complainant, or from a third party."""

from __future__ import annotations

from complaints.domain import commands, placeholders
from complaints.domain.vocabulary import AskedFor, Audience, Status
from complaints.services import informing, mailtext, notices, thread
from complaints.services.transition import perform
from complaints.store.tables import Complaint
from complaints.store.unit import Work


def ask_customer(work: Work, complaint: Complaint, command: commands.AskCustomer) -> None:
    """Ask, and wait."""
    placeholders.refuse_unfilled(command.question, "question")
    event = perform(work, complaint, "ask_customer", audience=Audience.COMPLAINANT)
    said = thread.post(
        work,
        complaint,
        command.question,
        direction="out",
        audience=Audience.COMPLAINANT,
        kind="question",
    )
    until = complaint.waiting_until.isoformat() if complaint.waiting_until else None
    notices.tell_complainants(
        work,
        complaint,
        "question",
        str(event.seq),
        {"question": command.question, "answer_until": until},
        said=said,
    )


def customer_replied(work: Work, complaint: Complaint, command: commands.CustomerReplied) -> None:
    """The answer came; work goes on."""
    perform(work, complaint, "customer_replied", audience=Audience.COMPLAINANT)
    thread.post(
        work,
        complaint,
        mailtext.plain(command.answer) if work.actor.kind == "key" else command.answer,  # a mail that was passed on
        direction="in",
        audience=Audience.COMPLAINANT,
        kind="answer",
    )
    notices.tell_handler(work, complaint, "the complainant answered")


def ask_third_party(work: Work, complaint: Complaint, command: commands.AskThirdParty) -> None:
    """Ask somebody outside, by mail where an address is given."""
    placeholders.refuse_unfilled(command.question, "question")
    about = {"party": command.party, "purpose": command.purpose}
    event = perform(work, complaint, "ask_third_party", data=about)
    said = thread.post(
        work,
        complaint,
        command.question,
        direction="out",
        audience=Audience.THIRD_PARTY,
        kind="question",
    )
    if command.email:
        notices.tell_third_party(
            work,
            complaint,
            command.email,
            command.party,
            str(event.seq),
            said,
        )
    if command.purpose is AskedFor.APPRAISAL:
        informing.inform(work, complaint, "appraisal_notice", str(event.seq))


def third_party_replied(work: Work, complaint: Complaint, command: commands.ThirdPartyReplied) -> None:
    """The third party answered; work goes on."""
    perform(work, complaint, "third_party_replied")
    thread.post(
        work,
        complaint,
        command.answer,
        direction="in",
        audience=Audience.THIRD_PARTY,
        kind="answer",
    )


def stop_waiting(work: Work, complaint: Complaint, reason: str) -> None:
    """Work goes on without the answer."""
    waiting_for_customer = complaint.status == Status.AWAITING_CUSTOMER
    perform(
        work,
        complaint,
        "customer_replied" if waiting_for_customer else "third_party_replied",
        reason=reason,
    )
