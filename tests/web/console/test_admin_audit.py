"""The audit trail at the console: found by person, time, kind and reference; tampering is seen."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import administration, people, personnel, trail
from complaints.store.tables import WebSession
from tests.web.console.casework import Desk
from tests.web.console.conftest import Browser, Office, text_of


@pytest.fixture
def auditor(office: Office) -> Browser:
    return office.browser("kim", Role.AUDITOR)


def tamper(office: Office, table: str, change: str) -> None:
    """As somebody with the database in their hands would."""
    with office.product.engine.begin() as connection:
        connection.execute(text(f"alter table {table} disable trigger user"))
        connection.execute(text(change))
        connection.execute(text(f"alter table {table} enable trigger user"))


def rows(page: Any) -> int:
    body = re.search(r"<tbody>(.*?)</tbody>", page.text, re.S)
    return body[1].count("<tr>") if body else 0


def test_entries_are_found_by_reference_person_kind_and_day(office: Office, auditor: Browser) -> None:
    first, second = office.complain(), office.complain()
    found = auditor.get(f"/console/admin/audit?object={first.lower()}")
    assert first in found.text
    assert second not in found.text
    assert rows(found) >= 3
    assert rows(auditor.get("/console/admin/audit?kind=received")) == 2
    assert rows(auditor.get("/console/admin/audit?person=nobody_there")) == 0
    assert rows(auditor.get("/console/admin/audit?person=%25")) == 0, "a percent sign is no wildcard"
    tomorrow = (office.product.store.now() + timedelta(days=2)).date()
    assert rows(auditor.get(f"/console/admin/audit?start={tomorrow}")) == 0
    assert rows(auditor.get(f"/console/admin/audit?start=&end={tomorrow}")) >= 6
    wrong = auditor.get("/console/admin/audit?start=soon")
    assert wrong.status_code == 422
    assert "Write a date" in text_of(wrong.text)


def test_administration_is_searched_and_exported(office: Office, auditor: Browser) -> None:
    office.hire("li", Role.AGENT)
    page = auditor.get("/console/admin/audit?log=admin&object=li&kind=person_added")
    assert rows(page) == 1
    assert "Person added" in page.text
    sheet = auditor.get("/console/admin/audit.csv?log=admin&kind=person_added").text.splitlines()
    assert sheet[0] == "\ufeffWhen,Who,What,Object,Details,Hash"
    assert [line.split(",")[3] for line in sheet[1:]] == ["li", "kim"]
    reference = office.complain()
    cases = auditor.get("/console/admin/audit.csv").text
    assert f",Complaint received,{reference},The complaint was received." in cases
    assert "Received → Investigating" in cases


def test_pages_follow_one_another_without_gap_or_repeat(office: Office, auditor: Browser) -> None:
    with office.product.store.work(SYSTEM) as work:
        for number in range(250):
            administration.note(work, "person_changed", f"p{number:03}")
    seen: list[str] = []
    path = "/console/admin/audit?log=admin&kind=person_changed"
    while path:
        page = auditor.get(path).text
        seen += re.findall(r">(p\d{3})</td>", page)
        onward = re.search(r'href="([^"]+)" rel="next"', page)
        path = onward[1].replace("&amp;", "&") if onward else ""
    assert seen == [f"p{n:03}" for n in reversed(range(250))]


def test_without_a_first_day_pages_and_file_have_all_of_it(
    office: Office, auditor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who empties the first day asks for everything: the next page and the file must not fall back to a week."""
    references = [office.complain() for _ in range(2)]
    monkeypatch.setattr(trail, "PAGE", 3)
    monkeypatch.setattr(trail.of_cases, "__defaults__", (None, 3))
    later = office.product.store.now() + timedelta(days=30)
    monkeypatch.setattr(office.product.store, "now", lambda: later)
    with office.product.store.work(SYSTEM) as work:
        for session in work.session.exec(select(WebSession)).all():
            session.expires_at, session.seen_at = later + timedelta(days=1), later
            work.session.add(session)
    first = auditor.get("/console/admin/audit?log=cases&person=&object=&kind=received&start=&end=")
    assert rows(first) == 2
    file = re.search(r'href="(/console/admin/audit.csv[^"]+)"', first.text)
    assert file
    told = auditor.get(file[1].replace("&amp;", "&")).text
    assert all(reference in told for reference in references)
    page = auditor.get("/console/admin/audit?start=").text
    onward = re.search(r'href="([^"]+)" rel="next"', page)
    assert onward
    assert rows(auditor.get(onward[1].replace("&amp;", "&"))) > 0
    assert rows(auditor.get("/console/admin/audit")) == 0, "nothing happened this week"


