"""The pages of the design systems show each component; a new one cannot be forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import web
from complaints.domain.vocabulary import Role
from tests.web.console.conftest import Browser, Office

WEB = Path(web.__file__).parent
#: What only scripts put on a page, and frames of whole pages that stand alone.
MADE_BY_SCRIPTS = {"carried", "fresh", "on", "over", "preview", "scripted", "undo"}
WHOLE_PAGES = {"approvals", "case", "case-head", "case-side", "languages", "lone", "record", "ways", "explain"}
#: The same of the portal: `trap` must not be seen, `embedded` is a page in a frame.
PORTAL = {"trap", "embedded", "top", "bottom"}


def classes(*sheets: str) -> set[str]:
    found = set()
    for name in sheets:
        css = re.sub(r"/\*.*?\*/", "", (WEB / "static" / f"{name}.css").read_text(encoding="utf-8"), flags=re.S)
        for selector in re.findall(r"([^{}]+)\{", css):
            found |= set(re.findall(r"\.([a-z][\w-]*)", selector))
    return found


def shown(html: str) -> set[str]:
    return {name for value in re.findall(r'class="([^"]*)"', html) for name in value.split()}


@pytest.fixture
def li(office: Office) -> Browser:
    return office.browser("li", Role.AGENT)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_page_shows_every_component_of_the_console(li: Browser, language: str) -> None:
    answer = li.get(f"/console/components?lang={language}")
    assert answer.status_code == 200
    known = classes("console", "case", "dash", "inbox", "record")
    assert len(known) > 120
    assert known - shown(answer.text) - MADE_BY_SCRIPTS - WHOLE_PAGES == set()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_page_shows_every_component_of_the_portal(li: Browser, language: str) -> None:
    answer = li.get(f"/console/components/portal?lang={language}")
    assert answer.status_code == 200
    assert classes("portal") - shown(answer.text) - PORTAL == set()


def test_every_macro_is_used_there() -> None:
    """`field` and those inside it are drawn by `fields`; the portal's `switch` and `find` are parts of whole pages."""
    for room, page, inside in (
        ("console", "components.html", {"field", "described", "around", "optional"}),
        ("portal", "gallery.html", {"hint", "wrong", "described", "switch", "find"}),
    ):
        folder = WEB / room / "templates"
        macros = set(re.findall(r"{% macro (\w+)\(", (folder / "parts.html").read_text(encoding="utf-8")))
        used = set(re.findall(r"(?:{{|call) (\w+)\(", (folder / page).read_text(encoding="utf-8")))
        assert inside <= macros
        assert macros - inside - used == set(), room


def test_one_finds_the_way_there(li: Browser) -> None:
    assert 'href="/console/components"' in li.get("/console/account").text
    assert 'href="/console/components/portal"' in li.get("/console/components").text
