"""Signing in through the company's provider: there, and back."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from itsdangerous import BadSignature, URLSafeSerializer

from complaints.domain.errors import NotFound, Retryable
from complaints.domain.ports import SYSTEM
from complaints.services import oidc
from complaints.services.oidc import SignOn, SignOnFailed
from complaints.store.tables import Person
from web.console.pages import Screen, own
from web.console.resume import DOOR
from web.console.route import PageRoute, said_of
from web.console.signing_in import seated
from web.language import N_

router = APIRouter(route_class=PageRoute)
_COOKIE = "sign_on"
_AWAY = N_("The sign-on of the company cannot be reached. Use your password, or try later.")
#: So long somebody may be at the provider.
_PATIENCE = timedelta(minutes=15)


@router.get("/sign-in/oidc")
def depart(request: Request, next: str = "/console") -> Response:
    """To the provider."""
    screen = Screen(request)
    now = screen.product.store.now()
    try:
        departure = _provider(screen).depart(now)
    except (SignOnFailed, Retryable):
        return _refused(screen, _AWAY, own(next))
    late = int((now + _PATIENCE).timestamp())
    kept = [departure.state, departure.nonce, departure.verifier, own(next), late]
    response = screen.dressed(RedirectResponse(departure.url, HTTPStatus.SEE_OTHER))
    left = int(_PATIENCE.total_seconds())
    screen.browser.jar.put(response, _COOKIE, _signer(screen).dumps(json.dumps(kept)), seconds=left)
    return response


@router.get("/sign-in/oidc/back")
def arrive(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """From the provider."""
    screen = Screen(request)
    provider = _provider(screen)
    kept = _kept(screen)
    if kept is None or not hmac.compare_digest(state.encode(), kept[0].encode()) or error or not code:
        return _refused(screen, N_("The sign-on was not completed. Try again."), kept[3] if kept else "")
    _, nonce, verifier, onward = kept
    try:
        person = _person(screen, provider, code, nonce, verifier)
    except Retryable:
        return _refused(screen, _AWAY, onward)
    except SignOnFailed as failed:
        return _refused(screen, N_("The sign-on was refused: %(why)s"), onward, why=said_of(screen.speech, failed))
    response = seated(screen, person, onward, [], via="oidc")
    screen.browser.jar.drop(response, _COOKIE)
    return response


def _person(screen: Screen, provider: SignOn, code: str, nonce: str, verifier: str) -> Person:
    store = screen.product.store
    identity = provider.arrive(code, nonce, verifier, store.now())
    with store.work(SYSTEM) as work:
        return oidc.person_of(work, identity)


def _provider(screen: Screen) -> SignOn:
    found = screen.product.sign_on
    if found is None:
        raise NotFound("page", screen.request.url.path)
    return found


def _kept(screen: Screen) -> tuple[str, str, str, str] | None:
    try:
        kept = json.loads(_signer(screen).loads(screen.browser.jar.read(screen.request, _COOKIE)))
    except BadSignature:
        return None
    state, nonce, verifier, onward, late = kept
    return (state, nonce, verifier, onward) if screen.product.store.now().timestamp() < late else None


def _signer(screen: Screen) -> URLSafeSerializer:
    secret = screen.product.settings.secret()
    return URLSafeSerializer(secret, salt="sign-on", signer_kwargs={"digest_method": hashlib.sha256})


def _refused(screen: Screen, said: str, onward: str, **values: str) -> Response:
    """Back to the door, from where the password leads `onward` as well."""
    there = f"{DOOR}?{urlencode({'next': onward})}" if onward else DOOR
    response = screen.go(there, screen.speech.say(said, **values), tone="bad")
    screen.browser.jar.drop(response, _COOKIE)
    return response
