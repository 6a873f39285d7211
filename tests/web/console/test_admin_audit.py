"""The audit trail at the console: found by person, time, kind and reference; tampering is seen."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import administration, trail
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
        seen += re.findall(r"<td>(p\d{3})</td>", page)
        onward = re.search(r'href="([^"]+)" rel="next"', page)
        path = onward[1].replace("&amp;", "&") if onward else ""
    assert seen == [f"p{n:03}" for n in reversed(range(250))]


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
