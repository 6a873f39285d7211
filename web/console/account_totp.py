"""One's own second factor: turning it on with a first code and the password, and off with the password."""

from __future__ import annotations

from http import HTTPStatus

import segno
from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import InvalidInput
from complaints.services import signin, totp
from complaints.store.tables import Person
from web.console import fields
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import SESSION, Entries, Staff
from web.console.signing_in import too_many_guesses
from web.language import N_

router = APIRouter(route_class=PageRoute)


@router.get("/account/second-factor")
def ask(screen: Staff) -> Response:
    """The QR code to read with an authenticator app, or the way to turn it off."""
    return _page(screen, "", {})


def _page(screen: Screen, secret: str, wrong: dict[str, str], status: int = HTTPStatus.OK) -> Response:
    offer = totp.offer(screen.seat.person, screen.product.settings.company, secret)
    picture = segno.make(offer.uri, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
    spaced = " ".join(offer.secret[i : i + 4] for i in range(0, len(offer.secret), 4))
    return screen.page("account_totp.html", status, secret=offer.secret, spaced=spaced, picture=picture, faults=wrong)


@router.post("/account/second-factor")
def turn_on(screen: Staff, entries: Entries) -> Response:
    """Require codes from now on; shows the recovery codes. Sessions that were opened without a code end."""
    secret, code, password = (str(entries.get(name, "")) for name in ("secret", "code", "password_old"))
    if screen.seat.person.password_hash and (said := too_many_guesses(screen, password)):
        return _page(screen, secret, {"password_old": said}, HTTPStatus.TOO_MANY_REQUESTS)
    try:
        with screen.work() as work:
            person = work.session.get_one(Person, screen.seat.person.id, with_for_update=True)
            codes = totp.turn_on(work, person, secret, code, password)
            signin.end_sessions(work, person.id, but=screen.seat.session.id)
            token = signin.renew(work, screen.seat.session.id)
    except InvalidInput as error:
        wrong = fields.faults(error.problems, screen.speech)
        return _page(screen, secret, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    response = screen.page("account_recovery.html", codes=codes)
    screen.browser.jar.put(response, SESSION, token)
    return response


@router.post("/account/second-factor/off")
def turn_off(screen: Staff, entries: Entries) -> Response:
    """The password alone suffices again."""
    password = str(entries.get("password_old", ""))
    if said := too_many_guesses(screen, password):
        return _page(screen, "", {"password_old": said}, HTTPStatus.TOO_MANY_REQUESTS)
    try:
        with screen.work() as work:
            person = work.session.get_one(Person, screen.seat.person.id, with_for_update=True)
            totp.turn_off(work, person, password)
    except InvalidInput as error:
        wrong = fields.faults(error.problems, screen.speech)
        return _page(screen, "", wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    return screen.go("/console/account", screen.speech.say(N_("The second factor is off.")))
