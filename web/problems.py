"""Errors as problem documents (RFC 9457): every refusal of the domain, every wrong field, every fault of the database.

A bug is answered with an id and nothing else; the log has the rest under that id.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.routing import Match

from complaints.domain import errors
from complaints.domain.validation import in_words
from complaints.domain.vocabulary import Language
from complaints.store.engine import is_away
from web.language import preferred
from web.spoken_errors import fault, spoken

logger = logging.getLogger("web")
MEDIA_TYPE = "application/problem+json"
#: Seconds after which a request that met a busy or absent database may be sent again.
_SOON, _LATER = 1, 5


class FieldFault(BaseModel):
    """One wrong field: a dotted path as sent, and what to do about it."""

    field: str = Field(description="Dotted path of the field, as sent; empty for the request as a whole.")
    message: str = Field(description="What is wrong.")
    code: str = Field(description="Stable machine-readable kind.")


class Problem(BaseModel):
    """A problem document (RFC 9457). `code` is stable; `detail` is a sentence for a person."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:complaints:problem:invalid_input",
                    "title": "The input is not valid",
                    "status": 422,
                    "detail": "narrative: Field required",
                    "instance": "/api/v1/complaints",
                    "code": "invalid_input",
                    "request_id": "6f1c0c4b3b5e4ad0",
                    "errors": [{"field": "narrative", "message": "Field required", "code": "missing"}],
                }
            ]
        },
    )

    type: str = Field(description="URN of the kind of problem.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong with this request, and what to do.")
    instance: str = Field(description="Path of the request.")
    code: str = Field(description="Stable machine-readable kind of problem.")
    request_id: str = Field(description="Also in the header X-Request-ID and in the log.")
    errors: list[FieldFault] = Field(default=[], description="Each wrong field.")


@dataclass(frozen=True)
class Answer:
    """What to answer: HTTP status, kind, sentence, wrong fields, further members and headers."""

    status: int
    code: str
    detail: str
    errors: Sequence[errors.FieldProblem] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


#: What kind of problem it is, in English and Chinese.
_TITLES = {
    "refused": ("Not possible as asked", "无法按请求处理"),
    "error": ("Something went wrong here", "系统出现问题"),
    "permanent": ("Something went wrong here", "系统出现问题"),
    "invalid_input": ("The input is not valid", "提交的内容有误"),
    "malformed": ("The request cannot be read", "无法读取该请求"),
    "unauthenticated": ("No valid API key", "没有有效的 API 密钥"),
    "not_found": ("Not found", "未找到"),
    "forbidden": ("Not allowed", "没有权限"),
    "conflict": ("In conflict with the present state", "与当前状态冲突"),
    "action_not_allowed": ("Not possible in this status", "当前状态下不能这样做"),
    "stale_version": ("Saved by somebody else in between", "期间已被他人保存"),
    "already_done": ("Already completed", "已经完成"),
    "content_gate": ("The letter is incomplete", "信函内容不完整"),
    "policy_invalid": ("No usable policy", "没有可用的规则"),
    "limit_exceeded": ("Too large or too many", "过大或过多"),
    "unsupported_type": ("Kind of content not taken", "不接受这种内容"),
    "retryable": ("Not possible at the moment", "暂时无法处理"),
    "busy": ("Not possible at the moment", "暂时无法处理"),
    "method_not_allowed": ("Method not allowed", "不支持该方法"),
    "internal": ("Something went wrong here", "系统出现问题"),
}
_STATUS: dict[type[errors.ComplaintsError], int] = {
    errors.InvalidInput: 422,
    errors.ContentGateFailed: 422,
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.LimitExceeded: 413,
    errors.UnsupportedType: 415,
    errors.PolicyInvalid: 503,
    errors.Retryable: 503,
    errors.Permanent: 500,
    errors.Refusal: 422,
}


