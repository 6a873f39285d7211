"""What goes wrong in ordinary life: the session ends, fingers are quick, links are cut, somebody types a script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.stories.house import House
from tests.web.stories.people import Colleague, Customer

LANGUAGES = pytest.mark.parametrize("language", ["en", "zh-CN"])
WORDS = {
    "en": {
        "over": "Your session is over. Sign in and go on: what you wrote is kept.",
        "again": "Go on where you were",
        "reason": "The fire brigade wrote: it was the valve.",
        "done": "Done: Triage.",
        "by": "This was already done by Li on",
        "late": "Not ours: it is the neighbour's heater.",
        "sent before": "You sent this complaint before.",
        "no link": "This link does not open a complaint",
        "hidden": "There is no such page, or you may not see it.",
    },
    "zh-CN": {
        "over": "您的会话已结束。请登录后继续：您写的内容已保留。",
        "again": "从中断处继续",
        "reason": "消防部门来函：事故由阀门引起。",
        "done": "已完成：分诊。",
        "by": "此任务已由Li于",
        "late": "不属于我方：是邻居的热水器。",
        "sent before": "这件投诉您此前已经提交。",
        "no link": "此链接无法打开投诉",
        "hidden": "没有这个页面，或您无权查看。",
    },
}
EVIL = "<script>alert('mine')</script><img src=x onerror=alert(1)>"
Team = Callable[..., Colleague]
Public = Callable[..., Customer]
Triage = Callable[[str], tuple[Colleague, str]]


@pytest.fixture
def triage(house: House, colleague: Team) -> Triage:
    """Li before the form of a triage, in a language; the reference."""

    def make(language: str) -> tuple[Colleague, str]:
        reference = house.complain(language)
        li = colleague("li", "agent", language=language)
        li.stop_the_clock()
        li.case(reference)
        li.page.locator("label:has([name=decision][value=investigate])").click()
        return li, reference

    return make


@LANGUAGES
def test_the_session_ends_in_the_middle_of_a_form(house: House, triage: Triage, language: str) -> None:
    li, reference = triage(language)
    say, page = WORDS[language], li.page
    page.locator("#reason").fill(say["reason"])
    house.end_session("li")
    page.locator("#due-send").click()
    expect(page.get_by_role("alert")).to_have_text(say["over"])
    li.look("session-over", refused=401)
    li.sign_in("li")
    expect(page.locator("h1")).to_have_text(say["again"])
    expect(page.locator("dl.facts")).to_contain_text(say["reason"])
    li.look("go-on")
    assert house.events(reference, "confirm_triage") == 0
    page.locator("main button.primary").click()
    expect(page.locator(".flash.good")).to_contain_text(say["done"])
    assert house.events(reference, "confirm_triage") == 1
    assert house.step(reference, "triage").answer["reason"] == say["reason"]


@LANGUAGES
def test_a_step_is_done_once_whatever_is_pressed(house: House, triage: Triage, language: str) -> None:
    """A double click, the back button, and the same form left open in another tab."""
    li, reference = triage(language)
    say = WORDS[language]
    old = Colleague(li.page.context.new_page(), house, language, f"{li.name}-old-tab")
    old.stop_the_clock()
    old.case(reference)
    li.page.locator("#due-send").dblclick()
    expect(li.page.locator(".flash.good")).to_contain_text(say["done"])
    li.page.go_back()
    expect(li.page.locator("#due-form [name=finding]").first).to_be_visible()
    expect(li.page.locator("#due-form [name=decision]")).to_have_count(0)
    li.well()
    old.page.locator("label:has([name=decision][value=reject])").click()
    old.page.locator("#reason").fill(say["late"])
    old.page.locator("#due-send").click()
    expect(old.page.locator("main")).to_contain_text(say["by"])
    expect(old.page.locator("main")).to_contain_text(say["late"])
    old.look("too-late", refused=409)
    assert house.events(reference, "confirm_triage") == 1
    assert house.case(reference).status == "investigating"


@LANGUAGES
def test_a_double_click_sends_one_complaint_and_back_sends_no_second(
    house: House, customer: Public, language: str
) -> None:
    one = customer(language)
    one.fill_in()
    one.review()
    one.page.locator("main button[value=send]").dblclick()
    expect(one.page.locator(".reference")).to_be_visible()
    one.page.go_back()
    one.page.locator("main button[value=edit]").click()
    one.page.locator("#product").fill("Heater X1")
    one.review()
    assert one.send() == house.references()[0]
    expect(one.page.locator("main")).to_contain_text(WORDS[language]["sent before"])
    one.well()
    assert len(house.references()) == 1


@LANGUAGES
def test_a_double_click_gives_one_verdict(house: House, customer: Public, language: str) -> None:
    reference = house.answered(language)
    one = customer(language)
    one.page.goto(house.link("survey", reference))
    one.page.locator("input[name=accepted][value=yes]").check()
    one.page.locator("form:has(#confirm-text) button").dblclick()
    expect(one.page.locator(".notice.good")).to_be_visible()
    one.well()
    assert house.events(reference, "confirm") == 1


@LANGUAGES
def test_a_link_with_one_character_altered_opens_nothing(house: House, customer: Public, language: str) -> None:
    link = house.link("acknowledgment", house.complain(language))
    one = customer(language)
    for at in (len(link) - 1, link.rindex("/") + 5):
        one.page.goto(f"{link[:at]}{'b' if link[at] == 'a' else 'a'}{link[at + 1 :]}")
        expect(one.page.locator("h1")).to_have_text(WORDS[language]["no link"])
        expect(one.page.locator("main")).not_to_contain_text("Heater")
        one.well(refused=404)
    one.page.goto(link)
    expect(one.page.locator(".over")).to_be_visible()


@LANGUAGES
def test_a_complaint_of_another_team_is_not_shown(house: House, colleague: Team, language: str) -> None:
    reference = house.complain(language)
    stranger = colleague("stranger", "agent", language=language, teams=("credit",))
    stranger.case(reference)
    expect(stranger.page.locator("main")).to_contain_text(WORDS[language]["hidden"])
    expect(stranger.page.locator("body")).not_to_contain_text("Heater")
    stranger.look("another-team", refused=404)
    stranger.open("inbox?view=all")
    expect(stranger.page.locator("#list")).not_to_contain_text(reference)


@LANGUAGES
def test_a_script_in_every_field_of_the_portal_is_text(
    house: House, customer: Public, colleague: Team, language: str
) -> None:
    one = customer(language)
    one.page.goto(f"{house.address}/complain")
    one.page.locator("input[name=who][value=named]").check()
    one.page.locator("details summary").click()
    one.page.locator("[name=needs][value=vulnerable]").check()
    names = ("narrative", "product", "order_ref", "desired_remedy", "name", "email", "phone", "safe_contact")
    one.fill(**dict.fromkeys(names, EVIL))
    one.page.locator("main button[value=review]").click()
    expect(one.page.locator("#email-error")).to_be_visible()
    for name in names:
        expect(one.page.locator(f"#{name}")).to_have_value(EVIL)
    one.look("script-refused", refused=422)
    one.fill(email="eve@example.com", phone="13800138000")
    one.review()
    _only_text(one.page, 5)
    one.well()
    reference = one.send()
    house.go(reference)
    one.page.locator("main a.button").click()
    one.page.locator("details:has(.words) summary").first.click()
    _only_text(one.page, 1)
    one.well()
    li = colleague("li", "agent", language=language)
    li.case(reference)
    _only_text(li.page, 5)
    li.well()


@LANGUAGES
def test_a_script_in_every_field_of_a_console_form_is_text(house: House, triage: Triage, language: str) -> None:
    li, reference = triage(language)
    house.do("li", reference, "triage", decision="investigate")
    li.case(reference)
    page = li.page
    page.locator("label:has([name=finding][value=upheld])").click()
    page.locator("[data-row-add]").click()
    page.locator("[name='remedies-0-kind']").select_option("repair")
    fields = page.locator("#due-form input:not([type]), #due-form textarea")
    for field in fields.all():
        field.fill(EVIL)
    page.locator("#due-send").click()
    expect(page.locator("#remedies-0-amount-error")).to_be_visible()
    li.well(refused=422)
    for name, text in (("amount", ""), ("currency", ""), ("due_days", "14")):
        page.locator(f"[name='remedies-0-{name}']").fill(text)
    page.locator("#due-send").click()
    expect(page.locator(".flash.good")).to_be_visible()
    _only_text(page, 3)
    li.well()


def _only_text(page: Page, times: int) -> None:
    """What was typed stands there as it was typed, so often at least, and made nothing."""
    assert page.locator("body").inner_text().count(EVIL) >= times
    expect(page.locator("body img, body script")).to_have_count(0)
