"""Which function a flow run means, found once: runs → deployment → module-path entrypoint → imported flow."""

from __future__ import annotations

import importlib
import pkgutil
import time
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.flows import load_flow_from_entrypoint

#: A deployment may be pointed at another function; we look again after this long. Seconds.
_FRESH = 60.0


class UnknownFlow(Exception):
    """The run cannot be executed here; the message says what to put right."""


class FlowBook:
    """Flows of this process by deployment."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self._entrypoints: dict[UUID, tuple[float, str]] = {}
        self._flows: dict[str, Flow[Any, Any]] = {}

    async def flow_of(self, deployment_id: UUID | None) -> Flow[Any, Any]:
        """The flow that runs of this deployment execute."""
        if deployment_id is None:
            raise UnknownFlow("This run has no deployment any more: deploy again and start a new run.")
        seen, entrypoint = self._entrypoints.get(deployment_id, (0.0, ""))
        if time.monotonic() - seen > _FRESH:
            entrypoint = (await self._client.read_deployment(deployment_id)).entrypoint or ""
            self._entrypoints[deployment_id] = (time.monotonic(), entrypoint)
        if entrypoint not in self._flows:
            self._flows[entrypoint] = load(entrypoint)
        return self._flows[entrypoint]


def load(entrypoint: str) -> Flow[Any, Any]:
    """Import the flow behind a module-path entrypoint such as `flows.complaint.complaint`."""
    if ".py" in entrypoint or not entrypoint:
        raise UnknownFlow(
            f"The entrypoint {entrypoint!r} is not a module path. Deploy with one such as flows.complaint.complaint."
        )
    try:
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    except Exception as error:
        raise UnknownFlow(f"The entrypoint {entrypoint!r} cannot be imported: {error!r}") from error


def preload(package: str) -> None:
    """Import every module of `package`, so that the first run does not wait for it."""
    root = importlib.import_module(package)
    for module in pkgutil.iter_modules(getattr(root, "__path__", []), f"{package}."):
        importlib.import_module(module.name)
