"""One's own account: password, sessions, second factor; and what an attacker meets who guesses."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentKind, Role
from complaints.services import signin
from complaints.services import totp as second_factor
from complaints.store.tables import AdminEvent, Outbox, RecoveryCode, WebSession
from tests.web.console.conftest import PASSWORD, Browser, Office, text_of
from tests.web.forms import hidden, sign_in, slip

NEW = "several plain words"


def change(browser: Browser, **given: str) -> Any:
    entered = {"password_old": PASSWORD, "password_new": NEW, "password_repeat": NEW} | given
    return browser.post("/console/account/password", **entered)


def arrive(app: Any, login: str, password: str) -> Any:
    return sign_in(Browser(app).web, login, password)


def test_a_changed_password_ends_the_other_sessions_and_is_noted(office: Office) -> None:
    browser, other = office.browser("li", Role.AGENT), office.browser("li")
    assert change(browser).headers["location"] == "/console/account"
    assert browser.get("/console/account").status_code == 200
    assert other.get("/console/account").status_code == 303
    assert arrive(office.app, "li", PASSWORD).status_code == 403
    assert arrive(office.app, "li", NEW).status_code == 303
    with office.product.store.reading(SYSTEM) as work:
        noted = work.session.exec(select(AdminEvent).where(AdminEvent.kind == "password_changed")).one()
    assert (noted.object, noted.actor_name, noted.data) == ("li", "Li", {})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password_old": "not this one"}, "This is not your present password."),
        ({"password_new": "short", "password_repeat": "short"}, "Use 10 to 200 characters."),
        ({"password_new": PASSWORD, "password_repeat": PASSWORD}, "Choose another password"),
        ({"password_repeat": "another one entirely"}, "This is not the same as the new password."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_no_password_in_the_page(
    office: Office, wrong: dict[str, str], said: str
) -> None:
    answer = change(office.browser("li", Role.AGENT), **wrong)
    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert PASSWORD not in answer.text
    assert NEW not in answer.text
    assert arrive(office.app, "li", PASSWORD).status_code == 303


def test_a_temporary_password_is_changed_and_then_everything_opens(office: Office) -> None:
    person = office.hire("li", Role.AGENT)
    with office.product.store.work(SYSTEM) as work:
        temporary = signin.temporary_password(work, work.session.merge(person))
    web = TestClient(office.app, follow_redirects=False)
    sign_in(web, "li", temporary)
    page = web.get("/console/account/password")
    csrf = re.search(r'name="csrf" content="([^"]+)"', page.text)
    assert csrf
    entered = {"csrf": csrf[1], "password_old": temporary, "password_new": NEW, "password_repeat": NEW}
    assert web.post("/console/account/password", data=entered).status_code == 303
    assert web.get("/console/components").status_code == 200


def test_a_password_sent_after_the_session_ended_is_not_written_into_a_page(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    csrf = browser.csrf
    browser.web.cookies.clear()
    entered = {"csrf": csrf, "password_old": PASSWORD, "password_new": NEW, "password_repeat": NEW}
    answer = browser.web.post("/console/account/password", data=entered)
    assert answer.status_code == 401
    assert PASSWORD not in answer.text
    assert NEW not in answer.text


def test_one_session_or_all_others_can_be_ended_but_nobody_elses(office: Office) -> None:
    mine, second, third = office.browser("li", Role.AGENT), office.browser("li"), office.browser("li")
    stranger = office.browser("tom", Role.AGENT)
    with office.product.store.reading(SYSTEM) as work:
        rows = work.session.exec(select(WebSession).order_by(WebSession.created_at)).all()  # type: ignore[arg-type]  # a column
    mine.post("/console/account/sessions/end", session=rows[1].id)
    mine.post("/console/account/sessions/end", session=rows[3].id)
    assert [b.get("/console/account").status_code for b in (mine, second, third, stranger)] == [200, 303, 200, 200]
    mine.post("/console/account/sessions/end", session="others")
    assert [b.get("/console/account").status_code for b in (mine, third, stranger)] == [200, 303, 200]


def enrolled(office: Office, browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """Somebody's second factor, turned on, and the recovery codes."""
    page = browser.get("/console/account/second-factor").text
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)
    assert secret
    assert 'src="data:image/svg+xml' in page
    totp = pyotp.TOTP(secret[1])
    entered = {"secret": secret[1], "code": code_at(office, totp), "password_old": PASSWORD}
    answer = browser.post("/console/account/second-factor", **entered)
    assert answer.status_code == 200, text_of(answer.text)
    return totp, re.findall(r"<code>([a-z2-7-]{19})</code>", answer.text)


