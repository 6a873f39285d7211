"""Templates with what is constant put in: the same pages as without."""

from __future__ import annotations

from gettext import NullTranslations
from pathlib import Path

import pytest
from markupsafe import Markup

from web.templating import Templates


class Catalogue(NullTranslations):
    """Large letters for small ones, and the other way round."""

    def gettext(self, message: str) -> str:
        return message.swapcase()


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def templates(tmp_path: Path, asked: list[str]) -> Templates:
    def name(of: str) -> str:
        asked.append(of)
        return f"<{of}>"

    return Templates(tmp_path, Catalogue(), {"name": name, "icon": lambda of: Markup(f"<svg>{of}</svg>")}, {"n": 3})


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ _('a <b> & 100%%') }}", "A <B> & 100%"),
        ("{{ _('%(N)S', n='<2>') }}", "&lt;2&gt;"),
        ("{{ icon('x') }}{{ icon(word) }}", "<svg>x</svg><svg>y</svg>"),
        ("{{ name('x') }} {{ n }}", "&lt;x&gt; 3"),
        ("{% macro say(t) %}[{{ t }}]{% endmacro %}{{ say(_('hi')) }}{{ say(word) }}", "[HI][y]"),
        ("{{ _('a') if word == 'y' else _('b') }}", "A"),
        ("{% set t = _('<i>') %}{{ t }}{{ '<i>' }}", "<I>&lt;i&gt;"),
    ],
)
def test_a_page_is_what_it_would_be(templates: Templates, source: str, made: str) -> None:
    assert templates.from_string(source).render(word="y") == made


def test_what_is_constant_is_made_once(templates: Templates, asked: list[str]) -> None:
    page = templates.from_string("{{ name('x') }}{{ name(word) }}")
    for _ in range(3):
        page.render(word="y")
    assert asked == ["x", "y", "y", "y"]