def of_domain(error: errors.ComplaintsError) -> Answer:
    """The answer to an error of the domain; its own attributes become members of the document."""
    kind = next(k for k in type(error).__mro__ if k in _STATUS)
    more: dict[str, Any] = {}
    match error:
        case errors.ActionNotAllowed():
            more = {"action": error.action, "complaint_status": error.status, "allowed": error.allowed}
        case errors.StaleVersion():
            more = {"expected_version": error.expected, "actual_version": error.actual}
        case errors.AlreadyDone():
            more = {"completed_by": error.by, "completed_at": error.at.isoformat()}
        case errors.ContentGateFailed():
            more = {"missing": error.missing}
    fields = error.problems if isinstance(error, errors.InvalidInput) else ()
    status = _STATUS[kind]
    headers = {"Retry-After": str(_LATER)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Answer(status, error.code, str(error), fields, more, headers)


def of_database(error: exc.SQLAlchemyError) -> Answer | None:
    """The answer to a fault of the database that is nobody's bug; None for all others.

    SQLSTATE (PostgreSQL, appendix A): 22 data, 23505 unique, 40 rollback, 55P03 and 57014 time-outs.
    """
    if isinstance(error, exc.TimeoutError):
        return _busy("All database connections are in use.", _SOON)
    if not isinstance(error, exc.DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith("40"):
        detail = "Somebody changed the same complaint at the same time. Send the request again."
        return Answer(409, "conflict", detail, headers={"Retry-After": str(_SOON)})
    if state in ("55P03", "57014"):
        return _busy("The database took too long.", _SOON)
    if state == "23505":
        return Answer(409, "conflict", "This exists already. Read it first, then decide again.")
    if state.startswith("22"):
        return Answer(
            422, "invalid_input", "A value cannot be stored: it is too large or has characters that are not text."
        )
    return _busy("The database cannot be reached.", _LATER) if is_away(error) else None


def _busy(what: str, seconds: int) -> Answer:
    detail = f"{what} Nothing was saved; send the request again in a moment."
    return Answer(503, "busy", detail, headers={"Retry-After": str(seconds)})


def bug(error: BaseException, request_id: str, path: str) -> Answer:
    """The answer to a bug: logged with its traceback under the request's id, told without internals."""
    logger.error("request %s to %s failed", request_id, path, exc_info=error)
    detail = f"This is our fault. Tell operations the id {request_id}; sending the request again may help."
    return Answer(500, "internal", detail)


def document(answer: Answer, path: str, request_id: str, language: Language = Language.EN) -> dict[str, Any]:
    """The problem document, ready for JSON; for a person who reads Chinese, in Chinese as far as it is known."""
    phrase = HTTPStatus(answer.status).phrase
    english, chinese = _TITLES.get(answer.code, (phrase, phrase))
    chinese_reader = language is Language.ZH
    faults = [(p.field, fault(language, p) if chinese_reader else p.message, p.code) for p in answer.errors]
    detail = "; ".join(f"{name}: {said}" if name else said for name, said, _ in faults)
    body: dict[str, Any] = {
        "type": f"urn:complaints:problem:{answer.code}",
        "title": chinese if chinese_reader else english,
        "status": answer.status,
        "detail": _plain(detail or spoken(language, answer.detail)),
        "instance": _plain(path),
        "code": answer.code,
        "request_id": request_id,
        **answer.more,
    }
    if answer.errors:
        body["errors"] = [{"field": _plain(f), "message": _plain(said), "code": code} for f, said, code in faults]
    return body


def _plain(text: str) -> str:
    """Text that survives UTF-8: what a client sent may hold half a character."""
    return text.encode("utf-8", "replace").decode("utf-8")


#: Makes the page that tells a person of a problem.
Page = Callable[[Request, Answer], Awaitable[Response]]


async def response(request: Request, answer: Answer) -> Response:
    """The problem as an HTTP response: a page for a browser that goes somewhere, else a document."""
    page: Page | None = getattr(request.app.state, "page", None)
    if page is not None and wants_page(request):
        return await page(request, answer)
    request_id = getattr(request.state, "request_id", "")
    language = preferred(request, Language.EN)
    content = document(answer, request.url.path, request_id, language)
    headers = {**answer.headers, "Content-Language": language.value, "Vary": "Accept-Language"}
    return JSONResponse(content, answer.status, headers=headers, media_type=MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a person is to read the answer: outside the API, where the browser says that it shows pages."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI, page: Page) -> None:
    """Answer every error of this application with a problem document, or for a browser with `page`."""
    app.state.page = page
    app.add_exception_handler(errors.ComplaintsError, _on_domain)
    app.add_exception_handler(exc.SQLAlchemyError, _on_database)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ComplaintsError)
    answer = of_domain(error)
    if isinstance(error, errors.StaleVersion) and request.headers.get("if-match", "*").strip() != "*":
        answer = Answer(412, answer.code, answer.detail, more=answer.more)
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request %s failed", getattr(request.state, "request_id", ""), exc_info=error)
    return await response(request, answer)


async def _on_database(request: Request, error: Exception) -> Response:
    assert isinstance(error, exc.SQLAlchemyError)
    answer = of_database(error)
    if answer is None:
        raise error
    logger.warning("request %s met the database: %s", getattr(request.state, "request_id", ""), error)
    return await response(request, answer)


async def _on_invalid(request: Request, error: Exception) -> Response:
    """What FastAPI itself checks: path, query and headers."""
    assert isinstance(error, RequestValidationError)
    faults = [
        errors.FieldProblem(".".join(str(part) for part in item["loc"][1:]), in_words(item), item["type"])
        for item in error.errors()
    ]
    if wants_page(request) and any(item["loc"][0] == "path" for item in error.errors()):
        return await response(request, of_domain(errors.NotFound("page", request.url.path)))
    return await response(request, of_domain(errors.InvalidInput(faults)))


async def _on_http(request: Request, error: Exception) -> Response:
    """What the router says: no such path, no such method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        answer = Answer(404, "not_found", f"There is nothing at {request.url.path}. See /docs for what there is.")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = ", ".join(_methods(request))
        answer = Answer(
            405,
            "method_not_allowed",
            f"{request.method} is not possible here. Use: {methods}.",
            headers={"Allow": methods},
        )
    else:
        code = "unauthenticated" if error.status_code == HTTPStatus.UNAUTHORIZED else "malformed"
        answer = Answer(error.status_code, code, str(error.detail), headers=headers)
    return await response(request, answer)


def _methods(request: Request) -> list[str]:
    """All methods that the path of the request knows, over all its routes."""
    known = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
    scopes = {method: {**request.scope, "method": method} for method in known}
    return [m for m in known if any(route.matches(scopes[m])[0] is Match.FULL for route in request.app.routes)]


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of the problems an operation may answer with, beside those that any may."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": f"Problem: {HTTPStatus(status).phrase}.", "content": schema}
        for status in sorted({*statuses, 400, 401, 403, 422, 500, 503})
    }
