"""How the system is, asked of its parts: the one source of `/healthz` and of the gauges in `/metrics`.

Every figure is a cheap query over a partial index or one row per status, and is remembered for some seconds.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx
from sqlalchemy import case, func, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentState
from complaints.services.marks import faults, marks
from complaints.store.tables import NOT_OVER, Complaint, Outbox
from config.settings import WORK_POOL
from config.wiring import App, wall_clock

T = TypeVar("T")


@dataclass(frozen=True)
class Figures:
    """What the database says. Ages are in seconds; None where there is nothing to measure."""

    complaints: dict[str, int] = field(default_factory=dict)
    outbox: dict[str, int] = field(default_factory=dict)
    oldest_pending: float | None = None
    unlaunched: int = 0
    oldest_unlaunched: float | None = None
    marks: dict[str, float] = field(default_factory=dict)
    clock_faults: int = 0


class Remembered(Generic[T]):
    """The answer of `ask`, asked again after `seconds`; one caller asks, others wait for it."""

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._lock = threading.Lock()
        self._value: tuple[float, T] | None = None

    def __call__(self) -> T:
        """The answer."""
        with self._lock:
            if self._value is None or time.monotonic() - self._value[0] > self._seconds:
                self._value = (time.monotonic(), self._ask())
            return self._value[1]


class Pulse:
    """Feels the parts of one installation."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._http = httpx.Client(timeout=1.5)
        self._since = time.monotonic()
        self.figures = Remembered(self._figures, 10)
        self.fresh = Remembered(self._figures, 1)
        self.prefect = Remembered(self._prefect, 2)

    @property
    def up(self) -> float:
        """Seconds since this process began to feel."""
        return time.monotonic() - self._since

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def _figures(self) -> Figures:
        with self._app.store.reading(SYSTEM) as work:
            ask, now = work.session.exec, work.now
            by_status = ask(select(Complaint.status, func.count()).group_by(col(Complaint.status))).all()
            live = col(Outbox.state) != IntentState.DONE
            by_state = ask(select(Outbox.state, func.count()).where(live).group_by(col(Outbox.state))).all()
            # what waits by plan (quiet hours, a digest being gathered, the loop brake) is not late before its time
            since = case((col(Outbox.attempts) == 0, col(Outbox.next_at)), else_=col(Outbox.created_at))
            pending = ask(select(func.min(since)).where(Outbox.state == IntentState.PENDING)).one()
            waiting = (col(Complaint.run_id).is_(None), text(f"complaint.{NOT_OVER}"))
            unlaunched, oldest = ask(select(func.count(), func.min(Complaint.created_at)).where(*waiting)).one()
            return Figures(
                complaints={status: int(n) for status, n in by_status},
                outbox={state: int(n) for state, n in by_state},
                oldest_pending=_age(pending, now),
                unlaunched=int(unlaunched),
                oldest_unlaunched=_age(oldest, now),
                marks={name: (now - mark.at).total_seconds() for name, mark in marks(work).items()},
                clock_faults=len(faults(work)),
            )

    def database(self) -> tuple[dict[str, Any], Figures | None]:
        """The database, and what it says."""
        started = time.perf_counter()
        try:
            figures = self.fresh()
        except SQLAlchemyError as error:
            return {"ok": False, "detail": type(error).__name__}, None
        return {"ok": True, "milliseconds": round((time.perf_counter() - started) * 1000, 1)}, figures

    def _prefect(self) -> dict[str, dict[str, Any]]:
        """The Prefect server, and its workers: one that is heard of is enough, each is told."""
        settings = self._app.settings
        user, _, password = settings.prefect_auth().partition(":")
        try:
            answer = self._http.get(f"{settings.prefect_api_url}/health", auth=(user, password))
            answer.raise_for_status()
            path = f"{settings.prefect_api_url}/work_pools/{WORK_POOL}/workers/filter"
            known = self._http.post(path, json={}, auth=(user, password))
            if known.status_code == HTTPStatus.NOT_FOUND:
                return {"prefect": {"ok": False, "detail": "its work pool is not registered"}}
            workers = {worker["name"]: self._worker(worker) for worker in known.raise_for_status().json()}
        except (httpx.HTTPError, ValueError) as error:
            return {"prefect": {"ok": False, "detail": type(error).__name__}}
        heard = any(worker["ok"] for worker in workers.values())
        said = {} if heard else {"detail": "no worker was heard of lately"}
        return {"prefect": {"ok": True}, "workers": {"ok": heard, **said, "each": workers}}

    def _worker(self, told: dict[str, Any]) -> dict[str, Any]:
        at = datetime.fromisoformat(told["last_heartbeat_time"]) if told["last_heartbeat_time"] else None
        return {"ok": told["status"] == "ONLINE", "heard_seconds_ago": _age(at, wall_clock())}

    def disk(self) -> dict[str, Any]:
        """Room left in the state folder."""
        home = self._app.settings.home
        try:
            usage = shutil.disk_usage(home if home.exists() else home.parent)
        except OSError as error:
            return {"ok": False, "detail": type(error).__name__}
        return {"ok": usage.free > 200_000_000, "free_bytes": usage.free, "total_bytes": usage.total}


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())
