"""Runs whose worker died under them.

Prefect has no service that recovers a RUNNING or PENDING run of a dead worker. A warm worker therefore names itself
in what it claims: the message of the Running state (or `infrastructure_pid`, for flows that go through Prefect's own
engine) is its *holder*, `<worker name>/<life>`, where `life` is new at every start. A run is an orphan when its holder
is not among the living: its worker is unknown or has not sent a heartbeat for a while, or lives a new life. A worker
publishes the life it leads by releasing, when it starts, whatever an earlier life of its name still holds; so a
supervisor must give every worker of a pool a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient

#: A worker that has been silent this long is dead: three heartbeats and a little.
SILENT = timedelta(seconds=35)
_PAGE = 200


@dataclass(frozen=True)
class Orphan:
    """A run that nobody executes: `holder` had it, since `since`."""

    run_id: UUID
    name: str
    holder: str
    since: datetime


async def orphaned_runs(
    client: PrefectClient, pool: str, now: datetime, *, silent: timedelta = SILENT, dead: str = ""
) -> list[Orphan]:
    """RUNNING and PENDING runs of `pool` that no living worker holds, oldest first.

    `dead` names a worker whose runs all count although its heartbeat is fresh: it asks, and knows which it runs.
    """
    workers = await _all(client, f"/work_pools/{pool}/workers/filter", {})
    living = {
        w["name"] for w in workers if w["last_heartbeat_time"] and now - _time(w["last_heartbeat_time"]) <= silent
    } - {dead}
    held = await _all(
        client,
        "/flow_runs/filter",
        {
            "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}},
            "work_pools": {"name": {"any_": [pool]}},
            "sort": "START_TIME_ASC",
        },
    )
    return [
        Orphan(UUID(run["id"]), run["name"], holder, since)
        for run in held
        if (since := _time(run["state"]["timestamp"]))
        and (holder := _holder(run)).partition("/")[0] not in living
        and (now - since > silent or holder.partition("/")[0] == dead)
    ]


async def release(client: PrefectClient, orphan: Orphan) -> bool:
    """Let another worker run the segment from the top; False when the run has moved on by itself meanwhile."""
    run = (await client._client.get(f"/flow_runs/{orphan.run_id}")).json()
    if run["state_type"] not in ("RUNNING", "PENDING") or _holder(run) != orphan.holder:
        return False
    state = {
        "type": "SCHEDULED",
        "name": "AwaitingRetry",
        "message": f"{orphan.holder or 'its worker'} died",
        # two reapers that saw the same claim propose the same transition: the second is refused
        "state_details": {"transition_id": run["state_id"]},
    }
    answer = await client._client.post(f"/flow_runs/{orphan.run_id}/set_state", json={"state": state, "force": False})
    return bool(answer.json()["status"] == "ACCEPT")


def _holder(run: dict[str, Any]) -> str:
    message = (run.get("state") or {}).get("message") or ""
    return message if "/" in message and " " not in message else run.get("infrastructure_pid") or ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def _all(client: PrefectClient, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = (await client._client.post(path, json={**body, "limit": _PAGE, "offset": len(found)})).json()
        found += page
        if len(page) < _PAGE:
            return found


async def release_all(api_url: str, auth: str, pool: str, now: datetime) -> int:
    """Release every orphan of a pool; how many there were."""
    async with PrefectClient(api_url, auth_string=auth) as client:
        return sum([await release(client, orphan) for orphan in await orphaned_runs(client, pool, now)])
