"""The Chinese catalogue: complete, nothing left over, the same values filled in."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from complaints.domain.vocabulary import ClosingCategory, Need, Status
from web.language import CATALOGUES
from web.portal import answers, case

_PORTAL = CATALOGUES.parent / "portal"
_MAP = [("**.py", "python"), ("templates/**.html", "jinja2")]


def _said() -> set[str]:
    return {str(found[2]) for found in extract_from_dir(_PORTAL, method_map=_MAP)}


def test_every_text_is_translated_and_no_translation_is_left_over() -> None:
    with (CATALOGUES / "zh_CN" / "LC_MESSAGES" / "portal.po").open("rb") as source:
        catalogue = read_po(source, locale="zh_CN", abort_invalid=True)
    translated = {str(m.id): str(m.string) for m in catalogue if m.id}
    assert set(translated) == _said()
    assert [i for i, text in translated.items() if not text.strip()] == []
    holes = re.compile(r"%\(\w+\)s")
    assert [i for i, text in translated.items() if sorted(holes.findall(i)) != sorted(holes.findall(text))] == []
    assert [m.id for m in catalogue if m.fuzzy and m.id] == []


def test_every_template_text_is_marked() -> None:
    """Nothing between tags is plain words."""
    loose = []
    for path in Path(_PORTAL / "templates").glob("*.html"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.S)
        text = re.sub(r'[\w-]+="[^"]*"', "", text)
        loose += [(path.name, w) for w in re.findall(r">([^<>]*[A-Za-z]{2}[^<>]*)<", text)]
    assert loose == []


def test_every_code_has_words() -> None:
    assert set(case._NOW) == set(Status)
    assert set(case._ENDED) == {c.value for c in ClosingCategory}
    assert set(answers.NEEDS) == {n.value for n in Need}
