"""A real Chromium, and somebody who watches over the shoulder of whoever uses it.

Pictures of every page looked at are kept below COMPLAINTS_TEST_ARTEFACTS (`.artefacts/` where it is not set).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, Response, sync_playwright

CHROMIUM = os.environ.get("COMPLAINTS_TEST_CHROMIUM") or shutil.which("chromium") or ""
ARTEFACTS = Path(os.environ.get("COMPLAINTS_TEST_ARTEFACTS") or Path(__file__).parents[2] / ".artefacts")
PHONE: Any = {"width": 390, "height": 844}
DESK: Any = {"width": 1280, "height": 900}
#: Longest a browser waits for anything, in milliseconds.
PATIENCE = 10_000
#: WCAG 2.2 has a rule that axe leaves out unless it is asked for.
_AXE = {"rules": {"target-size": {"enabled": True}}}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; the test is skipped, saying how to get it, where there is none."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: run `apt-get install chromium`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Watched:
    """A page that nothing may go wrong on unnoticed.

    Messages on its console (a breach of the content security policy is one), errors of scripts, dialogs, requests that
    fail and answers of 4xx or 5xx are troubles; only what was navigated to may be refused, if `look` is told so.
    """

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name, self.number = page, name, 0
        self.troubles: list[str] = []
        self.refusals: list[int] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        refusal = message.text.startswith("Failed to load resource")  # told by `_answered`, with the address
        if message.type in ("error", "warning") and not refusal:
            self.troubles.append(message.text)

    def _asked(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what was under way when the page was left
            self.troubles.append(f"{request.failure}: {request.method} {request.url}")

    def _answered(self, answer: Response) -> None:
        if answer.status >= 500 or (answer.status >= 400 and not answer.request.is_navigation_request()):
            self.troubles.append(f"{answer.status}: {answer.request.method} {answer.url}")
        elif answer.status >= 400:
            self.refusals.append(answer.status)

    def look(self, what: str, *, refused: int | None = None, axe: bool = True) -> None:
        """A picture; nothing serious for axe, no sideways scrolling; and all is `well`."""
        self.number += 1
        path = ARTEFACTS / f"{self.name}-{self.number:02d}-{what}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True, type="jpeg", quality=80)
        if axe:
            self._fit(what)
        self.well(what, refused=refused)

    def well(self, what: str = "", *, refused: int | None = None) -> None:
        """No trouble since the last look, and the page was `refused` or was not."""
        assert not self.troubles, f"{what}: {self.troubles}"
        assert self.refusals == ([refused] if refused else []), f"{what}: {self.refusals}"
        self.refusals.clear()

    def _fit(self, what: str) -> None:
        found = Axe().run(self.page, options=_AXE).response["violations"]
        bad = [(v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
        assert not bad, f"{what}: {bad}"
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"{what}: {wide} pixels too wide"