def code_at(office: Office, totp: pyotp.TOTP, steps: int = 0) -> str:
    return totp.generate_otp(int(office.product.store.now().timestamp()) // 30 + steps)


def second_step(office: Office, code: str, **more: str) -> tuple[Any, TestClient]:
    """Login, password and then `code`."""
    web = Browser(office.app).web
    first = sign_in(web, "li", PASSWORD, next="/console/account", **more)
    assert first.status_code == 200
    assert "console" not in web.cookies
    return web.post("/console/sign-in/code", data=hidden(first.text) | {"code": code}), web


def test_a_second_factor_is_on_only_after_a_first_code(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    page = browser.get("/console/account/second-factor").text
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)
    assert secret
    entered = {"secret": secret[1], "code": "000000", "password_old": PASSWORD}
    answer = browser.post("/console/account/second-factor", **entered)
    assert answer.status_code == 422
    assert "This code does not fit." in text_of(answer.text)
    assert secret[1] in answer.text
    assert office.person("li").totp_secret is None
    weak = browser.post("/console/account/second-factor", secret="A", code="000000")
    assert weak.status_code == 422
    enrolled(office, browser)
    assert office.person("li").totp_secret
    assert arrive(office.app, "li", PASSWORD).status_code == 200


def test_an_open_desk_is_not_enough_to_turn_a_second_factor_on(office: Office) -> None:
    browser, totp = office.browser("li", Role.AGENT), pyotp.TOTP(pyotp.random_base32())
    answer = browser.post("/console/account/second-factor", secret=totp.secret, code=code_at(office, totp))
    assert answer.status_code == 422
    assert "This is not your present password." in text_of(answer.text)
    assert totp.secret in answer.text
    assert office.person("li").totp_secret is None


def test_whoever_has_no_password_turns_a_second_factor_on_with_a_code(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    with office.product.store.work(SYSTEM) as work:
        person = work.session.merge(office.person("li"))
        person.password_hash = None
        work.session.add(person)
    totp = pyotp.TOTP(pyotp.random_base32())
    page = browser.post("/console/account/second-factor", secret=totp.secret, code=code_at(office, totp))
    assert page.status_code == 200
    assert office.person("li").totp_secret == totp.secret


def test_a_code_opens_once_and_the_form_that_was_kept_goes_on(office: Office) -> None:
    totp, _ = enrolled(office, office.browser("li", Role.AGENT))
    again, _ = second_step(office, code_at(office, totp))
    assert again.status_code == 403, "the code of enrolment must not work a second time"
    code = code_at(office, totp, 1)
    wide = code.translate({ord(n): ord(n) + 0xFEE0 for n in "0123456789"})  # as a Chinese keyboard may type it
    opened, web = second_step(office, wide, **{"kept.theme": "dark"})
    assert opened.status_code == 200
    assert 'name="theme" value="dark"' in opened.text
    assert web.get("/console/account").status_code == 200
    replayed, web = second_step(office, code)
    assert replayed.status_code == 403
    assert web.get("/console/account").status_code == 303


def test_the_second_step_is_read_in_the_other_language_and_goes_on(office: Office) -> None:
    totp, _ = enrolled(office, office.browser("li", Role.AGENT))
    web = Browser(office.app).web
    asked = hidden(sign_in(web, "li", PASSWORD, next="/console/account").text)
    chinese = web.post("/console/sign-in/code?lang=zh-CN", data=asked | {"code": "", "do": "read"})
    assert chinese.status_code == 200
    assert '<html lang="zh-CN"' in chinese.text
    assert 'id="code-error"' not in chinese.text
    entered = hidden(chinese.text) | {"code": code_at(office, totp, 1)}
    assert web.post("/console/sign-in/code", data=entered).headers["location"] == "/console/account"


def test_what_is_shown_once_has_no_link_that_loses_it(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    assert 'href="?x=1&amp;lang=zh-CN"' in browser.get("/console/account/password?x=1").text
    page = browser.get("/console/account/second-factor").text
    assert "lang=zh-CN" not in page, "it would show another secret"
    totp = pyotp.TOTP(re.findall(r'name="secret" value="([A-Z2-7]{32})"', page)[0])
    entered = {"secret": totp.secret, "code": code_at(office, totp), "password_old": PASSWORD}
    codes = browser.post("/console/account/second-factor", **entered).text
    assert "<code>" in codes
    assert "lang=zh-CN" not in codes


def test_a_recovery_code_opens_once_and_only_its_hash_is_stored(office: Office) -> None:
    _, codes = enrolled(office, office.browser("li", Role.AGENT))
    assert len(codes) == 10
    assert second_step(office, codes[0].upper())[0].status_code == 303
    assert second_step(office, codes[0])[0].status_code == 403
    with office.product.store.reading(SYSTEM) as work:
        stored = work.session.exec(select(RecoveryCode)).all()
    assert len([r for r in stored if r.used_at]) == 1
    assert not {r.hash for r in stored} & {c.replace("-", "") for c in codes}


def test_guessing_codes_locks_the_login(office: Office) -> None:
    totp, _ = enrolled(office, office.browser("li", Role.AGENT))
    for _ in range(signin.MOST_FAILURES):
        assert second_step(office, "123 456")[0].status_code == 403
    assert arrive(office.app, "li", PASSWORD).status_code == 429
    with office.product.store.reading(SYSTEM) as work:
        assert signin.locked_until(work, "li")
    assert totp.secret


def test_a_ticket_ends_with_time_and_with_the_password(office: Office, monkeypatch: Any) -> None:
    totp, _ = enrolled(office, office.browser("li", Role.AGENT))
    web = Browser(office.app).web
    first = hidden(sign_in(web, "li", PASSWORD, **{"kept.text": "what I wrote"}).text)

    def refused(**given: str) -> None:
        code = code_at(office, totp, 1)
        answer = web.post("/console/sign-in/code", data=first | {"code": code} | given)
        assert answer.status_code == 403
        assert "That took too long. Sign in again." in text_of(answer.text)
        assert hidden(answer.text)["kept.text"] == "what I wrote"
        assert "console" not in web.cookies

    refused(slip="x" + first["slip"])
    refused(slip=slip(web.get("/console/sign-in").text))
    later = office.product.store.now() + timedelta(minutes=6)
    with monkeypatch.context() as clock:
        clock.setattr(office.product.store, "now", lambda: later)
        refused()
    with office.product.store.work(SYSTEM) as work:
        signin.set_password(work, work.session.merge(office.person("li")), NEW)
    refused()


def test_the_second_factor_goes_off_with_the_password_only(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    enrolled(office, browser)
    assert browser.post("/console/account/second-factor/off", password_old="guess").status_code == 422
    assert office.person("li").totp_secret
    assert browser.post("/console/account/second-factor/off", password_old=PASSWORD).status_code == 303
    assert arrive(office.app, "li", PASSWORD).status_code == 303
    with office.product.store.reading(SYSTEM) as work:
        assert [e.kind for e in work.session.exec(select(AdminEvent).order_by(AdminEvent.id))] == [  # type: ignore[arg-type]  # a column
            "policy_activated",
            "person_added",
            "second_factor_on",
            "second_factor_off",
        ]
        assert work.session.exec(select(RecoveryCode)).all() == []


def test_whoever_is_locked_out_is_told_once_in_their_language(office: Office, tmp_path: Path) -> None:
    office.hire("li", Role.AGENT, email="li@example.com")
    for _ in range(signin.MOST_FAILURES + 3):
        arrive(office.app, "li", "wrong wrong wrong")
    with office.product.store.reading(SYSTEM) as work:
        intent = work.session.exec(select(Outbox).where(Outbox.kind == IntentKind.NOTIFY)).one()
    assert office.product.dispatcher.act(intent.id, leased=True).state == "done"
    letter = next((office.product.settings.home / "outgoing").glob("*.eml")).read_text()
    assert "Your sign-in is locked for a while" in letter
    assert "li@example.com" in letter


def test_an_address_that_tries_many_logins_must_wait(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr(signin, "MOST_FROM_ADDRESS", 6)
    office.hire("li", Role.AGENT)
    for number in range(6):
        assert arrive(office.app, f"guess{number}", "whatever it is").status_code == 403
    assert arrive(office.app, "li", PASSWORD).status_code == 429
    later = office.product.store.now() + signin.WINDOW + timedelta(seconds=1)
    monkeypatch.setattr(office.product.store, "now", lambda: later)
    assert arrive(office.app, "li", PASSWORD).status_code == 303


def test_many_addresses_of_one_ipv6_customer_count_as_one(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr(signin, "MOST_FROM_ADDRESS", 6)
    with office.product.store.work(SYSTEM) as work:
        for number in range(6):
            with pytest.raises(signin.WrongPassword):
                signin.check(work, f"guess{number}", "whatever it is", f"2001:db8:1:1::{number}")
        with pytest.raises(signin.Locked):
            signin.check(work, "one more", "whatever it is", "2001:db8:1:1:ffff::1")
        with pytest.raises(signin.WrongPassword):
            signin.check(work, "one more", "whatever it is", "2001:db8:1:2::1")


def test_guessing_the_present_password_in_an_open_session_locks_as_at_the_door(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    enrolled(office, browser)
    for number in range(signin.MOST_FAILURES - 1):
        assert change(browser, password_old=f"guess {number}").status_code == 422
    assert browser.post("/console/account/second-factor/off", password_old="a last guess").status_code == 422
    for answer in (change(browser), browser.post("/console/account/second-factor/off", password_old=PASSWORD)):
        assert answer.status_code == 429
        assert "Too many wrong attempts." in text_of(answer.text)
    assert office.person("li").totp_secret
    assert arrive(office.app, "li", PASSWORD).status_code == 429


@pytest.mark.parametrize("deed", ["password", "second factor"])
def test_a_stolen_token_is_worthless_after_a_change_of_what_proves_who_one_is(office: Office, deed: str) -> None:
    browser, other = office.browser("li", Role.AGENT), office.browser("li")
    thief = Browser(office.app)
    thief.web.cookies.set("console", browser.web.cookies["console"])
    assert thief.get("/console/account").status_code == 200
    if deed == "password":
        assert change(browser).status_code == 303
    else:
        enrolled(office, browser)
    assert [b.get("/console/account").status_code for b in (browser, thief, other)] == [200, 303, 303]


def test_codes_tried_at_once_count_one_by_one(office: Office) -> None:
    enrolled(office, office.browser("li", Role.AGENT))
    person = office.person("li")

    def guess(number: int) -> str:
        with office.product.store.work(SYSTEM) as work:
            try:
                second_factor.check(work, person, f"{number:06}", "")
            except (second_factor.WrongCode, signin.Locked) as refused:
                return refused.code
        return "open"

    with ThreadPoolExecutor(4) as many:
        outcomes = list(many.map(guess, range(16)))
    assert outcomes.count("wrong_code") == signin.MOST_FAILURES
    assert outcomes.count("locked") == 16 - signin.MOST_FAILURES


def test_a_login_that_is_no_text_is_no_bug(office: Office) -> None:
    for login in ("li\x00", "\ud800", "x" * 5000):
        entered = {"login": login.encode("utf-8", "surrogatepass"), "password": PASSWORD}
        web = Browser(office.app).web
        answer = web.post("/console/sign-in", data=hidden(web.get("/console/sign-in").text) | entered)
        assert answer.status_code in (403, 422), login
