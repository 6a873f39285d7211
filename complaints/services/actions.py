"""Everything that can be done to a complaint beside its human steps. One function per verb; `act` is the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import col, select

from complaints.domain import commands, placeholders
from complaints.domain.commands import COMMANDS
from complaints.domain.errors import ActionNotAllowed, Conflict, Forbidden, InvalidInput, NotFound, NotOpen
from complaints.domain.forms import ConfirmationForm
from complaints.domain.lifecycle import askable
from complaints.domain.ports import Actor
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import (
    ANSWERED,
    OPEN,
    SEVERITIES,
    AskedFor,
    Audience,
    ClosingCategory,
    LinkKind,
    Role,
    Severity,
    Status,
    StepKind,
)
from complaints.services import (
    acknowledgment,
    clocks,
    decision,
    disposal,
    extension,
    holding,
    informing,
    mailtext,
    notices,
    opening,
    remedies,
    routing,
    walk,
)
from complaints.services.access import see
from complaints.services.contact import Way, way_to_reach
from complaints.services.transition import facts, lock_beside, lock_reference, perform, record, row_for, wake
from complaints.store.columns import new_id
from complaints.store.tables import (
    Complainant,
    Complaint,
    Event,
    Link,
    Message,
    Party,
    Person,
    Step,
    Survey,
)
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


def named(work: Work, beside: Complaint, reference: str, field: str) -> Complaint:
    """Another complaint that the actor names in `field`, locked; one they may not see does not exist for them."""
    try:
        found = see(work, reference)
    except InvalidInput as error:
        raise InvalidInput(error.problems[0].message, field) from None
    return lock_beside(work, beside, found.id)


def _not_conflicted(work: Work, complaint: Complaint) -> None:
    if work.actor.kind == "person":
        person = work.session.get_one(Person, UUID(work.actor.id))
        if routing.conflicted(complaint, notices.parties(work, complaint), person):
            raise Forbidden("You are named in or related to this complaint (conflict of interest).")


def post(
    work: Work,
    complaint: Complaint,
    text: str,
    *,
    direction: str,
    audience: Audience,
    kind: str = "",
    channel: str = "portal",
    subject: str = "",
) -> Message:
    """Put a message into the thread."""
    message = Message(
        id=new_id(work.now),
        complaint_id=complaint.id,
        at=work.now,
        direction=direction,
        audience=audience,
        channel=channel,
        kind=kind,
        author=work.actor.name,
        subject=subject,
        body=text,
    )
    work.session.add(message)
    return message


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


def merge(work: Work, complaint: Complaint, into: Complaint, reason: str, field: str = "into") -> None:
    """End this case in favour of `into`: earliest receipt wins, everybody is still acknowledged and answered.

    `field` is where the caller named it.
    """
    if into.id == complaint.id:
        raise InvalidInput("a complaint cannot be merged into itself", field)
    if Status(into.status) not in OPEN:
        raise NotOpen(into.reference, into.status, field)
    joining = _who_joins(work, complaint, into)
    if joining and Status(into.status) in ANSWERED:
        raise Conflict(
            f"{into.reference} has been answered: who joins it now would get no answer. "
            "Answer this complaint by itself, and link the two.",
            field,
        )
    adopted = _rules_to_adopt(work, complaint, into, field)
    work.session.add_all(
        Party(complaint_id=into.id, complainant_id=party.id, via_complaint_id=complaint.id) for party in joining
    )
    first = clocks.receipt(work, complaint)
    earlier = first < clocks.receipt(work, into)
    complaint.merged_into_id = into.id
    complaint.closing_category = ClosingCategory.MERGED
    perform(work, complaint, "merge", reason=reason, data={"into": into.reference})
    _add_link(work, complaint, into, LinkKind.MERGED_INTO, reason)
    data = {
        "merged": complaint.reference,
        "received_at": complaint.received_at.isoformat(),
    }
    if earlier:
        data["earlier_receipt"] = first.isoformat()
        clocks.earlier_receipt(work, into, first)
    event = record(work, into, "merged", reason=reason, data=data)
    work.session.flush()
    if adopted:
        why = reason or f"{complaint.reference} was merged in"
        reclassify(work, into, None, None, None, reason=why, jurisdiction=adopted)
    _take_from_the_interested(work, into)
    if into.acknowledgment_recorded_at is not None:
        notices.tell_complainants(work, into, "acknowledgment", "1")
    notices.tell_complainants(work, complaint, "merged_notice", str(event.seq), {"into": into.reference})


def _who_joins(work: Work, complaint: Complaint, into: Complaint) -> list[Complainant]:
    """Complainants that the other case does not have yet; who complained twice is answered once."""
    told = notices.parties(work, into)
    known, ways = {p.id for p in told}, {way_to_reach(p) for p in told} - {Way("none")}
    return [p for p in notices.parties(work, complaint) if p.id not in known and way_to_reach(p) not in ways]


def _rules_to_adopt(work: Work, complaint: Complaint, into: Complaint, field: str) -> str:
    """The jurisdiction that the other case must take over, lest a legal duty of this one ends with the merger; empty
    where it has it, or no rule hangs on it. A case is under the rules of one place: `Conflict` where there are two."""
    rules = work.policies.get(into.policy_hash).sla.jurisdictions
    mine, its = complaint.jurisdiction, into.jurisdiction
    if mine == its or mine not in rules:
        return ""
    if its in rules:
        raise Conflict(
            f"{into.reference} is under the rules for '{its}', this complaint under those for '{mine}'. Correct one of "
            "them first (reclassify), or link the two.",
            field,
        )
    return mine


def _take_from_the_interested(work: Work, complaint: Complaint) -> None:
    """Whoever is related to somebody who joined the case hands their open steps to somebody else."""
    complainants = notices.parties(work, complaint)
    for step in opening.open_steps(work, complaint):
        holder = work.session.get(Person, step.assignee_id) if step.assignee_id else None
        if holder is None or not routing.conflicted(complaint, complainants, holder):
            continue
        other = routing.choose(work, complaint, step)
        holding.give(work, complaint, step, other.id if other else None)
        record(work, complaint, "assign", data={"gate": step.gate, "to": other.name if other else ""})


def ask_customer(work: Work, complaint: Complaint, command: commands.AskCustomer) -> None:
    """Ask, and wait."""
    placeholders.refuse_unfilled(command.question, "question")
    event = perform(work, complaint, "ask_customer", audience=Audience.COMPLAINANT)
    said = post(
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
    post(
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
    said = post(
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
    post(
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


def reclassify(
    work: Work,
    complaint: Complaint,
    category: str | None,
    severity: str | None,
    team: str | None,
    *,
    reason: str,
    jurisdiction: str | None = None,
) -> None:
    """Correct category, severity, team or jurisdiction; clocks keep what they counted and paused."""
    policy = work.policies.get(complaint.policy_hash)
    data: dict[str, Any] = {}
    if category and category != complaint.category:
        found = policy.taxonomy.category(category)
        if found is None:
            known = ", ".join(c.key for c in policy.taxonomy.categories)
            raise InvalidInput(f"unknown category; known are: {known}", "category")
        data["category"] = [complaint.category, category]
        complaint.category = category
        team = team or found.team
    if severity and severity != complaint.severity:
        data["severity"] = [complaint.severity, severity]
        complaint.severity = severity
        complaint.queue = policy.routing.queues[Severity(severity)]
    if team and team != complaint.team:
        if policy.routing.team(team) is None:
            known = ", ".join(t.key for t in policy.routing.teams)
            raise InvalidInput(f"unknown team; known are: {known}", "team")
        data["team"] = [complaint.team, team]
        complaint.team = team
        for step in opening.open_steps(work, complaint):
            step.team = team
            work.session.add(step)
    if jurisdiction and jurisdiction != complaint.jurisdiction:
        if jurisdiction not in policy.sla.jurisdictions:
            known = ", ".join(sorted(policy.sla.jurisdictions))
            raise InvalidInput(f"no profile is for it; known are: {known}", "jurisdiction")
        data["jurisdiction"] = [complaint.jurisdiction, jurisdiction]
        complaint.jurisdiction = jurisdiction
    if data:
        event = perform(work, complaint, "reclassify", reason=reason, data=data)
        wake(work, complaint, event.seq)  # so that its tags are true, also while it waits


def escalate(work: Work, complaint: Complaint, command: commands.Escalate) -> None:
    """One severity worse (at most critical), and the lead is told."""
    worse = SEVERITIES[max(0, SEVERITIES.index(Severity(complaint.severity)) - 1)]
    event = perform(work, complaint, "escalate", reason=command.reason)
    reclassify(work, complaint, None, worse, None, reason=command.reason)
    notices.tell_staff(
        work,
        complaint,
        "escalation",
        str(event.seq),
        tags=["lead", complaint.team],
        context={"reason": command.reason},
    )


def add_note(work: Work, complaint: Complaint, command: commands.Note) -> None:
    """A remark for colleagues."""
    perform(work, complaint, "add_note")
    post(
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
    said = post(
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
        post(
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


def holding_response(work: Work, complaint: Complaint, command: commands.HoldingResponse) -> None:
    """Every complainant is told why the answer takes longer, and where they may turn meanwhile."""
    event = perform(work, complaint, "holding_response", audience=Audience.COMPLAINANT)
    informing.inform(work, complaint, "holding_response", str(event.seq), {"text": command.text})


def link_to(work: Work, complaint: Complaint, command: commands.LinkTo) -> None:
    """Relate two complaints."""
    other = named(work, complaint, command.to, "to")
    if other.id == complaint.id:
        raise InvalidInput("a complaint cannot be linked to itself", "to")
    perform(work, complaint, "link", data={"to": other.reference, "kind": command.kind})
    _add_link(work, complaint, other, command.kind, command.note)


def new_facts(work: Work, complaint: Complaint, command: commands.NewFacts) -> None:
    """New facts; clocks whose rule says so start anew."""
    perform(work, complaint, "new_facts", reason=command.text)
    direction = "in" if work.actor.kind == "complainant" else "internal"
    post(
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
        post(work, complaint, command.reason, direction="in", audience=Audience.COMPLAINANT, kind="message")
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


def _merge(work: Work, complaint: Complaint, command: commands.Merge) -> None:
    merge(work, complaint, named(work, complaint, command.into, "into"), command.reason)


def _add_link(work: Work, complaint: Complaint, other: Complaint, kind: LinkKind, note: str) -> None:
    seen = work.session.exec(
        select(Link).where(Link.from_id == complaint.id, Link.to_id == other.id, Link.kind == kind)
    ).first()
    if seen is None:
        work.session.add(
            Link(
                id=new_id(work.now),
                from_id=complaint.id,
                to_id=other.id,
                kind=kind,
                note=note,
                at=work.now,
            )
        )


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
    "merge": _merge,
    "ask_customer": ask_customer,
    "customer_replied": customer_replied,
    "ask_third_party": ask_third_party,
    "third_party_replied": third_party_replied,
    "assign": lambda w, c, m: assign(w, c, m.person, m.reason),
    "reclassify": lambda w, c, m: reclassify(
        w, c, m.category, m.severity, m.team, reason=m.reason, jurisdiction=m.jurisdiction
    ),
    "escalate": escalate,
    "add_note": add_note,
    "add_message": add_message,
    "appeal": lambda w, c, m: appeal(w, c, m.reason),
    "reopen": lambda w, c, m: reopen(w, c, m.reason),
    "refer_externally": lambda w, c, m: refer_externally(w, c, m.body, m.reason),
    "external_accepts": external_accepts,
    "link": link_to,
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
