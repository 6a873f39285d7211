"""Who is calling the API: `Authorization: Bearer ck_…`, and what the key may do."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from complaints.domain.errors import Forbidden
from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Role
from complaints.services import people
from complaints.services.people import Bearer
from config.wiring import App

#: A revoked key opens nothing this many seconds later, in whichever process it was known.
MEMORY = 5.0
_MOST = 4096


class Unauthenticated(HTTPException):
    """No key, or one that opens nothing: 401 with a challenge (RFC 6750)."""

    def __init__(self, detail: str, *, error: str = "") -> None:
        challenge = 'Bearer realm="complaints"' + (f', error="{error}"' if error else "")
        super().__init__(401, detail, {"WWW-Authenticate": challenge})


@dataclass(frozen=True)
class _Known:
    bearer: Bearer
    until: float


class KeyRing:
    """Verified keys, remembered for `MEMORY` seconds by their digest, never by themselves."""

    def __init__(self, product: App) -> None:
        self._product = product
        self._known: dict[bytes, _Known] = {}
        self._lock = Lock()

    def remembered(self, secret: str) -> Bearer | None:
        """Who presents this key, if it was verified a moment ago."""
        found = self._known.get(hashlib.sha256(secret.encode()).digest())
        return found.bearer if found and found.until > time.monotonic() else None

    def verify(self, secret: str) -> Bearer:
        """Who presents this key, asked of the database; `Unauthenticated` when it opens nothing."""
        try:
            with self._product.store.work(SYSTEM) as work:
                bearer = people.bearer(work, secret)
                people.key_used(work, bearer.key_id)
        except Forbidden as error:
            raise Unauthenticated(str(error), error="invalid_token") from None
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[hashlib.sha256(secret.encode()).digest()] = _Known(bearer, time.monotonic() + MEMORY)
        return bearer

    def forget(self) -> None:
        """Ask the database about every key again (a key was revoked here)."""
        with self._lock:
            self._known.clear()


class Needs(HTTPBearer):
    """A dependency: the caller, whose key has at least one of `scopes`."""

    def __init__(self, *scopes: str) -> None:
        super().__init__(
            scheme_name="apiKey",
            description="An API key, `ck_…`, of an integrator or of a person. Its scopes say what it may do.",
            auto_error=False,
        )
        self.scopes = frozenset(scopes)

    async def __call__(self, request: Request) -> Bearer:  # type: ignore[override]  # the caller instead of the header
        """The caller, or 401, or 403 naming the scope that is missing."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("Send your API key: `Authorization: Bearer ck_…`.")
        ring: KeyRing = request.app.state.keys
        bearer = ring.remembered(secret)
        if bearer is None:
            bearer = await run_in_threadpool(ring.verify, secret)
        if not self.scopes & bearer.scopes:
            raise Forbidden(f"This key may not do that; it needs the scope {' or '.join(sorted(self.scopes))}.")
        if self.scopes == {"admin"} and Role.ADMIN not in bearer.actor.roles:
            raise Forbidden("Only an administrator may do that.")
        return bearer


async def product(request: Request) -> App:
    """The composed application behind this process."""
    found: App = request.app.state.product
    return found


def _actor(*scopes: str) -> object:
    caller = Depends(Needs(*scopes))

    async def actor(bearer: Bearer = caller) -> Actor:
        return bearer.actor

    return Depends(actor)


Product = Annotated[App, Depends(product)]
Submitter = Annotated[Actor, _actor("complaints:submit")]
Reader = Annotated[Actor, _actor("complaints:read")]
Doer = Annotated[Actor, _actor("complaints:act")]
Worker = Annotated[Actor, _actor("tasks")]
Uploader = Annotated[Actor, _actor("complaints:submit", "complaints:act")]
Colleague = Annotated[Actor, _actor("complaints:act", "tasks", "admin")]
Administrator = Annotated[Actor, _actor("admin")]
