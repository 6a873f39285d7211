"""The outermost layer, plain ASGI: request id, size limit, readable text, safe headers, counting, the last catch."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from complaints.domain.errors import LimitExceeded
from complaints.domain.filetype import too_large
from complaints.domain.vocabulary import Language
from web import problems
from web.language import preferred

logger = logging.getLogger("web")
#: Told after each request: method, route template, status, seconds.
Observe = Callable[[str, str, int, float], None]


@dataclass(frozen=True)
class Bound:
    """Most bytes of a request's body; `file` where they are those of one file and its wrapping: its own limit."""

    body: int
    file: int | None = None

    def exceeded(self) -> LimitExceeded:
        """What is said of a larger one."""
        if self.file is not None:
            return too_large(self.file)
        return LimitExceeded(f"The request is larger than {self.body:,} bytes. Send less, or attach files separately.")


#: How much a request may bring, by path.
Limit = Callable[[str], Bound]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{8,64}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Edge:
    """Wraps the application. Its headers suit every answer; pages set their own content security policy."""

    def __init__(self, app: ASGIApp, limit: Limit, observe: Observe) -> None:
        self.app, self.limit, self.observe = app, limit, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self.limit(scope["path"]))
        started = time.perf_counter()
        try:
            refusal = exchange.unreadable()
            if refusal:
                await exchange.tell(refusal)
            else:
                await self.app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = 0  # nobody is there to be answered
        except Exception as error:
            if exchange.status:
                raise  # half an answer is out already: the connection must break, so that the client knows
            await exchange.tell(problems.bug(error, exchange.request_id, scope["path"]))
        finally:
            self.observe(scope["method"], _template(scope), exchange.status or 499, time.perf_counter() - started)


def _template(scope: Scope) -> str:
    """The route's path, parameters unfilled. An included route knows only its end: the rest stands before it."""
    route: str = getattr(scope.get("route"), "path", "")
    if not route or ":path}" in route:
        return route
    return "/".join(scope["path"].split("/")[: -route.count("/")]) + route


class _Exchange:
    """One request and its answer, watched."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, bound: Bound) -> None:
        self.scope, self._receive, self._send, self.bound = scope, receive, send, bound
        self.status = 0
        self._received = 0
        headers = dict(scope["headers"])
        self._length: bytes = headers.get(b"content-length", b"")
        given = headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = self.request_id

    def unreadable(self) -> problems.Answer | None:
        """Why the request is refused before anything looks at it: too large, or its address is not text."""
        if self._length.isdigit() and int(self._length) > self.bound.body:
            return problems.of_domain(self.bound.exceeded())
        for name, raw in (("path", self.scope.get("raw_path") or b""), ("query", self.scope["query_string"])):
            if b"%" not in raw:
                continue
            plain = unquote_to_bytes(raw)
            if b"\x00" in plain:
                return problems.Answer(400, "malformed", f"The {name} holds a NUL character. Leave it out.")
            try:
                plain.decode()
            except UnicodeDecodeError:
                return problems.Answer(400, "malformed", f"The {name} is not valid UTF-8. Encode it as UTF-8.")
        return None

    async def receive(self) -> Message:
        """The next piece of the body; refuses as soon as there is too much of it."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self.bound.body:
                raise self.bound.exceeded()
        return message

    async def send(self, message: Message) -> None:
        """The next piece of the answer, with our headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            headers += [(n, v) for n, v in _HEADERS if n not in present]
            headers.append((b"x-request-id", self.request_id.encode()))
            if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                headers.append((b"connection", b"close"))  # else the server would go on swallowing what is too much
            if b"cache-control" not in present:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await self._send(message)

    async def tell(self, answer: problems.Answer) -> None:
        """A refusal or a bug, as a page where a browser asked and one can be made."""
        try:
            said = await problems.response(Request(self.scope), answer)
        except Exception:
            logger.exception("request %s: no page could be made of it", self.request_id)
            await self.answer(answer)
        else:
            await said(self.scope, self.receive, self.send)

    async def answer(self, answer: problems.Answer) -> None:
        """A problem, straight from here."""
        language = preferred(Request(self.scope), Language.EN)
        content = problems.document(answer, self.scope["path"], self.request_id, language)
        body = json.dumps(content, ensure_ascii=False).encode()
        headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(b"content-language", language.value.encode()), (b"vary", b"Accept-Language")]
        headers += [(k.lower().encode(), v.encode()) for k, v in answer.headers.items()]
        await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
