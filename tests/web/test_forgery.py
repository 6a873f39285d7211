"""Every form that is sent without a session must have been made by us, for this form and this browser.

The forms are computed from the route table: a new one cannot be forgotten. Those of whoever is signed in carry the
token of the session, which `tests/web/console/test_matrix.py` tries in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlmodel import SQLModel, func, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import people, signin
from complaints.store.tables import Complaint, Person
from config.wiring import App
from tests.databases import Databases
from tests.web.api.conftest import make_product
from tests.web.forms import hidden, sign_in, slip
from tests.web.portal.conftest import FILLED, Visitor
from tests.web.routes import ways
from web.app import create_app

PASSWORD = "correct horse battery"
TOTP = pyotp.TOTP("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
EVIL = {"origin": "https://evil.example"}
#: What is said in both languages, of a page that is too old and of a cookie that is kept back.
TOO_OLD = ("open for too long", "is too old", "took too long", "时间过长", "已过期", "超时")
NO_COOKIE = ("keeps back the cookie", "没有发送用于保护本表单的 Cookie")


@pytest.fixture(scope="module")
def product(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    url = databases.fresh()
    made = make_product(url, Path(tmp_path_factory.mktemp("forgery")), form_seconds=0, language="en")
    with made.store.work(SYSTEM) as work:
        for login, secret in (("li", None), ("codes", TOTP.secret)):
            person = people.add_person(work, login, login.title(), roles=[Role.AGENT], teams=["service"])
            signin.set_password(work, person, PASSWORD)
            person.totp_secret = secret
            work.session.add(person)
    yield made
    made.engine.dispose()
    databases.drop(url)


class House:
    """An installation with a complaint, and browsers before it."""

    def __init__(self, product: App) -> None:
        self.product, self.app = product, create_app(product)
        self.token = Visitor(self.browser()).send()
        with product.store.reading(SYSTEM) as work:
            self.reference = work.session.exec(select(Complaint.reference)).one()

    def browser(self, language: str = "en", base: str = "http://testserver") -> TestClient:
        return TestClient(self.app, base, follow_redirects=False, headers={"accept-language": language})

    def code(self) -> str:
        """What the second factor shows now, as if it had never been used."""
        with self.product.store.work(SYSTEM) as work:
            work.session.exec(select(Person).where(Person.login == "codes")).one().totp_used = 0
        return TOTP.generate_otp(int(self.product.store.now().timestamp()) // 30)

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.product.store.reading(SYSTEM) as work:
            tables = SQLModel.metadata.sorted_tables
            return {t.name: work.session.exec(select(func.count()).select_from(t)).one() for t in tables}


@pytest.fixture(scope="module")
def house(product: App) -> House:
    return House(product)


@dataclass(frozen=True)
class Form:
    """One form: what is written in it, and where its page is."""

    page: Callable[[House, TestClient], str]
    entries: Callable[[House], dict[str, str]]
    keeps: tuple[str, ...] = ()  #: entries that must come back with the page
    framed: bool = field(default=False)  #: stands in frames on other sites, where there are no cookies


def _at(path: str) -> Callable[[House, TestClient], str]:
    return lambda house, web: str(web.get(path.format(token=house.token)).text)


FORMS = {
    "/complain": Form(_at("/complain"), lambda _: FILLED | {"do": "send"}, ("narrative", "email")),
    "/embed/complain": Form(_at("/embed/complain"), lambda _: FILLED | {"do": "send"}, ("narrative", "email"), True),
    "/track": Form(
        _at("/track"), lambda house: {"reference": house.reference, "email": FILLED["email"]}, ("reference", "email")
    ),
    "/track/{token}": Form(_at("/track/{token}"), lambda _: {"do": "message", "text": "One thing more."}, ("text",)),
    "/console/sign-in": Form(
        _at("/console/sign-in"), lambda _: {"login": "li", "password": PASSWORD, "kept.text": "My findings"},
        ("login", "kept.text"),
    ),
    "/console/sign-in/code": Form(
        lambda _, web: str(sign_in(web, "codes", PASSWORD).text),
        lambda house: {"code": house.code(), "kept.text": "My findings"},
        ("kept.text",),
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("path", sorted(FORMS))


def test_every_form_that_is_sent_without_a_session_is_tried_here(house: House) -> None:
    found = {way.path for way in ways(house.app) if way.method != "GET" and not way.needs}
    assert found == set(FORMS), "say in FORMS what is written in a new form, or guard it with a session"


def refused(house: House, web: TestClient, path: str, entries: dict[str, str], **more: Any) -> str:
    """Send a form that must do nothing; the page that comes back, with what was written still in it."""
    before = house.rows()
    answer = web.post(path.format(token=house.token), data=entries, **more)
    assert answer.status_code == 403
    assert house.rows() == before
    return unescape(answer.text)


def said(page: str, *sentences: str) -> bool:
    return any(sentence in page for sentence in sentences)


@EACH
def test_with_its_slip_it_is_taken(house: House, path: str) -> None:
    form, web = FORMS[path], house.browser()
    before, entries = house.rows(), hidden(form.page(house, web)) | form.entries(house)
    answer = web.post(path.format(token=house.token), data=entries, headers={"origin": "http://testserver"})
    assert answer.status_code in (200, 303)
    assert house.rows() != before


@EACH
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("given", ["", "guess", "of another form", "of another browser"])
def test_without_its_own_slip_nothing_is_done_and_nothing_written_is_lost(
    house: House, path: str, given: str, language: str
) -> None:
    form, web = FORMS[path], house.browser(language)
    opened = hidden(form.page(house, web)) | form.entries(house)
    if given == "of another form":
        given = slip(web.get("/track" if path != "/track" else "/complain").text)
    elif given == "of another browser":
        if form.framed:
            return  # there is nothing in a frame by which browsers differ: see the tests of the embedded form
        given = hidden(form.page(house, house.browser()))["slip"]
    page = refused(house, web, path, opened | {"slip": given})
    assert said(page, *TOO_OLD)
    for name in form.keeps:
        assert form.entries(house)[name] in page, name
    assert PASSWORD not in page
    again = hidden(page)["slip"]
    assert again not in ("", given), "a slip that fits comes with the page"


@EACH
def test_an_old_slip_is_refused_and_the_page_that_comes_back_is_taken(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, web = FORMS[path], house.browser()
    opened = hidden(form.page(house, web))
    later = house.product.store.now() + timedelta(days=8)
    monkeypatch.setattr(house.product.store, "now", lambda: later)
    page = refused(house, web, path, opened | form.entries(house))
    assert said(page, *TOO_OLD)
    before = house.rows()
    if path == "/console/sign-in/code":  # begins again with login and password
        page = sign_in(web, "codes", PASSWORD, page).text
    web.post(path.format(token=house.token), data=hidden(page) | form.entries(house))
    assert house.rows() != before


@EACH
def test_another_site_can_not_send_it(house: House, path: str) -> None:
    form, web = FORMS[path], house.browser()
    if form.framed:
        return  # in a frame that is fenced in (`sandbox`) a browser does not say where a form comes from
    entries = hidden(form.page(house, web)) | form.entries(house)
    for from_there in (EVIL, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        refused(house, web, path, entries, headers=from_there)


@EACH
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_whose_browser_keeps_cookies_back_is_told_so(house: House, path: str, language: str) -> None:
    form, web = FORMS[path], house.browser(language)
    if form.framed or path.endswith("/code"):  # the second step comes only after the first, which says it
        return
    entries = hidden(form.page(house, web)) | form.entries(house)
    web.cookies.clear()
    assert said(refused(house, web, path, entries), *NO_COOKIE)


def test_a_form_may_come_from_the_public_address_and_by_https_only_where_there_is_https(
    database: str, tmp_path: Path
) -> None:
    product = make_product(database, tmp_path, public_url="https://care.example", language="en")
    web = TestClient(create_app(product), "https://inner:8080", follow_redirects=False)
    taken = {"https://care.example": True, "https://inner:8080": True, "http://care.example": False}
    for origin, expected in taken.items():
        entries = hidden(web.get("/console/sign-in").text) | {"login": "nobody", "password": PASSWORD}
        answer = web.post("/console/sign-in", data=entries, headers={"origin": origin})
        assert ("do not belong together" in answer.text) is expected, origin
    product.engine.dispose()


def test_cookies_are_bound_to_host_and_https_and_can_be_taken_away_again(database: str, tmp_path: Path) -> None:
    product = make_product(database, tmp_path, public_url="https://care.example", language="en")
    with product.store.work(SYSTEM) as work:
        signin.set_password(work, people.add_person(work, "li", "Li", roles=[Role.AGENT], teams=["service"]), PASSWORD)
    web = TestClient(create_app(product), "https://care.example", follow_redirects=False)
    answers = [web.get("/console/sign-in"), sign_in(web, "li", PASSWORD), web.get("/complain")]
    page = web.get("/console/components")
    csrf = page.text.partition('name="csrf" content="')[2].partition('"')[0]
    answers.append(web.post("/console/sign-out", data={"csrf": csrf}))
    cookies = [cookie for answer in (*answers, page) for cookie in answer.headers.get_list("set-cookie")]
    assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-browser", "__Host-console", "__Host-flash"}
    for cookie in cookies:
        properties = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= properties, cookie
    assert "__Host-console" not in web.cookies
    product.engine.dispose()


def test_who_signs_in_anew_leaves_no_session_behind(house: House) -> None:
    web = house.browser()
    assert sign_in(web, "li", PASSWORD).status_code == 303
    old, sessions = web.cookies["console"], house.rows()["websession"]
    assert sign_in(web, "li", PASSWORD).status_code == 303
    assert web.cookies["console"] != old
    assert house.rows()["websession"] == sessions
