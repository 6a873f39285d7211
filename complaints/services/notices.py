"""Recording that somebody must be told. The letter is rendered and handed over after commit, by `dispatch`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from complaints.domain.vocabulary import Audience, IntentKind
from complaints.services import outbox
from complaints.services.contact import way_to_reach
from complaints.store.tables import Complainant, Complaint, Message, Party, Person, Step
from complaints.store.unit import Work


def parties(work: Work, complaint: Complaint) -> list[Complainant]:
    """Every complainant who is owed an acknowledgment and an answer in this case."""
    return list(
        work.session.exec(
            select(Complainant)
            .join(Party, col(Party.complainant_id) == col(Complainant.id))
            .where(Party.complaint_id == complaint.id)
            .order_by(col(Complainant.id))
        ).all()
    )


def tell_complainants(
    work: Work,
    complaint: Complaint,
    kind: str,
    once: str,
    context: Mapping[str, Any] | None = None,
    *,
    said: Message | None = None,
    only: UUID | None = None,
) -> int:
    """Write to every party that can be written to; `once` tells this occasion from others of its kind.

    With `only`, to this complainant and to no other party.

    `said` is the message of the thread that the letters carry: it gets the evidence of delivery, and the thread has the
    words once. Returns how many letters were newly recorded.
    """
    count = 0
    if kind in work.policy.notifications.silent_kinds:
        return 0
    for person in parties(work, complaint):
        way = way_to_reach(person)
        if way.kind != "email" or only not in (None, person.id):
            continue
        count += outbox.add(
            work,
            IntentKind.NOTIFY,
            f"{kind}:{complaint.id}:{person.id}:{once}",
            complaint_id=complaint.id,
            payload={
                "template": kind,
                "audience": Audience.COMPLAINANT,
                "to": way.address,
                "name": person.name,
                "complainant_id": str(person.id),
                "language": person.language,
                "context": dict(context or {}),
                **_carried(said),
            },
        )
    return count


def _carried(said: Message | None) -> dict[str, str]:
    return {"said": str(said.id)} if said is not None else {}


def tell_staff(
    work: Work,
    complaint: Complaint | None,
    kind: str,
    once: str,
    *,
    people: Iterable[Person] = (),
    tags: Sequence[str] = (),
    context: Mapping[str, Any] | None = None,
    not_before: datetime | None = None,
) -> int:
    """Write to people by their address, or, where there is none, to whoever listens to the tags (team, lead…), in the
    installation's language. What nobody listens to goes to the team's own address, if it has one."""
    listeners = ("", "", "", who(None, tuple(tags)))
    where = [(p.email or "", p.language, p.name, who(p)) for p in people] or [listeners]
    count = 0
    subject = complaint.id if complaint else "all"
    for address, language, name, whom in where:
        count += outbox.add(
            work,
            IntentKind.NOTIFY,
            f"{kind}:{subject}:{whom}:{once}",
            complaint_id=complaint.id if complaint else None,
            payload={
                "template": kind,
                "audience": Audience.INTERNAL,
                "to": address,
                "name": name,
                "language": language,
                "tags": [*tags],
                "otherwise": "" if address else _mailbox(work, tags),
                "context": dict(context or {}),
            },
            not_before=not_before,
        )
    return count


def _mailbox(work: Work, tags: Sequence[str]) -> str:
    """The address of a team as a whole, where policy names one."""
    team = work.policy.routing.team(tags[1]) if len(tags) > 1 and tags[0] == "team" else None
    return (team.email if team else None) or ""


def tell_handler(work: Work, complaint: Complaint, reason: str) -> None:
    """Remind whoever handles the complaint, else their team, that something came in; `reason` says what."""
    person = work.session.get(Person, complaint.assignee_id) if complaint.assignee_id else None
    tell_staff(
        work,
        complaint,
        "reminder",
        f"{reason}-{complaint.event_count}",
        people=[person] if person else (),
        tags=["team", complaint.team],
        context={"reason": reason},
    )


def tell_of_step(work: Work, complaint: Complaint, step: Step, person: Person | None, tags: Sequence[str]) -> None:
    """A step beside the flow run is told of at once: the run waits elsewhere and would not."""
    due_at = step.due_at.isoformat() if step.due_at else None
    about = {"step": step.kind, "gate": step.gate, "due_at": due_at}
    people = [person] if person else []
    tell_staff(work, complaint, "step_assigned", step.gate, people=people, tags=tags, context=about)


def who(person: Person | None, tags: tuple[str, ...] = ()) -> str:
    """A recipient among colleagues, for the key of a message: the person, or whoever listens to the tags."""
    return str(person.id) if person is not None else "/".join(tags)


def tell_third_party(work: Work, complaint: Complaint, to: str, party: str, once: str, said: Message) -> bool:
    """Write to somebody outside; the letter carries the question and the reference, nothing about the complainant.

    `said` is the question as the thread has it."""
    return outbox.add(
        work,
        IntentKind.NOTIFY,
        f"third_party_question:{complaint.id}:{to}:{once}",
        complaint_id=complaint.id,
        payload={
            "template": "third_party_question",
            "audience": Audience.THIRD_PARTY,
            "to": to,
            "name": party,
            "language": complaint.language,
            "context": {"question": said.body},
            **_carried(said),
        },
    )
