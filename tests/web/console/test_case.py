"""The complaint page: what it shows to whom, and the one form beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event
from sqlmodel import select

from complaints.domain.lifecycle import TABLE, Facts, allowed
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import LinkKind, Role, Status
from complaints.services import actions, routing
from complaints.store.columns import new_id
from complaints.store.tables import Complaint, Event, Link
from config.wiring import App
from tests.web.console.conftest import Browser, Office, text_of
from web.console import case_words
from web.console.case_words import CaseWords
from web.console.labels import Labels
from web.language import Speech

EVIL = '<script>alert("x")</script>'
TEAMS = ("service", "orders", "payments", "credit")


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.browser("li", Role.AGENT, teams=TEAMS)


def case_of(office: Office, reference: str) -> Complaint:
    with office.product.store.reading(SYSTEM) as work:
        return work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()


@contextmanager
def statements(product: App) -> Iterator[list[str]]:
    """What is sent to the database in the block."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(product.engine, "before_cursor_execute", note)
    yield sent
    event.remove(product.engine, "before_cursor_execute", note)


def test_the_page_shows_the_complaint_and_the_form_that_is_due(office: Office, agent: Browser) -> None:
    reference = office.complain()
    page = agent.get(f"/console/complaints/{reference}")
    assert page.status_code == 200
    said = text_of(page.text)
    for words in (
        "Broken heater",
        "The heater you delivered last week leaks",
        "Wang Fang",
        "The complaint was received.",
    ):
        assert words in said
    step = case_step(office, reference)
    assert f'action="/console/complaints/{reference}/steps/{step}"' in page.text
    assert 'name="version" value="1"' in page.text


def case_step(office: Office, reference: str) -> str:
    with office.product.store.reading(SYSTEM) as work:
        case = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
        return str(actions.opening.open_steps(work, case)[0].id)


def test_whoever_only_looks_gets_no_forms(office: Office) -> None:
    reference = office.complain()
    auditor = office.browser("au", Role.AUDITOR)
    page = auditor.get(f"/console/complaints/{reference}")
    assert page.status_code == 200
    main = page.text.split("<main", 1)[1]
    assert 'method="post"' not in main
    assert "More actions" not in page.text
    assert "This task needs the role" in text_of(page.text)


def test_a_case_of_another_team_is_not_there(office: Office) -> None:
    reference = office.complain()
    with office.product.store.work(SYSTEM) as work:
        row = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
        row.team = "orders"
        work.session.add(row)
    stranger = office.browser("st", Role.AGENT, teams=("credit",))
    answer = stranger.get(f"/console/complaints/{reference}")
    assert answer.status_code == 404
    assert "There is no such page, or you may not see it" in text_of(answer.text)
    assert "heater" not in answer.text


def test_script_in_every_field_is_text(office: Office, agent: Browser) -> None:
    who = {"name": EVIL, "email": "eve@example.com", "needs": ["vulnerable", "safe_contact_only"], "safe_contact": EVIL}
    more = {"product": EVIL, "order_ref": EVIL[:40], "desired_remedy": EVIL}
    reference = office.complain(subject=EVIL, narrative=EVIL, complainant=who, **more)
    with office.product.store.work(routing.as_actor(office.person("li"))) as work:
        actions.act(work, reference, "add_note", {"text": EVIL})
        actions.act(work, reference, "escalate", {"reason": EVIL})
    page = agent.get(f"/console/complaints/{reference}?whole=1").text
    assert page.count("&lt;script&gt;alert") >= 7
    assert "<script>alert" not in page


def test_needs_of_the_customer_stand_above_everything(office: Office, agent: Browser) -> None:
    who = {
        "name": "Ann",
        "phone": "+8613800000000",
        "needs": ["safe_contact_only"],
        "safe_contact": "ask for Bob, 5551234",
    }
    reference = office.complain(complainant=who)
    page = agent.get(f"/console/complaints/{reference}").text
    assert page.index("Only this way is safe: ask for Bob, 5551234") < page.index("The heater you delivered")
    assert "No e-mail can be sent: call ask for Bob, 5551234." in text_of(page)


def test_likely_duplicates_offer_merging_and_relating(office: Office, agent: Browser) -> None:
    older, newer = office.complain(), office.complain(subject="Again the heater")
    with office.product.store.work(SYSTEM) as work:
        link = {"from_id": case_of(office, newer).id, "to_id": case_of(office, older).id, "kind": LinkKind.DUPLICATE}
        note = "text:0.71,same_complainant,same_number:12345678"
        work.session.add(Link(id=new_id(work.now), score=0.83, note=note, at=work.now, **link))
    said = text_of(agent.get(f"/console/complaints/{newer}").text)
    assert "Likely duplicate 83%" in said
    assert "similar words · the same person · the same number 12345678" in said
    answer = agent.post(f"/console/complaints/{newer}/do/link", to=older, kind="related")
    assert answer.status_code == 303
    assert "Linked with " + older in text_of(agent.get(f"/console/complaints/{newer}").text)


