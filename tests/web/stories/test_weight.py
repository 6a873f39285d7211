"""How heavy pages are, and whether they stand still while they load. Sizes and shifts only: times belong to bench/."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.web.stories.house import House
from tests.web.stories.people import Colleague, Customer

#: Layout shift of a page, in all (https://web.dev/articles/cls calls 0.1 good), and what its first load may transfer.
MOST_SHIFT, MOST_BYTES = 0.02, 200_000
_WATCH = """
window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shifted += entry.value; })
  .observe({type: "layout-shift", buffered: true});
"""
_SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_PUSH = "() => { const p = document.createElement('p'); p.style.height = '300px'; document.body.prepend(p); }"
Pages = list[tuple[str, str, Page]]


@pytest.fixture
def pages(
    house: House, customer: Callable[..., Customer], colleague: Callable[..., Colleague]
) -> Callable[[str], Pages]:
    """Each page that is measured: its name, its address, and a browser that may see it."""

    def make(language: str) -> Pages:
        references = [house.complain(language) for _ in range(3)]
        max_ = colleague("max", "agent", "manager", language=language).page
        portal = customer(language).page
        for page in (max_, portal):
            page.add_init_script(_WATCH)
        return [
            ("inbox", "/console/inbox?view=all", max_),
            ("complaint", f"/console/complaints/{references[0]}", max_),
            ("dashboard", "/console/dashboards", max_),
            ("portal", "/complain", portal),
        ]

    return make


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_pages_are_light_and_stand_still(house: House, pages: Callable[[str], Pages], language: str) -> None:
    sizes, shifts = {}, {}
    for name, path, page in pages(language):
        sizes[name] = _transferred(page, house.address + path)
        shifts[name] = page.evaluate("shifted")
        page.evaluate(_PUSH)
        page.wait_for_function("before => shifted > before", arg=shifts[name])  # the observer does see a shift
    assert {name: size for name, size in sizes.items() if not 2_000 < size <= MOST_BYTES} == {}
    assert {name: shift for name, shift in shifts.items() if shift > MOST_SHIFT} == {}


def _transferred(page: Page, address: str) -> int:
    """Bytes over the line, headers too, for a browser that comes for the first time; the page has settled then."""
    sizes: list[int] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda done: sizes.append(int(done["encodedDataLength"])))
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(address, wait_until="networkidle")
    page.evaluate(_SETTLED)
    network.detach()
    return sum(sizes)
