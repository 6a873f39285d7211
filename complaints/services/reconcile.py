"""Putting right what a crash or a lost Prefect database left: every open complaint has one live run at its gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, not_, text
from sqlmodel import col, func, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentKind, StepState
from complaints.domain.walk import Move, next_move
from complaints.services import outbox, walk
from complaints.services.dispatch import restart
from complaints.services.opening import BLOCKING
from complaints.services.transition import lock
from complaints.store.tables import NOT_OVER, Complaint, Outbox, Step
from complaints.store.unit import Store, Work

#: State of each asked run: a Prefect state type (RUNNING, PAUSED, SCHEDULED, PENDING, COMPLETED, FAILED, CRASHED, …),
#: or no entry where Prefect does not know the run.
RunStates = Callable[[Iterable[UUID]], dict[UUID, str]]
#: What Prefect says of the state of each asked run, where it says anything.
RunMessages = Callable[[Iterable[UUID]], dict[UUID, str]]

_LIVE = frozenset({"RUNNING", "PENDING", "SCHEDULED", "PAUSED", "CANCELLING"})
#: A complaint whose run was recorded less than this ago is still on its way.
_GRACE = timedelta(seconds=20)


@dataclass
class Report:
    """What was found and what was done about it."""

    looked_at: int = 0
    unlaunched: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    asleep: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)  #: reference → why its run failed, where that is known

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(self.__dict__)

    @property
    def clean(self) -> bool:
        """Nothing was wrong."""
        return not (self.unlaunched or self.lost or self.failed or self.asleep or self.stuck)


def reconcile(
    store: Store,
    states: RunStates,
    *,
    repair: bool,
    restart_failed: bool = False,
    batch: int = 500,
    waiting: Callable[[], int] | None = None,
    messages: RunMessages | None = None,
) -> Report:
    """Look at every complaint that is not archived; with `repair`, put right what can be.

    A run that failed for good is left for a person to retry in Prefect (the case is reported) unless `restart_failed`.
    With `waiting` (how many runs Prefect holds suspended) the complaints at rest are only counted while both sides
    agree: tens of thousands of cases that wait for a person then cost next to nothing. `messages` is asked why runs
    failed.
    """
    report = Report()
    last: UUID | None = None
    with store.reading(SYSTEM) as work:
        moving = waiting is not None and _agree(work, waiting())
    while True:
        with store.reading(SYSTEM) as work:
            rows = _page(work, last, batch, moving)
            known = states([r.run_id for r in rows if r.run_id is not None])
            wrong = [(r.id, kind) for r in rows if (kind := _wrong(work, r, known, restart_failed))]
        if not rows:
            return report
        last = rows[-1].id
        report.looked_at += len(rows)
        seen = {r.id: r for r in rows}
        if messages is not None:
            report.why |= _reasons([seen[i] for i, kind in wrong if kind == "failed"], messages)
        for complaint_id, kind in wrong:
            getattr(report, kind).append(seen[complaint_id].reference)
            if repair and (kind != "failed" or restart_failed) and kind != "stuck":
                with store.work(SYSTEM) as work:
                    _mend(work, complaint_id, kind, seen[complaint_id].run_id)


def _reasons(failed: list[Complaint], messages: RunMessages) -> dict[str, str]:
    if not failed:
        return {}
    said = messages([c.run_id for c in failed if c.run_id is not None])
    return {c.reference: said[c.run_id] for c in failed if c.run_id in said}


def _at_rest() -> ColumnElement[bool]:
    """The row waits for a person who knows of it."""
    blocking = (
        Step.complaint_id == Complaint.id,
        col(Step.state).in_([StepState.OPEN, StepState.CLAIMED]),
        col(Step.kind).in_(sorted(BLOCKING)),
    )
    return and_(
        col(Complaint.run_id).is_not(None),
        exists(select(Step.id).where(*blocking).correlate(Complaint)),
        not_(exists(select(Step.id).where(*blocking, col(Step.briefed_at).is_(None)).correlate(Complaint))),
    )


def _agree(work: Work, suspended: int) -> bool:
    """Prefect holds about as many suspended runs as we have cases at rest. Small differences are cases on the move;
    every ten minutes they are looked into all the same."""
    ours = work.session.exec(select(func.count()).select_from(Complaint).where(_OPEN, _at_rest())).one()
    apart = abs(ours - suspended)
    return apart == 0 or (apart <= max(10, ours // 50) and work.now.minute % 10 != 0)


_OPEN = text(f"complaint.{NOT_OVER}")


def _page(work: Work, last: UUID | None, batch: int, moving: bool) -> list[Complaint]:
    query = select(Complaint).where(_OPEN)
    if moving:
        query = query.where(not_(_at_rest()))
    if last is not None:
        query = query.where(col(Complaint.id) > last)
    return list(work.session.exec(query.order_by(col(Complaint.id)).limit(batch)).all())


def _wrong(work: Work, complaint: Complaint, states: dict[UUID, str], restart_failed: bool) -> str | None:
    young = complaint.created_at > work.now - _GRACE
    if complaint.run_id is None:
        return None if young else "unlaunched"
    state = states.get(complaint.run_id)
    if state is None:
        return "lost"
    if state not in _LIVE:
        return "failed"
    try:
        move = next_move(walk.position(work, complaint))
    except AssertionError:
        return "stuck"
    if state == "PAUSED" and move.move is not Move.WAIT:
        return "asleep"
    return None


def _mend(work: Work, complaint_id: UUID, kind: str, judged: UUID | None) -> None:
    """Put right what was found about the run `judged`. Where the complaint has got another one since, by the outbox or
    another reconciler, nothing is wrong any more; a further run would be its second."""
    complaint = lock(work, complaint_id)
    if complaint.run_id != judged:
        return
    if kind in ("unlaunched", "lost", "failed"):
        _relaunch(work, complaint)
    else:
        outbox.add(
            work,
            IntentKind.WAKE_RUN,
            f"wake:{complaint.id}:{complaint.event_count}:{int(work.now.timestamp())}",
            complaint_id=complaint.id,
        )


def _relaunch(work: Work, complaint: Complaint) -> None:
    """Record that the complaint needs a run; where that is recorded already, make it due now (it may be dead or leased
    by a dead process)."""
    if restart(work, complaint):
        return
    key = f"start:{complaint.id}:{complaint.run_round + 1}"
    row = work.session.exec(select(Outbox).where(Outbox.key == key).with_for_update()).one()
    outbox.again(work, row)
