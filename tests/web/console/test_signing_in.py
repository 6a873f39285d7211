"""Signing in, and what protects a session."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import signin
from complaints.store.tables import Person, SignIn, WebSession
from tests.web.console.casework import Desk
from tests.web.console.conftest import PASSWORD, Browser, Office, text_of
from tests.web.forms import hidden, sign_in


def test_whoever_is_not_signed_in_is_asked_and_then_brought_where_they_were_going(office: Office) -> None:
    office.hire("li", Role.AGENT)
    browser = Browser(office.app)
    asked = browser.get("/console/components?x=1")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/console/sign-in?next=%2Fconsole%2Fcomponents%3Fx%3D1"
    page = browser.get(asked.headers["location"])
    entered = sign_in(browser.web, "li", PASSWORD, page.text)
    assert entered.status_code == 303
    assert entered.headers["location"] == "/console/components?x=1"
    assert browser.get("/console/components").status_code == 200


def test_nobody_is_sent_to_another_site(office: Office) -> None:
    office.hire("li", Role.AGENT)
    for there in ("https://evil.example", "//evil.example", "/\\evil.example", "/consoleevil", "/console\r\nx: y"):
        browser = Browser(office.app)
        answer = sign_in(browser.web, "li", PASSWORD, next=there)
        assert answer.headers["location"] == "/console"


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_is_stored_nowhere(office: Office) -> None:
    office.hire("li", Role.AGENT)
    browser = Browser(office.app)
    answer = sign_in(browser.web, "li", PASSWORD)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("console="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    token = cookie.split("=", 1)[1].split(";")[0]
    with office.product.store.reading(SYSTEM) as work:
        row = work.session.exec(select(WebSession)).one()
        assert token not in (row.id, row.csrf)


def test_wrong_passwords_lock_the_login_and_time_opens_it_again(office: Office, monkeypatch: Any) -> None:
    office.hire("li", Role.AGENT)
    browser = Browser(office.app)
    for _ in range(signin.MOST_FAILURES):
        answer = sign_in(browser.web, "li", "wrong wrong")
        assert answer.status_code == 403
        assert "Login and password do not belong together." in text_of(answer.text)
    locked = sign_in(browser.web, "li", PASSWORD)
    assert locked.status_code == 429
    assert "Too many wrong attempts" in text_of(locked.text)
    later = office.product.store.now() + signin.WINDOW + timedelta(seconds=1)
    monkeypatch.setattr(office.product.store, "now", lambda: later)
    assert sign_in(browser.web, "li", PASSWORD).status_code == 303
    with office.product.store.reading(SYSTEM) as work:
        outcomes = [s.outcome for s in work.session.exec(select(SignIn).order_by(col(SignIn.id)))]
    assert outcomes == [*["wrong"] * signin.MOST_FAILURES, "locked", "ok"]


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(office: Office) -> None:
    office.hire("li", Role.AGENT)
    guessers = [Browser(office.app) for _ in range(3 * signin.MOST_FAILURES)]
    with ThreadPoolExecutor(len(guessers)) as pool:
        answers = list(pool.map(lambda one: sign_in(one.web, "li", "wrong wrong").status_code, guessers))
    assert (answers.count(403), answers.count(429)) == (signin.MOST_FAILURES, 2 * signin.MOST_FAILURES)


def test_an_unknown_login_sounds_like_a_wrong_password(office: Office) -> None:
    answer = sign_in(Browser(office.app).web, "nobody", "whatever it is")
    assert answer.status_code == 403
    assert "Login and password do not belong together." in text_of(answer.text)


def test_a_session_ends_by_signing_out_by_idling_and_with_its_person(office: Office, monkeypatch: Any) -> None:
    browser = office.browser("li", Role.AGENT)
    token = dict(browser.web.cookies)
    assert browser.post("/console/sign-out").status_code == 303
    browser.web.cookies.update(token)
    assert browser.get("/console/components").status_code == 303
    again = office.browser("li")
    later = office.product.store.now() + signin.IDLE + timedelta(minutes=1)
    monkeypatch.setattr(office.product.store, "now", lambda: later)
    assert again.get("/console/components").status_code == 303
    fresh = office.browser("li")
    with office.product.store.reading(SYSTEM) as work:
        assert len(signin.sessions(work, office.person("li").id)) == 1, "what ended by idling is not shown as open"
    assert fresh.get("/console/account").status_code == 200


def test_a_form_without_the_sessions_token_does_nothing(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    forged = browser.web.post(
        "/console/account/look", data={"theme": "dark"}, headers={"origin": "https://evil.example"}
    )
    assert forged.status_code == 403
    assert office.person("li").preferences == {}
    assert browser.post("/console/account/look", theme="dark", back="/console/components").status_code == 303
    assert office.person("li").preferences == {"theme": "dark"}


def test_what_was_sent_after_the_session_ended_is_kept_and_sent_again(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    csrf = browser.csrf
    browser.web.cookies.clear()
    answer = browser.web.post("/console/account/look", data={"csrf": csrf, "theme": "dark"})
    assert answer.status_code == 401
    kept = dict(re.findall(r'name="(kept\.[^"]+)" value="([^"]*)"', answer.text))
    assert kept == {"kept.theme": "dark"}
    resumed = sign_in(browser.web, "li", PASSWORD, answer.text)
    assert resumed.status_code == 200
    assert 'action="/console/account/look"' in resumed.text
    assert 'name="theme" value="dark"' in resumed.text


def test_where_one_was_going_and_what_was_sent_are_there_in_the_other_language_too(desk: Desk) -> None:
    """Whose record says another language than their browser meets a page in the wrong one."""
    csrf, web = desk.li.csrf, desk.li.web
    web.cookies.clear()
    door = web.get(web.get(f"{desk.path}?step=x").headers["location"])
    chinese = web.post("/console/sign-in?lang=zh-CN", data=hidden(door.text) | {"do": "read"})
    assert f'name="next" value="{desk.path}?step=x"' in chinese.text
    web.cookies.clear()
    words = "It leaks,\nand nobody came."
    asked = web.post(desk.at(StepKind.TRIAGE), data={"csrf": csrf, "decision": "reject", "reason": words})
    resumed = sign_in(web, "li", PASSWORD, asked.text)
    assert f'name="reason" value="{words}"' in resumed.text
    again = re.search(r'<form method="post" action="([^"]+lang=[^"]+)">(.*?)</form>', resumed.text, flags=re.S)
    assert again
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', again[2]))
    other = web.post(again[1], data={name: unescape(value) for name, value in fields.items()})
    assert '<html lang="zh-CN"' in other.text
    assert f'name="reason" value="{words}"' in other.text


def test_the_language_at_the_door_loses_nothing_that_is_kept(office: Office) -> None:
    browser = office.browser("li", Role.AGENT)
    csrf = browser.csrf
    browser.web.cookies.clear()
    asked = browser.web.post("/console/account/look", data={"csrf": csrf, "theme": "dark"}).text
    assert 'formaction="/console/sign-in?lang=zh-CN"' in asked
    assert 'href="?lang' not in asked
    entered = hidden(asked) | {"login": "li", "password": PASSWORD, "do": "read"}
    chinese = browser.web.post("/console/sign-in?lang=zh-CN", data=entered)
    assert chinese.status_code == 200
    assert '<html lang="zh-CN"' in chinese.text
    assert 'value="li"' in chinese.text
    assert PASSWORD not in chinese.text
    resumed = sign_in(browser.web, "li", PASSWORD, chinese.text)
    assert 'action="/console/account/look"' in resumed.text
    assert 'name="theme" value="dark"' in resumed.text
    assert 'href="?lang' not in resumed.text, "no link leads to this page again"


def test_a_cookie_that_is_none_of_ours_says_nothing(office: Office) -> None:
    browser = Browser(office.app)
    for junk in ("NQ==", "bnVsbA==", "W10=", "%00", "%C3%A4"):
        browser.web.cookies.set("flash", junk)
        browser.web.cookies.set("console", junk)
        assert browser.get("/console/sign-in").status_code == 200


def test_a_temporary_password_opens_a_locked_login(office: Office) -> None:
    person = office.hire("li", Role.AGENT)
    browser = Browser(office.app)
    for _ in range(signin.MOST_FAILURES):
        sign_in(browser.web, "li", "wrong")
    assert sign_in(browser.web, "li", PASSWORD).status_code == 429
    with office.product.store.work(SYSTEM) as work:
        password = signin.temporary_password(work, work.session.merge(person))
    assert sign_in(browser.web, "li", password).status_code == 303


def test_a_temporary_password_that_nobody_used_ends(office: Office, monkeypatch: Any) -> None:
    person = office.hire("li", Role.AGENT)
    with office.product.store.work(SYSTEM) as work:
        password = signin.temporary_password(work, work.session.merge(person))
    now = office.product.store.now
    monkeypatch.setattr(office.product.store, "now", lambda: now() + signin.TEMPORARY)
    answer = sign_in(Browser(office.app).web, "li", password)
    assert answer.status_code == 403
    assert "This temporary password is no longer valid. Ask an administrator for another." in text_of(answer.text)
    with office.product.store.work(SYSTEM) as work:
        fresh = signin.temporary_password(work, work.session.get_one(Person, person.id))
    assert sign_in(Browser(office.app).web, "li", fresh).status_code == 303


def test_a_temporary_password_opens_nothing_but_its_change(office: Office) -> None:
    person = office.hire("li", Role.AGENT)
    with office.product.store.work(SYSTEM) as work:
        password = signin.temporary_password(work, work.session.merge(person))
    web = TestClient(office.app, follow_redirects=False)
    assert sign_in(web, "li", password).status_code == 303
    assert web.get("/console/components").headers["location"] == "/console/account/password"


def test_old_sessions_and_attempts_are_forgotten(office: Office, monkeypatch: Any) -> None:
    office.browser("li", Role.AGENT)
    store = office.product.store
    with store.work(SYSTEM) as work:
        signin.forget_old(work)
        assert len(work.session.exec(select(WebSession)).all()) == len(work.session.exec(select(SignIn)).all()) == 1
    later = store.now() + signin.KEPT + timedelta(days=1)
    monkeypatch.setattr(store, "now", lambda: later)
    with store.work(SYSTEM) as work:
        signin.forget_old(work)
        assert work.session.exec(select(WebSession)).all() == []
        assert work.session.exec(select(SignIn)).all() == []


def test_a_form_kept_over_a_sign_in_is_told_in_words(desk: Desk) -> None:
    """Not in codes, and without what the form carries for itself."""
    csrf, web = desk.li.csrf, desk.li.web
    web.cookies.clear()
    sent = {"csrf": csrf, "version": "1", "seen": "6", "once": "ab12", "draft_seen": "x", "decision": "fast_track"}
    sent |= {"severity": "minor", "remedies-0-kind": "refund", "finding": "upheld", "accepted": "no"}
    asked = web.post(desk.at(StepKind.TRIAGE), data=sent)
    resumed = sign_in(web, "li", PASSWORD, asked.text)
    found = re.search(r'<dl class="facts">(.*?)</dl>', resumed.text, flags=re.S)
    assert found
    assert re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", found[1]) == [
        ("Decision", "Answer with a standard solution"),
        ("Severity", "Minor"),
        ("Kind", "Refund"),
        ("Finding", "Upheld"),
        ("Accepts the outcome", "No"),
    ]
