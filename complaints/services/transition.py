"""The one writer: status changes, events and what follows from entering a status. Nothing else sets a status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.exc import OperationalError
from sqlmodel import select

from complaints.domain import lifecycle
from complaints.domain.errors import Conflict, Forbidden, NotFound, StaleVersion
from complaints.domain.lifecycle import Facts, Ground, Transition
from complaints.domain.ports import Actor
from complaints.domain.reference import parse
from complaints.domain.vocabulary import OVER, Audience, IntentKind, RemedyState, Role, Status
from complaints.services import clocks, opening, outbox
from complaints.services.contact import way_to_reach
from complaints.services.retention import request_for
from complaints.store import chain
from complaints.store.rows import pending
from complaints.store.tables import Complainant, Complaint, Event, Remedy
from complaints.store.unit import Work

#: PostgreSQL's code for a row that somebody else has locked.
_LOCK_NOT_AVAILABLE = "55P03"


def lock(work: Work, complaint_id: UUID, *, wait: bool = True) -> Complaint:
    """The complaint, locked until the transaction ends, so that its writers queue up one after another.

    Raises `Conflict` instead of queueing up when `wait` is False.
    """
    query = select(Complaint).where(Complaint.id == complaint_id).with_for_update(nowait=not wait)
    try:
        found = work.session.exec(query.execution_options(populate_existing=True)).first()
    except OperationalError as error:
        if wait or getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict("Somebody is changing the other complaint at this moment. Try again.") from None
    if found is None:
        raise NotFound("complaint", complaint_id)
    work.forget(complaint_id)
    return found


def lock_beside(work: Work, held: Complaint, complaint_id: UUID) -> Complaint:
    """A second complaint, locked while `held` is. Two who hold and want them crosswise must not wait for each other:
    only the one who asks in the order of the ids queues up."""
    return lock(work, complaint_id, wait=complaint_id >= held.id)


def lock_reference(work: Work, reference: str, version: int | None = None) -> Complaint:
    """The complaint with `reference`, locked; `StaleVersion` when the caller saw another version."""
    key = parse(reference)
    found = work.session.exec(select(Complaint.id).where(Complaint.reference == key)).first()
    if found is None:
        raise NotFound("complaint", key)
    complaint = lock(work, found)
    if version is not None and version != complaint.version:
        raise StaleVersion(version, complaint.version)
    return complaint


def record(
    work: Work,
    complaint: Complaint,
    kind: str,
    *,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
    audience: Audience = Audience.INTERNAL,
    from_status: str | None = None,
    actor: Actor | None = None,
) -> Event:
    """Append one event to the complaint's log, chain it, and let the clocks see it."""
    who = actor or work.actor
    event = pending(
        Event,
        complaint_id=complaint.id,
        seq=complaint.event_count + 1,
        at=work.now,
        kind=kind,
        actor_kind=who.kind,
        actor_id=who.id,
        actor_name=who.name,
        audience=audience,
        reason=reason,
        from_status=from_status,
        to_status=complaint.status if from_status else None,
        data=json.loads(json.dumps(dict(data or {}), default=str)),
        previous=complaint.chain_head or chain.GENESIS,
        hash="",
    )
    event.hash = chain.digest(event)
    complaint.event_count, complaint.chain_head = event.seq, event.hash
    complaint.version += 1
    work.session.add(event)
    work.session.add(complaint)
    clocks.on_event(work, complaint, event)
    return event


def facts(work: Work, complaint: Complaint) -> Facts:
    """What the transition table depends on beside the status."""
    states = work.session.exec(select(Remedy.state).where(Remedy.complaint_id == complaint.id).distinct()).all()
    complainant = work.session.get_one(Complainant, complaint.complainant_id)
    return Facts(
        _grounds(work, complaint),
        frozenset(map(RemedyState, states)),
        reachable=way_to_reach(complainant).kind != "none",
    )


def _grounds(work: Work, complaint: Complaint) -> frozenset[Ground]:
    if complaint.status != Status.ARCHIVED or complaint.legal_hold:
        return frozenset()
    asked = request_for(work, complaint)
    by_another = asked is not None and asked.actor_id != work.actor.id
    return frozenset({Ground.NO_HOLD} | ({Ground.REQUESTED} if by_another else set()))


def row_for(work: Work, complaint: Complaint, action: str, roles: frozenset[Role]) -> Transition:
    """The table's row for `action` on this complaint; `ActionNotAllowed` where it is not possible now."""
    return lifecycle.transition(Status(complaint.status), action, roles, partial(facts, work, complaint))


def perform(
    work: Work,
    complaint: Complaint,
    action: str,
    *,
    reason: str = "",
    data: Mapping[str, Any] | None = None,
    audience: Audience = Audience.INTERNAL,
    actor: Actor | None = None,
) -> Event:
    """Do `action` if the transition table and the actor's roles allow it; change the status, log it, open what follows.

    Raises `ActionNotAllowed` when the case is not so far, `Forbidden` when the actor's roles do not do.
    """
    who = actor or work.actor
    before = Status(complaint.status)
    row = row_for(work, complaint, action, who.roles)
    if not (who.roles & row.roles):
        need = ", ".join(sorted(row.roles - {Role.SYSTEM}))
        raise Forbidden(f"'{action}' needs one of these roles: {need or 'the machine only'}.")
    after = row.target(before, facts(work, complaint)) if row.choose else row.target(before, Facts())
    complaint.status = after
    event = record(
        work,
        complaint,
        action,
        reason=reason,
        data=data,
        audience=audience,
        from_status=before if row.targets else None,
        actor=who,
    )
    if row.targets:
        opening.left(work, complaint, before, after)
        opening.entered(work, complaint, after)
        if after not in OVER:
            wake(work, complaint, event.seq)
    return event


def wake(work: Work, complaint: Complaint, seq: int) -> None:
    """Ask that the flow run looks at its row again, unless the run itself is acting; once in a unit of work."""
    if not work.in_flow and complaint.id not in work.woken:
        work.woken.add(complaint.id)
        outbox.add(
            work,
            IntentKind.WAKE_RUN,
            f"wake:{complaint.id}:{seq}",
            complaint_id=complaint.id,
        )
