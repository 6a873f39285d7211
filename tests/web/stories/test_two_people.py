"""Two people on one case: they see each other, and what the second one wrote is never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from complaints.domain.vocabulary import StepKind
from tests.web.stories.house import House
from tests.web.stories.people import Colleague

WORDS = {
    "en": {
        "reading": "Bo is reading",
        "writing": "Li is writing",
        "mine": "The fire brigade has called: leave it to me.",
        "done": "This was already done by Li on",
        "both": "Both versions",
        "drafted": "Bo has written in this form too",
        "other": "Ask the maker of the valve first.",
    },
    "zh-CN": {
        "reading": "Bo 正在查看",
        "writing": "Li 正在填写",
        "mine": "消防部门已来电，由我处理。",
        "done": "此任务已由Li于",
        "both": "两个版本",
        "drafted": "Bo于",
        "other": "先询问阀门厂家。",
    },
}
Pair = tuple[Colleague, Colleague, str]


@pytest.fixture(params=["en", "zh-CN"])
def pair(request: pytest.FixtureRequest, house: House, colleague: Callable[..., Colleague]) -> Pair:
    """Li and Bo, both with the same complaint open; the clocks of their pages stand still."""
    language = request.param
    reference = house.complain(language)
    found = [colleague(login, "agent", language=language) for login in ("li", "bo")]
    for one in found:
        one.stop_the_clock()
        one.case(reference)
    return found[0], found[1], reference


def test_they_see_each_other_and_the_second_to_complete_loses_nothing(pair: Pair, house: House) -> None:
    li, bo, reference = pair
    say = WORDS[li.language]
    li.wait_for_news()
    expect(li.page.locator("#here")).to_have_text(say["reading"])
    li.page.locator("#reason").fill(say["mine"])
    li.wait_for_news()
    bo.wait_for_news()
    expect(bo.page.locator("#here")).to_have_text(say["writing"])
    for one, decision in ((li, "investigate"), (bo, "reject")):
        one.page.locator(f"label:has([name=decision][value={decision}])").click()
        one.page.locator("#reason").fill(say["mine"] if one is bo else "")
        one.page.locator("#due-send").click()
    expect(bo.page.locator("main")).to_contain_text(say["done"])
    expect(bo.page.locator("main")).to_contain_text(say["both"])
    expect(bo.page.locator(".versions")).to_contain_text(say["mine"])
    bo.look("conflict", refused=409)
    bo.page.locator("form:has(textarea[hidden]) button").click()
    expect(bo.page.locator("#thread")).to_contain_text(say["mine"])
    bo.well()
    assert house.events(reference, "confirm_triage") == 1
    assert house.case(reference).status == "investigating"


def test_nobody_writes_over_a_draft_unseen(pair: Pair, house: House) -> None:
    li, bo, reference = pair
    say = WORDS[li.language]
    for one, words in ((bo, say["other"]), (li, say["mine"])):
        one.page.locator("#reason").fill(words)
        one.page.locator("button[formaction$=draft]").click()
    expect(li.page.locator("main")).to_contain_text(say["drafted"])
    expect(li.page.locator(".versions")).to_contain_text(say["other"])
    expect(li.page.locator(".versions")).to_contain_text(say["mine"])
    li.well(refused=409)
    li.page.locator(".side a[href='/console/knowledge']").click()
    expect(li.page.locator(".versions")).to_contain_text(say["mine"])
    assert [trouble.partition(":")[0] for trouble in li.troubles] == ["dialog"], "asked back before it is lost"
    li.troubles.clear()
    li.page.locator("button[formaction$=draft]").click()
    expect(li.page.locator("#reason")).to_have_value(say["mine"])
    li.page.locator("label:has([name=decision][value=investigate])").click()
    li.page.locator("#due-send").click()
    expect(li.page.locator(".flash.good")).to_be_visible()
    assert house.step(reference, StepKind.TRIAGE).answer["reason"] == say["mine"]
