"""The warm worker against a real Prefect server: what it runs, how it shares, how it ends, what a kill leaves."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.warm_worker import Orphan, ensure_pool, orphaned_runs, release
from deployments.warm_worker.orchestration import Orchestration
from tests.flows.conftest import PrefectServer

Worker = Callable[..., Any]


@pytest.fixture
def pool() -> str:
    return f"pool-{uuid4().hex[:8]}"


def start(server: PrefectServer, pool: str, flow: str, function: str, **parameters: Any) -> UUID:
    """A run of a sample flow."""
    server.deploy(flow, f"tests.flows.samples.{function}", pool)
    return server.runs(flow).ensure(uuid4(), flow, ["tag"], "normal", parameters=parameters)


def make_pool(server: PrefectServer, pool: str) -> None:
    async def make() -> None:
        async with get_client() as client:
            await ensure_pool(client, pool)
            await ensure_pool(client, pool)  # safe to repeat

    with temporary_settings({PREFECT_API_URL: server.api}):
        asyncio.run(make())


def orphans(server: PrefectServer, pool: str, **more: Any) -> list[Orphan]:
    async def find() -> list[Orphan]:
        async with get_client() as client:
            return await orphaned_runs(client, pool, datetime.now(UTC), **more)

    with temporary_settings({PREFECT_API_URL: server.api}):
        return asyncio.run(find())


def test_the_pool_has_three_queues_by_priority(prefect_server: PrefectServer, pool: str) -> None:
    make_pool(prefect_server, pool)
    queues = prefect_server.http.post(f"/work_pools/{pool}/queues/filter", json={}).json()
    order = [queue["name"] for queue in sorted(queues, key=lambda q: q["priority"])]
    assert order[:3] == ["urgent", "normal", "bulk"]
    assert prefect_server.http.get(f"/work_pools/{pool}").json()["type"] == "warm-process"


def test_runs_are_taken_from_the_stream_and_seen_by_name(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    with warm_worker(pool, poll=30.0):  # no poll will come in time
        time.sleep(0.5)
        run = start(prefect_server, pool, "sample-flaky", "with_flaky_task", path=str(tmp_path / "tries"))
        prefect_server.wait(run, "Completed")
    assert prefect_server.states(run) == ["Scheduled", "Running", "Completed"]
    deadline = time.monotonic() + 10
    while not (tasks := prefect_server.task_runs(run)) or tasks[0]["state_name"] != "Completed":
        assert time.monotonic() < deadline, tasks
        time.sleep(0.1)
    assert [(task["name"], task["run_count"]) for task in tasks] == [("flaky", 3)]


def test_a_run_that_was_there_before_the_worker_is_found(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    make_pool(prefect_server, pool)
    run = start(prefect_server, pool, "sample-napping", "napping", path=str(tmp_path / "nap"), seconds=0)
    with warm_worker(pool):
        prefect_server.wait(run, "Completed")


def test_a_long_task_is_seen_running(prefect_server: PrefectServer, pool: str, warm_worker: Worker) -> None:
    with warm_worker(pool):
        run = start(prefect_server, pool, "sample-slow-task", "slow_task", seconds=4.0)
        deadline = time.monotonic() + 15
        seen: set[str] = set()
        while "Completed" not in seen:
            assert time.monotonic() < deadline, seen
            seen |= {task["state_name"] for task in prefect_server.task_runs(run)}
            time.sleep(0.1)
    assert seen == {"Running", "Completed"}


def test_failures_are_told_and_the_worker_goes_on(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    with warm_worker(pool):
        bad = start(prefect_server, pool, "sample-failing", "failing", kind="error")
        worse = start(prefect_server, pool, "sample-failing", "failing", kind="exit")
        lost = start(prefect_server, pool, "sample-lost", "no_such_flow")
        assert "no such thing" in prefect_server.wait(bad, "Failed")["state"]["message"]
        assert "SystemExit" in prefect_server.wait(worse, "Crashed")["state"]["message"]
        assert "no_such_flow" in prefect_server.wait(lost, "Crashed")["state"]["message"]
        # Retry in Prefect's screens: a person sets it Scheduled again
        state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        prefect_server.http.post(f"/flow_runs/{bad}/set_state", json={"state": state})
        deadline = time.monotonic() + 10
        while prefect_server.run(bad)["run_count"] < 2 or prefect_server.run(bad)["state_name"] != "Failed":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        good = start(prefect_server, pool, "sample-napping", "napping", path=str(tmp_path / "nap"), seconds=0)
        prefect_server.wait(good, "Completed")


def test_sync_flows_and_flows_with_hooks_run_too(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    path = tmp_path / "told"
    with warm_worker(pool) as worker:
        runs = [
            start(prefect_server, pool, "sample-sync", "sync_flow", path=str(path)),
            start(prefect_server, pool, "sample-hooked", "hooked", path=str(path)),
        ]
        for run in runs:
            prefect_server.wait(run, "Completed", seconds=40)
        assert prefect_server.run(runs[1])["infrastructure_pid"] == worker.holder  # through Prefect's engine
        prefect_server.until(lambda: [t["name"] for t in prefect_server.task_runs(runs[0])] == ["sync step"])
    assert sorted(path.read_text().splitlines()) == ["body", "hook Completed", "sync ran"]


def test_of_many_workers_one_runs_a_run(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    # a and b both answer at once to every event; c would leave some to them
    with (
        warm_worker(pool, name="a"),
        warm_worker(pool, name="b"),
        warm_worker(pool, name="c", share=(1, 2)),
    ):
        paths = [tmp_path / f"run-{number}" for number in range(20)]
        runs = [
            start(prefect_server, pool, "sample-napping", "napping", path=str(path), seconds=0.05) for path in paths
        ]
        for run in runs:
            prefect_server.wait(run, "Completed")
    assert {path.read_text() for path in paths} == {"begin\nend\n"}
    # on a slow machine a claim may come after the segment; it is put back, and only the server's count shows it
    assert {prefect_server.run(run)["state_name"] for run in runs} == {"Completed"}


@pytest.mark.parametrize("ended", ["Completed", "Suspended"])
def test_a_claim_that_comes_after_the_segment_is_none(prefect_server: PrefectServer, pool: str, ended: str) -> None:
    make_pool(prefect_server, pool)
    run = start(prefect_server, pool, "sample-napping", "napping", path="unused", seconds=0.0)

    async def race() -> tuple[bool, bool]:
        async with get_client() as client:
            winner, late = Orchestration(client, "winner/1"), Orchestration(client, "late/1")
            (due,) = await winner.due(pool, [], 5)
            won = await winner.claim(due, "RUNNING", "Running")
            details = {"pause_reschedule": True} if ended == "Suspended" else None
            await winner.propose(run, {"Suspended": "PAUSED"}.get(ended, "COMPLETED"), ended, details=details)
            return won is not None, await late.claim(due, "RUNNING", "Running") is not None

    with temporary_settings({PREFECT_API_URL: prefect_server.api}):
        assert asyncio.run(race()) == (True, False)
    now = prefect_server.run(run)
    assert (now["state_name"], now["state"]["state_details"]["pause_reschedule"]) == (ended, ended == "Suspended")


def test_no_more_than_its_concurrency(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    path = tmp_path / "naps"
    with warm_worker(pool, concurrency=2):
        runs = [start(prefect_server, pool, "sample-napping", "napping", path=str(path), seconds=0.4) for _ in range(7)]
        for run in runs:
            prefect_server.wait(run, "Completed")
    under_way = most = 0
    for line in path.read_text().splitlines():
        under_way += 1 if line == "begin" else -1
        most = max(most, under_way)
    assert most == 2


def test_sigterm_lets_segments_finish(
    prefect_server: PrefectServer, pool: str, worker_process: Worker, tmp_path: Path
) -> None:
    path = tmp_path / "nap"
    process = worker_process(pool, "drained")
    run = start(prefect_server, pool, "sample-napping", "napping", path=str(path), seconds=2.0)
    prefect_server.wait(run, "Running")
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert prefect_server.run(run)["state_name"] == "Completed"
    assert path.read_text() == "begin\nend\n"


def test_what_does_not_finish_in_time_is_handed_back(
    prefect_server: PrefectServer, pool: str, worker_process: Worker, tmp_path: Path
) -> None:
    process = worker_process(pool, "hasty", "--drain", "0.3")
    run = start(prefect_server, pool, "sample-napping", "napping", path=str(tmp_path / "nap"), seconds=60.0)
    prefect_server.wait(run, "Running")
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert prefect_server.run(run)["state_name"] == "AwaitingRetry"


def test_a_call_that_hangs_does_not_hold_up_the_end(
    prefect_server: PrefectServer, pool: str, worker_process: Worker, tmp_path: Path
) -> None:
    process = worker_process(pool, "stuck", "--drain", "0.3")
    run = start(prefect_server, pool, "sample-blocking", "blocking", path=str(tmp_path / "told"))
    prefect_server.until((tmp_path / "told").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert prefect_server.run(run)["state_name"] == "AwaitingRetry"


def test_runs_of_a_killed_worker_are_found_and_taken_back(
    prefect_server: PrefectServer, pool: str, worker_process: Worker, tmp_path: Path
) -> None:
    process = worker_process(pool, "victim")
    run = start(prefect_server, pool, "sample-napping", "napping", path=str(tmp_path / "nap"), seconds=3.0)
    prefect_server.wait(run, "Running")
    assert orphans(prefect_server, pool) == []
    process.kill()
    process.wait()
    time.sleep(1.1)
    (orphan,) = orphans(prefect_server, pool, silent=timedelta(seconds=1))
    assert orphan.run_id == run
    assert orphan.holder.startswith("victim/")

    async def let_go_twice() -> list[bool]:
        async with get_client() as client:
            return [await release(client, orphan), await release(client, orphan)]

    with temporary_settings({PREFECT_API_URL: prefect_server.api}):
        assert asyncio.run(let_go_twice()) == [True, False]
    assert prefect_server.run(run)["state_name"] == "AwaitingRetry"


def test_a_worker_that_comes_back_takes_up_what_its_earlier_life_held(
    prefect_server: PrefectServer, pool: str, worker_process: Worker, tmp_path: Path
) -> None:
    process = worker_process(pool, "phoenix")
    run = start(prefect_server, pool, "sample-napping", "napping", path=str(tmp_path / "nap"), seconds=1.5)
    prefect_server.until((tmp_path / "nap").exists)
    process.kill()
    process.wait()
    worker_process(pool, "phoenix")
    prefect_server.wait(run, "Completed")
    assert (tmp_path / "nap").read_text() == "begin\nbegin\nend\n"


def test_a_run_cancelled_while_it_works_ends_cancelled(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    with warm_worker(pool):
        run = start(prefect_server, pool, "sample-napping", "napping", path=str(tmp_path / "nap"), seconds=1.0)
        prefect_server.wait(run, "Running")
        prefect_server.runs("sample-napping").cancel(run)
        prefect_server.wait(run, "Cancelled")


@pytest.mark.parametrize("where", ["", "/queues/normal"], ids=["pool", "queue"])
def test_what_operations_pause_stands_still_also_for_the_stream(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path, where: str
) -> None:
    make_pool(prefect_server, pool)
    place = f"/work_pools/{pool}{where}"
    prefect_server.http.patch(place, json={"is_paused": True}).raise_for_status()
    path = tmp_path / "nap"
    with warm_worker(pool):
        time.sleep(0.5)
        run = start(prefect_server, pool, "sample-napping", "napping", path=str(path), seconds=0)
        time.sleep(1.5)  # the stream told of it at once, polls came by
        assert prefect_server.states(run) == ["Scheduled"]
        prefect_server.http.patch(place, json={"is_paused": False}).raise_for_status()
        prefect_server.wait(run, "Completed")
    assert path.read_text() == "begin\nend\n"


def test_a_limit_of_a_queue_holds_also_for_the_stream(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    make_pool(prefect_server, pool)
    prefect_server.http.patch(f"/work_pools/{pool}/queues/normal", json={"concurrency_limit": 1}).raise_for_status()
    path = tmp_path / "naps"
    with warm_worker(pool):
        runs = [start(prefect_server, pool, "sample-napping", "napping", path=str(path), seconds=0.4) for _ in range(4)]
        for run in runs:
            prefect_server.wait(run, "Completed")
    assert path.read_text() == "begin\nend\n" * 4
