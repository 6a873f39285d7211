"""Which language a reader gets, the words in it, and dates as they are written there."""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from fastapi import Request

from complaints.domain.vocabulary import Language

CATALOGUES = Path(__file__).resolve().parent / "locale"
COOKIE = "lang"
#: What each language calls itself.
NAMES = {Language.ZH: "中文", Language.EN: "English"}


def N_(text: str) -> str:
    """Marks a text for the catalogue; it is translated where it is shown."""
    return text


@cache
def words(language: Language, room: str) -> gettext.NullTranslations:
    """The words of one room, `portal` or `console`, from its .po files; sources are English, which needs none."""
    if language is Language.EN:
        return gettext.NullTranslations()
    whole = Catalog(locale="zh_CN")
    for path in sorted((CATALOGUES / "zh_CN" / "LC_MESSAGES").glob(f"{room}*.po")):
        with path.open("rb") as source:
            for message in read_po(source, locale="zh_CN"):
                whole[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def chosen(request: Request) -> Language | None:
    """What the reader chose: `?lang=`, else the cookie."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in (Language.ZH, Language.EN):
            return Language(wish)
    return None


def preferred(request: Request, otherwise: Language) -> Language:
    """What the reader's browser asks for."""
    ranked = []
    for place, item in enumerate(request.headers.get("accept-language", "")[:400].split(",")):
        tag, _, weight = item.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, tag.split("-")[0].lower()))
        except ValueError:
            continue
    found = negotiate_locale([tag for _, _, tag in sorted(ranked)], ["zh", "en"])
    return {"zh": Language.ZH, "en": Language.EN}.get(found or "", otherwise)


@cache  # a list of thirty lines asks a hundred times
def _locale(language: Language) -> Locale:
    return Locale.parse(language.value, sep="-")


@dataclass(frozen=True)
class Speech:
    """How to speak to a reader: words, dates, sizes."""

    language: Language
    zone: ZoneInfo
    room: str = "portal"

    @property
    def locale(self) -> Locale:
        """For babel."""
        return _locale(self.language)

    def say(self, text: str, **values: object) -> str:
        """A text of the catalogue, with values filled in."""
        found = words(self.language, self.room).gettext(text)
        return found % values if values else found

    def series(self, items: Iterable[str]) -> str:
        """Several things one after the other."""
        return ("、" if self.language is Language.ZH else ", ").join(items)

    @property
    def colon(self) -> str:
        """Between what something is called and what it is, where `pair` cannot stand."""
        return "：" if self.language is Language.ZH else ": "

    def pair(self, name: str, value: str) -> str:
        """What something is called, and what it is."""
        return f"{name}{self.colon}{value}"

    def aside(self, text: str, remark: str) -> str:
        """A text and a remark on it in parentheses."""
        return f"{text}（{remark}）" if self.language is Language.ZH else f"{text} ({remark})"

    def sentences(self, *told: str) -> str:
        """One sentence after the other."""
        return ("" if self.language is Language.ZH else " ").join(told)

    def money(self, amount: Decimal, currency: str | None) -> str:
        """A sum; points and the like have no currency."""
        if currency is None:
            return str(format_decimal(amount, locale=self.locale))
        return str(format_currency(amount, currency, locale=self.locale))

    def day(self, at: datetime | date) -> str:
        """A date; of an instant the day here."""
        pattern = "y年M月d日" if self.language is Language.ZH else "d MMMM y"
        day = at.astimezone(self.zone).date() if isinstance(at, datetime) else at
        return format_date(day, pattern, locale=self.locale)

    def moment(self, at: datetime) -> str:
        """A date with time of day, to the minute."""
        pattern = "y年M月d日 HH:mm" if self.language is Language.ZH else "d MMMM y, HH:mm"
        return format_datetime(at.astimezone(self.zone), pattern, locale=self.locale)

    def clock(self, at: datetime) -> str:
        """A time of day, to the second."""
        return format_datetime(at.astimezone(self.zone), "HH:mm:ss", locale=self.locale)
