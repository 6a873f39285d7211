"""The kind of route all pages of the console have: refusals and faults are pages, or short JSON for a script."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import Match

from complaints.domain.errors import ActionNotAllowed, ComplaintsError, FieldProblem, InvalidInput, NotFound, NotOpen
from complaints.domain.reference import parse
from web import problems
from web.browser import Browsers
from web.console.labels import Labels
from web.console.pages import Screen
from web.console.resume import ask
from web.console.seat import FORGED, SAFE, ChangePassword, Forged, SignInFirst, seat_of
from web.language import N_, Speech
from web.spoken_errors import fault, spoken

logger = logging.getLogger("web")


class PageRoute(APIRoute):
    """Answers errors in a way that a person can read, in their language; takes no form from another site's page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, guarded."""
        plain = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            browsers: Browsers = request.app.state.browsers
            if request.method not in SAFE and browsers.foreign(request):
                return refusal(request, Forged())
            try:
                return await plain(request)
            except SignInFirst:
                return await ask(request)
            except ChangePassword:
                return Screen(request).go("/console/account/password")
            except RequestValidationError:
                return refusal(request, NotFound("page", request.url.path))
            except (ComplaintsError, SQLAlchemyError) as error:
                if isinstance(error, InvalidInput) and not _named(request):
                    error = NotFound("page", request.url.path)
                return refusal(request, error)

        return guarded


def _named(request: Request) -> bool:
    """Whether the address names a complaint as one can be named, if it does at all."""
    named = request.path_params.get("reference")
    try:
        return named is None or bool(parse(named))
    except InvalidInput:
        return False


def refusal(request: Request, error: ComplaintsError | SQLAlchemyError) -> Response:
    """What a person sees when something is refused or away; nothing was saved."""
    answer = problems.of_database(error) if isinstance(error, SQLAlchemyError) else problems.of_domain(error)
    if answer is None:
        raise error
    screen: Screen = getattr(request.state, "screen", None) or Screen(request)
    logger.info("request %s met: %s", request.state.request_id, error)
    said = said_of(screen.speech, error)
    if by_script(request):
        return screen.json({"code": answer.code, "say": said}, answer.status)
    return _page(screen, answer, said)


async def told(request: Request, answer: problems.Answer) -> Response:
    """The page for what no route of ours answered: no such page, a bug. In the language of whoever sits here."""
    screen: Screen | None = getattr(request.state, "screen", None)
    if screen is None:
        try:
            screen = Screen(request, await seat_of(request))
        except SQLAlchemyError:
            screen = Screen(request)
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "GET":
        return screen.go(_above(request))
    page = _page(screen, answer, spoken(screen.speech.language, answer.detail))
    page.headers.update(answer.headers)
    return page


def _above(request: Request) -> str:
    """The page that the address of a form belongs to: whoever goes there by a link, the address bar or another language
    stands before a form that was refused, and a form is sent to where no page is."""
    path = request.url.path
    while True:
        path = path.rpartition("/")[0]
        scope = {**request.scope, "path": path, "method": "GET"}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            return f"{path}?{request.url.query}" if request.url.query else path


def _page(screen: Screen, answer: problems.Answer, said: str) -> Response:
    kind = "busy" if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else answer.code
    about = {"kind": kind, "said": said, "request_id": screen.request.state.request_id}
    return screen.page("refused.html", answer.status, **about)


def by_script(request: Request) -> bool:
    """Whether our own script asks, and not a browser that will show the answer."""
    return "x-csrf" in request.headers or request.headers.get("accept", "").startswith("application/json")


def said_of(speech: Speech, error: Exception) -> str:
    """An error in the reader's words, as far as the catalogue knows it; a fault of the database is told by its page."""
    label = Labels(speech)
    match error:
        case ActionNotAllowed() if error.lacks:
            said = N_("“%(action)s” is not possible now. %(why)s")
            return speech.say(said, action=label("action", error.action), why=label("lacks", error.lacks))
        case ActionNotAllowed():
            said = N_("“%(action)s” is not possible now: the complaint is “%(status)s”.")
            return speech.say(said, action=label("action", error.action), status=label("status", error.status))
        case NotOpen():
            said = N_("%(reference)s is “%(status)s”. Merge into an open complaint, or reopen that one first.")
            return speech.say(said, reference=error.reference, status=label("status", error.status))
        case Forged():
            return speech.say(FORGED)
        case InvalidInput():
            return speech.sentences(*(_wrong(label, problem) for problem in error.problems))
        case ComplaintsError():
            return spoken(speech.language, str(error))
    return ""


def _wrong(label: Labels, problem: FieldProblem) -> str:
    """A field by its name on the screen, where it has one, and what is wrong with it."""
    said, name = fault(label.speech.language, problem), label("field", problem.field)
    return said if name == problem.field else label.speech.pair(name, said)
