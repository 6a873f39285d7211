"""Signing in and out."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from complaints.domain.ports import SYSTEM
from complaints.services import signin
from complaints.services.signin import Locked, WrongPassword
from complaints.store.tables import Person
from web.console.pages import Screen, own
from web.console.resume import KEPT, again, kept
from web.console.route import PageRoute
from web.console.seat import Entries, Staff, cookie_name, same_site
from web.language import N_

router = APIRouter(route_class=PageRoute)


@router.get("/sign-in")
def ask(request: Request, next: str = "/console") -> Response:
    """Login and password."""
    return Screen(request).page("sign_in.html", onward=own(next), fields=[], errors={}, login="", expired=False)


@router.post("/sign-in")
def sign_in(request: Request, entries: Entries) -> Response:
    """Check them; then where the person was going."""
    screen = Screen(request)
    login, password = (str(entries.get(name, "")).strip() for name in ("login", "password"))
    onward, fields = own(str(entries.get("next", ""))), kept(entries, KEPT)
    if not same_site(request):
        return screen.go("/console/sign-in")
    error, person = _checked(screen, login, password)
    if person is None:
        status = HTTPStatus.TOO_MANY_REQUESTS if "until" in error else HTTPStatus.FORBIDDEN
        said = screen.speech.say(error["text"], time=error.get("until", ""))
        return screen.page(
            "sign_in.html", status, onward=onward, fields=fields, errors={"password": said}, login=login, expired=False
        )
    return seated(screen, person, onward, fields, via="password")


def _checked(screen: Screen, login: str, password: str) -> tuple[dict[str, str], Person | None]:
    """What is wrong, or who it is. An attempt is kept whatever came of it."""
    product = screen.product
    with product.store.work(SYSTEM) as work:
        try:
            return {}, signin.check(work, login, password, _address(screen.request))
        except Locked as locked:
            clock = locked.until.astimezone(screen.console.zone).strftime("%H:%M")
            return {"text": N_("Too many wrong attempts. Try again after %(time)s."), "until": clock}, None
        except WrongPassword:
            return {"text": N_("Login and password do not belong together.")}, None


def seated(screen: Screen, person: Person, onward: str, fields: list[tuple[str, str]], *, via: str) -> Response:
    """Opens the session; a form that was kept is offered again."""
    product, request = screen.product, screen.request
    with product.store.work(SYSTEM) as work:
        token, _ = signin.open_session(
            work, person, address=_address(request), agent=request.headers.get("user-agent", ""), via=via
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


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
