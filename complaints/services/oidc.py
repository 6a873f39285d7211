"""Signing in through the company's own provider: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636).

Whoever comes back is one of the people we know, or nobody: no person and no role is ever made here.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlmodel import col, func, select

from complaints.domain.errors import Forbidden, Retryable
from complaints.services import administration
from complaints.store.tables import Person
from complaints.store.unit import Work

#: Signatures that are accepted; never `none`, never a shared secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: Seconds for one call to the provider.
TIMEOUT = 10.0
#: What the provider says of itself is believed for so long.
_FRESH = timedelta(hours=1)
#: Seconds by which clocks may differ.
_LEEWAY = 60


class SignOnFailed(Forbidden):
    """The provider, or what came back from it, does not prove who somebody is."""

    code = "sign_on_failed"


@dataclass(frozen=True)
class Departure:
    """What is kept in the browser while somebody is at the provider, and where they are sent."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as the provider proved it. `email` is empty unless the provider verified it."""

    issuer: str
    subject: str
    email: str = ""

    @property
    def key(self) -> str:
        """As `Person.external_subject` holds it."""
        return f"{self.issuer} {self.subject}"


class SignOn:
    """One provider. Thread-safe: what it keeps is only replaced whole."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, back: str) -> None:
        self.issuer, self.back = issuer, back
        self._client_id, self._secret = client_id, client_secret
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False)
        self._about: tuple[datetime, dict[str, Any], KeySet] | None = None

    def depart(self, now: datetime) -> Departure:
        """Where to send somebody, and what to remember."""
        about, _ = self._provider(now)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            about["authorization_endpoint"],
            self._client_id,
            "code",
            redirect_uri=self.back,
            scope="openid email profile",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Departure(str(url), state, nonce, verifier)

    def arrive(self, code: str, nonce: str, verifier: str, now: datetime) -> Identity:
        """Redeem the code for an ID token and check it (Core 3.1.3.7); `SignOnFailed` says what is wrong with it."""
        about, keys = self._provider(now)
        token = self._redeem(about, code, verifier)
        claims = self._verified(token, nonce, now, keys)
        verified = claims.get("email_verified") in (True, "true")
        return Identity(self.issuer, str(claims["sub"]), str(claims.get("email", "")) if verified else "")

    def _redeem(self, about: dict[str, Any], code: str, verifier: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.back, "code_verifier": verifier}
        methods = about.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = bool(self._secret) and "client_secret_basic" in methods
        if not basic:
            form |= {"client_id": self._client_id}
            form |= {"client_secret": self._secret} if self._secret else {}
        auth = httpx.BasicAuth(self._client_id, self._secret) if basic else None
        return self._json("POST", about["token_endpoint"], data=form, auth=auth)

    def _verified(self, token: dict[str, Any], nonce: str, now: datetime, keys: KeySet) -> CodeIDToken:
        raw = str(token.get("id_token", ""))
        try:
            try:
                read = jwt.decode(raw, keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):  # the provider may have changed its keys since we asked
                read = jwt.decode(raw, self._provider(now, anew=True)[1], algorithms=ALGORITHMS)
            options = {"iss": {"values": [self.issuer]}, "aud": {"values": [self._client_id]}}
            expected = {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")}
            claims = CodeIDToken(read.claims, read.header, options, expected)
            claims.validate(now=int(now.timestamp()), leeway=_LEEWAY)
        except (JoseError, ValueError) as error:
            raise SignOnFailed(f"The provider's proof is not valid: {error}") from None
        return claims

    def _provider(self, now: datetime, *, anew: bool = False) -> tuple[dict[str, Any], KeySet]:
        """What the provider says of itself (OpenID Connect Discovery 1.0), and its keys."""
        if self._about is None or anew or now - self._about[0] > _FRESH:
            about = self._json("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self.issuer:
                raise SignOnFailed("The provider calls itself by another name than the one that is set.")
            try:
                keys = KeySet.import_key_set(self._json("GET", about["jwks_uri"]))  # type: ignore[arg-type]  # JSON
            except (JoseError, KeyError, ValueError) as error:
                raise SignOnFailed(f"The provider's keys cannot be read: {error}") from None
            self._about = (now, about, keys)
        return self._about[1], self._about[2]

    def _json(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, **more)
        except httpx.HTTPError as error:
            raise Retryable(f"The sign-on provider cannot be reached: {type(error).__name__}") from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Retryable(f"The sign-on provider answered {answer.status_code}")
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not answer.is_success or not isinstance(document, dict):
            raise SignOnFailed(f"The provider refused: {answer.status_code}")
        return document


def person_of(work: Work, identity: Identity) -> Person:
    """The person who is bound to this identity, else the one with its verified e-mail, who is bound now.

    `SignOnFailed` when there is nobody, more than one, or they have left.
    """
    person = work.session.exec(select(Person).where(Person.external_subject == identity.key)).first()
    if person is None:
        person = _by_email(work, identity)
        person.external_subject = identity.key
        administration.note(work, "sign_on_bound", person.login, {"subject": identity.key})
    if not person.active:
        raise SignOnFailed("You are not known here. Ask an administrator to add you with your e-mail address.")
    if person.password_until:  # temporary: no longer needed, and its change would ask for what nobody knows
        person.password_hash, person.password_until = None, None
    work.session.add(person)
    return person


def _by_email(work: Work, identity: Identity) -> Person:
    found = (
        work.session.exec(
            select(Person).where(
                func.lower(Person.email) == identity.email.casefold(),
                col(Person.external_subject).is_(None),
                col(Person.active).is_(True),
            )
        ).all()
        if identity.email
        else []
    )
    if len(found) != 1:
        raise SignOnFailed("You are not known here. Ask an administrator to add you with your e-mail address.")
    return found[0]
