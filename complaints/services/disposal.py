"""Disposal of archived dossiers: the one thing in this product that cannot be taken back.

**What is erased.** Whatever somebody said, or could be known by: the words of the complaint, its number at the shop
and in other systems, everybody's messages, files, tasks with their answers and drafts, findings and decisions,
letters in the outbox, links to other complaints, and the complainants themselves unless another complaint names them.
Then the case log, and after the commit the bag in the archive and every file that no other complaint has.

**What stays.** One row that statistics count, and that says of nobody what it was about: category, severity, team,
channel, times, finding, root cause, closing category, profiles; the clocks with their outcome; kind, amount and state
of remedies; marks of the survey. Figures of past years are the same before and after. The row keeps the hash of the
bag and the head and length of the case log: whoever has kept a copy can prove that it is the one, and nobody can make
another. What other complaints say of this one (their own log names it) lives as long as they do.

**Why the log goes as a whole.** Its entries are chained by hashes over their whole content, so nothing in them can be
blanked; and the names and reasons in them are what has to go. The trigger that keeps the log lets a deletion through
only where the complaint's row is erased already, and the log of administration, which is chained as well, says who
requested and who did it. An audit takes a missing log for an erasure only where that entry stands and bears the same
head.

**Who.** Two people: one requests, another erases. A legal hold refuses the request, and a hold that ends does not
revive it. Before its time a dossier is erased only if the command says so, with the law or the request as its reason.

**In which order.** All rows in one transaction, with an intent of the outbox for what lies outside. Before the commit
nothing is gone, after it the intent cannot be forgotten: it looks at the bag and notes whether that is as it was
written, then removes bag and files, and each part of it can be repeated after a crash in between. The other way
round, a transaction that fails would leave a complaint without its archive. Nothing may be on its way meanwhile: a
letter that is handed over at this moment would write itself into the thread afterwards.

Out of reach are backups, letters that were delivered, and Prefect's own history (docs/runbook.md, Disposal).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, or_, update
from sqlmodel import SQLModel, col, func, select

from complaints.domain import commands
from complaints.domain.errors import Conflict, Forbidden
from complaints.domain.lifecycle import TABLE
from complaints.domain.vocabulary import IntentKind, IntentState
from complaints.services import administration, outbox
from complaints.services.retention import request_for
from complaints.services.transition import perform
from complaints.store.columns import new_id
from complaints.store.tables import (
    Attachment,
    Clock,
    Complainant,
    Complaint,
    Decision,
    Event,
    IdempotencyKey,
    Investigation,
    Link,
    Message,
    Outbox,
    Party,
    Presence,
    Remedy,
    Step,
    Survey,
)
from complaints.store.unit import Work

#: Tables whose rows of the complaint go.
GONE: tuple[type[SQLModel], ...] = (
    Attachment,
    Decision,
    Event,
    IdempotencyKey,
    Investigation,
    Link,
    Message,
    Outbox,
    Party,
    Presence,
    Step,
)
#: Tables whose rows stay to be counted, and what is put in place of words. Clocks lose the words inside their ledgers.
BLANK: Mapping[type[SQLModel], Mapping[str, Any]] = MappingProxyType(
    {
        Complaint: {
            "subject": "",
            "narrative": "",
            "search": "",
            "product": "",
            "desired_remedy": "",
            "order_ref": "",
            "external_source": None,
            "external_id": None,
            "extra": {},
            "classification": {},
            "flags": [],
            "assignee_id": None,
            "responsible_unit": None,
            "merged_into_id": None,
            "bag_url": None,
        },
        Remedy: {"description": "", "evidence": "", "proposed_by": ""},
        Survey: {"words": ""},
        Clock: {},
    }
)


def request_disposal(work: Work, complaint: Complaint, command: commands.RequestDisposal) -> None:
    """Propose the disposal; somebody else erases."""
    if complaint.legal_hold:
        raise Conflict("The dossier is on legal hold. End the hold first.")
    perform(work, complaint, "request_disposal", reason=command.reason)


def erase(work: Work, complaint: Complaint, command: commands.Erase) -> None:
    """Leave of the complaint what statistics count; why so, and in this order, is said at the head of this file.

    Raises `Forbidden` without another person's request, `Conflict` on legal hold, before the retention date, and while
    something of the case is on its way.
    """
    row = TABLE["erase"]
    mine = complaint.status in row.sources and bool(work.actor.roles & row.roles)
    asked = _agreed(work, complaint, early=command.early) if mine else None
    perform(work, complaint, "erase", reason=command.reason)  # refuses whom it is not for, and when
    assert asked is not None
    outside = {
        "reference": complaint.reference,
        "bag": complaint.bag_url,
        "sha256": complaint.bag_hash,
        "files": _digests(work, complaint),
    }
    administration.note(
        work,
        "case_erased",
        complaint.reference,
        {
            "requested_by": asked.actor_name,
            "request": asked.reason,
            "reason": command.reason,
            "retention": "over" if _over(work, complaint) else "early",
            "chain_head": complaint.chain_head,
            "bag_hash": complaint.bag_hash,
        },
    )
    _forget(work, complaint)
    outbox.add(work, IntentKind.DISPOSE, f"dispose:{complaint.id}", complaint_id=complaint.id, payload=outside)


def _agreed(work: Work, complaint: Complaint, *, early: bool) -> Event:
    """Somebody else's request, if nothing stands against following it."""
    if complaint.legal_hold:
        raise Conflict("The dossier is on legal hold. End the hold first.")
    asked = request_for(work, complaint)
    if asked is None:
        raise Forbidden(
            "Nobody has requested the disposal of this dossier (four eyes). Request it; somebody else erases."
        )
    if asked.actor_id == work.actor.id:
        raise Forbidden("Whoever requested the disposal may not erase (four eyes). Ask somebody else.")
    if not (early or _over(work, complaint)):
        until = f"{complaint.retention_until:%Y-%m-%d}"
        raise Conflict(f"The dossier is to be kept until {until}. Where the law gives a right to erasure, say 'early'.")
    waiting = select(Outbox.id).where(Outbox.complaint_id == complaint.id, Outbox.state == IntentState.PENDING)
    if work.session.exec(waiting.limit(1)).first() is not None:
        raise Conflict("A letter or call of this complaint is still on its way. Try again when it has gone out.")
    return asked


