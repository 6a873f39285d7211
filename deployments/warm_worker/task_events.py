"""Task runs as Prefect sees them: one event for a short task, two for a long one, sent in batches.

Prefect's task engine emits Pending, Running and the final state of each task, each through a thread that first asks
the API what the run is related to. The server then parses every event five times over. Here a task that ends within a
second is told by its final event alone (which carries its start and end); one that takes longer is told when it
starts to be long, so that operations see it running.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import task_engine
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext

_log = logging.getLogger("complaints.worker")
#: A task that runs longer than this is reported as Running. Seconds.
LONG = 1.0
#: Name under which the task engine calls the function we replace.
_HOOK = "emit_task_run_state_change_event"
#: States that are never worth an event of their own.
_SILENT = frozenset({"PENDING"})
#: Events kept while the server is away; older ones are dropped, the complaint's own history is not in them.
_KEPT = 2_000

Send = Callable[[list[dict[str, Any]]], Awaitable[None]]


class TaskEvents:
    """Collects the events of this process and sends them from its loop."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send, self._loop = send, loop
        self._ready: list[dict[str, Any]] = []
        self._running: dict[UUID, tuple[float, dict[str, Any]]] = {}

    @contextmanager
    def instead_of_stock(self) -> Iterator[None]:
        """While inside, Prefect's task engine tells its state changes here."""
        stock = getattr(task_engine, _HOOK)
        setattr(task_engine, _HOOK, self.emit)
        try:
            yield
        finally:
            setattr(task_engine, _HOOK, stock)

    def emit(
        self, task_run: TaskRun, initial_state: State[Any] | None, validated_state: State[Any], follows: Any = None
    ) -> None:
        """Stands in for `prefect.utilities.engine.emit_task_run_state_change_event`; callable from any thread."""
        kind = validated_state.type.value
        if kind in _SILENT:
            return
        event = _event(task_run, initial_state, validated_state)
        self._loop.call_soon_threadsafe(self._take, task_run.id, kind, event)

    def _take(self, task_run_id: UUID, kind: str, event: dict[str, Any]) -> None:
        self._running.pop(task_run_id, None)
        if kind == "RUNNING":
            self._running[task_run_id] = (self._loop.time(), event)
        else:
            self._ready.append(event)

    async def flush(self, *, everything: bool = False) -> None:
        """Send what is ready, and the start of tasks that have become long (or of all: `everything`)."""
        now = self._loop.time()
        for task_run_id, (since, event) in list(self._running.items()):
            if everything or now - since >= LONG:
                del self._running[task_run_id]
                self._ready.append(event)
        if not self._ready:
            return
        batch, self._ready = self._ready, []
        try:
            await self._send(batch)
        except Exception as error:  # the display in Prefect may lag behind, the work must not
            _log.warning("%d task events wait for the server: %s", len(batch), error)
            self._ready = (batch + self._ready)[-_KEPT:]


def _event(task_run: TaskRun, initial: State[Any] | None, state: State[Any]) -> dict[str, Any]:
    name = task_run.name.removesuffix(f"-{task_run.dynamic_key[:3]}")
    details = state.state_details.model_dump(
        mode="json", exclude_none=True, exclude_unset=True, exclude={"flow_run_id", "task_run_id"}
    )
    occurred = state.timestamp.isoformat()
    return {
        "id": str(state.id),
        "occurred": occurred,
        "event": f"prefect.task-run.{state.name}",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{task_run.id}",
            "prefect.resource.name": name,
            "prefect.run-count": str(task_run.run_count),
            "prefect.state-message": state.message or "",
            "prefect.state-name": state.name or "",
            "prefect.state-timestamp": occurred,
            "prefect.state-type": state.type.value,
            "prefect.orchestration": "client",
        },
        "related": _related(task_run),
        "payload": {
            "intended": {"from": initial.type.value if initial else None, "to": state.type.value},
            "initial_state": {"type": initial.type.value, "name": initial.name} if initial else None,
            "validated_state": {
                "type": state.type.value,
                "name": state.name,
                "message": state.message,
                "state_details": details,
                "data": None,
            },
            "task_run": {**_plain(task_run), "name": name},
        },
    }


def _plain(task_run: TaskRun) -> dict[str, Any]:
    return task_run.model_dump(
        mode="json",
        exclude_none=True,
        include={
            "task_key",
            "dynamic_key",
            "task_version",
            "empirical_policy",
            "tags",
            "task_inputs",
            "run_count",
            "flow_run_run_count",
            "expected_start_time",
            "start_time",
            "end_time",
            "total_run_time",
        },
    )


def _related(task_run: TaskRun) -> list[dict[str, str]]:
    related = [
        {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in sorted(task_run.tags)
    ]
    if task_run.flow_run_id is not None:
        context = FlowRunContext.get()
        run = {
            "prefect.resource.id": f"prefect.flow-run.{task_run.flow_run_id}",
            "prefect.resource.role": "flow-run",
        }
        if context is not None and context.flow_run is not None:
            run["prefect.resource.name"] = context.flow_run.name
        related.insert(0, run)
    return related
