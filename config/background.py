"""Acting on intents right after commit, in a few threads of this process. What is not reached, a sweep picks up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from uuid import UUID

from complaints.services.dispatch import Result

_log = logging.getLogger("complaints.background")
#: Retries due sooner than this are kept in this process; later ones are left to the sweep. Seconds.
_KEEP = 3.0


class Background:
    """A small pool of threads; `submit` returns at once."""

    def __init__(self, act: Callable[[UUID, bool], Result], now: Callable[[], datetime], threads: int = 4) -> None:
        self._act, self._now = act, now
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="intents")
        self._closed = False

    def submit(self, intents: list[UUID], *, leased: bool = True) -> None:
        """Act on these soon; `leased` when the transaction that recorded them took the lease, too."""
        for intent in intents:
            if not self._closed:
                self._pool.submit(self._run, intent, leased)

    def drain(self) -> None:
        """Finish what was submitted; retries that lie ahead are left to the sweep."""
        self._closed = True
        self._pool.shutdown(wait=True)

    def _run(self, intent: UUID, leased: bool) -> None:
        try:
            result = self._act(intent, leased)
        except Exception:  # the row is durable and leased: the sweep tries again, operations see why in the log
            _log.exception("intent %s failed unexpectedly", intent)
            return
        if result.again_at is None or self._closed:
            return
        wait = (result.again_at - self._now()).total_seconds()
        if wait <= _KEEP:
            timer = threading.Timer(max(wait, 0.01), self.submit, ([intent],), {"leased": False})
            timer.daemon = True
            timer.start()