def test_the_page_asks_a_bounded_number_of_questions(office: Office, agent: Browser) -> None:
    reference = office.complain()
    path = f"/console/complaints/{reference}"
    agent.get(path)
    with statements(office.product) as few:
        agent.get(path)
    for n in range(12):
        other = office.complain(subject=f"Other {n}")
        with office.product.store.work(routing.as_actor(office.person("li"))) as work:
            actions.act(work, reference, "add_note", {"text": f"Note {n}"})
            actions.act(work, reference, "link", {"to": other})
    with statements(office.product) as many:
        page = agent.get(path)
    assert "Note 11" in page.text
    assert len(many) <= len(few) + 2, "the linked complaints and their names, read together"
    assert len(many) <= 28


def test_a_clock_is_explained_day_by_day(office: Office, agent: Browser) -> None:
    reference = office.complain()
    page = agent.get(f"/console/complaints/{reference}").text
    found = re.search(r'href="([^"]+/clocks\?clock=[^"]+resolve)"', page)
    assert found
    shown = agent.get(found[1])
    assert shown.status_code == 200
    assert shown.text.count("Resolution") >= 1
    assert "<table" in shown.text
    assert "<pre " in shown.text
    fragment = agent.get(found[1], headers={"x-csrf": agent.csrf})
    assert "<html" not in fragment.text
    assert agent.get(f"/console/complaints/{reference}/clocks?clock=no.such").status_code == 422
    assert "Budget 80 working hours" in text_of(shown.text)
    assert re.search(r"Due: \d{4}-\d\d-\d\d \w{3} \d\d:\d\d \(Asia/Shanghai\)", text_of(shown.text))
    chinese = text_of(agent.get(f"{found[1]}&lang=zh-CN").text)
    assert "时限 80个工作小时" in chinese
    assert "到期：" in chinese
    assert "Due" not in chinese


def test_a_clock_says_on_what_rule_it_rests_since_when_and_how_sure_that_is(office: Office, agent: Browser) -> None:
    reference = office.complain(jurisdiction="au")
    page = text_of(agent.get(f"/console/complaints/{reference}/clocks").text)
    assert "ASIC Regulatory Guide 271" in page
    assert "S – from a secondary source, verify before relying on it In force since 2021-10-05" in page
    assert "external_body.refer_within = 24 months" in page
    assert "Verify before relying on it." in page
    assert "a target of our own" in page
    handed_on = office.complain(jurisdiction="uk")
    told = text_of(agent.get(f"/console/complaints/{handed_on}/clocks").text)
    assert "When it is over fca.final governs" in told
    assert "the rule's own text was read" in told


def test_every_kind_of_event_has_a_sentence(office: Office) -> None:
    kinds = {*TABLE, "received", "screened", "classified", "acknowledged", "merged", "rung_fired"}
    assert kinds <= set(case_words._SAID)
    product = office.product
    words = CaseWords(
        Labels(Speech("zh-CN", ZoneInfo("Asia/Shanghai"), "console")), product.policies.active(product.store.now())
    )
    for kind in kinds:
        bare = Event(complaint_id=new_id(product.store.now()), seq=1, at=product.store.now(), kind=kind, data={}, **WHO)
        assert "%(" not in words.event(bare)


def test_what_a_word_spoke_for_has_a_name(office: Office) -> None:
    product = office.product
    policy = product.policies.active(product.store.now())
    words = CaseWords(Labels(Speech("zh-CN", ZoneInfo("Asia/Shanghai"), "console")), policy)
    codes = [*(c.key for c in policy.taxonomy.categories), *(s.key for s in policy.lifecycle.solutions), "critical"]
    assert len(codes) > 3
    for code in codes:
        assert words.meaning(code) != code


WHO: dict[str, str] = {"actor_kind": "system", "actor_id": "s", "actor_name": "s", "audience": "internal"}
WHO |= {"previous": "", "hash": ""}


def test_the_menu_holds_what_the_table_allows_and_nothing_else(office: Office, agent: Browser) -> None:
    reference = office.complain()
    page = agent.get(f"/console/complaints/{reference}").text
    menu = set(re.findall(rf"/console/complaints/{reference}/do/(\w+)\" data-dialog", page))
    status = Status(case_of(office, reference).status)
    assert menu == set(allowed(status, frozenset({Role.AGENT}), Facts())) & set(actions.COMMANDS)


def test_the_page_speaks_chinese(office: Office, agent: Browser) -> None:
    reference = office.complain()
    said = text_of(agent.get(f"/console/complaints/{reference}?lang=zh-CN").text)
    for words in ("往来记录", "收到投诉。", "更多操作", "保存草稿"):
        assert words in said
