"""Where work happens: dense lists, things that stay where they are, everything within reach of the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.web.stories.house import House
from tests.web.stories.people import Colleague

LANGUAGES = ["en", "zh-CN"]


@pytest.fixture
def max_(house: House, colleague: Callable[..., Colleague]) -> Callable[[str], Colleague]:
    """A manager before three complaints, one of them with flags."""

    def make(language: str) -> Colleague:
        for _ in range(3):
            house.complain(language)
        one = colleague("max", "agent", "lead", "manager", language=language)
        one.page.set_viewport_size({"width": 1440, "height": 900})
        return one

    return make


def heights(page: Page, rows: str) -> set[int]:
    found: list[float] = page.eval_on_selector_all(rows, "all => all.map(row => row.getBoundingClientRect().height)")
    assert found
    return {round(height) for height in found}


def choose(one: Colleague, words: str) -> None:
    """A place or command of the palette, by the keyboard."""
    one.keys.press("Control+k")
    expect(one.page.locator("#palette-found [role=option]").first).to_be_visible()
    one.page.keyboard.type(words)
    expect(one.page.locator("#palette-found [role=option]")).to_have_count(1)
    with one.page.expect_navigation():
        one.keys.press("Enter")


@pytest.mark.parametrize("language", LANGUAGES)
def test_compact_is_one_line_for_each_row_and_the_palette_turns_it_on(
    max_: Callable[[str], Colleague], language: str
) -> None:
    one = max_(language)
    one.open("inbox?view=all")
    assert max(heights(one.page, ".work tbody tr")) <= 50
    choose(one, "compact")
    expect(one.page.locator("html")).to_have_attribute("data-density", "compact")
    assert max(heights(one.page, ".work tbody tr")) <= 32
    for cell in one.page.locator(".work tbody tr").first.locator(".gist > *").all():
        box = cell.bounding_box()
        assert box
        assert box["width"] > 0
    one.look(f"compact-{language}")
    choose(one, "dark colours")
    expect(one.page.locator("html")).to_have_attribute("data-theme", "dark")
    assert one.page.url.endswith("inbox?view=all"), "one stays where one was"
    one.look(f"compact-dark-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_filters_open_without_moving_anything(max_: Callable[[str], Colleague], language: str) -> None:
    one = max_(language)
    one.open("inbox?view=all")

    def places() -> list[Any]:
        return [one.page.locator(what).first.bounding_box() for what in (".filters > summary", ".work", "#q")]

    before = places()
    one.page.locator(".filters > summary").click()
    expect(one.page.locator("#f-status")).to_be_visible()
    assert places() == before
    blank = one.page.locator("#f-status option").first
    expect(blank).to_have_text({"en": "any", "zh-CN": "不限"}[language])
    one.look(f"filters-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bulk_bar_is_one_line_and_hides_no_row(max_: Callable[[str], Colleague], language: str) -> None:
    one = max_(language)
    one.open("inbox?view=all")
    box = one.page.locator(".work tbody tr").last.locator("[name=ref]")
    box.check()
    bar = one.page.locator("#bulk-bar").bounding_box()
    assert bar
    assert bar["height"] < 64, "one line"
    one.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    foot = one.page.locator(".foot").bounding_box()
    assert foot
    assert foot["y"] + foot["height"] <= bar["y"]
    middle = "e => { const b = e.getBoundingClientRect(); return b.y + b.height / 2; }"
    assert box.evaluate(middle) == pytest.approx(
        one.page.locator(".work tbody tr").last.locator("td").first.evaluate(middle), abs=1
    )
    one.look(f"bulk-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_lanes_of_the_board_are_seen_and_reached_by_arrows(
    house: House, max_: Callable[[str], Colleague], language: str
) -> None:
    one = max_(language)
    for login in ("ann", "bob", "cat", "dan"):
        house.hire(login, "agent", teams=["service"])
    one.open("team?team=service")
    lanes = one.page.locator(".lane")
    wide = one.page.evaluate(
        "document.querySelector('.board').scrollWidth - document.querySelector('.board').clientWidth"
    )
    assert wide == 0
    one.keys.press("ArrowRight")
    for number in range(lanes.count()):
        assert one.page.evaluate("n => document.querySelectorAll('.lane')[n].contains(document.activeElement)", number)
        one.keys.press("ArrowRight")
    one.look(f"board-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_hangs_over_the_edge_of_its_card(house: House, max_: Callable[[str], Colleague], language: str) -> None:
    one = max_(language)
    for login in ("ann", "bob", "cat", "dan"):
        house.hire(login, "agent", teams=(house.case(house.references()[0]).team,))
    one.open(f"team?team={house.case(house.references()[0]).team}")
    one.page.locator(".lane").evaluate_all("all => all.forEach(lane => { lane.style.width = '11.5rem'; })")
    over = one.page.locator(".task").evaluate_all("all => all.map(card => card.scrollWidth - card.clientWidth)")
    assert over == [0] * len(over)
    assert over


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_of_components_are_in_order(max_: Callable[[str], Colleague], language: str) -> None:
    one = max_(language)
    one.open("components")
    assert one.page.evaluate("scrollY") == 0
    one.look(f"components-{language}")
    one.open("components/portal")
    one.look(f"components-portal-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_with_everything_open_fits_a_small_phone(
    house: House, max_: Callable[[str], Colleague], language: str
) -> None:
    """320 pixels, as WCAG asks (1.4.10): words that decided, clocks that were cancelled, their explanation."""
    one = max_(language)
    reference = house.references()[0]
    house.act("max", reference, "withdraw")
    one.page.set_viewport_size({"width": 320, "height": 700})
    one.page.emulate_media(color_scheme="dark")
    one.open("inbox?view=all")
    wide = "list => list.scrollWidth - list.clientWidth"
    assert one.page.locator("#list .scroll").evaluate(wide) == 0, "severity and flags are seen without scrolling"
    one.look("inbox")
    for path in (
        f"complaints/{reference}",
        f"complaints/{reference}/clocks",
        "account/password",
        "account/second-factor",
    ):
        one.open(path)
        one.page.evaluate("document.querySelectorAll('main details').forEach(part => { part.open = true; })")
        one.look(path.rpartition("/")[2])


def test_the_palette_says_nothing_is_there_only_when_it_has_looked(max_: Callable[[str], Colleague]) -> None:
    one, held = max_("en"), list[Route]()
    one.open("inbox?view=all")
    one.page.route("**/console/palette?q=*", lambda route: held.append(route))
    one.keys.press("Control+k")
    found = one.page.locator("#palette-found li")
    expect(found.first).to_be_visible()
    one.page.locator("#palette-q").fill("no such thing")
    expect(found).to_have_count(0)
    while not held:
        one.page.wait_for_timeout(50)
    held[0].continue_()
    expect(found).to_have_text(["Nothing found"])
    one.well()
