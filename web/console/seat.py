"""Who sits at the console: session cookie, roles a page needs, protection against forged requests.

Every route of the console takes a `Screen` from one of the aliases at the end; that is where its roles are written,
and where the test of all roles against all routes reads them.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from complaints.domain.errors import Forbidden
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import signin
from complaints.services.signin import Seat
from config.wiring import App
from web.browser import Browsers
from web.console.pages import Screen
from web.language import N_

SAFE = frozenset({"GET", "HEAD"})
#: The cookie of a session.
SESSION = "console"
#: What is said to whoever was made to send a form by another site.
FORGED = N_("This form was not sent from a page of ours, so nothing was done. Open the console and do it there.")
#: Everybody who works here.
STAFF = frozenset({Role.AGENT, Role.LEAD, Role.APPROVER, Role.MANAGER, Role.AUDITOR, Role.ADMIN})
#: Those who handle complaints; auditors and administrators only look.
CASEWORK = frozenset({Role.AGENT, Role.LEAD, Role.APPROVER, Role.MANAGER})
LEADERS = frozenset({Role.LEAD, Role.MANAGER})
EDITORS = LEADERS | {Role.ADMIN}
OVERSEERS = EDITORS | {Role.AUDITOR}
APPROVERS = LEADERS | {Role.APPROVER}
WITNESSES = OVERSEERS | {Role.APPROVER}
AUDITORS = frozenset({Role.MANAGER, Role.AUDITOR, Role.ADMIN})
ADMINISTRATORS = frozenset({Role.ADMIN})
#: Where somebody with a temporary password may go.
_CHANGE_PASSWORD = ("/console/account/password", "/console/sign-out")


class SignInFirst(Exception):
    """Nobody is signed in, or no longer: the page is kept and shown again afterwards."""


class ChangePassword(Exception):
    """The password is temporary: it must be changed before anything else."""


class Forged(Forbidden):
    """A page of another site sent this form."""

    code = "forged"

    def __init__(self) -> None:
        super().__init__(FORGED)


class Needs:
    """A dependency: the screen of somebody signed in who has one of `roles`; 403 for others."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Screen:
        """The screen, or `SignInFirst`, or `Forbidden`."""
        seat = await seat_of(request)
        if seat is None:
            raise SignInFirst
        if request.method not in SAFE:
            await _not_forged(request, seat)
        if seat.person.password_until and request.url.path not in _CHANGE_PASSWORD:
            raise ChangePassword
        screen = Screen(request, seat)
        request.state.screen = screen
        if not seat.actor.roles & self.roles:
            raise Forbidden(f"This page needs one of the roles: {', '.join(sorted(self.roles))}.")
        return screen


async def seat_of(request: Request) -> Seat | None:
    """Whoever sits at this browser, if somebody does."""
    product: App = request.app.state.product
    token = session_of(request)
    return await run_in_threadpool(_seat, product, token) if token else None


def _seat(product: App, token: str) -> Seat | None:
    with product.store.reading(SYSTEM) as work:
        seat = signin.seat(work, token)
    if seat is not None and product.store.now() - seat.session.seen_at > timedelta(minutes=1):
        with product.store.work(SYSTEM) as work:
            signin.touch(work, seat.session)
    return seat


async def _not_forged(request: Request, seat: Seat) -> None:
    """The request must carry the session's own token, as a header (script) or as a field (form)."""
    given = request.headers.get("x-csrf", "") or str((await posted(request)).get("csrf", ""))
    if not hmac.compare_digest(given.encode(), seat.session.csrf.encode()):
        raise SignInFirst  # an old form after a new sign-in: the person confirms it, nothing is lost


async def posted(request: Request) -> FormData:
    """The form that was sent, read once."""
    if not request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return FormData()
    return await request.form(max_files=200, max_fields=400, max_part_size=1_000_000)


def session_of(request: Request) -> str:
    """The token of the session that the browser has; empty for none."""
    browsers: Browsers = request.app.state.browsers
    return browsers.jar.read(request, SESSION)


def _screen(roles: frozenset[Role]) -> Any:
    return Depends(Needs(roles))


Entries = Annotated[FormData, Depends(posted)]
Staff = Annotated[Screen, _screen(STAFF)]
Caseworker = Annotated[Screen, _screen(CASEWORK)]
Leader = Annotated[Screen, _screen(LEADERS)]
Editor = Annotated[Screen, _screen(EDITORS)]
Overseer = Annotated[Screen, _screen(OVERSEERS)]
Approver = Annotated[Screen, _screen(APPROVERS)]
Witness = Annotated[Screen, _screen(WITNESSES)]
Auditor = Annotated[Screen, _screen(AUDITORS)]
Administrator = Annotated[Screen, _screen(ADMINISTRATORS)]
