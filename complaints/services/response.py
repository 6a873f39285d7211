"""The final response: composed from the findings, checked against what the profiles require, sent, kept."""

from __future__ import annotations

from uuid import UUID

from complaints.domain import placeholders
from complaints.domain.errors import ContentGateFailed
from complaints.domain.letter import Case, elements
from complaints.domain.ports import Letter, Renderer
from complaints.domain.vocabulary import (
    Audience,
    Finding,
    IntentKind,
    Language,
    RemedyState,
    Severity,
    Status,
    StepKind,
)
from complaints.domain.walk import Next
from complaints.services import decision, notices, opening, outbox
from complaints.services.contact import way_to_reach
from complaints.services.context import letter_context
from complaints.services.transition import lock, perform
from complaints.services.walk import brief, following
from complaints.store.columns import new_id
from complaints.store.tables import Complainant, Complaint, Message
from complaints.store.unit import Work

#: From this length on a letter written by a person is taken to give reasons.
_OWN_WORDS = 40


def respond(work: Work, complaint_id: UUID, renderer: Renderer) -> Next:
    """Response: the machine writes the letter; where policy asks, or the letter lacks something, a person does."""
    complaint = lock(work, complaint_id)
    if complaint.status == Status.RESPONDING and not any(
        s.kind == StepKind.RESPONSE for s in opening.open_steps(work, complaint)
    ):
        policy = work.policies.get(complaint.policy_hash)
        why = ""
        if Severity(complaint.severity) in policy.lifecycle.response.human_review_severities:
            why = f"severity is {complaint.severity}"
        try:
            if not why:
                send(work, complaint, renderer=renderer)
        except ContentGateFailed as gate:
            why = str(gate)
        if why:
            readers = notices.parties(work, complaint)
            name = readers[0].name if len(readers) == 1 else ""  # one draft for all: nobody reads another's name
            draft = compose(work, complaint, renderer, complaint.language, name)
            step = opening.open_step(work, complaint, StepKind.RESPONSE, context={"why": why})
            step.draft = {"body": draft.text}
            work.session.add(step)
            return brief(work, complaint_id)
    return following(work, complaint)


def compose(work: Work, complaint: Complaint, renderer: Renderer, language: str, name: str) -> Letter:
    """The letter as the machine would write it; `name` as in the salutation, empty where there is none."""
    context = letter_context(work, complaint, Language(language)) | {"name": name}
    return renderer.render("response", Language(language), context)


def missing_elements(work: Work, complaint: Complaint, text: str) -> list[str]:
    """What the letter lacks of what the case's profiles require (sla-profile section `letter`), by name."""
    return [name for name, present in _elements(work, complaint, text) if not present]


def checklist(work: Work, complaint: Complaint, body: str) -> list[tuple[str, bool]]:
    """What the profiles require of a letter that a person wrote, each with whether `body` has it; whoever they are,
    they get no `{placeholder}`.

    A person may give the reasons in their own words.
    """
    own_words = len(body.strip()) >= _OWN_WORDS and decision.findings(work, complaint) is not None
    return [(name, present or (own_words and name == "reasons")) for name, present in _elements(work, complaint, body)]


def _elements(work: Work, complaint: Complaint, text: str) -> list[tuple[str, bool]]:
    policy = work.policies.get(complaint.policy_hash)
    latest = decision.findings(work, complaint)
    profiles = tuple(complaint.profiles)
    about = Case(
        reference=complaint.reference,
        finding=Finding(complaint.finding) if complaint.finding and latest else None,
        summary=latest.summary if latest else "",
        remedies=[
            r.description
            for r in decision.remedies(work, complaint)
            if r.state not in (RemedyState.DECLINED, RemedyState.FAILED)
        ],
        bodies=policy.recourse(profiles),
    )
    found = elements(policy.sla.letter_elements(profiles), text, about)
    return [*found, ("placeholders", not placeholders.unfilled(text))]


def send(
    work: Work,
    complaint: Complaint,
    *,
    renderer: Renderer | None = None,
    body: str | None = None,
) -> None:
    """Send the final response to every party and go on. Raises `ContentGateFailed` naming what is missing."""
    letters = []
    for person in notices.parties(work, complaint):
        if body is not None:
            letter = Letter(subject_for(complaint, person), body)
            missing = [name for name, present in checklist(work, complaint, body) if not present]
        else:
            assert renderer is not None
            letter = compose(work, complaint, renderer, person.language, person.name)
            missing = missing_elements(work, complaint, letter.text)
        if missing:
            raise ContentGateFailed(missing)
        letters.append((person, letter))
    for person, letter in letters:  # nobody gets theirs before every one has passed the gate
        _dispatch(work, complaint, person, letter)
    complaint.responded_at = work.now
    perform(
        work,
        complaint,
        "send_response",
        audience=Audience.COMPLAINANT,
        data={"by_hand": body is not None},
    )
    if complaint.status == Status.CLOSED:  # nobody can be asked whether they are satisfied
        complaint.closing_category = decision.closing_category(work, complaint)


def subject_for(complaint: Complaint, person: Complainant) -> str:
    """The subject of the letter, in the reader's language."""
    word = "投诉处理结果" if person.language == Language.ZH else "Our response to your complaint"
    return f"[{complaint.reference}] {word}"


def _dispatch(work: Work, complaint: Complaint, person: Complainant, letter: Letter) -> None:
    key = f"response:{complaint.id}:{person.id}:{complaint.event_count}"
    work.session.add(
        Message(
            id=new_id(work.now),
            complaint_id=complaint.id,
            at=work.now,
            direction="out",
            audience=Audience.COMPLAINANT,
            channel="email" if way_to_reach(person).kind == "email" else "portal",
            kind="response",
            author=work.actor.name,
            subject=letter.subject,
            body=letter.text,
            outbox_key=key,
        )
    )
    way = way_to_reach(person)
    if way.kind == "email":
        outbox.add(
            work,
            IntentKind.NOTIFY,
            key,
            complaint_id=complaint.id,
            payload={
                "template": "response",
                "audience": Audience.COMPLAINANT,
                "to": way.address,
                "name": person.name,
                "complainant_id": str(person.id),
                "language": person.language,
                "letter": {
                    "subject": letter.subject,
                    "text": letter.text,
                    "html": letter.html,
                },
            },
        )
