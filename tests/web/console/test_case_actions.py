"""Actions of the complaint page, its files, canned texts, and who else is there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from complaints.domain.errors import InvalidInput, StaleVersion
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, Role
from complaints.services import canned, presence, routing
from complaints.store.tables import AdminEvent, Complaint, Event, Message, Presence
from tests.web.console.conftest import Browser, Office, text_of
from tests.web.console.test_case_steps import hidden
from web.console import case_forms

TEAMS = ("service", "orders", "payments", "credit")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
PDF = b"%PDF-1.4\n%%EOF"


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.browser("li", Role.AGENT, teams=TEAMS, name="Li Na")


def row(office: Office, reference: str) -> Complaint:
    with office.product.store.reading(SYSTEM) as work:
        return work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()


def count(office: Office, table: Any, **where: Any) -> int:
    with office.product.store.reading(SYSTEM) as work:
        return len(work.session.exec(select(table).filter_by(**where)).all())


def test_every_action_has_a_form_that_asks_everything_its_model_needs(office: Office, agent: Browser) -> None:
    reference = office.complain()
    for action, model in case_forms.COMMANDS.items():
        page = agent.get(f"/console/complaints/{reference}/do/{action}")
        assert page.status_code in (200, 409), action
        for name in model.model_fields:
            assert re.search(rf'name="{name}(-\w+)?"', page.text), f"{action}: {name}"
    assert agent.get(f"/console/complaints/{reference}/do/explode").status_code == 404
    fragment = agent.get(f"/console/complaints/{reference}/do/add_note", headers={"x-csrf": agent.csrf})
    assert "<html" not in fragment.text
    assert 'name="text"' in fragment.text


def test_a_note_sent_twice_is_one_note(office: Office, agent: Browser) -> None:
    reference = office.complain()
    once = hidden(agent.get(f"/console/complaints/{reference}").text, "once")
    for _ in range(2):
        answer = agent.post(f"/console/complaints/{reference}/do/add_note", text="Called the depot", once=once)
        assert answer.status_code == 303
    assert count(office, Message, body="Called the depot") == 1
    empty = agent.post(f"/console/complaints/{reference}/do/add_note", text=" ")
    assert empty.status_code == 422
    assert 'id="text-error"' in empty.text


def test_other_words_or_another_action_from_the_same_page_count(office: Office, agent: Browser) -> None:
    """A page can stand open: what is sent from it later is no double click, and must not be said to be done in vain."""
    reference = office.complain()
    once = hidden(agent.get(f"/console/complaints/{reference}").text, "once")
    called, asked = "Called the depot", "They call back"
    for action, words in (("add_note", called), ("add_note", asked), ("add_message", called)):
        agent.post(f"/console/complaints/{reference}/do/{action}", text=words, once=once)
    assert count(office, Message, body=called, audience="internal") == 1
    assert count(office, Message, body=asked, audience="internal") == 1
    assert count(office, Message, body=called, audience="complainant") == 1


def test_a_message_goes_to_the_customer(office: Office, agent: Browser) -> None:
    reference = office.complain()
    assert agent.post(f"/console/complaints/{reference}/do/add_message", text="We are on it.").status_code == 303
    page = agent.get(f"/console/complaints/{reference}").text
    assert 'class="message complainant out"' in page
    assert "We are on it." in page


def test_what_cannot_be_undone_is_confirmed_first(office: Office, agent: Browser) -> None:
    second = {"name": "Ann", "email": "ann@example.com"}
    other, reference = office.complain(), office.complain(subject="Again", complainant=second)
    page = agent.get(f"/console/complaints/{reference}/do/merge?into={other}")
    assert "This case ends and the other one goes on." in text_of(page.text)
    assert f'value="{other}"' in page.text
    unsure = agent.post(f"/console/complaints/{reference}/do/merge", into=other, reason="same heater")
    assert unsure.status_code == 422
    assert "Confirm that you know what follows." in unsure.text
    assert "same heater" in unsure.text
    sure = agent.post(f"/console/complaints/{reference}/do/merge", into=other, reason="same heater", sure="yes")
    assert sure.status_code == 303
    assert row(office, reference).status == "closed"
    assert "joined by merging" in agent.get(f"/console/complaints/{other}").text
    said = text_of(agent.get(f"/console/complaints/{reference}").text)
    assert f"This case was merged; it goes on as {other}" in said


def test_what_others_did_meanwhile_is_shown_before_it_counts(office: Office, agent: Browser) -> None:
    reference = office.complain()
    form = agent.get(f"/console/complaints/{reference}/do/withdraw").text
    sent = {"sure": "yes", "reason": "they rang", "version": hidden(form, "version"), "seen": hidden(form, "seen")}
    boss = office.browser("bo", Role.LEAD, teams=TEAMS, name="Bo")
    boss.post(f"/console/complaints/{reference}/do/escalate", reason="media")
    stale = agent.post(f"/console/complaints/{reference}/do/withdraw", **sent)
    assert stale.status_code == 409
    assert "Escalated; the lead was told. Bo" in text_of(stale.text)
    assert "they rang" in stale.text
    again = agent.post(
        f"/console/complaints/{reference}/do/withdraw", **sent | {"version": hidden(stale.text, "version")}
    )
    assert again.status_code == 303
    over = agent.post(f"/console/complaints/{reference}/do/withdraw", **sent)
    assert over.status_code == 409
    assert "is not possible now: the complaint is “Closed”" in text_of(over.text)


def test_a_complaint_that_leaves_ones_sight_leads_to_the_inbox(office: Office) -> None:
    office.hire("holder", Role.AGENT, teams=("orders",))
    one = office.browser("one", Role.AGENT, teams=("orders",))
    reference = office.complain()
    assert row(office, reference).team == "orders"
    answer = one.post(f"/console/complaints/{reference}/do/reclassify", team="credit", reason="theirs")
    assert answer.headers["location"] == "/console/inbox"
    assert one.get(f"/console/complaints/{reference}").status_code == 404


def test_files_are_taken_and_each_that_is_not_says_why(office: Office, agent: Browser) -> None:
    reference = office.complain()
    files = [
        ("files", ("../../etc/photo 📷.png", PNG, "image/png")),
        ("files", ("empty.txt", b"", "text/plain")),
        ("files", ("page.html", b"<!doctype html><script>alert(1)</script>", "text/html")),
        ("files", ("not-a.png", b"MZ\x90\x00 program", "image/png")),
    ]
    answer = agent.post(f"/console/complaints/{reference}/attachments", files=files)
    assert answer.status_code == 422
    said = text_of(answer.text)
    assert "Added: photo 📷.png." in said
    for name in ("empty.txt : This file is empty.", "page.html : Not a kind", "not-a.png : Not a kind"):
        assert name in said
    assert agent.post(f"/console/complaints/{reference}/attachments").status_code == 422
    most = [("files", (f"{n}.txt", b"x", "text/plain")) for n in range(60)]
    assert "Choose at most" in agent.post(f"/console/complaints/{reference}/attachments", files=most).text


def test_files_are_shown_without_danger(office: Office, agent: Browser) -> None:
    reference = office.complain()
    files = [
        ("files", ("a.png", PNG, "")),
        ("files", ("b.pdf", PDF, "")),
        ("files", ("c.txt", "投诉 <script>".encode("gb18030"), "")),
        ("files", ("d.mp3", b"ID3" + bytes(30), "")),
    ]
    agent.post(f"/console/complaints/{reference}/attachments", files=files, audience="complainant")
    page = agent.get(f"/console/complaints/{reference}").text
    found = re.findall(rf'href="(/console/complaints/{reference}/attachments/[0-9a-f-]+)">([^<]+)<', page)
    addresses = {name: address for address, name in found}
    kinds = {"a.png": "image/png", "b.pdf": "application/pdf", "c.txt": "text/plain; charset=utf-8"}
    for address, kind in [(addresses[name], kind) for name, kind in kinds.items()]:
        shown = agent.get(f"{address}/preview")
        assert shown.headers["content-type"] == kind
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert "script-src" not in shown.headers["content-security-policy"]
        assert ("sandbox" in shown.headers["content-security-policy"]) is (kind != "application/pdf")
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    assert "投诉 <script>" in agent.get(f"{addresses['c.txt']}/preview").text
    assert agent.get(f"{addresses['d.mp3']}/preview").status_code == 404
    saved = agent.get(addresses["b.pdf"])
    assert saved.content == PDF
    assert saved.headers["content-disposition"].startswith("attachment")
    assert saved.headers["content-type"] == "application/octet-stream"


def test_a_file_too_large_says_so(office: Office, agent: Browser) -> None:
    reference = office.complain()
    office.product.settings = office.product.settings.model_copy(update={"attachment_limit": 1000})
    files = [("files", ("big.txt", b"x" * 2000, "text/plain"))]
    answer = agent.post(f"/console/complaints/{reference}/attachments", files=files)
    assert answer.status_code == 422
    assert "Larger than 0.001 MB." in answer.text


def test_canned_texts_are_filled_from_the_complaint(office: Office, agent: Browser) -> None:
    reference = office.complain()
    li = routing.as_actor(office.person("li"))
    with office.product.store.work(li) as work:
        body = "Dear {name}, about {reference}: {summary}"
        made = canned.create(work, {"title": "Hello", "language": "en", "body": body, "purpose": "response"})
        canned.create(work, {"title": "你好", "language": "zh-CN", "body": "{name}您好"})
        canned.create(work, {"title": "Other", "language": "en", "body": "For others", "purpose": "triage"})
        with pytest.raises(InvalidInput, match="nobody"):
            canned.create(work, {"title": "x", "language": "en", "body": "{nobody}"})
    shown = text_of(agent.get(f"/console/complaints/{reference}/texts?purpose=response").text)
    assert f"Dear Wang Fang, about {reference}: {{summary}}" in shown, "what has no value yet stays to be seen"
    assert "您好" not in shown
    assert "For others" not in shown
    changed = {"title": "Hello", "language": "en", "body": "Dear {name}", "purpose": "", "active": False}
    with office.product.store.work(li) as work:
        assert canned.change(work, made.id, changed, 1).version == 2
        with pytest.raises(StaleVersion):
            canned.change(work, made.id, changed, 1)
        assert canned.for_purpose(work, "response", Language.EN) == []
        assert len(canned.everything(work)) == 3
    assert count(office, AdminEvent, kind="text_changed") == 1


def test_colleagues_see_each_other_at_a_complaint(office: Office, agent: Browser) -> None:
    reference = office.complain()
    bo = office.browser("bo", Role.AGENT, teams=TEAMS, name="Bo")
    at = f"/console/complaints/{reference}/presence"
    alone = agent.post(at, writing="yes").json()
    assert alone["here"].strip() == ""
    told = bo.post(at, writing="no").json()
    assert "Li Na is writing" in told["here"]
    assert told["seen"] == count(office, Event, complaint_id=row(office, reference).id)
    assert "Bo is reading" in agent.get(f"/console/complaints/{reference}").text
    bo.post(at, gone="yes")
    assert "Bo is reading" not in agent.get(f"/console/complaints/{reference}").text
    with office.product.store.work(SYSTEM) as work:
        for sign in work.session.exec(select(Presence)).all():
            sign.at -= presence.GONE_AFTER + timedelta(seconds=1)
            work.session.add(sign)
    assert "Li Na" not in bo.post(at).json()["here"]
