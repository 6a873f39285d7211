"""What was typed is there until it is sent: dialogs that close, pages that load anew, servers that stumble."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import StepKind
from complaints.services import canned
from tests.web.stories.house import House
from tests.web.stories.people import Colleague, Customer
from tests.web.stories.test_offer import offered

WORDS = "The fire brigade has called: it was the valve."


@pytest.fixture
def li(house: House, colleague: Callable[..., Colleague]) -> Colleague:
    """Li before a case in triage; the page does nothing by itself."""
    one = colleague("li", "agent")
    one.stop_the_clock()
    one.case(house.complain())
    return one


def ask(li: Colleague, action: str = "escalate") -> None:
    """Open the form of an action."""
    li.page.locator("[popovertarget=deeds]").click()
    li.page.locator(f"#deeds a[href$='/{action}']").click()
    expect(li.page.locator("#case-dialog textarea")).to_be_focused()


def test_words_in_a_dialog_outlive_its_closing_and_marking_them_closes_nothing(li: Colleague) -> None:
    page, dialog, field = li.page, li.page.locator("#case-dialog"), li.page.locator("#case-dialog textarea")
    ask(li)
    page.keyboard.type(WORDS)
    box = field.bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(20, box["y"] + 12, steps=4)
    page.mouse.up()
    expect(dialog).to_be_visible()
    page.mouse.click(20, 20)
    expect(dialog).to_be_hidden()
    ask(li, "add_note")
    expect(field).to_have_value("")
    page.keyboard.type("Another thing.")
    page.keyboard.press("Escape")
    ask(li)
    expect(field).to_have_value(WORDS)
    dialog.locator("header button").click()
    ask(li)
    expect(field).to_have_value(WORDS)
    dialog.locator("[data-close]").click()
    ask(li)
    expect(field).to_have_value("")
    page.keyboard.press("Escape")
    ask(li, "add_note")
    expect(field).to_have_value("Another thing.")
    dialog.locator("button.primary").click()
    expect(page.locator("#thread")).to_contain_text("Another thing.")
    li.well()


def test_the_last_words_are_in_the_draft_when_a_link_leads_back(li: Colleague, house: House) -> None:
    li.page.locator("#reason").fill(WORDS)
    li.page.locator("nav.side a[href='/console/knowledge']").click()
    li.page.wait_for_url("**/knowledge")
    li.page.go_back()
    expect(li.page.locator("#reason")).to_have_value(WORDS)
    li.well()


def test_the_last_words_are_there_after_a_reload(house: House, colleague: Callable[..., Colleague]) -> None:
    li = colleague("li", "agent")
    li.case(house.complain())
    for words in (WORDS, WORDS.upper()):
        li.page.locator("#reason").fill(words)
        li.page.reload()
        expect(li.page.locator("#reason")).to_have_value(words)
    li.well()


def test_more_words_than_go_out_with_a_page_hold_it_back_until_they_are_kept(li: Colleague, house: House) -> None:
    house.do("li", house.references()[0], "triage", decision="investigate")
    li.case(house.references()[0])
    for field in ("#summary", "#internal_note"):
        li.page.locator(field).click()
        li.page.locator(field).fill("理由" * 10_000)
    with li.page.expect_response("**/draft"):
        li.page.evaluate("location.reload()")
    assert [trouble.partition(":")[0] for trouble in li.troubles] == ["dialog"]
    li.troubles.clear()
    li.page.reload()
    for field in ("#summary", "#internal_note"):
        expect(li.page.locator(field)).to_have_value("理由" * 10_000)
    li.well()


def test_in_the_other_language_stands_what_was_typed_in_this_one(
    house: House, customer: Callable[..., Customer]
) -> None:
    one = customer("en")
    page = one.page
    page.goto(house.link("remedy_offer", offered(house, "en")))
    offer = page.locator("section.card").nth(1)
    offer.locator("input[value=no]").check()
    offer.locator("textarea").fill("Please call me.")
    page.locator("details.write summary").click()
    page.locator("#message-text").fill("A photo follows.")
    for language in ("zh-CN", "en"):
        page.locator("a.language").click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(offer.locator("textarea")).to_have_value("Please call me.")
        expect(offer.locator("input[value=no]")).to_be_checked()
        expect(page.locator("section.card").nth(0).locator("textarea")).to_have_value("")
        expect(page.locator("#message-text")).to_be_visible()
        expect(page.locator("#message-text")).to_have_value("A photo follows.")
    page.reload()
    expect(offer.locator("textarea")).to_have_value("")
    one.well()


def test_a_message_not_sent_yet_is_there_when_one_comes_back(li: Colleague) -> None:
    field = li.page.locator("#compose")
    field.fill(WORDS)
    li.page.locator(".due-card a[href='/console/inbox']").click()
    li.page.go_back()
    expect(field).to_have_value(WORDS)
    li.page.locator("button:has-text('Add as a note')").click()
    expect(li.page.locator("#thread")).to_contain_text(WORDS)
    expect(field).to_have_value("")
    li.page.reload()
    expect(field).to_have_value("")
    li.well()


def test_a_draft_is_kept_once_the_server_is_there_again(li: Colleague, house: House) -> None:
    reference, stumbles = house.references()[0], [503, 502]

    def stumble(route: Route) -> None:
        if stumbles:
            route.fulfill(status=stumbles.pop(0), content_type="text/html", body="<h1>Busy</h1>")
        else:
            route.continue_()

    li.page.route("**/draft", stumble)
    li.page.locator("#reason").fill(WORDS)
    for _ in range(3):
        with li.page.expect_response("**/draft"):
            li.page.clock.fast_forward("00:05")
    expect(li.page.locator("#draft-said")).to_contain_text("Draft kept at")
    assert house.step(reference, StepKind.TRIAGE).draft["reason"] == WORDS
    assert [trouble[:3] for trouble in li.troubles] == ["503", "502"]


def test_a_canned_text_goes_into_the_form_that_asked_for_it(li: Colleague, house: House) -> None:
    with house.product.store.work(SYSTEM) as work:
        canned.create(work, {"title": "Hello", "language": "en", "body": "Dear {name}", "purpose": ""})
    li.page.locator("#reason").fill(WORDS)
    li.page.locator(".compose a[data-dialog]").click()
    li.page.locator("article:has(h3:text-is('Hello')) [data-insert-text]").click()
    expect(li.page.locator("#compose")).to_have_value("Dear Wang Fang")
    expect(li.page.locator("#reason")).to_have_value(WORDS)
    li.page.locator(".due-card a[data-dialog]").click()
    li.page.locator("article:has(h3:text-is('Hello')) [data-insert-text]").click()
    expect(li.page.locator("#reason")).to_have_value(f"{WORDS}Dear Wang Fang")
    li.well()


def test_the_key_that_ends_a_chinese_word_opens_nothing(li: Colleague) -> None:
    """Input methods end a word with Enter; the page must not take it for its own."""
    li.keys.press("Control+k")
    expect(li.page.locator("#palette-found [role=option]").first).to_be_visible()
    before = li.page.url
    key = "new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true, isComposing: true})"
    assert li.page.evaluate(f"document.activeElement.dispatchEvent({key})")
    assert li.page.url == before
    li.well()


def test_a_file_too_large_is_told_before_it_travels(li: Colleague, house: House) -> None:
    house.product.settings = house.product.settings.model_copy(update={"attachment_limit": 1_000_000})
    li.page.reload()
    sent: list[str] = []
    li.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    big = {"name": "film.mp4", "mimeType": "video/mp4", "buffer": bytes(1_000_001)}
    li.page.locator("#files-in").set_input_files([big])  # type: ignore[list-item]  # a file payload
    said = li.page.locator("#files-in").evaluate("field => field.validationMessage")
    assert said == "film.mp4: Larger than 1 MB. Choose a smaller file."
    li.page.locator(".upload button").click()
    assert not [url for url in sent if url.endswith("/attachments")]
    li.well()
