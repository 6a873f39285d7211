"""Tags of a run: given when they differ, and then no call is spent on them any more."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flows.gates import label


def test_tags_are_sent_when_they_differ_and_only_then() -> None:
    sent: list[tuple[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":  # does the server want a token against forged requests?
            return httpx.Response(404, request=request)
        sent.append((request.method, json.loads(request.content)["tags"]))
        return httpx.Response(204, request=request)

    async def look(*tags: str) -> None:
        with FlowRunContext.model_construct(flow_run=run, client=client):
            await label(tags)

    async def looks() -> None:
        await look()  # not classified yet
        await look("billing", "moderate", "payments")
        await look("billing", "moderate", "payments")
        await look("payments", "billing", "moderate")
        await look("billing", "critical", "payments")
        await look("billing", "critical", "payments")

    run = FlowRun(id=uuid4(), flow_id=uuid4(), name="C-1", tags=[])
    client = PrefectClient("http://server.example/api", httpx_settings={"transport": httpx.MockTransport(answer)})
    asyncio.run(looks())
    assert sent == [("PATCH", ["billing", "moderate", "payments"]), ("PATCH", ["billing", "critical", "payments"])]
