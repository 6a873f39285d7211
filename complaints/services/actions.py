"""Everything that can be done to a complaint beside its human steps: `act` is the door, each verb is a function.

Those that belong together have rooms of their own: `waiting`, `merging`, `reclassification`, `appeals`, `remedies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import col, select

from complaints.domain import commands, placeholders
from complaints.domain.commands import COMMANDS
from complaints.domain.errors import ActionNotAllowed, Conflict, Forbidden, InvalidInput, NotFound
from complaints.domain.lifecycle import askable
from complaints.domain.ports import Actor
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Audience, ClosingCategory, Role, Status, StepKind
from complaints.services import (
    acknowledgment,
    appeals,
    disposal,
    extension,
    holding,
    informing,
    merging,
    notices,
    opening,
    reclassification,
    remedies,
    routing,
    thread,
    waiting,
    walk,
)
from complaints.services.transition import facts, lock_reference, perform, row_for
from complaints.store.tables import Complaint, Event, Person, Step
from complaints.store.unit import Work

#: What no complainant can ask for where others complain in the same case.
_FOR_ALL = frozenset({"withdraw"})
#: What somebody who joined a case by a merger cannot ask for: it was offered to whoever complained first.
_OF_WHO_WAS_FIRST = frozenset({"accept_remedy", "decline_remedy"})


def act(
    work: Work,
    reference: str,
    action: str,
    body: Mapping[str, Any],
    version: int | None = None,
) -> Complaint:
    """Do `action` on the complaint: check what was given, lock, let the transition table and roles decide, save."""
    if action not in COMMANDS:
        raise NotFound("action", action)
    try:
        command = COMMANDS[action].model_validate(dict(body))
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    complaint = lock_reference(work, reference, version)
    _not_conflicted(work, complaint)
    _DO[action](work, complaint, command)
    return complaint


def _not_conflicted(work: Work, complaint: Complaint) -> None:
    if work.actor.kind == "person":
        person = work.session.get_one(Person, UUID(work.actor.id))
        if routing.conflicted(complaint, notices.parties(work, complaint), person):
            raise Forbidden("You are named in or related to this complaint (conflict of interest).")


def withdraw(work: Work, complaint: Complaint, command: commands.Withdraw) -> None:
    """Close as withdrawn and confirm it to the complainant. No complainant takes back what others complain of, too."""
    if work.actor.kind == "complainant" and len(notices.parties(work, complaint)) > 1:
        raise Conflict(
            "Others complain of the same matter; it goes on for them. Write to us if you want no more of it."
        )
    complaint.closing_category = ClosingCategory.WITHDRAWN
    event = perform(
        work,
        complaint,
        "withdraw",
        reason=command.reason,
        audience=Audience.COMPLAINANT,
    )
    notices.tell_complainants(work, complaint, "withdrawal_confirmation", str(event.seq))


def reject(work: Work, complaint: Complaint, reason: str) -> None:
    """Close as not admissible and say why."""
    placeholders.refuse_unfilled(reason, "reason")
    complaint.closing_category = ClosingCategory.REJECTED
    event = perform(work, complaint, "reject", reason=reason, audience=Audience.COMPLAINANT)
    notices.tell_complainants(work, complaint, "rejection", str(event.seq), {"reason": reason})


def assign(work: Work, complaint: Complaint, person_id: UUID, reason: str = "") -> None:
    """Hand the complaint and its open investigation to somebody."""
    person = work.session.get(Person, person_id)
    if person is None or not person.active:
        raise InvalidInput("no such active person", "person")
    if routing.conflicted(complaint, notices.parties(work, complaint), person):
        raise Conflict(f"{person.name} is named in or related to this complaint (conflict of interest).")
    complaint.assignee_id = person.id
    for step in opening.open_steps(work, complaint):
        if step.role == Role.AGENT:
            holding.give(work, complaint, step, person.id)
    event = perform(
        work,
        complaint,
        "assign",
        reason=reason,
        data={"to": person.name, "person_id": str(person.id)},
    )
    notices.tell_staff(
        work,
        complaint,
        "step_assigned",
        f"assign-{event.seq}",
        people=[person],
        context={
            "step": "investigation",
            "gate": "",
            "due_at": complaint.due_at.isoformat() if complaint.due_at else None,
        },
    )


def add_note(work: Work, complaint: Complaint, command: commands.Note) -> None:
    """A remark for colleagues."""
    perform(work, complaint, "add_note")
    thread.post(
        work,
        complaint,
        command.text,
        direction="internal",
        audience=Audience.INTERNAL,
        kind="note",
    )


def add_message(work: Work, complaint: Complaint, command: commands.SendMessage) -> None:
    """A message in the thread; ours to the complainant is sent as well."""
    from_complainant = work.actor.kind == "complainant"
    audience = Audience.COMPLAINANT if from_complainant else command.audience
    direction = "in" if from_complainant else "out" if audience is Audience.COMPLAINANT else "internal"
    if direction == "out":
        placeholders.refuse_unfilled(command.text, "text")
    event = perform(work, complaint, "add_message", audience=audience)
    said = thread.post(
        work,
        complaint,
        command.text,
        direction=direction,
        audience=audience,
        kind="message",
    )
    if direction == "out":
        notices.tell_complainants(work, complaint, "progress", str(event.seq), {"text": command.text}, said=said)
    elif from_complainant:
        notices.tell_handler(work, complaint, "the complainant wrote")


def holding_response(work: Work, complaint: Complaint, command: commands.HoldingResponse) -> None:
    """Every complainant is told why the answer takes longer, and where they may turn meanwhile."""
    event = perform(work, complaint, "holding_response", audience=Audience.COMPLAINANT)
    informing.inform(work, complaint, "holding_response", str(event.seq), {"text": command.text})


def new_facts(work: Work, complaint: Complaint, command: commands.NewFacts) -> None:
    """New facts; clocks whose rule says so start anew."""
    perform(work, complaint, "new_facts", reason=command.text)
    direction = "in" if work.actor.kind == "complainant" else "internal"
    thread.post(
        work,
        complaint,
        command.text,
        direction=direction,
        audience=Audience.INTERNAL,
        kind="new_facts",
    )


def accept_remedy(work: Work, complaint: Complaint, command: commands.AcceptRemedy) -> None:
    """Yes to an offer; where the complainant says so themselves, the handler is told."""
    remedies.accept(work, complaint, command)
    if work.actor.kind == "complainant":
        notices.tell_handler(work, complaint, "the complainant accepted a remedy")


def decline_remedy(work: Work, complaint: Complaint, command: commands.DeclineRemedy) -> None:
    """No to an offer; where the complainant says so themselves, their words are in the thread."""
    remedies.decline(work, complaint, command)
    if work.actor.kind == "complainant":
        thread.post(work, complaint, command.reason, direction="in", audience=Audience.COMPLAINANT, kind="message")
        notices.tell_handler(work, complaint, "the complainant declined a remedy")


def legal_hold(work: Work, complaint: Complaint, command: commands.LegalHold) -> None:
    """Keep the dossier, or let retention run again."""
    complaint.legal_hold = command.hold
    perform(
        work,
        complaint,
        "legal_hold",
        reason=command.reason,
        data={"hold": command.hold},
    )


def fast_track(work: Work, complaint: Complaint, solution: str) -> None:
    """A standard solution answers the complaint."""
    policy = work.policies.get(complaint.policy_hash)
    if policy.lifecycle.solution(solution) is None:
        known = ", ".join(s.key for s in policy.lifecycle.solutions)
        raise InvalidInput(f"unknown standard solution; known are: {known}", "solution")
    walk.answer_by_solution(work, complaint, solution)


def allowed_for(work: Work, complaint: Complaint, actor: Actor | None = None) -> list[str]:
    """Actions of `COMMANDS` that `actor`, else who is acting, can ask for on this complaint now."""
    who = actor or work.actor
    can = askable(Status(complaint.status), who.roles, facts(work, complaint))
    people = notices.parties(work, complaint)
    if len(people) < 2:
        return can
    not_theirs = _FOR_ALL if who.kind == "complainant" else frozenset()
    if routing.joined(complaint, people, who):
        not_theirs |= _OF_WHO_WAS_FIRST
    return [action for action in can if action not in not_theirs]


def asks_confirmation(work: Work, complaint: Complaint, actor: Actor) -> bool:
    """Whether this complainant is asked for their verdict on our answer."""
    asked = open_step_of(work, complaint, StepKind.CONFIRMATION) is not None
    return asked and not routing.joined(complaint, notices.parties(work, complaint), actor)


def refusal(work: Work, complaint: Complaint, action: str) -> ActionNotAllowed:
    """Why `allowed_for` has not this action."""
    try:
        row_for(work, complaint, action, work.actor.roles)
    except ActionNotAllowed as error:
        return error
    return ActionNotAllowed(action, complaint.status, [])


def timeline(work: Work, complaint: Complaint, audiences: frozenset[Audience]) -> list[Event]:
    """The events that these audiences may read, in order."""
    return list(
        work.session.exec(
            select(Event)
            .where(Event.complaint_id == complaint.id, col(Event.audience).in_(audiences))
            .order_by(col(Event.seq))
        ).all()
    )


def open_step_of(work: Work, complaint: Complaint, kind: StepKind) -> Step | None:
    """The open step of a kind."""
    return next((s for s in opening.open_steps(work, complaint) if s.kind == kind), None)


_DO: dict[str, Callable[[Work, Complaint, Any], None]] = {
    "withdraw": withdraw,
    "reject": lambda w, c, m: reject(w, c, m.reason),
    "merge": merging.merge_named,
    "ask_customer": waiting.ask_customer,
    "customer_replied": waiting.customer_replied,
    "ask_third_party": waiting.ask_third_party,
    "third_party_replied": waiting.third_party_replied,
    "assign": lambda w, c, m: assign(w, c, m.person, m.reason),
    "reclassify": lambda w, c, m: reclassification.reclassify(
        w, c, m.category, m.severity, m.team, reason=m.reason, jurisdiction=m.jurisdiction
    ),
    "escalate": reclassification.escalate,
    "add_note": add_note,
    "add_message": add_message,
    "appeal": lambda w, c, m: appeals.appeal(w, c, m.reason),
    "reopen": lambda w, c, m: appeals.reopen(w, c, m.reason),
    "refer_externally": lambda w, c, m: appeals.refer_externally(w, c, m.body, m.reason),
    "external_accepts": appeals.external_accepts,
    "link": merging.link_to,
    "new_facts": new_facts,
    "request_extension": extension.request,
    "holding_response": holding_response,
    "propose_remedy": remedies.propose,
    "accept_remedy": accept_remedy,
    "decline_remedy": decline_remedy,
    "verify_remedy": remedies.verify,
    "fast_track": lambda w, c, m: fast_track(w, c, m.solution),
    "acknowledge": acknowledgment.by_hand,
    "acknowledgment_bounced": acknowledgment.came_back,
    "legal_hold": legal_hold,
    "request_disposal": disposal.request_disposal,
    "erase": disposal.erase,
}

assert set(_DO) == set(COMMANDS), "every command needs a verb"
