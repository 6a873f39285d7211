"""Whatever goes wrong, a browser is shown a page in its reader's language, and a program gets a problem document."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import people, signin
from complaints.store.tables import Person
from config.wiring import App
from tests.web.api.conftest import make_product
from tests.web.forms import sign_in
from web.app import create_app

_BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
_PASSWORD = "correct horse battery"


@pytest.fixture
def product(database: str, tmp_path: Any) -> Any:
    made = make_product(database, tmp_path / "home", language="en", company="Example Company")
    yield made
    made.engine.dispose()


@pytest.fixture
def web(product: App) -> TestClient:
    return TestClient(create_app(product), follow_redirects=False, headers={"accept-language": "en"})


@pytest.fixture
def console(product: App, web: TestClient) -> TestClient:
    """Li sits at it, whose record says Chinese."""
    with product.store.work(SYSTEM) as work:
        person = people.add_person(work, "li", "Li Na", roles=[Role.ADMIN, Role.AGENT], teams=["service"])
        signin.set_password(work, person, _PASSWORD)
        work.session.add(person)
        work.session.flush()
        work.session.exec(select(Person)).one().language = "zh-CN"
    assert sign_in(web, "li", _PASSWORD).status_code == 303
    return web


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nosuch", 404, "There is nothing here"),
        ("/embed/nosuch", 404, "There is nothing here"),
        ("/track/some-token/files/not-an-id", 404, "There is nothing here"),
        ("/complain/nosuch", 404, "There is nothing here"),
    ],
)
def test_portal(web: TestClient, path: str, status: int, words: str) -> None:
    answer = web.get(path, headers=_BROWSER)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "这里没有内容" in web.get(path, headers={**_BROWSER, "accept-language": "zh-CN"}).text
    told = web.get(path, headers={"accept": "application/json"})
    assert told.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/console/nosuch", 404, "未找到"),
        ("/console/complaints/xx", 404, "未找到"),
        ("/console/complaints/xx/do/merge", 404, "未找到"),
        ("/console/admin/people/xx", 404, "未找到"),
    ],
)
def test_console_in_the_language_of_who_sits_there(console: TestClient, path: str, status: int, words: str) -> None:
    answer = console.get(path, headers=_BROWSER)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert words in answer.text
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("/console/inbox/bulk", "/console/inbox"),
        ("/console/inbox/claim/C26-000001-1", "/console/inbox"),
        ("/console/complaints/C26-000001-1/steps/xx?step=yy", "/console/complaints/C26-000001-1?step=yy"),
        ("/console/admin/people/xx/absence?lang=en", "/console/admin/people/xx?lang=en"),
        ("/console/approvals/C26-000001-1/xx", "/console/approvals"),
        ("/console/sign-out", "/console"),
    ],
)
def test_the_address_of_a_form_leads_to_the_page_it_belongs_to(console: TestClient, path: str, above: str) -> None:
    """The other language, the address bar, a link that somebody was sent: a refused form stands at such an address."""
    answer = console.get(path, headers=_BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, above)
    assert console.get(path, headers={"accept": "application/json"}).status_code == 405
    refused = console.post("/console/inbox", headers=_BROWSER)
    assert refused.status_code == 405
    assert "allow" in refused.headers


def test_what_is_refused_at_the_door_is_a_page_too(web: TestClient) -> None:
    """Too much at once, or an address that is no text: nothing has looked at the request yet."""
    answer = web.post("/track", content=b"x" * 2_100_000, headers=_BROWSER)
    assert answer.status_code == 413
    assert "That was too large" in answer.text
    assert answer.headers["connection"] == "close"
    answer = web.get("/track/%ff", headers=_BROWSER)
    assert answer.status_code == 400
    assert "That did not work" in answer.text
    assert web.get("/track/%ff").headers["content-type"] == "application/problem+json"


def test_what_is_refused_at_the_consoles_door_is_said_in_words(console: TestClient) -> None:
    answer = console.post("/console/inbox/bulk", content=b"x" * 2_100_000, headers=_BROWSER)
    assert answer.status_code == 413
    assert "请求超过 2,000,000 字节" in answer.text


def _broken(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError


def test_a_bug_at_the_console(console: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.console.admin_outbox.postroom.entries", _broken)
    answer = console.get("/console/admin/outbox", headers=_BROWSER)
    assert answer.status_code == 500
    assert "这是系统的问题" in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_bug_in_the_portal(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.browser.Browser.slip", _broken)
    answer = web.get("/track", headers=_BROWSER)
    assert answer.status_code == 500
    assert "This is our fault" in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert web.get("/track").headers["content-type"] == "application/problem+json"


def test_a_bug_in_the_page_itself_is_still_an_answer(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.portal.pages.Screen.page", _broken)
    answer = web.get("/track", headers=_BROWSER)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"


def test_the_interface_for_programs_stays_one(web: TestClient) -> None:
    answer = web.get("/api/v1/nosuch", headers=_BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"
