"""Limits in time for handing over: how long one attempt may take, and when the next message may go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from complaints.domain.errors import Retryable

Outcome = TypeVar("Outcome")


class Pace(Protocol):
    """How many messages a provider gets, from all processes together."""

    def take(self) -> float:
        """Take one. Returns 0 when it was free, else how many seconds until it may be (nothing is taken then)."""
        ...


class Attempt(Generic[Outcome]):
    """One call in its own thread, so that the caller can leave it behind when its time is up.

    Socket time-outs alone do not bound a call: a server that sends one byte now and then, or a name server that does
    not answer, stays below each of them for ever. `abort` makes the thread that was left behind end soon.
    """

    def __init__(self, seconds: float, call: Callable[[], Outcome], abort: Callable[[], None] | None = None) -> None:
        self._seconds, self._call, self._abort = seconds, call, abort
        self._started = time.monotonic()
        self._outcome: list[Outcome] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._thread.start()

    def result(self) -> Outcome:
        """What the call returned or raised; `Retryable` when its time is over first."""
        self._thread.join(max(0.0, self._started + self._seconds - time.monotonic()))
        if self._error is not None:
            raise self._error
        if self._outcome:
            return self._outcome[0]
        if self._abort is not None:
            self._abort()
        raise Retryable(f"The provider did not finish within {self._seconds:g} seconds.")

    def _run(self) -> None:
        try:
            self._outcome.append(self._call())
        except BaseException as error:
            self._error = error
