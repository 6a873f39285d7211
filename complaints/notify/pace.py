"""Limits in time for handing over: how long one attempt may take, and how many messages a provider gets per minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from complaints.domain.errors import Retryable

Outcome = TypeVar("Outcome")


class TokenBucket:
    """At most `per_minute` messages in any minute on average, in bursts of up to ten seconds' worth. Thread-safe."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._size = max(1.0, self._rate * 10)
        self._clock, self._lock = clock, threading.Lock()
        self._tokens, self._at = self._size, clock()

    def take(self) -> float:
        """Take one token. Returns 0 when there was one, else how many seconds until the next (none is taken then)."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._rate


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
