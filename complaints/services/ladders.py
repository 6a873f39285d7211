"""The tick: climbs the escalation ladders of all clocks, each rung exactly once, however many tick at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import col, select

from complaints.crashpoints import reach
from complaints.domain.ledger import Ledger
from complaints.domain.ports import SYSTEM
from complaints.services import clocks, escalation, marks
from complaints.services.escalation import Fired
from complaints.store.tables import Clock, Complaint, Rung
from complaints.store.unit import Store, Work

_log = logging.getLogger(__name__)
#: A complaint whose clocks cannot be calculated is tried again after this.
RETRY = timedelta(minutes=5)


def tick(store: Store, batch: int = 200, most: int = 20_000) -> int:
    """Fire every rung that is due, in batches; any number of ticks may run at once. Catches up after downtime.

    Where something of a batch fails, its complaints are taken one by one, so that only those wait that cannot be
    calculated: they are tried again after `RETRY`, and operations are told.
    """
    total, seen = 0, 1
    while seen and total < most:
        try:
            with store.work(SYSTEM) as work:
                seen, fired = _tick(work, batch)
        except (InterfaceError, OperationalError):
            raise  # the database, not a complaint
        except Exception:
            seen, fired = _one_by_one(store, batch)
        total += fired
    return total


def _due(work: Work, batch: int, only: UUID | None = None) -> Sequence[Complaint]:
    """Complaints with a due rung, locked.

    Locks complaints, never clocks first, in the order that every other writer has: no deadlock. Rows that another tick
    holds are skipped before they count towards the batch, so that ticks share the work.
    """
    query = select(Complaint).join(Clock, col(Clock.complaint_id) == col(Complaint.id))
    query = query.where(col(Clock.next_at) <= work.now).order_by(col(Clock.next_at)).limit(batch)
    if only is not None:
        query = query.where(Complaint.id == only)
    return work.session.exec(query.with_for_update(of=Complaint, skip_locked=True)).all()


def _one_by_one(store: Store, batch: int) -> tuple[int, int]:
    """The batch again, each complaint in a transaction of its own: how many were looked at, how many rungs fired."""
    with store.reading(SYSTEM) as work:
        query = select(Clock.complaint_id).where(col(Clock.next_at) <= work.now).order_by(col(Clock.next_at))
        ids = list(dict.fromkeys(work.session.exec(query.limit(batch)).all()))
    seen = fired = 0
    for complaint_id in ids:
        try:
            with store.work(SYSTEM) as work:
                looked_at, rungs = _climb_all(work, _due(work, 1, complaint_id))
            seen, fired = seen + looked_at, fired + rungs
        except Exception as error:
            _log.exception("The clocks of complaint %s cannot be calculated.", complaint_id)
            with store.work(SYSTEM) as work:
                _put_off(work, complaint_id, error)
            seen += 1
    return seen, fired


def _put_off(work: Work, complaint_id: UUID, error: Exception) -> None:
    """Try the complaint's clocks again later, and note it for operations."""
    complaint = work.session.get_one(Complaint, complaint_id)
    work.session.execute(
        update(Clock)
        .where(col(Clock.complaint_id) == complaint_id, col(Clock.next_at) <= work.now)
        .values(next_at=work.now + RETRY)
    )
    marks.note_fault(work, complaint.reference, f"{type(error).__name__}: {error}"[:300])


def _tick(work: Work, batch: int) -> tuple[int, int]:
    return _climb_all(work, _due(work, batch))


def _climb_all(work: Work, due: Sequence[Complaint]) -> tuple[int, int]:
    """Let the clocks of locked complaints climb: how many were looked at, how many rungs fired."""
    complaints = {c.id: c for c in due}
    if not complaints:
        return 0, 0
    rows = work.session.exec(
        select(Clock).where(col(Clock.complaint_id).in_(complaints), col(Clock.next_at) <= work.now)
    ).all()
    already = clocks.fired_rungs(work, [r.id for r in rows])
    climbed = [one for r in rows for one in _climb(work, complaints[r.complaint_id], r, already.get(r.id, set()))]
    fired = _fire(work, climbed)
    if fired:
        reach("in_tick")
        escalation.act(work, fired)
    return len(complaints), len(fired)


def _fire(work: Work, climbed: Sequence[Fired]) -> list[Fired]:
    """Record the rungs; those recorded before are left out."""
    if not climbed:
        return []
    rows = [
        {
            "clock_id": one.clock.id,
            "rung": one.rung.key,
            "at": work.now,
            "due_at": one.due_at,
            "lateness": (work.now - one.due_at).total_seconds(),
            "actions": [str(a) for a in one.rung.actions],
        }
        for one in climbed
    ]
    statement = insert(Rung).values(rows).on_conflict_do_nothing().returning(col(Rung.clock_id), col(Rung.rung))
    new = {(clock_id, rung) for clock_id, rung in work.session.execute(statement).all()}
    return [one for one in climbed if (one.clock.id, one.rung.key) in new]


def _climb(work: Work, complaint: Complaint, clock: Clock, already: set[str]) -> list[Fired]:
    """The clock's rungs that are due; notes when the next one will be."""
    policy = work.policies.get(complaint.policy_hash)
    rule, days = clocks.spec_of(policy, clock)
    book = Ledger.from_json(clock.ledger)
    fired: list[Fired] = []
    clock.next_at = None
    for at, rung in clocks.rung_times(policy, rule, days, book):
        if rung.key in already:
            continue
        if at > work.now:
            clock.next_at = at
            break
        fired.append(Fired(complaint, clock, rung, at, clocks.used(book, days, work.now)))
    work.session.add(clock)
    return fired
