"""Calls to the Prefect server that outlast its restarts."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import PrefectHTTPStatusError

_log = logging.getLogger("complaints.worker")


async def ask(client: PrefectClient, method: str, path: str, body: Any = None, *, fine: int = 0, **query: str) -> Any:
    """The server's answer as plain JSON, asked again until it comes: what a segment did must not be lost, nor the run
    fail, because the server (or its database) is away.

    So the call may reach the server twice: make it one that can be repeated. `fine` is a status code (409) that then
    means that the first one came through; the answer is None. Other codes below 500 raise `PrefectHTTPStatusError`.
    """
    pause = 0.5
    while True:
        try:
            response = await client._client.request(method, path, json=body, params=query)
            return response.json() if response.content else None
        except (httpx.TransportError, PrefectHTTPStatusError) as error:
            if isinstance(error, PrefectHTTPStatusError) and error.response.status_code < 500:
                if error.response.status_code == fine:
                    return None
                raise
            _log.warning("no answer from the Prefect server to %s %s yet: %s", method, path, error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 10.0)
