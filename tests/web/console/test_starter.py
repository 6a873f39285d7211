"""What a new house begins with."""

from __future__ import annotations

from collections import Counter

from sqlmodel import select

from complaints.domain import placeholders
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, Role
from complaints.services import canned, starter
from complaints.store.tables import Article, CannedText
from config.texts import texts
from config.wiring import App
from tests.web.console.casework import Desk
from tests.web.console.conftest import Office, text_of
from web.console.labels import TABLES


def test_every_text_is_in_both_languages_and_meant_for_something() -> None:
    found = texts()
    for one in found:
        canned.TextForm.model_validate(one)
        assert placeholders.unknown(one["body"]) == []
        assert one["purpose"] in {**TABLES["step"], **TABLES["action"]}
    languages = Counter(one["language"] for one in found)
    assert languages[Language.ZH.value] == languages[Language.EN.value] >= 10
    assert len({(one["title"], one["language"]) for one in found}) == len(found)


def test_a_new_house_has_texts_and_the_policys_solutions_once(product: App) -> None:
    with product.store.work(SYSTEM) as work:
        solutions = work.policy.lifecycle.solutions
        assert starter.furnish(work, texts()) == len(texts()) + 2 * len(solutions)
    with product.store.work(SYSTEM) as work:
        assert starter.furnish(work, texts()) == 0
        articles = work.session.exec(select(Article)).all()
        assert {a.solution for a in articles} == {s.key for s in solutions}
        assert all(a.published for a in articles)


def test_what_somebody_wrote_or_threw_away_is_left_alone(product: App) -> None:
    with product.store.work(SYSTEM) as work:
        canned.create(work, {"title": "Ours", "language": "en", "body": "x"})
        assert starter.furnish(work, texts()) == 0
        assert [t.title for t in work.session.exec(select(CannedText)).all()] == ["Ours"]


def test_they_are_offered_where_somebody_writes(office: Office, desk: Desk) -> None:
    with office.product.store.work(SYSTEM) as work:
        starter.furnish(work, texts())
    page = text_of(desk.li.get(f"{desk.path}/texts?purpose=ask_customer").text)
    assert "Ask for order number and photographs" in page
    assert desk.reference in page, "its placeholders are filled"
    assert "Copy of an invoice" in office.browser("ann", Role.AGENT).get("/console/knowledge?language=en").text
