"""What holds off machines and strangers: signed forms against forgery and repetition, a bucket against floods."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from itsdangerous import BadSignature, URLSafeSerializer

#: How long a form may stay open before it must be sent again.
OPEN_FOR = timedelta(hours=12)
#: Most addresses remembered at once; the fullest are forgotten first.
_MOST = 20_000


@dataclass(frozen=True)
class Slip:
    """What a form carries: its own key, for which page and browser it was made, and when (seconds since 1970)."""

    key: str
    page: str
    browser: str
    at: int

    def age(self, now: datetime) -> timedelta:
        """How long ago the form was opened."""
        return timedelta(seconds=now.timestamp() - self.at)


class Slips:
    """Makes and reads the signed slip in every form. The browser's cookie must be the one that it was made for."""

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeSerializer(secret, salt="portal-form", signer_kwargs={"digest_method": hashlib.sha256})

    def make(self, page: str, cookie: str, now: datetime, key: str = "") -> str:
        """A slip for a form on `page`; with `key`, for the same form again."""
        return str(self._signer.dumps([key or secrets.token_urlsafe(12), page, _digest(cookie), int(now.timestamp())]))

    def read(self, text: str) -> Slip | None:
        """The slip, if we made it."""
        try:
            key, page, browser, at = self._signer.loads(text)
            return Slip(str(key), str(page), str(browser), int(at))
        except (BadSignature, ValueError, TypeError):
            return None


def fits(slip: Slip | None, page: str, cookie: str, now: datetime) -> bool:
    """Whether the slip was made for this page and browser, and not too long ago."""
    return slip is not None and slip.page == page and slip.browser == _digest(cookie) and slip.age(now) <= OPEN_FOR


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


class Bucket:
    """A token bucket per network address: `per_hour` at once, refilled evenly. In this process only."""

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock = per_hour, clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, address: str) -> int:
        """Take one; 0 when there was one, else after how many seconds there will be one."""
        who, now, rate = _network(address), self._clock(), self._size / 3600
        with self._lock:
            left, since = self._left.get(who, (float(self._size), now))
            left = min(self._size, left + (now - since) * rate)
            if left < 1:
                return math.ceil((1 - left) / rate)
            if len(self._left) >= _MOST:
                self._left = dict(sorted(self._left.items(), key=lambda item: item[1][0])[: _MOST // 2])
            self._left[who] = (left - 1, now)
            return 0


def _network(address: str) -> str:
    """One customer's IPv6 addresses are many: their /64 counts as one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
