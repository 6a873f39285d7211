"""Signing in and out: login and password, then a code where the person has a second factor."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from itsdangerous import BadSignature, URLSafeSerializer

from complaints.domain.ports import SYSTEM
from complaints.services import signin, totp
from complaints.services.signin import Locked, WrongPassword
from complaints.services.totp import WrongCode
from complaints.store.tables import Person
from web.console.pages import Screen, own
from web.console.resume import KEPT, Fields, again, kept
from web.console.route import PageRoute
from web.console.seat import Entries, Staff, cookie_name, same_site
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: So long after the password the code may come.
_PATIENCE = timedelta(minutes=5)


@router.get("/sign-in")
def ask(request: Request, next: str = "/console") -> Response:
    """Login and password."""
    return Screen(request).page("sign_in.html", onward=own(next), fields=[], errors={}, login="", expired=False)


@router.post("/sign-in")
def sign_in(request: Request, entries: Entries) -> Response:
    """Check them; then where the person was going."""
    screen = Screen(request)
    login, password = str(entries.get("login", "")).strip(), str(entries.get("password", ""))
    onward, fields = own(str(entries.get("next", ""))), kept(entries, KEPT)
    if not same_site(request):
        return screen.go("/console/sign-in")
    error, person = _checked(screen, login, password)
    if person is None:
        about = {"onward": onward, "fields": fields, "login": login, "expired": False}
        return screen.page("sign_in.html", _status(error), errors={"password": _said(screen, error)}, **about)
    if person.totp_secret:
        return second_step(screen, person, onward, fields)
    return seated(screen, person, onward, fields, via="password")


def _checked(screen: Screen, login: str, password: str) -> tuple[dict[str, str], Person | None]:
    """What is wrong, or who it is. An attempt is kept whatever came of it."""
    with screen.product.store.work(SYSTEM) as work:
        try:
            return {}, signin.check(work, login, password, address_of(screen.request))
        except Locked as locked:
            return _locked(screen, locked), None
        except WrongPassword:
            return {"text": N_("Login and password do not belong together.")}, None


def _locked(screen: Screen, locked: Locked) -> dict[str, str]:
    clock = locked.until.astimezone(screen.console.zone).strftime("%H:%M")
    return {"text": N_("Too many wrong attempts. Try again after %(time)s."), "until": clock}


def _said(screen: Screen, error: dict[str, str]) -> str:
    return screen.speech.say(error["text"], time=error.get("until", ""))


def _status(error: dict[str, str]) -> int:
    return HTTPStatus.TOO_MANY_REQUESTS if "until" in error else HTTPStatus.FORBIDDEN


def second_step(screen: Screen, person: Person, onward: str, fields: Fields) -> Response:
    """Ask for a code. The ticket says who passed the first step, and when; a new password makes it void."""
    late = int((screen.product.store.now() + _PATIENCE).timestamp())
    ticket = _tickets(screen).dumps([str(person.id), late, _mark(person)])
    return screen.page("second_step.html", onward=onward, fields=fields, ticket=ticket, errors={})


@router.post("/sign-in/code")
def enter_code(request: Request, entries: Entries) -> Response:
    """The second step."""
    screen = Screen(request)
    onward, fields = own(str(entries.get("next", ""))), kept(entries, KEPT)
    ticket = str(entries.get("ticket", ""))
    person = _behind(screen, ticket) if same_site(request) else None
    if person is None:
        return screen.go("/console/sign-in", screen.speech.say(N_("That took too long. Sign in again.")), tone="note")
    error = _code_checked(screen, person, str(entries.get("code", "")))
    if error:
        about = {"onward": onward, "fields": fields, "ticket": ticket}
        return screen.page("second_step.html", _status(error), errors={"code": _said(screen, error)}, **about)
    return seated(screen, person, onward, fields, via="totp")


def _code_checked(screen: Screen, person: Person, code: str) -> dict[str, str]:
    with screen.product.store.work(SYSTEM) as work:
        try:
            totp.check(work, person, code, address_of(screen.request))
        except Locked as locked:
            return _locked(screen, locked)
        except WrongCode:
            return {"text": N_("This code is not valid, or was used before. Wait for the next one.")}
    return {}


def _behind(screen: Screen, ticket: str) -> Person | None:
    """Who passed the first step a moment ago."""
    try:
        person_id, late, mark = _tickets(screen).loads(ticket)
    except BadSignature:
        return None
    with screen.product.store.reading(SYSTEM) as work:
        person = work.session.get(Person, UUID(person_id))
        in_time = work.now < datetime.fromtimestamp(late, UTC)
    return person if person is not None and person.active and in_time and _mark(person) == mark else None


def _tickets(screen: Screen) -> URLSafeSerializer:
    secret = screen.product.settings.secret()
    return URLSafeSerializer(secret, salt="second step", signer_kwargs={"digest_method": hashlib.sha256})


def _mark(person: Person) -> str:
    """Changes with password and second factor."""
    return hashlib.sha256(f"{person.password_hash} {person.totp_secret}".encode()).hexdigest()[:16]


def seated(screen: Screen, person: Person, onward: str, fields: Fields, *, via: str) -> Response:
    """Opens the session; a form that was kept is offered again."""
    product, request = screen.product, screen.request
    with product.store.work(SYSTEM) as work:
        token, _ = signin.open_session(
            work, person, address=address_of(request), agent=request.headers.get("user-agent", ""), via=via
        )
    with product.store.reading(SYSTEM) as work:
        seat = signin.seat(work, token)
    assert seat is not None
    fresh = Screen(request, seat)
    response = again(fresh, onward, fields) if fields else fresh.go(onward)
    response.set_cookie(cookie_name(product), token, path="/", **fresh.jar())
    return response


@router.post("/sign-out")
def sign_out(screen: Staff) -> Response:
    """End this session."""
    with screen.work() as work:
        signin.end_session(work, screen.seat.session.id)
    response = screen.go("/console/sign-in", screen.speech.say(N_("You are signed out.")))
    response.delete_cookie(cookie_name(screen.product), path="/")
    return response


def address_of(request: Request) -> str:
    """Network address of the browser."""
    return request.client.host if request.client else ""
