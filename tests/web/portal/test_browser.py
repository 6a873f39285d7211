"""A complainant's whole story in a real browser: phone-sized, both languages, with axe, and once without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser, BrowserContext, Page, expect

from config.wiring import App
from tests.web.api.server import serving
from tests.web.browsing import PATIENCE, PHONE, Watched
from tests.web.portal.conftest import PNG, Desk, Visitor
from tests.web.portal.test_track import code_of
from web.app import create_app

WORDS = {
    "en": {
        "story": "The heater you delivered last week leaks, and nobody answers the phone. I want it repaired.",
        "name": "Wang Fang",
        "go on": "Continue",
        "send": "Send my complaint",
        "open": "Go to my complaint",
        "question": "Which day was it delivered?",
        "answer": "Last Monday, in the morning.",
        "send answer": "Send my answer",
        "no": "No, I ask for a review",
        "wrong": "Nobody came to repair it.",
        "submit": "Send",
        "reviewing": "Somebody who was not involved before is looking at it again.",
        "withdraw": "Withdraw the complaint",
        "really": "Withdraw my complaint",
        "over": "This complaint is closed.",
    },
    "zh-CN": {
        "story": "上周安装的热水器一直漏水，客服电话打不通，要求尽快维修。",
        "name": "王芳",
        "go on": "继续",
        "send": "提交投诉",
        "open": "查看我的投诉",
        "question": "请问是哪一天安装的？",
        "answer": "上周一上午。",
        "send answer": "提交回复",
        "no": "不接受，申请复核",
        "wrong": "还没有人上门维修。",
        "submit": "提交",
        "reviewing": "此前未参与的人员正在重新审查您的投诉。",
        "withdraw": "撤回投诉",
        "really": "撤回我的投诉",
        "over": "本投诉已结案。",
    },
}


@pytest.fixture
def site(product: App) -> Iterator[str]:
    with serving(create_app(product)) as url:
        yield url


def _context(browser: Browser, language: str, **more: Any) -> BrowserContext:
    context = browser.new_context(viewport=PHONE, locale=language, **more)
    context.set_default_timeout(PATIENCE)
    return context


def _story(seen: Watched, site: str, desk: Desk, words: dict[str, str], picture: Path, *, axe: bool) -> None:
    page = seen.page
    page.goto(site)
    seen.look("start", axe=axe)
    page.goto(f"{site}/complain?product=Heater+X1")
    seen.look("form", axe=axe)
    page.get_by_role("button", name=words["go on"]).click()
    expect(page.locator("#narrative-error")).to_be_visible()
    seen.look("errors", refused=422, axe=axe)
    page.locator("#narrative").fill(words["story"])
    page.locator("input[name=who][value=named]").check()
    page.locator("#name").fill(words["name"])
    page.locator("#email").fill("wang.fang@example.com")
    page.get_by_role("button", name=words["go on"]).click()
    expect(page.locator("dl.answers")).to_contain_text("Heater X1")
    seen.look("review", axe=axe)
    page.locator("#files").set_input_files(picture)
    page.get_by_role("button", name=words["send"]).click()
    reference = page.locator(".reference").inner_text()
    assert re.fullmatch(r"C\d\d-\d{6}-\d", reference)
    seen.look("sent", axe=axe)
    page.get_by_role("link", name=words["open"]).click()
    seen.look("received", axe=axe)

    desk.take_up(reference)
    desk.act(reference, "ask_customer", question=words["question"])
    page.reload()
    expect(page.locator("blockquote")).to_contain_text(words["question"])
    page.locator("#answer-text").fill(words["answer"])
    page.locator("#answer-files").set_input_files(picture)
    seen.look("question", axe=axe)
    page.get_by_role("button", name=words["send answer"]).click()
    expect(page.locator(".notice.good")).to_be_visible()
    seen.look("answered", axe=axe)

    desk.answer(reference)
    page.reload()
    seen.look("outcome", axe=axe)
    page.get_by_label(words["no"]).check()
    page.locator("input[name=rating][value='2']").check()
    page.get_by_role("button", name=words["submit"], exact=True).click()
    expect(page.locator("#confirm-text-error")).to_be_visible()
    assert page.locator("input[name=rating][value='2']").is_checked()
    seen.look("reason-missing", refused=422, axe=axe)
    page.locator("#confirm-text").fill(words["wrong"])
    page.get_by_role("button", name=words["submit"], exact=True).click()
    expect(page.locator("h1")).to_have_text(words["reviewing"])
    seen.look("appealed", axe=axe)

    page.get_by_role("link", name=words["withdraw"]).click()
    seen.look("withdraw", axe=axe)
    page.get_by_role("button", name=words["really"]).click()
    expect(page.locator("h1")).to_have_text(words["over"])
    seen.look("closed", axe=axe)
    page.goto(f"{page.url.partition('?')[0]}x")
    seen.look("altered-link", refused=404, axe=axe)
    assert desk.complaint(reference).closing_category == "withdrawn"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "leak 漏水 💧.png"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_whole_story_on_a_phone(browser: Browser, site: str, desk: Desk, picture: Path, language: str) -> None:
    with _context(browser, language) as context:
        seen = Watched(context.new_page(), f"portal/story-{language}")
        _story(seen, site, desk, WORDS[language], picture, axe=True)


def test_the_whole_story_without_scripts_in_the_dark(browser: Browser, site: str, desk: Desk, picture: Path) -> None:
    with _context(browser, "en", java_script_enabled=False, color_scheme="dark") as context:
        seen = Watched(context.new_page(), "portal/noscript")
        _story(seen, site, desk, WORDS["en"], picture, axe=False)


def test_dark_pages_have_contrast_enough(browser: Browser, site: str) -> None:
    with _context(browser, "en", color_scheme="dark") as context:
        seen = Watched(context.new_page(), "portal/dark")
        for path, refused in (("/", None), ("/complain", None), ("/track", None), ("/track/nothing-is-here", 404)):
            seen.page.goto(site + path)
            seen.look("page", refused=refused)
        seen.page.goto(f"{site}/complain")
        seen.page.get_by_role("button", name="Continue").click()
        seen.look("errors", refused=422)


def test_keyboard_alone_and_a_draft_that_survives(browser: Browser, site: str) -> None:
    with _context(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{site}/complain")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.locator("#narrative").focus()
        page.keyboard.type("It leaks.")
        page.goto(f"{site}/")
        page.goto(f"{site}/complain")
        expect(page.locator("#narrative")).to_have_value("It leaks.")
        expect(page.locator("[data-draft-note]")).to_be_visible()
        # Enter in a line goes on to the review; it never presses the language button that stands before it.
        page.locator("#order_ref").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#summary")).to_be_focused()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#who")).to_be_focused()
        page.keyboard.press("Space")
        page.get_by_role("button", name="中文").focus()
        page.keyboard.press("Enter")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("#narrative")).to_have_value("It leaks.")
        expect(page.locator("#who")).to_be_checked()


def test_a_double_click_sends_once(browser: Browser, site: str, desk: Desk) -> None:
    with _context(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{site}/complain")
        page.locator("#narrative").fill("It leaks.")
        page.locator("input[value=anonymous]").check()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Send my complaint").dblclick()
        first = page.locator(".reference").inner_text()
        page.go_back()
        page.get_by_role("button", name="Send my complaint").click()
        assert page.locator(".reference").inner_text() == first
        assert desk.newest() == first


def test_too_large_a_file_is_told_at_once(browser: Browser, site: str, tmp_path: Path) -> None:
    with _context(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{site}/complain")
        page.locator("#narrative").fill("It leaks.")
        page.locator("input[value=anonymous]").check()
        page.get_by_role("button", name="Continue").click()
        (tmp_path / "film.mp4").write_bytes(bytes(200_000))
        page.locator("#files").set_input_files(tmp_path / "film.mp4")
        expect(page.locator("#files-early")).to_have_text("“film.mp4” is larger than 100 kB. Choose a smaller file.")
        # What only the server can see is told beside the field too, after the upload with progress.
        (tmp_path / "photo.png").write_bytes(b"MZ this is a program")
        page.locator("#files").set_input_files(tmp_path / "photo.png")
        page.get_by_role("button", name="Send my complaint").click()
        expect(page.locator("#files-error")).to_contain_text("photo.png")
        expect(page.locator("dl.answers")).to_contain_text("It leaks.")


def test_far_too_much_is_told_by_a_page_without_scripts_too(browser: Browser, site: str, tmp_path: Path) -> None:
    with _context(browser, "zh-CN", java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site}/complain")
        page.locator("#narrative").fill("热水器漏水。")
        page.locator("input[value=anonymous]").check()
        page.get_by_role("button", name="继续").click()
        (tmp_path / "film.mp4").write_bytes(bytes(6_000_000))
        page.locator("#files").set_input_files(tmp_path / "film.mp4")
        page.get_by_role("button", name="提交投诉").click()
        expect(page.locator("h1")).to_have_text("内容太大")
        page.go_back()
        expect(page.locator("dl.answers")).to_contain_text("热水器漏水。")


def test_a_line_that_breaks_while_files_travel_loses_nothing(
    browser: Browser, site: str, desk: Desk, tmp_path: Path
) -> None:
    with _context(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{site}/complain")
        page.locator("#narrative").fill("It leaks.")
        page.locator("input[value=anonymous]").check()
        page.get_by_role("button", name="Continue").click()
        (tmp_path / "one.png").write_bytes(PNG)
        page.locator("#files").set_input_files(tmp_path / "one.png")
        for break_it in (
            lambda route: route.abort("connectionreset"),
            lambda route: route.fulfill(status=413, content_type="application/json", body="{}"),
            lambda route: route.fulfill(status=503, content_type="text/html", body="<h1>Busy</h1>"),
        ):
            page.route("**/complain", break_it, times=1)
            page.get_by_role("button", name="Send my complaint").click()
            expect(page.locator(".broken")).to_contain_text("Nothing here is lost")
            expect(page.locator(".picked li span")).to_have_text(["one.png"])
            expect(page.get_by_role("button", name="Send my complaint")).to_be_visible()
        page.get_by_role("button", name="Send my complaint").click()
        expect(page.locator(".reference")).to_be_visible()
        assert page.locator(".reference").inner_text() == desk.newest()
        page.get_by_role("link", name="Go to my complaint").click()
        expect(page.locator("ul.files li")).to_have_text(["one.png"])


def test_files_are_gathered_named_and_taken_away_again(browser: Browser, site: str, tmp_path: Path) -> None:
    """A phone offers one picture after the other; what was wrong with the former ones is forgotten with them."""
    with _context(browser, "en") as context:
        seen = Watched(context.new_page(), "portal/files")
        page = seen.page
        page.goto(f"{site}/complain")
        page.locator("#narrative").fill("It leaks.")
        page.locator("input[value=anonymous]").check()
        page.get_by_role("button", name="Continue").click()
        for name, content in (("one.png", PNG), ("two.png", PNG + b"2"), ("bad.png", b"MZ this is a program")):
            (tmp_path / name).write_bytes(content)
            page.locator("#files").set_input_files(tmp_path / name)
        expect(page.locator(".picked li span")).to_have_text(["one.png", "two.png", "bad.png"])
        page.get_by_role("button", name="Remove two.png").click()
        expect(page.locator(".picked li span")).to_have_text(["one.png", "bad.png"])
        seen.look("picked")
        page.get_by_role("button", name="Send my complaint").click()
        expect(page.locator("#files-error")).to_contain_text("bad.png")
        expect(page.locator(".picked li span")).to_have_text(["one.png", "bad.png"])
        page.get_by_role("button", name="Remove bad.png").click()
        expect(page.locator("#files-error")).to_have_count(0)
        expect(page.locator("#summary")).to_have_count(0)
        page.locator("#files").set_input_files(tmp_path / "two.png")
        page.get_by_role("button", name="Send my complaint").click()
        page.get_by_role("link", name="Go to my complaint").click()
        expect(page.locator("ul.files li")).to_have_count(2)
        assert sorted(page.locator("ul.files li").all_inner_texts()) == ["one.png", "two.png"]


def test_the_other_language_in_another_tab_brings_nothing_back_here(
    browser: Browser, site: str, visitor: Visitor, desk: Desk
) -> None:
    """What was sent from here must not stand here again, to be sent twice."""
    token = visitor.send()
    desk.take_up(desk.newest())
    with _context(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{site}/track/{token}")
        page.get_by_text("Write to us or add a file").click()
        page.locator("#message-text").fill("Any news?")
        with context.expect_page():
            page.locator("a.language").click(modifiers=["ControlOrMeta"])
        page.get_by_role("button", name="Send message").click()
        expect(page.locator(".notice.good")).to_be_visible()
        expect(page.locator("#message-text")).to_have_value("")


@pytest.mark.parametrize("scripts", [True, False])
def test_files_that_a_page_could_not_keep_are_asked_for_again(
    browser: Browser, site: str, tmp_path: Path, scripts: bool
) -> None:
    """Nobody goes back to change a word and then sends without the evidence, unaware."""
    again = "Choose all your files again"
    with _context(browser, "en", java_script_enabled=scripts) as context:
        seen = Watched(context.new_page(), f"portal/files-again-{scripts}")
        page = seen.page
        page.goto(f"{site}/complain")
        page.locator("#narrative").fill("It leaks.")
        page.locator("input[value=anonymous]").check()
        page.get_by_role("button", name="Continue").click()
        assert again not in page.inner_text("main")
        (tmp_path / "one.png").write_bytes(PNG)
        page.locator("#files").set_input_files(tmp_path / "one.png")
        page.get_by_role("button", name="Change something").click()
        page.locator("#order_ref").fill("A-1")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("main")).to_contain_text(again)
        seen.look("review", axe=scripts)
        page.get_by_role("button", name="中文").click()
        expect(page.locator("main")).to_contain_text("请重新选择所有文件")
        page.locator("#files").set_input_files(tmp_path / "one.png")
        page.get_by_role("button", name="提交投诉").click()
        expect(page.locator(".reference")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_found_again_by_reference_and_code_on_a_desk_in_the_dark(
    browser: Browser, site: str, visitor: Visitor, desk: Desk, product: App, language: str
) -> None:
    visitor.web.get(f"/?lang={language}")
    visitor.send()
    desk.take_up(desk.newest())
    wide = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"}
    with browser.new_context(locale=language, **wide) as context:  # type: ignore[arg-type]  # a plain dict
        seen = Watched(context.new_page(), f"portal/found-{language}")
        page = seen.page
        page.goto(f"{site}/track")
        page.locator("#reference").fill(desk.newest())
        page.locator("#email").fill("wang.fang@example.com")
        page.keyboard.press("Enter")
        page.locator("#code").wait_for()
        page.keyboard.press("Tab")
        seen.look("code")
        page.locator("#code").fill("12")
        page.keyboard.press("Enter")
        expect(page.locator("#code-error")).to_be_visible()
        seen.look("wrong-code", refused=422)
        page.locator("#code").fill(code_of(product))
        page.keyboard.press("Enter")
        expect(page.locator(".over")).to_contain_text(desk.newest())
        for details in page.locator("details").all():
            details.locator("summary").click()
        seen.look("tracked")
        desk.answer(desk.newest())
        page.reload()
        seen.look("outcome")


def test_in_a_frame_of_a_shop_and_nowhere_else(browser: Browser, product: App) -> None:
    """The frame is of another site; the browser itself enforces who may show it."""
    with serving(_shop()) as shop:
        product.settings = product.settings.model_copy(update={"embed_origins": (shop,)})
        with serving(create_app(product)) as site, _context(browser, "en") as context:
            page = context.new_page()
            page.goto(f"{shop}/?{site.replace('127.0.0.1', 'localhost')}/embed/complain?product=Heater")
            frame = page.frame_locator("iframe")
            expect(frame.locator("#product")).to_have_value("Heater")
            frame.locator("#narrative").fill("It leaks.")
            frame.locator("input[value=anonymous]").check()
            frame.get_by_role("button", name="Continue").click()
            frame.get_by_role("button", name="Send my complaint").click()
            expect(frame.locator(".reference")).to_have_text(re.compile(r"C\d\d-\d{6}-\d"))
            page.goto(f"{shop.replace('127.0.0.1', 'localhost')}/?{site}/embed/complain")
            expect(page.frame_locator("iframe").locator("#narrative")).to_have_count(0)
            page.goto(f"{shop}/?{site}/complain")
            expect(page.frame_locator("iframe").locator("#narrative")).to_have_count(0)


def _shop() -> FastAPI:
    shop = FastAPI()

    @shop.get("/")
    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(f'<title>Shop</title><iframe src="{request.url.query}" width="390" height="800"></iframe>')

    return shop


def test_the_whole_form_by_keyboard_alone(browser: Browser, site: str, desk: Desk) -> None:
    """From the address bar to the reference without a mouse; focus is always seen, never trapped."""
    with _context(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{site}/complain")
        _tab_to(page, "narrative")
        page.keyboard.type("It leaks.")
        _tab_to(page, "who")
        page.keyboard.press("ArrowDown")
        expect(page.locator("input[value=anonymous]")).to_be_checked()
        for name in ("Continue", "Send my complaint", "Go to my complaint"):
            _tab_to(page, name)
            with page.expect_navigation():
                page.keyboard.press("Enter")
        expect(page.locator(".over")).to_contain_text(desk.newest())
        _tab_to(page, "Write to us or add a file")
        page.keyboard.press("Enter")
        _tab_to(page, "message-text")
        page.keyboard.type("Any news?")
        _tab_to(page, "Send message")
        page.keyboard.press("Enter")
        expect(page.locator(".said.theirs")).to_contain_text("Any news?")


def _tab_to(page: Page, what: str) -> None:
    """Press Tab until the focus is on the field with this id, or on what bears this text."""
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.id, e.textContent.trim(), s.outlineStyle !== "none" || s.boxShadow !== "none"]; }"""
        )
        assert at[2], f"focus cannot be seen on {at[:2]}"
        if what in at[:2]:
            return
    raise AssertionError(f"{what} is not reached by Tab")
