"""The unit of work: one request or task is one transaction. The only place that commits.

Services load, decide and save through a `Work`; they never commit. Intents recorded in it are handed to `after_commit`
once the transaction is durable, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import Engine, text
from sqlmodel import Session

from complaints.crashpoints import reach
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import Actor
from complaints.store.tables import Clock, Step


class PolicyBook(Protocol):
    """All policy versions that cases may be pinned to."""

    def active(self, now: datetime) -> PolicyBundle:
        """The bundle in force at `now`."""
        ...

    def get(self, content_hash: str) -> PolicyBundle:
        """The bundle with that hash; the active one never replaces it silently."""
        ...


@dataclass
class Work:
    """What a service works with: a session, one instant, one actor, the policies."""

    session: Session
    now: datetime
    actor: Actor
    policies: PolicyBook
    in_flow: bool = False  #: the flow run itself acts: it need not be woken
    intents: list[UUID] = field(default_factory=list)  #: outbox rows recorded here, to act upon after commit
    lease: timedelta | None = None  #: intents recorded here are this process's to act on, for so long
    woken: set[UUID] = field(default_factory=set)  #: complaints whose run is asked to look at its row
    #: by complaint, what was read of it in this unit: only we can change it while we hold its lock
    steps: dict[UUID, list[Step]] = field(default_factory=dict)
    clocks: dict[UUID, list[Clock]] = field(default_factory=dict)

    def forget(self, complaint_id: UUID) -> None:
        """Others may have changed the complaint until now."""
        self.steps.pop(complaint_id, None)
        self.clocks.pop(complaint_id, None)

    def take_turn(self, what: str) -> None:
        """Wait until no other unit that named the same `what` is under way, and keep the turn until this one ends."""
        turn = text("select pg_advisory_xact_lock(hashtextextended(:what, 0))")
        self.session.connection().execute(turn, {"what": what})

    @property
    def policy(self) -> PolicyBundle:
        """The bundle in force now."""
        return self.policies.active(self.now)


class Store:
    """Opens units of work on one engine."""

    def __init__(
        self,
        engine: Engine,
        policies: PolicyBook,
        now: Callable[[], datetime],
        after_commit: Callable[[list[UUID]], None] = lambda _: None,
        lease: timedelta | None = None,
    ) -> None:
        self.engine, self.policies, self.now, self.after_commit = engine, policies, now, after_commit
        self.lease = lease

    @contextmanager
    def work(self, actor: Actor, *, in_flow: bool = False) -> Iterator[Work]:
        """One transaction: committed when the block ends well, rolled back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session:
            unit = Work(session, self.now(), actor, self.policies, in_flow, lease=self.lease)
            yield unit
            session.commit()
        if unit.intents:
            reach("after_commit")
            self.after_commit(unit.intents)

    @contextmanager
    def reading(self, actor: Actor) -> Iterator[Work]:
        """Read only: closing the session rolls back; what was loaded stays readable."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield Work(session, self.now(), actor, self.policies)
