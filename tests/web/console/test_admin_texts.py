"""Knowledge base and canned texts at the console."""

from __future__ import annotations

import re

from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.store.tables import AdminEvent, Article, CannedText
from tests.web.console.conftest import Browser, Office, text_of


def write(browser: Browser, **changes: str) -> str:
    """The address of a new article."""
    article = {"title": "Late parcels", "language": "en", "category": "delivery", "body": "Ask the carrier first."}
    answer = browser.post("/console/knowledge/new", **(article | changes))
    assert answer.status_code == 303, text_of(answer.text)
    return str(answer.headers["location"])


def test_everybody_reads_what_is_published_and_only_editors_see_drafts(office: Office) -> None:
    lead, agent = office.browser("mei", Role.LEAD), office.browser("li", Role.AGENT)
    public, draft = write(lead, published="yes"), write(lead, title="Not ready")
    assert "Ask the carrier first." in agent.get(public).text
    assert agent.get(draft).status_code == 404
    assert lead.get(draft).status_code == 200
    assert "Not ready" not in agent.get("/console/knowledge").text
    assert "Not ready" in lead.get("/console/knowledge").text
    assert agent.get(f"{public}/edit").status_code == 403
    assert "/edit" not in agent.get(public).text


def test_articles_are_found_by_words_in_both_languages(office: Office) -> None:
    lead = office.browser("mei", Role.LEAD)
    write(lead, published="yes")
    write(lead, published="yes", title="包裹延误", language="zh-CN", body="请先联系承运商，100% 核实。")
    for words, hit in (("CARRIER parcels", "Late parcels"), ("承运商", "包裹延误"), ("100%", "包裹延误")):
        page = text_of(lead.get("/console/knowledge", params={"q": words}).text)
        assert hit in page
        assert {"Late parcels", "包裹延误"} - {hit} - set(page.split()) == {"Late parcels", "包裹延误"} - {hit}
    assert "Nothing found" in text_of(lead.get("/console/knowledge?q=parcels+%25").text)
    assert "Late parcels" not in lead.get("/console/knowledge?language=zh-CN").text
    assert "包裹延误" in lead.get("/console/knowledge.csv").text


def test_a_second_editor_sees_both_versions_and_loses_nothing(office: Office) -> None:
    lead, manager = office.browser("mei", Role.LEAD), office.browser("sun", Role.MANAGER)
    path = f"{write(lead)}/edit"
    changed = {"title": "Late parcels", "language": "en", "version": "1"}
    assert lead.post(path, body="The first editor's words.", **changed).status_code == 303
    late = manager.post(path, body="The second editor's words.", **changed)
    assert late.status_code == 409
    assert "The first editor" in late.text
    assert "The second editor" in late.text
    version = re.search(r'name="version" value="(\d+)"', late.text)
    assert version
    assert manager.post(path, body="Both.", **(changed | {"version": version[1]})).status_code == 303
    with office.product.store.reading(SYSTEM) as work:
        row = work.session.exec(select(Article)).one()
        log = select(AdminEvent).order_by(col(AdminEvent.id))
        kinds = [e.kind for e in work.session.exec(log).all() if e.kind.startswith("article")]
    assert (row.body, row.version, row.changed_by) == ("Both.", 3, "Sun")
    assert kinds == ["article_added", "article_changed", "article_changed"]


def test_an_article_without_words_or_with_a_category_nobody_knows_is_not_saved(office: Office) -> None:
    lead = office.browser("mei", Role.LEAD)
    answer = lead.post(
        "/console/knowledge/new", title="<script>x</script>", language="en", body="", category="nonsense"
    )
    assert answer.status_code == 422
    assert 'href="#body"' in answer.text
    assert "<script>x" not in answer.text
    answer = lead.post("/console/knowledge/new", title="T", language="en", body="B", category="nonsense")
    assert "Choose one of these." in text_of(answer.text)


def test_an_article_for_a_standard_solution_begins_with_its_words(office: Office) -> None:
    lead = office.browser("mei", Role.LEAD)
    solution = office.product.policies.active(office.product.store.now()).lifecycle.solutions[0]
    page = lead.get(f"/console/knowledge/new?solution={solution.key}").text
    assert f'value="{solution.title.en}"' in page
    path = write(lead, solution=solution.key, published="yes")
    assert f"Standard solution: {solution.title.en}" in text_of(lead.get(path).text)


def test_canned_texts_are_written_by_editors_and_refuse_holes_that_nothing_fills(office: Office) -> None:
    lead, agent = office.browser("mei", Role.LEAD), office.browser("li", Role.AGENT)
    assert agent.get("/console/admin/texts").status_code == 403
    wrong = lead.post("/console/admin/texts/new", title="Greeting", language="en", body="Hello {nobody}", active="yes")
    assert wrong.status_code == 422
    assert "Hello {nobody}" in wrong.text
    made = lead.post("/console/admin/texts/new", title="Greeting", language="en", body="Hello {name}", active="yes")
    assert made.status_code == 303
    with office.product.store.reading(SYSTEM) as work:
        row = work.session.exec(select(CannedText)).one()
    path = f"/console/admin/texts/{row.id}"
    assert "Hello {name}" in lead.get(path).text
    changed = {"title": "Greeting", "language": "en", "version": "1"}
    assert lead.post(path, body="Dear {name}", **changed).status_code == 303
    late = lead.post(path, body="Hi {name}", **changed)
    assert late.status_code == 409
    assert "Dear {name}" in late.text
    assert "Hi {name}" in late.text
    assert "Not in use" in text_of(lead.get("/console/admin/texts").text)
