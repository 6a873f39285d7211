"""The policy versions of this installation: stored whole, so that cases keep the one they began under."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from complaints.domain.errors import NotFound, PolicyInvalid
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import SYSTEM
from complaints.store.tables import PolicyVersion

#: Another process may activate a policy; this much later all others use it.
_REFRESH = timedelta(seconds=5)


class StoredPolicies:
    """All activated policies. `active` is the one with the latest effective date that has come."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine, self._now = engine, now
        self._lock = threading.Lock()
        self._bundles: dict[str, PolicyBundle] = {}
        self._order: list[tuple[datetime, datetime, str]] = []
        self._read_at: datetime | None = None

    def active(self, now: datetime) -> PolicyBundle:
        """The bundle in force at `now`; `PolicyInvalid` before the first activation."""
        with self._lock:
            if self._read_at is None or self._now() - self._read_at > _REFRESH:
                self._read()
            past = [key for effective, _, key in self._order if effective <= now]
            if not past:
                raise PolicyInvalid("No policy is active. Activate one: complaints policy activate DIR")
        return self.get(past[-1])

    def get(self, content_hash: str) -> PolicyBundle:
        """The bundle with that hash."""
        found = self._bundles.get(content_hash)
        if found is None:
            with Session(self._engine) as session:
                row = session.get(PolicyVersion, content_hash)
            if row is None:
                raise NotFound("policy version", content_hash)
            found = PolicyBundle.model_validate(row.content)
            self._bundles[content_hash] = found
        return found

    def activate(
        self,
        bundle: PolicyBundle,
        by: str = SYSTEM.name,
        effective_from: datetime | None = None,
    ) -> bool:
        """Store `bundle` and make it the active one from `effective_from` (now, if None); False if it is known already.

        A known policy is not activated again by starting up; to return to an older one, name a new effective date.
        """
        now = self._now()
        row = {
            "hash": bundle.hash,
            "name": bundle.name,
            "content": bundle.model_dump(mode="json"),
            "activated_at": now,
            "effective_from": effective_from or now,
            "activated_by": by,
        }
        statement = insert(PolicyVersion).values(row)
        if effective_from is not None:
            statement = statement.on_conflict_do_update(
                index_elements=["hash"],
                set_={
                    "effective_from": effective_from,
                    "activated_at": now,
                    "activated_by": by,
                },
            )
        else:
            statement = statement.on_conflict_do_nothing()
        with self._engine.begin() as connection:
            changed = connection.execute(statement.returning(col(PolicyVersion.hash))).scalar_one_or_none()
        with self._lock:
            self._read()
        return changed is not None

    def versions(self) -> list[PolicyVersion]:
        """All stored versions, newest effective date first."""
        with Session(self._engine) as session:
            return list(session.exec(select(PolicyVersion).order_by(col(PolicyVersion.effective_from).desc())).all())

    def _read(self) -> None:
        with Session(self._engine) as session:
            rows = session.exec(
                select(
                    PolicyVersion.effective_from,
                    PolicyVersion.activated_at,
                    PolicyVersion.hash,
                )
            ).all()
        self._order = sorted((effective, at, key) for effective, at, key in rows)
        self._read_at = self._now()
