"""Those who sit before the pages: a customer with a telephone, a colleague at a desk, hands that know only keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from tests.web.browsing import Watched
from tests.web.stories.house import ALARMING, PASSWORD, House

#: As many fields, links and buttons as a page may have between two places one goes to by Tab.
_MOST_TABS = 150


class Keys:
    """Hands on a keyboard: whatever is done, is done by keys."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        """One key after the other, wherever the focus is."""
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, *keys: str) -> None:
        """The same, where the last one leads to another page."""
        self.press(*keys[:-1])
        with self.page.expect_navigation():
            self.press(keys[-1])

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Tab, until the focus is on what the selector names."""
        for _ in range(_MOST_TABS):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.press(key)
        raise AssertionError(f"{selector} is not reached by {key}")

    def write(self, selector: str, text: str) -> None:
        """Go to a field and type."""
        self.tab_to(selector)
        self.page.keyboard.type(text)

    def choose(self, name: str, value: str) -> None:
        """Go to a group of choices and arrow to one of them."""
        self.tab_to(f"[name='{name}']")
        self.press("Space")
        for _ in range(_MOST_TABS):
            if self.page.evaluate("document.activeElement.value") == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"{name} has no choice {value}")

    def select(self, selector: str, value: str) -> None:
        """Go to a list and arrow to one of its entries."""
        self.tab_to(selector)
        for _ in range(_MOST_TABS):
            if self.page.evaluate("document.activeElement.value") == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"{selector} has no entry {value}")


class Customer(Watched):
    """Complains, and waits for an answer."""

    def __init__(self, page: Page, house: House, language: str, name: str) -> None:
        super().__init__(page, name)
        self.house, self.language = house, language

    def fill_in(self) -> None:
        """The form, up to its first button."""
        self.page.goto(f"{self.house.address}/complain")
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        self.page.locator("input[name=who][value=named]").check()
        self.fill(narrative=ALARMING[self.language], name="王芳 Wang Fang", email="wang.fang@example.com")

    def fill(self, **fields: str) -> None:
        """Fields of the form."""
        for name, text in fields.items():
            self.page.locator(f"#{name}").fill(text)

    def review(self) -> None:
        """On to the page where everything is checked."""
        self.page.locator("main button[value=review]").click()
        expect(self.page.locator("dl.answers")).to_be_visible()

    def send(self) -> str:
        """Send it; the reference."""
        self.page.locator("main button[value=send]").click()
        return self.page.locator(".reference").inner_text()

    def verdict(self, *, accepted: bool, words: str, rating: int) -> None:
        """Say what one thinks of the answer, and how it was."""
        self.page.locator(f"input[name=accepted][value={'yes' if accepted else 'no'}]").check()
        self.page.locator("#confirm-text").fill(words)
        self.page.locator(f"input[name=rating][value='{rating}']").check()
        self.page.locator("form:has(#confirm-text) button").click()


class Colleague(Watched):
    """Works at the console."""

    def __init__(self, page: Page, house: House, language: str, name: str) -> None:
        super().__init__(page, name)
        self.house, self.language, self.keys = house, language, Keys(page)
        self._stopped = False

    def open(self, path: str) -> None:
        """A page of the console."""
        self.page.goto(f"{self.house.address}/console/{path}")
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)

    def case(self, reference: str) -> None:
        """The page of a complaint."""
        self.open(f"complaints/{reference}")

    def stop_the_clock(self) -> None:
        """Until the next look nothing happens on pages by itself: no draft is kept, nobody is asked for news."""
        self.page.clock.install()
        self.page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=1))
        self._stopped = True

    def look(self, what: str, *, refused: int | None = None, axe: bool = True) -> None:
        """As anybody watched; axe needs a clock that goes."""
        if self._stopped:
            self.page.clock.resume()
            self._stopped = False
        super().look(what, refused=refused, axe=axe)

    def wait_for_news(self) -> None:
        """Ten seconds go by on the page: it tells that one is here, and hears who else is."""
        with self.page.expect_response("**/presence"):
            self.page.clock.fast_forward("00:11")

    def come_in(self, login: str) -> None:
        """Be signed in."""
        self.page.context.add_cookies(
            [{"name": "console", "value": self.house.session(login), "url": self.house.address}]
        )

    def sign_in(self, login: str) -> None:
        """Login and password into the form that is shown, by the keyboard."""
        self.house.give_password(login)
        self.keys.write("#login", login)
        self.keys.write("#password", PASSWORD)
        self.keys.go("Enter")
