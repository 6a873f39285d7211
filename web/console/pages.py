"""Making the console's pages: templates, the reader's language and preferences, security headers."""

from __future__ import annotations

import base64
import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup

from complaints.domain.vocabulary import Language
from complaints.services.signin import Seat
from complaints.store.unit import Work
from config.wiring import App
from web import static_files
from web.browser import Browser
from web.console import labels
from web.console.fields import Choices
from web.console.when import Span
from web.language import COOKIE, NAMES, Speech, chosen, preferred, words
from web.templating import Templates

_HERE = Path(__file__).resolve().parent
_YEAR = 31_536_000
_FLASH = "flash"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Console:
    """What all pages of one installation share."""

    def __init__(self, product: App) -> None:
        self.product = product
        self.zone = ZoneInfo(product.settings.time_zone)
        self.newest = (datetime.min.replace(tzinfo=UTC), 0)  #: number of the last event, and when it was asked for
        self.counts: dict[UUID, tuple[datetime, Any]] = {}  #: of each person's views, and when they were counted
        self.templates = {language: self._templates(language) for language in Language}

    def _templates(self, language: Language) -> Templates:
        settings = self.product.settings
        shared = {
            "company": settings.company,
            "names": NAMES,
            "sign_on": settings.oidc_label if settings.oidc_issuer else "",
            "q": lambda **values: urlencode({k: v for k, v in values.items() if v not in (None, "")}, doseq=True),
        }
        constant = {"static": static_files.address, "icon": icon}
        return Templates(_HERE / "templates", words(language, "console"), constant, shared)


class Screen:
    """One reader before one page; `seat` is None on the pages before signing in."""

    def __init__(self, request: Request, seat: Seat | None = None) -> None:
        self.request, self._seat = request, seat

    @property
    def seat(self) -> Seat:
        """Who sits here."""
        assert self._seat is not None, "this page is for people who are signed in"
        return self._seat

    @property
    def console(self) -> Console:
        """What all pages share."""
        found: Console = self.request.app.state.console
        return found

    @cached_property
    def choices(self) -> Choices:
        """Names that the policy in force gives to categories, teams, root causes and solutions, for this reader."""
        return Choices(self.product.policies.active(self.product.store.now()), self.speech)

    @property
    def product(self) -> App:
        """The composed application."""
        return self.console.product

    @cached_property
    def speech(self) -> Speech:
        """How to speak to the reader: as they chose, else as their record or their browser says."""
        if self._seat is not None:
            return Speech(chosen(self.request) or Language(self._seat.person.language), self.console.zone, "console")
        otherwise = preferred(self.request, self.product.settings.language)
        return Speech(chosen(self.request) or otherwise, self.console.zone, "console")

    @cached_property
    def browser(self) -> Browser:
        """Where the request comes from: its cookies, and the slips of forms without a session."""
        return Browser(self.request)

    @property
    def label(self) -> labels.Labels:
        """Words for codes."""
        return labels.Labels(self.speech)

    def reading(self) -> AbstractContextManager[Work]:
        """A unit of work that only reads, as this person."""
        return self.product.store.reading(self.seat.actor)

    def work(self) -> AbstractContextManager[Work]:
        """A unit of work, as this person."""
        return self.product.store.work(self.seat.actor)

    def html(self, template: str, **values: Any) -> Markup:
        """A template, filled: for whole pages and for fragments that a script puts in place."""
        speech, seat = self.speech, self._seat
        preferences = seat.person.preferences if seat else {}
        return Markup(
            self.console.templates[speech.language]
            .get_template(template)
            .render(
                lang=speech.language.value,
                speech=speech,
                label=self.label,
                span=Span(speech, self.product.store.now()),
                me=seat.person if seat else None,
                has=lambda *roles: bool(seat and seat.actor.roles.intersection(roles)),
                csrf=seat.session.csrf if seat else "",
                theme=preferences.get("theme", "auto"),
                density=preferences.get("density", "normal"),
                path=self.request.url.path,
                here=_here(self.request),
                reached_by=self.request.query_params if self.request.method == "GET" else None,
                **values,
            )
        )

    def page(self, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """A whole page; says first what the page before left to say."""
        response = HTMLResponse(self.html(template, flash=self._flash(), **values), status)
        self.browser.jar.drop(response, _FLASH)
        return self.dressed(response)

    def fragment(self, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """A part of a page."""
        return self.dressed(HTMLResponse(self.html(template, **values), status))

    def json(self, content: Any, status: int = HTTPStatus.OK) -> Response:
        """Data for our own script."""
        return self.dressed(JSONResponse(content, status))

    def go(self, path: str, say: str = "", *, tone: str = "good") -> Response:
        """Elsewhere, by GET, so that a reload repeats nothing; `say` is shown there once. Only to our own pages."""
        response = RedirectResponse(own(path), HTTPStatus.SEE_OTHER)
        if say:
            if self._seat is not None:  # something was done: how much there is of it is counted anew
                self.console.counts.pop(self._seat.person.id, None)
            packed = base64.urlsafe_b64encode(json.dumps([tone, say[:600]]).encode()).decode()
            self.browser.jar.put(response, _FLASH, packed, seconds=60)
        return self.dressed(response)

    def dressed(self, response: Response) -> Response:
        """With the headers every page has; pages of people are kept by no cache."""
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        if self.request.query_params.get("lang") == self.speech.language:
            properties = self.browser.jar.properties
            response.set_cookie(COOKIE, self.speech.language.value, max_age=_YEAR, **properties)
        self.browser.settle(response)
        return response

    def _flash(self) -> tuple[str, str] | None:
        try:
            tone, said = json.loads(base64.urlsafe_b64decode(self.browser.jar.read(self.request, _FLASH)))
        except (ValueError, TypeError):  # none, or none of ours
            return None
        return (str(tone), str(said)) if tone in ("good", "bad", "note") else None


def own(path: str) -> str:
    """A path of our own console; anything else becomes its first page (no open redirects)."""
    plain = path.startswith("/console") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and path[8:9] in ("", "/", "?", "#") else "/console"


def _here(request: Request) -> str:
    """This page's own address, for coming back."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{quote(request.url.path)}{query}"


ICONS = {
    path.stem: Markup(path.read_text(encoding="utf-8").strip()) for path in sorted((_HERE / "icons").glob("*.svg"))
}


def icon(name: str) -> Markup:
    """A picture of 16 × 16, drawn in the colour of the text; decoration only."""
    return ICONS[name]
