"""Signing in through a provider: who is let in, and every way in which somebody is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import signin
from complaints.store.tables import AdminEvent, Person, SignIn
from config.wiring import App
from tests.web.api.conftest import make_product
from tests.web.console.conftest import Office, text_of
from tests.web.console.provider import CLIENT, SECRET, Provider, running, shared_secret
from tests.web.forms import hidden


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running(Provider()) as made:
        yield made


@pytest.fixture
def product(database: str, tmp_path: Path, provider: Provider) -> Iterator[App]:
    made = make_product(
        database,
        tmp_path / "home",
        language="en",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_label="Example SSO",
    )
    yield made
    made.engine.dispose()


class Traveller:
    """A browser that goes to the provider and comes back."""

    def __init__(self, app: Any) -> None:
        self.web = TestClient(app, follow_redirects=False, headers={"accept-language": "en"})

    def there(self, onward: str = "/console/account") -> str:
        """Where the provider sends it back to."""
        away = self.web.get("/console/sign-in/oidc", params={"next": onward})
        assert away.status_code == 303, away.text
        back = httpx.get(away.headers["location"]).headers["location"]
        assert "/console/sign-in/oidc/back?" in back
        return back

    def back(self, address: str) -> Any:
        return self.web.get(f"/console/sign-in/oidc/back?{urlsplit(address).query}")

    def travel(self, onward: str = "/console/account") -> Any:
        return self.back(self.there(onward))

    def said(self, answer: Any) -> str:
        there = answer.headers["location"]
        assert there in ("/console/sign-in", "/console/sign-in?next=%2Fconsole%2Faccount")
        page = text_of(self.web.get(there).text)
        assert self.web.get("/console/account").status_code == 303, "must not be signed in"
        return page


def test_somebody_known_by_their_verified_address_comes_in_and_is_bound(office: Office) -> None:
    office.hire("li", Role.AGENT, email="Li@Example.com")
    traveller = Traveller(office.app)
    assert "Sign in with Example SSO" in traveller.web.get("/console/sign-in").text
    answer = traveller.travel()
    assert answer.headers["location"] == "/console/account"
    assert "Li@Example.com" in traveller.web.get("/console/account").text
    assert office.person("li").external_subject == f"{office.product.settings.oidc_issuer} u-1"
    with office.product.store.reading(SYSTEM) as work:
        assert work.session.exec(select(SignIn.via)).all() == ["oidc"]
        assert work.session.exec(select(AdminEvent).where(AdminEvent.kind == "sign_on_bound")).one().object == "li"


def test_who_is_bound_is_known_by_subject_even_when_the_address_changes(office: Office, provider: Provider) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    Traveller(office.app).travel()
    provider.user |= {"email": "another@example.com"}
    assert Traveller(office.app).travel().headers["location"] == "/console/account"


def test_another_subject_with_the_same_address_does_not_take_over(office: Office, provider: Provider) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    Traveller(office.app).travel()
    provider.user |= {"sub": "u-2"}
    traveller = Traveller(office.app)
    assert "You are not known here." in traveller.said(traveller.travel())


@pytest.mark.parametrize(
    "user",
    [
        {"sub": "u-9", "email": "stranger@example.com", "email_verified": True},
        {"sub": "u-9", "email": "li@example.com", "email_verified": False},
        {"sub": "u-9", "email": "li@example.com"},
        {"sub": "u-9"},
    ],
)
def test_strangers_and_unverified_addresses_stay_out_and_nobody_is_made(
    office: Office, provider: Provider, user: dict[str, Any]
) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    provider.user = user
    traveller = Traveller(office.app)
    assert "You are not known here." in traveller.said(traveller.travel())
    with office.product.store.reading(SYSTEM) as work:
        assert [p.login for p in work.session.exec(select(Person))] == ["li"]


def test_two_people_with_one_address_are_told_apart_by_nobody(office: Office) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    office.hire("li2", Role.ADMIN, email="li@example.com")
    traveller = Traveller(office.app)
    assert "You are not known here." in traveller.said(traveller.travel())


def test_whoever_left_stays_out(office: Office) -> None:
    person = office.hire("li", Role.AGENT, email="li@example.com")
    Traveller(office.app).travel()
    with office.product.store.work(SYSTEM) as work:
        found = work.session.get_one(Person, person.id)
        found.active = False
        work.session.add(found)
    traveller = Traveller(office.app)
    assert "You are not known here." in traveller.said(traveller.travel())


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "of somebody else"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"iss": "https://evil.example"},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"sub": None},
    ],
)
def test_an_id_token_that_says_anything_wrong_is_refused(
    office: Office, provider: Provider, lies: dict[str, Any]
) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    provider.lies = lies
    traveller = Traveller(office.app)
    assert "proof is not valid" in traveller.said(traveller.travel())


def test_an_id_token_signed_by_somebody_else_is_refused(office: Office, provider: Provider) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    provider.signer = RSAKey.generate_key(2048)
    traveller = Traveller(office.app)
    assert "proof is not valid" in traveller.said(traveller.travel())
    provider.signer, provider.algorithm = shared_secret(), "HS256"
    assert "proof is not valid" in traveller.said(traveller.travel())


def test_new_keys_of_the_provider_are_fetched(office: Office, provider: Provider) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    assert Traveller(office.app).travel().headers["location"] == "/console/account"
    provider.rotate("k2")
    assert Traveller(office.app).travel().headers["location"] == "/console/account"


def test_the_way_back_belongs_to_the_browser_that_left_and_opens_once(office: Office) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    traveller, victim = Traveller(office.app), Traveller(office.app)
    address = traveller.there()
    assert "was not completed" in victim.said(victim.back(address))
    victim.there()
    assert "was not completed" in victim.said(victim.back(address)), "another state"
    assert traveller.back(address).headers["location"] == "/console/account"
    again = Traveller(office.app)
    again.web.cookies.update(dict(traveller.web.cookies))
    assert again.back(address).headers["location"] == "/console/sign-in"


def test_a_code_without_its_verifier_is_worth_nothing(office: Office) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    thief, traveller = Traveller(office.app), Traveller(office.app)
    stolen = parse_qs(urlsplit(traveller.there()).query)["code"][0]
    own = parse_qs(urlsplit(thief.there()).query)["state"][0]
    answer = thief.web.get("/console/sign-in/oidc/back", params={"code": stolen, "state": own})
    assert "The provider refused: 400" in thief.said(answer)


def test_a_refusal_at_the_provider_and_a_provider_that_is_away_are_told(office: Office, provider: Provider) -> None:
    traveller = Traveller(office.app)
    state = parse_qs(urlsplit(traveller.there()).query)["state"][0]
    answer = traveller.web.get("/console/sign-in/oidc/back", params={"error": "access_denied", "state": state})
    assert "was not completed" in traveller.said(answer)
    assert "next=" in answer.headers["location"], "the password leads where they were going, too"
    address = traveller.there()
    provider.down = True
    assert "cannot be reached" in traveller.said(traveller.back(address))


def test_what_was_written_when_the_session_ended_waits_for_who_comes_back(office: Office) -> None:
    browser, traveller = office.browser("li", Role.AGENT, email="li@example.com"), Traveller(office.app)
    sent = {"csrf": browser.csrf, "theme": "dark"}
    page = traveller.web.post("/console/account/look", data=sent).text
    assert 'href="/console/sign-in/oidc" target="_blank"' in page
    form = page.partition('<form method="post" action="/console/account/look">')[2].partition("</form>")[0]
    assert hidden(form) == {"theme": "dark"}
    assert "kept.theme" in traveller.web.post("/console/account/look", data=hidden(form)).text, "not signed in yet"
    traveller.travel()
    resumed = traveller.web.post("/console/account/look", data=hidden(form)).text
    assert "Go on where you were" in resumed
    assert hidden(resumed)["theme"] == "dark"


def test_nobody_is_sent_elsewhere_afterwards(office: Office) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    assert Traveller(office.app).travel("//evil.example").headers["location"] == "/console"


def test_a_temporary_password_is_void_once_the_sign_on_works(office: Office) -> None:
    person = office.hire("li", Role.AGENT, email="li@example.com")
    with office.product.store.work(SYSTEM) as work:
        signin.temporary_password(work, work.session.merge(person))
    traveller = Traveller(office.app)
    traveller.travel()
    assert traveller.web.get("/console/account").status_code == 200
    assert office.person("li").password_hash is None
