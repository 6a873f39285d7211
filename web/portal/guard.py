"""What holds off floods: a bucket of sendings for each network address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock

from complaints.domain.network import network

#: Most addresses remembered at once; the fullest are forgotten first.
_MOST = 20_000


class Bucket:
    """A token bucket per network address: `per_hour` at once, refilled evenly. In this process only."""

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock = per_hour, clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, address: str) -> int:
        """Take one; 0 when there was one, else after how many seconds there will be one."""
        who, now, rate = network(address), self._clock(), self._size / 3600
        with self._lock:
            left, since = self._left.get(who, (float(self._size), now))
            left = min(self._size, left + (now - since) * rate)
            if left < 1:
                return math.ceil((1 - left) / rate)
            if len(self._left) >= _MOST:
                self._left = dict(sorted(self._left.items(), key=lambda item: item[1][0])[: _MOST // 2])
            self._left[who] = (left - 1, now)
            return 0
