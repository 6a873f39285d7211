"""Making pages: templates, language, security headers; and pages for whatever goes wrong."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError

from complaints.domain.errors import ComplaintsError
from complaints.domain.vocabulary import Language
from config.wiring import App
from web import problems, static_files
from web.language import COOKIE, NAMES, Speech, chosen, preferred, words
from web.portal.guard import Bucket, Slip, Slips, fits
from web.templating import Templates

logger = logging.getLogger("web")
_HERE = Path(__file__).resolve().parent
#: Binds forms to the browser that opened them. Nobody is signed in here; it is worth nothing elsewhere.
_BROWSER = "portal"
#: Codes that may be tried for one complaint in an hour. There are a million.
_TRIES = 10
_YEAR = 31_536_000


class Portal:
    """What all pages of one installation share."""

    def __init__(self, product: App) -> None:
        settings = product.settings
        self.product = product
        self.slips = Slips(settings.secret())
        self.bucket = Bucket(settings.sends_per_hour)
        self.tries = Bucket(_TRIES)
        self.zone = ZoneInfo(settings.time_zone)
        self.secure = settings.link_base.startswith("https:")
        self.templates = {language: self._templates(language) for language in Language}

    def _templates(self, language: Language) -> Templates:
        shared = {"company": self.product.settings.company, "names": NAMES}
        return Templates(_HERE / "templates", words(language, "portal"), {"static": static_files.address}, shared)


@dataclass
class Screen:
    """One reader before one page."""

    request: Request
    own: Language | None = None  #: the language we write to them in, where we know them
    embedded: bool = False

    @property
    def portal(self) -> Portal:
        """What all pages share."""
        found: Portal = self.request.app.state.portal
        return found

    @property
    def product(self) -> App:
        """The composed application."""
        return self.portal.product

    @cached_property
    def speech(self) -> Speech:
        """How to speak to the reader."""
        otherwise = self.own or preferred(self.request, self.product.settings.language)
        return Speech(chosen(self.request) or otherwise, self.portal.zone)

    @cached_property
    def cookie(self) -> str:
        """What tells this browser from others. A frame on another site has no cookies: its forms bind to the page."""
        return "" if self.embedded else self.request.cookies.get(_BROWSER) or secrets.token_urlsafe(16)

    def slip(self, page: str, key: str = "") -> str:
        """The hidden field of a form on `page`."""
        return self.portal.slips.make(page, self.cookie, self.product.store.now(), key)

    def returned(self, page: str, text: str) -> tuple[Slip | None, bool]:
        """The slip that came back, and whether it fits."""
        slip = self.portal.slips.read(text)
        return slip, fits(slip, page, self.cookie, self.product.store.now())

    def too_many(self) -> int:
        """Counts one sending from the reader's address; minutes to wait if there were too many."""
        client = self.request.client
        return -(-self.portal.bucket.take(client.host if client else "") // 60)

    def too_many_tries(self, reference: str) -> bool:
        """Counts one try of a code for a complaint, however its reference is written."""
        return self.portal.tries.take("".join(c for c in reference.upper() if c.isalnum())) > 0

    def page(self, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """A page in the reader's language."""
        speech = self.speech
        other = Language.EN if speech.language is Language.ZH else Language.ZH
        query = {**self.request.query_params, "lang": other.value}
        html = (
            self.portal.templates[speech.language]
            .get_template(template)
            .render(
                lang=speech.language.value,
                other=other.value,
                other_name=NAMES[other],
                other_url=f"{quote(self.request.url.path)}?{urlencode(query)}",
                other_form="",
                speech=speech,
                embedded=self.embedded,
                **values,
            )
        )
        return self._dressed(HTMLResponse(html, status))

    def go(self, path: str) -> Response:
        """Elsewhere, by GET, so that a reload repeats nothing."""
        return self._dressed(RedirectResponse(path, HTTPStatus.SEE_OTHER))

    def _dressed(self, response: Response) -> Response:
        frames = " ".join(self.product.settings.embed_origins) if self.embedded else ""
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action 'self'; base-uri 'none'; frame-ancestors {frames or chr(39) + 'none' + chr(39)}"
        )
        response.headers["Vary"] = "Accept-Language, Cookie"
        jar: dict[str, Any] = {"samesite": "lax", "secure": self.portal.secure, "httponly": True, "path": "/"}
        if self.request.query_params.get("lang") == self.speech.language:
            response.set_cookie(COOKIE, self.speech.language.value, max_age=_YEAR, **jar)
        if not self.embedded and self.request.cookies.get(_BROWSER) != self.cookie:
            response.set_cookie(_BROWSER, self.cookie, **jar)
        return response


class PageRoute(APIRoute):
    """A route that answers refusals and faults with a page instead of a problem document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, guarded."""
        plain = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await plain(request)
            except (ComplaintsError, SQLAlchemyError) as error:
                answer = (
                    problems.of_database(error) if isinstance(error, SQLAlchemyError) else problems.of_domain(error)
                )
                if answer is None:
                    raise
                logger.warning("request %s met: %s", request.state.request_id, error)
                return told(request, answer)

        return guarded


def told(request: Request, answer: problems.Answer) -> Response:
    """The page for a refusal or fault."""
    kind = {
        HTTPStatus.NOT_FOUND: "not_found",
        HTTPStatus.METHOD_NOT_ALLOWED: "not_found",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
        HTTPStatus.SERVICE_UNAVAILABLE: "busy",
        HTTPStatus.INTERNAL_SERVER_ERROR: "ours",
    }.get(HTTPStatus(answer.status), "other")
    screen = Screen(request, embedded=request.url.path.startswith("/embed/"))
    page = screen.page("oops.html", answer.status, kind=kind, request_id=request.state.request_id)
    page.headers.update(answer.headers)
    return page
