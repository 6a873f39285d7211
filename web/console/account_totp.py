"""One's own second factor: turning it on with a first code, and off with the password."""

from __future__ import annotations

from http import HTTPStatus

import segno
from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import InvalidInput
from complaints.services import totp
from complaints.store.tables import Person
from web.console import fields
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Entries, Staff
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
    """Require codes from now on; shows the recovery codes."""
    secret, code = str(entries.get("secret", "")), str(entries.get("code", ""))
    try:
        with screen.work() as work:
            person = work.session.get_one(Person, screen.seat.person.id, with_for_update=True)
            codes = totp.turn_on(work, person, secret, code)
    except InvalidInput as error:
        wrong = fields.faults(error.problems, screen.speech)
        return _page(screen, secret, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    return screen.page("account_recovery.html", codes=codes)


@router.post("/account/second-factor/off")
def turn_off(screen: Staff, entries: Entries) -> Response:
    """The password alone suffices again."""
    try:
        with screen.work() as work:
            person = work.session.get_one(Person, screen.seat.person.id, with_for_update=True)
            totp.turn_off(work, person, str(entries.get("password_old", "")))
    except InvalidInput as error:
        wrong = fields.faults(error.problems, screen.speech)
        return _page(screen, "", wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    return screen.go("/console/account", screen.speech.say(N_("The second factor is off.")))