def _over(work: Work, complaint: Complaint) -> bool:
    """Whether its retention date has come."""
    return complaint.retention_until is not None and complaint.retention_until <= work.now


def _digests(work: Work, complaint: Complaint) -> list[str]:
    found = select(Attachment.sha256).where(Attachment.complaint_id == complaint.id).distinct()
    return sorted(work.session.exec(found).all())


def _forget(work: Work, complaint: Complaint) -> None:
    """Delete and blank the rows; the complaint becomes that of somebody without a name."""
    people = _named(work, complaint)
    nobody = Complainant(id=new_id(work.now), language=complaint.language, created_at=work.now)
    work.session.add(nobody)
    work.session.flush()
    complaint.complainant_id = nobody.id
    for name, value in BLANK[Complaint].items():
        setattr(complaint, name, value)
    work.session.add(complaint)
    for clock in work.session.exec(select(Clock).where(Clock.complaint_id == complaint.id)).all():
        changes = [{**change, "reason": ""} for change in clock.ledger["changes"]]
        clock.ledger, clock.next_at = {**clock.ledger, "changes": changes}, None
        work.session.add(clock)
    work.session.flush()
    for table, values in BLANK.items():
        if table is not Complaint and values:
            work.session.execute(update(table).where(_of(table, complaint)).values(**values))
    for table in GONE:
        work.session.execute(delete(table).where(_of(table, complaint)))
    work.session.add(Party(complaint_id=complaint.id, complainant_id=nobody.id))
    _forget_people(work, complaint, people)


def _of(table: type[SQLModel], complaint: Complaint) -> Any:
    """Rows of `table` that belong to the complaint."""
    if table is Link:
        return or_(col(Link.from_id) == complaint.id, col(Link.to_id) == complaint.id)
    return table.__table__.c.complaint_id == complaint.id  # type: ignore[attr-defined]  # SQLModel does not type it


def _named(work: Work, complaint: Complaint) -> set[UUID]:
    parties = work.session.exec(select(Party.complainant_id).where(Party.complaint_id == complaint.id)).all()
    return {complaint.complainant_id, *parties}


def _forget_people(work: Work, complaint: Complaint, people: Iterable[UUID]) -> None:
    """Complainants whom no other complaint names; one that is erased names nobody any more."""
    work.session.execute(delete(Complainant).where(col(Complainant.id).in_(people), _of_no_other(complaint)))


def _of_no_other(complaint: Complaint) -> Any:
    """Complainants whom no complaint names but this one."""
    party = select(Party.complaint_id).where(Party.complainant_id == Complainant.id, Party.complaint_id != complaint.id)
    own = select(Complaint.id).where(Complaint.complainant_id == Complainant.id, Complaint.id != complaint.id)
    return ~exists(party.correlate(Complainant)) & ~exists(own.correlate(Complainant))


def extent(work: Work, complaint: Complaint) -> dict[str, int]:
    """What erasing would take, for whoever is about to do it: table → rows, those without any left out."""
    tables = (Message, Attachment, Investigation, Decision, Step, Event)
    counted = {
        str(table.__tablename__): work.session.exec(
            select(func.count()).select_from(table).where(_of(table, complaint))
        ).one()
        for table in tables
    }
    people = select(func.count()).where(col(Complainant.id).in_(_named(work, complaint)), _of_no_other(complaint))
    counted["complainant"] = work.session.exec(people).one()
    return {table: number for table, number in counted.items() if number}
