"""The few calls to Prefect's API that a segment needs, as plain JSON over the worker's one shared connection pool.

The client library makes about eleven calls and parses a model for each where two are enough: claim the run, report
how it ended.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from tasks.server import ask

_log = logging.getLogger("complaints.worker")
#: A claim later than this after the run was seen may be for a run that somebody else has finished by then. Seconds.
STALE = 5.0


@dataclass(frozen=True)
class Answer:
    """What the server said to a proposed state: `status` ACCEPT, REJECT, ABORT or WAIT; `state` is what holds now."""

    status: str
    state: dict[str, Any]

    @property
    def type(self) -> str:
        """Type of the state that holds now, or the empty string."""
        return str(self.state.get("type") or "")

    @property
    def message(self) -> str:
        """Its message."""
        return str(self.state.get("message") or "")


@dataclass(frozen=True)
class Due:
    """A scheduled run, as a poll handed it out or as the server's event stream told of it."""

    run_id: UUID
    #: The Scheduled state that is claimed; a run that is scheduled again has another.
    state_id: str
    deployment_id: UUID | None
    #: How often the run had been running when it was scheduled; a run that resumes after a gate does not count anew.
    run_count: int
    resuming: bool
    #: Loop time when it was seen.
    seen: float


class Orchestration:
    """States proposed to the server for the runs of one worker; `holder` names the worker's life in what it claims."""

    def __init__(self, client: PrefectClient, holder: str) -> None:
        self.client, self.holder = client, holder

    async def due(self, pool: str, queues: list[str], limit: int) -> list[Due]:
        """Scheduled runs whose time has come, the most urgent queue first. Another worker may see the same ones."""
        body: dict[str, Any] = {"scheduled_before": datetime.now(UTC).isoformat(), "limit": limit}
        if queues:
            body["work_queue_names"] = queues
        path = f"/work_pools/{pool}/get_scheduled_flow_runs"
        response = (await self.client._client.post(path, json=body)).json()
        seen = asyncio.get_running_loop().time()
        runs = [FlowRun.model_validate(entry["flow_run"]) for entry in response]
        return [
            Due(
                run.id,
                str(run.state_id),
                run.deployment_id,
                run.run_count,
                run.empirical_policy.resuming or False,
                seen,
            )
            for run in runs
        ]

    async def held_back(self, pool: str) -> bool:
        """Whether somebody paused the pool or one of its queues, or limited how many runs it has at once."""
        queues = await self.client._client.post(f"/work_pools/{pool}/queues/filter", json={})
        found = [(await self.client._client.get(f"/work_pools/{pool}")).json(), *queues.json()]
        return any(place["is_paused"] or place["concurrency_limit"] is not None for place in found)

    async def claim(self, due: Due, state: str, name: str) -> FlowRun | None:
        """Take the run for this worker; None when somebody else has it or had it, or its time has not come.

        The transition id is derived from the Scheduled state that was seen, so every worker proposes the same one, and
        the server refuses a transition whose id it has just made: of any number of claims one wins, in one call. Only
        a claim that comes when the winner's segment is already over is accepted once more; the count of runs tells.
        """
        if asyncio.get_running_loop().time() - due.seen > STALE:
            return None
        transition = str(uuid5(NAMESPACE_URL, f"claim:{due.state_id}"))
        answer = await self.propose(due.run_id, state, name, message=self.holder, transition=transition)
        # refused although the state is ours: the first attempt went through and its response was lost
        ours = answer.status == "REJECT" and answer.type == state and answer.message == self.holder
        if answer.status != "ACCEPT" and not ours:
            return None
        run = FlowRun.model_validate(await ask(self.client, "GET", f"/flow_runs/{due.run_id}"))
        counted = due.run_count + (state == "RUNNING" and not due.resuming)
        if run.run_count != counted and await self._put_back(run):
            _log.info("run %s was over before it was claimed; its state is put back", run.name)
            return None
        return run

    async def _put_back(self, run: FlowRun) -> bool:
        """Restore the state before the last one, unless that was scheduled: then the claim was right."""
        history = await ask(self.client, "GET", "/flow_run_states/", flow_run_id=str(run.id))
        before = sorted(history, key=lambda state: str(state["timestamp"]))[-2:-1]
        if not before or before[0]["type"] == "SCHEDULED":
            return False
        kept = {key: before[0][key] for key in ("type", "name", "message", "state_details", "data")}
        await ask(self.client, "POST", f"/flow_runs/{run.id}/set_state", {"state": kept, "force": True})
        return True

    async def propose(
        self,
        run_id: UUID,
        state: str,
        name: str,
        *,
        message: str | None = None,
        details: dict[str, Any] | None = None,
        transition: str | None = None,
    ) -> Answer:
        """One orchestrated transition; a repetition after a lost response is refused by its transition id."""
        body = {
            "state": {
                "type": state,
                "name": name,
                "message": message,
                "state_details": {**(details or {}), "transition_id": transition or str(uuid4())},
            },
            "force": False,
        }
        response = await ask(self.client, "POST", f"/flow_runs/{run_id}/set_state", body)
        return Answer(response["status"], response.get("state") or {})

    async def send_events(self, events: list[dict[str, Any]]) -> None:
        """Hand over client-side events (task runs) in one request."""
        await self.client._client.post("/events", json=events)
