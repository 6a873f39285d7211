"""Making pages: templates, language, security headers; and pages for whatever goes wrong."""

from __future__ import annotations

import logging
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
from web.browser import Browser
from web.language import COOKIE, N_, NAMES, Speech, chosen, preferred, words
from web.portal.guard import Bucket
from web.templating import Templates

logger = logging.getLogger("web")
_HERE = Path(__file__).resolve().parent
#: Codes that may be tried for one complaint in an hour. There are a million.
_TRIES = 10
_YEAR = 31_536_000


class Portal:
    """What all pages of one installation share."""

    def __init__(self, product: App) -> None:
        settings = product.settings
        self.product = product
        self.bucket = Bucket(settings.sends_per_hour)
        self.tries = Bucket(_TRIES)
        self.zone = ZoneInfo(settings.time_zone)
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
    def browser(self) -> Browser:
        """Where the reader's forms come from; each has a slip of it."""
        return Browser(self.request, framed=self.embedded)

    def too_old(self, said: str) -> str:
        """Why a form must be sent again whose slip does not fit: as `said`, unless it is for want of a cookie."""
        if self.browser.known:
            return self.speech.say(said)
        return self.speech.say(
            N_(
                "Your browser keeps back the cookie that protects this form. Allow cookies for this site, then send "
                "again. Nothing is lost."
            )
        )

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
        if self.request.query_params.get("lang") == self.speech.language:
            properties = self.browser.jar.properties
            response.set_cookie(COOKIE, self.speech.language.value, max_age=_YEAR, **properties)
        self.browser.settle(response)
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