def test_administration_is_told_in_words_of_both_languages(office: Office, auditor: Browser) -> None:
    li = office.hire("li", Role.AGENT)
    at = office.product.store.now()
    with office.product.store.work(SYSTEM) as work:
        personnel.set_absence(work, li.id, at, at + timedelta(days=2))
        personnel.set_active(work, li.id, False)
        people.create_key(work, "Shop", ["complaints:submit"], valid_for=timedelta(days=3))
        administration.note(work, "intent_replayed", "notify:1", {"kind": "notify"})
    for language, words in (
        (
            "en",
            (
                "Away from: – → ",
                "In use: Yes → No",
                "May: Submit complaints",
                "Kind: Letter",
                "Teams: Customer service",
            ),
        ),
        ("zh-CN", ("缺勤开始：– → ", "是 → 否", "提交投诉", "信函", "客户服务")),
    ):
        auditor.web.cookies.set("lang", language)
        said = text_of(auditor.get("/console/admin/audit?log=admin").text)
        for part in words:
            assert part in said
        for raw in ("absent_", "True", "False", "complaints:submit", "+00:00", "+08:00", "expires_at"):
            assert raw not in said


@pytest.mark.parametrize("query", ["end=9999-12-31", "start=0001-01-01", "end=9999-12-30"])
def test_a_year_that_cannot_be_meant_is_told(auditor: Browser, query: str) -> None:
    answer = auditor.get(f"/console/admin/audit?{query}")
    assert answer.status_code == 422
    assert "Write a date, such as 2026-11-30." in text_of(answer.text)


def test_what_is_hidden_from_somebody_is_hidden_in_the_trail(office: Office) -> None:
    reference = office.complain()
    kin = office.browser("kin", Role.AUDITOR, email="wang.fang@example.com")
    assert reference not in kin.get("/console/admin/audit").text
    assert reference not in kin.get("/console/admin/audit.csv").text
    assert kin.get(f"/console/admin/audit/check?what=case&reference={reference}").status_code == 404
    assert "Logs checked: 0" in text_of(kin.get("/console/admin/audit/check?what=all").text)


@pytest.mark.parametrize("what", ["case", "sample", "all"])
def test_a_log_that_was_edited_is_found(office: Office, auditor: Browser, what: str) -> None:
    good, bad = office.complain(), office.complain()
    asked = f"/console/admin/audit/check?what={what}"
    for reference in (good, bad):
        clean = text_of(auditor.get(f"{asked}&reference={reference}").text)
        assert re.search(r"Logs checked: \d, breaks: 0\.", clean)
    tamper(
        office,
        "event",
        f"update event set reason = 'nothing happened' where seq = 2 and complaint_id = "
        f"(select id from complaint where reference = '{bad}')",
    )
    page = auditor.get(f"{asked}&reference={bad}").text
    assert "its content was changed" in page
    assert bad in page


def test_the_log_of_administration_is_checked_too(office: Office, auditor: Browser) -> None:
    office.hire("li", Role.AGENT)
    asked = "/console/admin/audit/check?what=admin"
    assert "Entries checked: 3, breaks: 0." in text_of(auditor.get(asked).text)
    tamper(office, "adminevent", "update adminevent set actor_name = 'Nobody' where object = 'li'")
    assert "breaks: 1." in text_of(auditor.get(asked).text)


def test_a_check_of_all_goes_on_by_itself_and_ends(office: Office, auditor: Browser, monkeypatch: Any) -> None:
    monkeypatch.setattr(trail, "STEP", 2)
    for _ in range(3):
        office.complain()
    first = auditor.get("/console/admin/audit/check?what=all")
    onward = first.headers["refresh"].removeprefix("0; url=")
    assert "2 logs so far" in text_of(first.text)
    last = auditor.get(onward)
    assert "refresh" not in last.headers
    assert "Logs checked: 3, breaks: 0." in text_of(last.text)


def test_entries_are_told_in_words(desk: Desk) -> None:
    desk.to_investigation()
    watcher = desk.office.browser("kim", Role.AUDITOR)
    page = watcher.get("/console/admin/audit", params={"object": desk.reference})
    said = text_of(page.text)
    assert "Triage done; the investigation begins. · Triage → Investigating" in said
    assert "&#34;" not in page.text, "no JSON"
    assert "confirm_triage" not in said
    watcher.web.cookies.set("lang", "zh-CN")
    assert "分诊 → 调查中" in text_of(watcher.get("/console/admin/audit", params={"object": desk.reference}).text)
