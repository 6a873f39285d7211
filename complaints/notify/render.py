"""Letters from Jinja2 templates: `templates/{zh,en}/<kind>.txt`, first line the subject, then the body.

Templates are strict: a value that is missing breaks the letter (`Permanent`), it never leaves a hole in it. The HTML
form is made from the same text by `page`, so both parts of a mail always say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError

from complaints.domain.errors import Permanent
from complaints.domain.ports import Letter
from complaints.domain.vocabulary import Language
from complaints.notify.labels import label, reason
from complaints.notify.page import as_html

TEMPLATES = Path(__file__).parent / "templates"
#: Longest subject, in characters.
SUBJECT_LIMIT = 200
#: Longest name in a salutation; longer ones are hardly names.
NAME_LIMIT = 60

_FOLDERS = {Language.ZH: "zh", Language.EN: "en"}
_KIND = re.compile(r"[a-z][a-z_]*")


def kinds() -> list[str]:
    """The kinds of letters that there are."""
    return sorted(path.stem for path in (TEMPLATES / _FOLDERS[Language.EN]).glob("[!_]*.txt"))


def one_line(text: str) -> str:
    """`text` without line breaks and control, format and bidirectional characters: safe in a header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def one_name(name: str) -> str:
    """A name fit for a salutation; nothing where the "name" is an address or a text (forms are open to everybody)."""
    line = one_line(name)
    suspicious = len(line) > NAME_LIMIT or re.search(r"://|www\.|@", line, re.IGNORECASE)
    return "" if suspicious else line


@dataclass(frozen=True)
class _Parts:
    subject: Template
    body: Template


class TemplateRenderer:
    """`Renderer` by the templates of this package. `time_zone` is the IANA zone in which readers see instants."""

    def __init__(self, company: str, time_zone: str, templates: Path = TEMPLATES) -> None:
        self._company, self._zone, self._templates = company, ZoneInfo(time_zone), templates
        self._environments = {language: self._environment(language) for language in Language}
        self._parts = lru_cache(maxsize=None)(self._load)

    def render(self, kind: str, language: Language, context: Mapping[str, object]) -> Letter:
        """The letter of `kind`, in the other language if it exists only there.

        `Permanent` when there is no such template, when it is broken, or when it names a value that was not given.
        """
        written_in = self._language(kind, language)
        try:
            parts = self._parts(kind, written_in)
            values = {"company": self._company, **context}
            subject = one_line(parts.subject.render(values))
            text = re.sub(r"\n{3,}", "\n\n", parts.body.render(values)).strip() + "\n"
        except (TemplateError, TypeError, ValueError, AttributeError, LookupError) as error:
            raise Permanent(f"The letter '{kind}' ({written_in}) cannot be written: {error}") from error
        reference = one_line(str(context.get("reference", "")))
        if reference:
            subject = f"[{reference}] {subject}"
        subject = subject[:SUBJECT_LIMIT].rstrip()
        link = str(context.get("tracking_url", ""))
        return Letter(subject, text, as_html(text, language=written_in, title=subject, link=link))

    def _language(self, kind: str, language: Language) -> Language:
        if _KIND.fullmatch(kind):
            candidates: list[Language] = [language, *Language]
            for candidate in candidates:
                if (self._templates / _FOLDERS[candidate] / f"{kind}.txt").is_file():
                    return candidate
        raise Permanent(f"There is no letter of the kind '{kind}'. Add {kind}.txt to the folder of templates.")

    def _load(self, kind: str, language: Language) -> _Parts:
        source = (self._templates / _FOLDERS[language] / f"{kind}.txt").read_text(encoding="utf-8")
        first, _, rest = source.partition("\n")
        # Apart from each other, so that a line break in a value cannot move words from the subject into the body.
        environment = self._environments[language]
        return _Parts(environment.from_string(first), environment.from_string(rest))

    def _environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(self._templates),
            undefined=StrictUndefined,
            autoescape=False,  # plain text; `page` escapes when it makes HTML of it
            keep_trailing_newline=True,
        )
        locale = Locale.parse(language.value, sep="-")
        chinese = language is Language.ZH
        environment.filters |= {
            "day": partial(_day, locale=locale, zone=self._zone),
            "moment": partial(_moment, locale=locale, zone=self._zone),
            "span": partial(_span, locale=locale),
            "limit": partial(_limit, locale=locale),
            "money": partial(_money, locale=locale),
            "label": lambda code, table: label(table, code, chinese=chinese),
            "reason": partial(reason, chinese=chinese),
            "one_name": one_name,
        }
        return environment


def _instant(value: datetime | str) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    if at.tzinfo is None:
        raise ValueError(f"an instant without a zone: {at.isoformat()}")
    return at


def _day(value: datetime | date | str, *, locale: Locale, zone: ZoneInfo) -> str:
    """An instant as its day here; a day that is one already (in whatever zone) stays it."""
    pattern = "y年M月d日" if locale.language == "zh" else "d MMMM y"
    if isinstance(value, date) and not isinstance(value, datetime):
        return format_date(value, pattern, locale=locale)
    return format_date(_instant(value).astimezone(zone), pattern, locale=locale)


_LIMITS = {
    "calendar_days": ("day", "天"),
    "business_days": ("business day", "个工作日"),
    "weeks": ("week", "周"),
    "months": ("month", "个月"),
}


def _limit(value: Mapping[str, Any], *, locale: Locale) -> str:
    """A legal limit in the unit in which its rule states it."""
    (english, chinese), amount = _LIMITS[value["unit"]], value["amount"]
    if locale.language == "zh":
        return f"{amount}{chinese}"
    return f"{amount} {english}{'' if amount == 1 else 's'}"


def _moment(value: datetime | str, *, locale: Locale, zone: ZoneInfo) -> str:
    at = _instant(value).astimezone(zone)
    pattern = "y年M月d日HH:mm（zzzz）" if locale.language == "zh" else "d MMMM y, HH:mm (zzzz)"
    return format_datetime(at, pattern, tzinfo=zone, locale=locale)


def _span(value: timedelta, *, locale: Locale) -> str:
    """Whole days stay days: a right that lasts 60 days is not "two months"."""
    if value.days and not value % timedelta(days=1):
        return f"{value.days}天" if locale.language == "zh" else f"{value.days} day{'s' if value.days > 1 else ''}"
    return format_timedelta(value, threshold=2, locale=locale)


def _money(remedy: Mapping[str, Any], *, locale: Locale) -> str:
    amount = Decimal(remedy["amount"])
    currency = remedy["currency"]
    return format_currency(amount, currency, locale=locale) if currency else format_decimal(amount, locale=locale)
