"""Forms as a browser sends them: with everything hidden that the page put into them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from fastapi.testclient import TestClient

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def hidden(html: str) -> dict[str, str]:
    """The hidden fields of a page."""
    return {name: unescape(value) for name, value in _HIDDEN.findall(html)}


def slip(html: str) -> str:
    """The slip of the forms of a page."""
    found = hidden(html)
    assert "slip" in found, html
    return found["slip"]


def sign_in(web: TestClient, login: str, password: str, page: str = "", **more: str) -> Any:
    """Login and password, in the page that asks for them: `page`, or a fresh one."""
    entered = {"login": login, "password": password, **more}
    return web.post("/console/sign-in", data=hidden(page or web.get("/console/sign-in").text) | entered)
