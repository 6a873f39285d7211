"""One self-contained page of a dossier, for people: no script, nothing loaded from elsewhere, good to print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from complaints.archive.dossier import Dossier
from complaints.archive.words import WORDS
from complaints.domain.vocabulary import Language


def page(dossier: Dossier, path_of: Callable[[str, str], str]) -> str:
    """The page, in the complaint's language; `path_of(name, sha256)` says where an attachment lies beside it."""
    language = Language.ZH if dossier.complaint["language"] == Language.ZH else Language.EN
    words = WORDS[language]

    def word(code: object) -> str:
        return words.get(str(code)) or str(code).replace("_", " ")

    named: dict[str, dict[str | None, str]] = dossier.complaint.get("in_words", {})

    def called(kind: str, code: str | None) -> str | None:
        return named.get(kind, {}).get(code, code)

    def many(codes: Iterable[object]) -> str:
        return ("、" if language is Language.ZH else ", ").join(word(code) for code in codes)

    return _template().render(
        d=dossier,
        c=dossier.complaint,
        language=language,
        w=word,
        called=called,
        many=many,
        t=_instant,
        path_of=path_of,
    )


def _instant(value: str | None) -> str:
    """An instant as people read it, in UTC: the archive must not depend on where it is opened."""
    return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if value else ""


def _present(rows: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in rows if value not in (None, "", [], {})]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["present"] = _present
    return environment.get_template("dossier.html.j2")
