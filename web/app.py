"""The web application: one FastAPI over one composed `App`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from fastapi.routing import APIRoute

from config.wiring import App
from web import api, console, health, metrics, portal, problems, static_files
from web.api.body import add_schemas
from web.auth import KeyRing
from web.browser import Browsers
from web.console import Console
from web.edge import Bound, Edge, Limit
from web.metrics import Metrics
from web.portal import Portal
from web.pulse import Pulse

_ABOUT = """Complaint handling as a durable workflow.

Send your key as `Authorization: Bearer ck_…`. Every error is a problem document (RFC 9457) that names each wrong field.
To change what somebody else may change too, send the version you saw as `If-Match`.
"""


def create_app(product: App) -> FastAPI:
    """The application of `product`: portal, console, REST API, health, metrics."""
    pulse = Pulse(product)
    counted = Metrics(pulse)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        pulse.close()
        product.background.drain()

    app = FastAPI(
        title="Complaints",
        version="1",
        description=_ABOUT,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.product, app.state.pulse, app.state.metrics = product, pulse, counted
    app.state.keys = KeyRing(product)
    problems.install(app, _page)
    app.include_router(api.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.state.browsers = Browsers(product)
    app.state.portal = Portal(product)
    app.include_router(portal.router)
    app.state.console = Console(product)
    app.include_router(console.router)
    app.include_router(static_files.router)
    app.add_middleware(Edge, limit=_limit(product), observe=counted.observe)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # the documented way to extend it
    return app


async def _page(request: Request, answer: problems.Answer) -> Response:
    """The page that tells a person of a problem, in the room where they are."""
    if request.url.path.startswith("/console"):
        return await console.told(request, answer)
    return portal.told(request, answer)


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0]}_{route.name}".replace(" ", "_")


def _limit(product: App) -> Limit:
    """Files may be larger than other requests; a form around one adds a little."""
    plain, largest = product.settings.request_limit, product.settings.attachment_limit
    one = largest + 100_000
    several = Bound(plain + portal.MOST_FILES * one)

    def limit(path: str) -> Bound:
        if portal.takes_files(path):
            return several
        if path.endswith("/attachments"):
            return several if path.startswith("/console/") else Bound(one, largest)
        return Bound(plain)

    return limit


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        add_schemas(document)
        app.openapi_schema = document
    return app.openapi_schema


def main_app() -> FastAPI:
    """For `uvicorn --factory web.app:main_app`: the application of this installation."""
    from config.wiring import app

    return create_app(app())
