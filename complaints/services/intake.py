"""Taking complaints in: stored durably with a reference, in one transaction with everything that follows from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from complaints.domain import reference
from complaints.domain.errors import Conflict, FieldProblem, InvalidInput
from complaints.domain.intake import NewComplaint
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import Classifier
from complaints.domain.searchtext import searchable
from complaints.domain.vocabulary import (
    Audience,
    Channel,
    IntentKind,
    Language,
    Severity,
    Status,
)
from complaints.services import mailtext, outbox
from complaints.services.transition import record
from complaints.store.columns import new_id
from complaints.store.rows import copy_new, pending
from complaints.store.tables import Complainant, Complaint, IdempotencyKey, Party
from complaints.store.unit import Work

#: Characters of the narrative that full-text search looks at.
_SEARCHED = 2_000
#: Characters of the narrative that are screened before the answer: a quarter of a millisecond for a usual complaint,
#: one for a long one. Classification reads all of it.
_SCREENED = 4_000
#: The queue of what nobody waits for now.
_BULK = "bulk"
#: Longest subject that is made of the narrative.
_SUBJECT = 80


@dataclass(frozen=True)
class Taken:
    """Answer to a submission; `new` is False when it had been taken before."""

    id: UUID
    reference: str
    new: bool


def submit(work: Work, new: NewComplaint, classifier: Classifier, *, owner: str = "", key: str | None = None) -> Taken:
    """Take one complaint. With `key` the same request, sent again by the same `owner`, gets the same answer.

    Raises `Conflict` when the key was used for a different request.
    """
    if key is None:
        return submit_many(work, [new], classifier)[0]
    body = hashlib.sha256(new.model_dump_json().encode()).hexdigest()
    work.take_turn(f"{owner}/{key}")
    seen = work.session.get(IdempotencyKey, (owner, key))
    if seen is not None:
        if seen.request_hash != body:
            raise Conflict("This Idempotency-Key was used for a different request. Use a new key for a new complaint.")
        old = work.session.get_one(Complaint, seen.complaint_id)
        return Taken(old.id, old.reference, new=False)
    taken = submit_many(work, [new], classifier)[0]
    work.session.add(IdempotencyKey(owner=owner, key=key, request_hash=body, complaint_id=taken.id, at=work.now))
    return taken


def submit_many(work: Work, news: Sequence[NewComplaint], classifier: Classifier, *, bulk: bool = False) -> list[Taken]:
    """Take several in one transaction; those with an external id taken before are left as they are.

    `bulk` puts them behind the complaints that people wait for now, however they once arrived, but for the critical.
    """
    news = [_readable(new) for new in news]
    for new in news:
        if new.received_at is not None and new.received_at > work.now:
            raise InvalidInput([FieldProblem("received_at", "lies in the future; give when it reached you")])
    known = _known(work, news)
    fresh: list[bool] = []
    seen: set[tuple[str, str]] = set(known)
    for new in news:
        identity = _identity(new)
        fresh.append(identity is None or identity not in seen)
        if identity is not None:
            seen.add(identity)
    complaints = _insert(work, [new for new, is_fresh in zip(news, fresh, strict=True) if is_fresh], classifier, bulk)
    known |= {
        (c.external_source, c.external_id): Taken(c.id, c.reference, new=False)
        for c in complaints
        if c.external_source and c.external_id
    }
    created = iter(complaints)
    answers: list[Taken] = []
    for new, is_fresh in zip(news, fresh, strict=True):
        if is_fresh:
            made = next(created)
            answers.append(Taken(made.id, made.reference, new=True))
        else:
            answers.append(known[_identity(new) or ("", "")])
    return answers


def _readable(new: NewComplaint) -> NewComplaint:
    """A mail in HTML as its words; what came is kept beside them."""
    words = mailtext.plain(new.narrative) if new.channel is Channel.EMAIL else new.narrative
    if words == new.narrative:
        return new
    return new.model_copy(update={"narrative": words, "extra": {**new.extra, "html": new.narrative}})


def _identity(new: NewComplaint) -> tuple[str, str] | None:
    return (new.external_source, new.external_id) if new.external_source and new.external_id else None


def _known(work: Work, news: Sequence[NewComplaint]) -> dict[tuple[str, str], Taken]:
    """Which external ids are stored; locks the sources so that two imports of one file do not race."""
    found: dict[tuple[str, str], Taken] = {}
    sources = sorted({i[0] for n in news if (i := _identity(n))})
    for source in sources:
        work.take_turn(f"import/{source}")
        ids = [i[1] for n in news if (i := _identity(n)) and i[0] == source]
        rows = work.session.exec(
            select(Complaint.external_id, Complaint.id, Complaint.reference).where(
                Complaint.external_source == source, col(Complaint.external_id).in_(ids)
            )
        ).all()
        found |= {(source, str(key)): Taken(found_id, ref, new=False) for key, found_id, ref in rows}
    return found


def _insert(work: Work, news: Sequence[NewComplaint], classifier: Classifier, bulk: bool) -> list[Complaint]:
    if not news:
        return []
    numbers = work.session.connection().execute(
        text("select nextval('complaint_number') from generate_series(1, :n)"),
        {"n": len(news)},
    )
    policy = work.policy
    people, complaints = [], []
    for new, number in zip(news, numbers.scalars(), strict=True):
        complainant = _complainant(work, new)
        people.append(complainant)
        queue = _queue(policy, new, classifier, bulk)
        complaints.append(_complaint(work, new, complainant, int(number), policy, queue))
    work.session.add_all(people)
    with work.session.no_autoflush:  # a complaint is written once, with its first event and its clocks counted in
        for new, complaint in zip(news, complaints, strict=True):
            told = {"channel": new.channel, "received_at": complaint.received_at.isoformat()}
            work.steps[complaint.id] = []  # none yet: nobody need look
            record(work, complaint, "received", audience=Audience.COMPLAINANT, data=told)
        work.session.add_all(pending(Party, complaint_id=c.id, complainant_id=c.complainant_id) for c in complaints)
        if bulk:
            copy_new(work.session)
        else:
            _flush_in_order(work)
    outbox.add_all(work, [outbox.Intent(IntentKind.START_RUN, f"start:{c.id}:1", c.id) for c in complaints])
    return complaints


def _flush_in_order(work: Work) -> None:
    """People, complaints, then what refers to them: without relationships, a flush knows no order of tables."""
    waiting = [*work.session.new]
    for row in waiting:
        work.session.expunge(row)
    for table in (Complainant, Complaint):
        work.session.add_all(row for row in waiting if isinstance(row, table))
        work.session.flush()
    work.session.add_all(row for row in waiting if not isinstance(row, Complainant | Complaint))


def _language(new: NewComplaint) -> Language:
    if new.language is not None:
        return new.language
    han = sum("一" <= ch <= "鿿" for ch in new.narrative[:500])
    return Language.ZH if han * 5 >= min(len(new.narrative), 500) else Language.EN


def _complainant(work: Work, new: NewComplaint) -> Complainant:
    who = new.complainant
    return pending(
        Complainant,
        id=new_id(work.now),
        name=who.name,
        email=who.email,
        phone=who.phone,
        language=_language(new),
        needs=[n.value for n in who.needs],
        safe_contact=who.safe_contact,
        created_at=work.now,
    )


def _beginning(narrative: str) -> str:
    """The first words, as a subject; that there is more can be seen."""
    words = " ".join(narrative.split())
    return words if len(words) <= _SUBJECT else f"{words[: _SUBJECT - 1].rstrip()}…"


def _queue(policy: PolicyBundle, new: NewComplaint, classifier: Classifier, bulk: bool) -> str:
    """Where the flow run starts. It can never change its queue, so the words of danger are looked for before."""
    severity = classifier.classify(new.subject, new.narrative[:_SCREENED], new.product).severity
    behind = bulk or new.channel is Channel.FILE
    return _BULK if behind and severity is not Severity.CRITICAL else policy.routing.queues[severity]


def _complaint(
    work: Work, new: NewComplaint, who: Complainant, number: int, policy: PolicyBundle, queue: str
) -> Complaint:
    subject = new.subject or _beginning(new.narrative)
    return pending(
        Complaint,
        id=new_id(work.now),
        reference=reference.make(work.now.year, number),
        status=Status.RECEIVED,
        complainant_id=who.id,
        channel=new.channel,
        language=who.language,
        subject=subject,
        narrative=new.narrative,
        search=searchable(f"{subject}\n{who.name}\n{new.narrative[:_SEARCHED]}"),
        product=new.product,
        desired_remedy=new.desired_remedy,
        order_ref=new.order_ref,
        jurisdiction=new.jurisdiction or policy.sla.jurisdiction,
        external_source=new.external_source,
        external_id=new.external_id,
        extra=new.extra,
        received_at=new.received_at or work.now,
        created_at=work.now,
        severity=Severity.MODERATE,
        policy_hash=policy.hash,
        confidential=new.confidential,
        queue=queue,
    )
