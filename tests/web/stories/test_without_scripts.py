"""The portal where no scripts run: complain, follow, answer a question, hear the answer, say how it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.web.stories.house import House
from tests.web.stories.people import Customer

WORDS = {
    "en": ("Which day was it installed?", "Last Monday, in the morning.", "This complaint is closed."),
    "zh-CN": ("请问是哪一天安装的？", "上周一上午。", "本投诉已结案。"),
}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_customer_without_scripts(house: House, customer: Callable[..., Customer], language: str) -> None:
    question, answer, closed = WORDS[language]
    one = customer(language, java_script_enabled=False)
    one.fill_in()
    one.look("form", axe=False)
    one.review()
    reference = one.send()
    one.look("sent", axe=False)
    house.hire("robin", "agent")
    house.go(reference)
    house.do("robin", reference, "triage", decision="investigate")
    house.act("robin", reference, "ask_customer", question=question)
    one.page.goto(house.link("question", reference))
    expect(one.page.locator("blockquote")).to_have_text(question)
    one.page.locator("#answer-text").fill(answer)
    one.page.locator("form:has(#answer-text) button").click()
    expect(one.page.locator(".said.theirs")).to_contain_text(answer)
    one.look("answered", axe=False)
    house.investigated(reference)
    one.page.goto(house.link("survey", reference))
    one.look("outcome", axe=False)
    one.verdict(accepted=True, words=answer, rating=5)
    expect(one.page.locator("h1")).to_have_text(closed)
    one.look("closed", axe=False)
    assert house.events(reference, "confirm") == 1
    assert house.rating(reference) == 5
