"""A complaint's whole life in real browsers, in both languages: from a telephone through many hands to the archive."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.web.stories.house import House
from tests.web.stories.people import Colleague, Customer

LANGUAGES = ("en", "zh-CN")
WORDS = {
    "en": {
        "note": "Called the fire brigade for its report.",
        "summary": "The valve was mounted the wrong way round.",
        "remedy": "The price of the heater",
        "four eyes": "Whoever investigated may not approve (four eyes).",
        "upheld": "The valve was mounted the wrong way round.",
        "wrong": "Nobody has said sorry to my daughter.",
        "reviewing": "Somebody who was not involved before is looking at it again.",
        "review": "We should have apologised to your daughter at once; the outcome stands.",
        "thanks": "Thank you for looking again.",
        "closed": "This complaint is closed.",
        "filed": "This complaint is closed and filed.",
        "over": "The case is over.",
        "archived": "Archived",
    },
    "zh-CN": {
        "note": "已向消防部门索取事故报告。",
        "summary": "阀门安装方向错误。",
        "remedy": "退还热水器货款",
        "four eyes": "调查人不得审批（四眼原则）。",
        "upheld": "阀门安装方向错误。",
        "wrong": "至今没有人向我女儿道歉。",
        "reviewing": "此前未参与的人员正在重新审查您的投诉。",
        "review": "我们本应立即向您女儿道歉；原处理结果维持不变。",
        "thanks": "谢谢你们重新核查。",
        "closed": "本投诉已结案。",
        "filed": "本投诉已结案归档",
        "over": "本案已结束。",
        "archived": "已归档",
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_from_the_first_word_to_the_archive(
    house: House, customer: Callable[..., Customer], colleague: Callable[..., Colleague], language: str
) -> None:
    say = WORDS[language]
    one = customer(language)
    li = colleague("li", "agent", "lead", language=language, name="李娜 Li Na")
    ann = colleague("ann", "approver", language=language, name="Ann")
    reference = _complained(one)
    house.go(reference)
    _triaged_and_investigated_by_keys(li, reference, say)
    house.go(reference)
    _approved_by_a_second_pair_of_eyes(li, ann, reference, say)
    house.go(reference)
    _carried_out_and_answered_by_keys(li, reference, lambda: house.go(reference))
    house.go(reference)
    _rejected(one, house.link("survey", reference), say)
    house.go(reference)
    rui = colleague("rui", "approver", language=language, name="Rui")
    _reviewed(li, rui, reference, say)
    house.go(reference)
    li.case(reference)
    _letter_sent(li)
    house.go(reference)
    _accepted(one, house.link("survey", reference), say)
    house.go(reference)
    _archived(li, one, reference, say, lambda: house.go(reference))
    assert house.case(reference).bag_url


def _complained(one: Customer) -> str:
    one.page.goto(one.house.address)
    one.look("start")
    one.fill_in()
    one.look("form")
    one.review()
    one.look("review")
    reference = one.send()
    one.look("sent")
    return reference


def _triaged_and_investigated_by_keys(li: Colleague, reference: str, say: dict[str, str]) -> None:
    keys, page = li.keys, li.page
    li.page.context.clear_cookies()
    li.open("inbox?view=team")
    li.look("sign-in")
    li.sign_in("li")
    li.look("inbox")
    keys.press("?")
    expect(page.locator("#help")).to_be_visible()
    li.look("help")
    keys.press("Escape", "j", "k")
    expect(page.locator("tr.here")).to_have_attribute("data-ref", reference)
    keys.go("c")
    expect(page.locator("h1")).to_have_text(reference)
    li.look("triage")
    keys.go("g", "i")
    keys.press("j")
    keys.go("Enter")
    expect(page.locator("h1")).to_have_text(reference)
    keys.press("f")
    keys.choose("decision", "investigate")
    keys.go("Control+Enter")
    expect(page.locator("#due-form [name=finding]").first).to_be_visible()
    li.well()
    keys.press("n")
    keys.write("#case-dialog textarea", say["note"])
    li.look("note")
    keys.go("Control+Enter")
    expect(page.locator("main")).to_contain_text(say["note"])
    keys.press("f")
    keys.choose("finding", "upheld")
    keys.write("#summary", say["summary"])
    keys.tab_to("[data-row-add]")
    keys.press("Enter")
    keys.select("[name='remedies-0-kind']", "refund")
    keys.write("[name='remedies-0-description']", say["remedy"])
    keys.write("[name='remedies-0-amount']", "3999.00")
    li.look("findings")
    keys.go("Control+Enter")
    li.well()


def _approved_by_a_second_pair_of_eyes(li: Colleague, ann: Colleague, reference: str, say: dict[str, str]) -> None:
    li.case(reference)
    expect(li.page.locator(".due-card")).to_contain_text(say["four eyes"])
    expect(li.page.locator("#due-form")).to_have_count(0)
    li.well()
    ann.open("approvals")
    expect(ann.page.locator("main")).to_contain_text(say["upheld"])
    ann.look("approvals")
    ann.page.locator("label:has([name=decision][value=approve])").click()
    ann.page.locator("#due-send").click()
    expect(ann.page.locator(".flash.good")).to_be_visible()
    ann.well()


def _carried_out_and_answered_by_keys(li: Colleague, reference: str, go: Callable[[], None]) -> None:
    keys = li.keys
    li.case(reference)
    li.look("remedy")
    keys.press("f")
    keys.choose("result", "done")
    keys.write("#evidence", "Bank 20260301-77")
    keys.go("Control+Enter")
    li.well()
    go()
    li.case(reference)
    li.look("letter")
    _letter_sent(li)


def _letter_sent(li: Colleague) -> None:
    """What is read is sent, by the keyboard."""
    li.keys.press("e")
    expect(li.page.locator("[name=body]")).to_be_focused()
    li.keys.go("Control+Enter")
    expect(li.page.locator("[name=body]")).to_have_count(0)
    li.well()


def _rejected(one: Customer, link: str, say: dict[str, str]) -> None:
    one.page.goto(link)
    expect(one.page.locator("main")).to_contain_text(say["upheld"])
    one.look("answer")
    one.verdict(accepted=False, words=say["wrong"], rating=2)
    expect(one.page.locator("h1")).to_have_text(say["reviewing"])
    one.look("appealed")


def _reviewed(li: Colleague, rui: Colleague, reference: str, say: dict[str, str]) -> None:
    li.case(reference)
    expect(li.page.locator("#due-form")).to_have_count(0)
    rui.case(reference)
    expect(rui.page.locator("main")).to_contain_text(say["wrong"])
    rui.page.locator("label:has([name=decision][value=stands])").click()
    rui.page.locator("#summary").fill(say["review"])
    rui.look("review")
    rui.page.locator("#due-send").click()
    rui.well()


def _accepted(one: Customer, link: str, say: dict[str, str]) -> None:
    one.page.goto(link)
    expect(one.page.locator("main")).to_contain_text(say["review"])
    one.well()
    one.verdict(accepted=True, words=say["thanks"], rating=4)
    expect(one.page.locator("h1")).to_have_text(say["closed"])
    one.look("closed")


def _archived(li: Colleague, one: Customer, reference: str, say: dict[str, str], go: Callable[[], None]) -> None:
    li.case(reference)
    li.look("closed")
    li.keys.press("f")
    li.keys.choose("decision", "archive")
    li.keys.write("#reason", say["thanks"])
    li.keys.go("Control+Enter")
    li.well()
    go()
    li.case(reference)
    expect(li.page.locator(".case-head .status")).to_have_text(say["archived"])
    expect(li.page.locator(".due-card")).to_contain_text(say["over"])
    kinds = li.page.locator(".thread header span.soft").all_inner_texts()
    assert len(kinds) > 5
    assert [kind for kind in kinds if re.fullmatch("[a-z_]+", kind)] == []  # codes are no words
    li.look("archived")
    one.page.reload()
    expect(one.page.locator("h1")).to_contain_text(say["filed"])
    one.look("archived")
