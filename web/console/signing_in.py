"""Signing in and out: login and password, then a code where the person has a second factor."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from complaints.domain.ports import SYSTEM
from complaints.services import signin, totp
from complaints.services.signin import Locked, PasswordExpired, WrongPassword
from complaints.services.totp import WrongCode
from complaints.store.tables import Person
from web.console.pages import Screen, own
from web.console.resume import DOOR, KEPT, Fields, again, door, kept
from web.console.route import PageRoute
from web.console.seat import SESSION, Entries, Staff, session_of
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: A page to sign in may wait over a long weekend: nothing is lost by that, and nobody types a password twice.
_DOOR_OPEN = timedelta(days=7)
#: So long after the password the code may come.
_PATIENCE = timedelta(minutes=5)
#: Where the code is sent to; the form that slips of that page are made for.
_CODE = "/console/sign-in/code"
#: What the button sends that only wants to read the page in the other language.
_READ = "read"


@router.get("/sign-in")
def ask(request: Request, next: str = "/console") -> Response:
    """Login and password."""
    return door(Screen(request), own(next), [])


@router.post("/sign-in")
def sign_in(request: Request, entries: Entries) -> Response:
    """Check them; then where the person was going."""
    screen = Screen(request)
    login, password = str(entries.get("login", "")).strip(), str(entries.get("password", ""))
    onward, fields = own(str(entries.get("next", ""))), kept(entries, KEPT)
    _, fitting = screen.browser.returned(DOOR, str(entries.get("slip", "")), _DOOR_OPEN)
    if not fitting:
        return door(screen, onward, fields, HTTPStatus.FORBIDDEN, login=login, notice=_unfit(screen))
    if entries.get("do") == _READ:
        return door(screen, onward, fields, login=login)
    error, person = _checked(screen, login, password)
    if person is None:
        return door(screen, onward, fields, _status(error), login=login, errors={"password": _said(screen, error)})
    if person.totp_secret:
        return _second_step(screen, screen.browser.slip(_CODE, f"{person.id} {_mark(person)}"), onward, fields)
    return seated(screen, person, onward, fields, via="password")


def _unfit(screen: Screen) -> str:
    """Why one must sign in once more."""
    if screen.browser.known:
        return screen.speech.say(N_("This page is too old. Sign in once more, please."))
    said = N_("Your browser keeps back the cookie that protects this form. Allow cookies for this site, then sign in.")
    return screen.speech.say(said)


def _checked(screen: Screen, login: str, password: str) -> tuple[dict[str, str], Person | None]:
    """What is wrong, or who it is. An attempt is kept whatever came of it."""
    with screen.product.store.work(SYSTEM) as work:
        try:
            return {}, signin.check(work, login, password, address_of(screen.request))
        except Locked as locked:
            return _locked(screen, locked), None
        except WrongPassword:
            return {"text": N_("Login and password do not belong together.")}, None
        except PasswordExpired:
            return {"text": N_("This temporary password is no longer valid. Ask an administrator for another.")}, None


def too_many_guesses(screen: Screen, password: str) -> str:
    """Counts what is given as the present password of whoever sits here; says so where no more are taken."""
    with screen.work() as work:
        try:
            signin.confirm(work, screen.seat.person, password, address_of(screen.request))
        except Locked as locked:
            return _said(screen, _locked(screen, locked))
        except WrongPassword:
            pass  # is told with whatever else is wrong
    return ""


def _locked(screen: Screen, locked: Locked) -> dict[str, str]:
    clock = locked.until.astimezone(screen.console.zone).strftime("%H:%M")
    return {"text": N_("Too many wrong attempts. Try again after %(time)s."), "until": clock}


def _said(screen: Screen, error: dict[str, str]) -> str:
    return screen.speech.say(error["text"], time=error.get("until", ""))


def _status(error: dict[str, str]) -> int:
    return HTTPStatus.TOO_MANY_REQUESTS if "until" in error else HTTPStatus.FORBIDDEN


def _second_step(
    screen: Screen, slip: str, onward: str, fields: Fields, status: int = HTTPStatus.OK, error: str = ""
) -> Response:
    """Ask for a code. The slip says who passed the first step, in this browser, and when."""
    errors = {"code": error} if error else {}
    return screen.page("second_step.html", status, slip=slip, onward=onward, fields=fields, errors=errors)


@router.post("/sign-in/code")
def enter_code(request: Request, entries: Entries) -> Response:
    """The second step."""
    screen = Screen(request)
    onward, fields = own(str(entries.get("next", ""))), kept(entries, KEPT)
    slip = str(entries.get("slip", ""))
    person = _behind(screen, slip)
    if person is None:
        notice = screen.speech.say(N_("That took too long. Sign in again."))
        return door(screen, onward, fields, HTTPStatus.FORBIDDEN, notice=notice)
    if entries.get("do") == _READ:
        return _second_step(screen, slip, onward, fields)
    error = _code_checked(screen, person, str(entries.get("code", "")))
    if error:
        return _second_step(screen, slip, onward, fields, _status(error), _said(screen, error))
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


def _behind(screen: Screen, text: str) -> Person | None:
    """Who passed the first step a moment ago; nobody, once their password or second factor is another."""
    slip, fitting = screen.browser.returned(_CODE, text, _PATIENCE)
    if slip is None or not fitting:
        return None
    person_id, _, mark = slip.key.partition(" ")
    with screen.product.store.reading(SYSTEM) as work:
        person = work.session.get(Person, UUID(person_id))
    return person if person is not None and person.active and _mark(person) == mark else None


def _mark(person: Person) -> str:
    """Changes with password and second factor."""
    return hashlib.sha256(f"{person.password_hash} {person.totp_secret}".encode()).hexdigest()[:16]


def seated(screen: Screen, person: Person, onward: str, fields: Fields, *, via: str) -> Response:
    """Opens the session; a form that was kept is offered again."""
    product, request = screen.product, screen.request
    with product.store.work(SYSTEM) as work:
        signin.end_behind(work, session_of(request))  # nothing of who sat here before is left open
        token, _ = signin.open_session(
            work, person, address=address_of(request), agent=request.headers.get("user-agent", ""), via=via
        )
    with product.store.reading(SYSTEM) as work:
        seat = signin.seat(work, token)
    assert seat is not None
    fresh = Screen(request, seat)
    response = again(fresh, onward, fields) if fields else fresh.go(onward)
    screen.browser.jar.put(response, SESSION, token)
    return response


@router.post("/sign-out")
def sign_out(screen: Staff) -> Response:
    """End this session."""
    with screen.work() as work:
        signin.end_session(work, screen.seat.session.id)
    response = screen.go(DOOR, screen.speech.say(N_("You are signed out.")))
    screen.browser.jar.drop(response, SESSION)
    response.headers["Clear-Site-Data"] = '"storage"'  # words begun here are not for whoever signs in next
    return response


def address_of(request: Request) -> str:
    """Network address of the browser."""
    return request.client.host if request.client else ""
