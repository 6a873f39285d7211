"""A house whose people are at work: the real web application on a real server and database, and real browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.ports import free_port
from tests.web.api.conftest import make_product
from tests.web.api.server import serving
from tests.web.browsing import DESK, PATIENCE, PHONE
from tests.web.stories.house import House
from tests.web.stories.people import Colleague, Customer
from web.app import create_app


@pytest.fixture
def house(database: str, tmp_path: Path) -> Iterator[House]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    product = make_product(database, tmp_path / "home", form_seconds=0, language="en", public_url=address)
    with serving(create_app(product), port):
        yield House(product, address)
    product.engine.dispose()


@pytest.fixture
def context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """A browser of one person: its own cookies and storage, gone after the test."""
    opened: list[BrowserContext] = []

    def make(language: str, **more: Any) -> BrowserContext:
        # A picture taken in the middle of a view transition would show neither page.
        opened.append(browser.new_context(locale=language, reduced_motion="reduce", **more))
        opened[-1].set_default_timeout(PATIENCE)
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def album(request: pytest.FixtureRequest) -> str:
    """Where the pictures of this story are kept."""
    return f"stories/{request.node.originalname.removeprefix('test_')}"


@pytest.fixture
def customer(house: House, context: Callable[..., BrowserContext], album: str) -> Callable[..., Customer]:
    """Somebody with a telephone."""

    def make(language: str, **more: Any) -> Customer:
        page = context(language, viewport=PHONE, has_touch=True, **more).new_page()
        return Customer(page, house, language, f"{album}/customer-{language}")

    return make


@pytest.fixture
def colleague(house: House, context: Callable[..., BrowserContext], album: str) -> Callable[..., Colleague]:
    """Somebody at a desk, hired and signed in."""

    def make(login: str, *roles: str, language: str = "en", **more: Any) -> Colleague:
        house.hire(login, *roles, language=language, **more)
        page = context(language, viewport=DESK).new_page()
        made = Colleague(page, house, language, f"{album}/{login}-{language}")
        made.come_in(login)
        return made

    return make
