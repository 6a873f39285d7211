"""The kind of route all pages of the console have: refusals and faults are pages, or short JSON for a script."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError

from complaints.domain.errors import ComplaintsError, NotFound, Retryable
from web import problems
from web.console.pages import Screen
from web.console.resume import ask
from web.console.seat import ChangePassword, SignInFirst
from web.language import Speech
from web.spoken_errors import spoken

logger = logging.getLogger("web")


class PageRoute(APIRoute):
    """Answers errors in a way that a person can read, in their language."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, guarded."""
        plain = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await plain(request)
            except SignInFirst:
                return await ask(request)
            except ChangePassword:
                return Screen(request).go("/console/account/password")
            except RequestValidationError:
                return refusal(request, NotFound("page", request.url.path))
            except (ComplaintsError, SQLAlchemyError) as error:
                return refusal(request, error)

        return guarded


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
    kind = "busy" if isinstance(error, SQLAlchemyError | Retryable) else answer.code
    return screen.page("refused.html", answer.status, kind=kind, said=said)


def by_script(request: Request) -> bool:
    """Whether our own script asks, and not a browser that will show the answer."""
    return "x-csrf" in request.headers or request.headers.get("accept", "").startswith("application/json")


def said_of(speech: Speech, error: Exception) -> str:
    """An error in the reader's words, as far as the catalogue knows it; a fault of the database is told by its page."""
    return spoken(speech.language, str(error)) if isinstance(error, ComplaintsError) else ""
