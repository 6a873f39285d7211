"""A real Prefect server on the session's PostgreSQL, and warm workers to run flows of the tests with."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED, temporary_settings
from sqlalchemy.engine import make_url

from complaints.runs.prefect_api import PrefectRuns
from deployments.prefect_settings import SERVER, WORKER
from deployments.warm_worker import WarmWorker
from tests.databases import Databases
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class PrefectServer:
    """The server of this session. `database` is where it keeps its rows (`postgresql://…`)."""

    api: str
    database: str
    home: Path
    http: httpx.Client = field(repr=False)
    last: object = None

    def deploy(self, flow: str, entrypoint: str, pool: str, **more: Any) -> UUID:
        """A deployment `flow/flow` with a module-path entrypoint on `pool`."""
        flow_id = self.http.post("/flows/", json={"name": flow}).json()["id"]
        body = {"name": flow, "flow_id": flow_id, "entrypoint": entrypoint, "work_pool_name": pool, **more}
        answer = self.http.post("/deployments/", json={"enforce_parameter_schema": False, **body})
        assert answer.is_success, answer.text
        return UUID(answer.json()["id"])

    def runs(self, flow: str) -> PrefectRuns:
        """The product's client for runs of this flow."""
        return PrefectRuns(self.api, deployment=f"{flow}/{flow}")

    def run(self, run_id: UUID) -> dict[str, Any]:
        """The run as the server tells it."""
        found: dict[str, Any] = self.http.get(f"/flow_runs/{run_id}").raise_for_status().json()
        self.last = found["state"]
        return found

    def wait(self, run_id: UUID, *states: str, seconds: float = 20.0) -> dict[str, Any]:
        """The run once it is in one of `states` (names); fails with what it is in instead."""
        deadline = time.monotonic() + seconds
        while (run := self.run(run_id))["state_name"] not in states:
            assert time.monotonic() < deadline, f"{run['name']} is {run['state']}, not {states}"
            time.sleep(0.03)
        return run

    def until(self, holds: Callable[[], bool], seconds: float = 15.0) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.last
            time.sleep(0.03)

    def states(self, run_id: UUID) -> list[str]:
        """Names of all states the run went through, in order."""
        found = self.http.get("/flow_run_states/", params={"flow_run_id": str(run_id)}).json()
        return [state["name"] for state in sorted(found, key=lambda s: s["timestamp"])]

    def task_runs(self, run_id: UUID) -> list[dict[str, Any]]:
        """Its task runs, oldest first."""
        body = {"flow_runs": {"id": {"any_": [str(run_id)]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.http.post("/task_runs/filter", json=body).json()
        return found


@pytest.fixture(scope="session")
def prefect_server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server with the product's settings on a database of its own (some 10 s to start)."""
    url, home, port = make_url(databases.empty()), tmp_path_factory.mktemp("prefect"), free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        **SERVER,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": url.set(drivername="postgresql+asyncpg").render_as_string(False),
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    http = httpx.Client(base_url=api, timeout=20.0)
    try:
        _until_up(process, http, home / "server.log")
        database = url.set(drivername="postgresql").render_as_string(False)
        with temporary_settings({PREFECT_API_URL: api, PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False}):
            yield PrefectServer(api, database, home, http)
    finally:
        http.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_up(process: subprocess.Popen[bytes], http: httpx.Client, log: Path) -> None:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if http.get("/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the Prefect server did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture
def warm_worker(prefect_server: PrefectServer) -> Callable[..., Any]:
    """`with warm_worker(pool, name=…):` a worker in this process that drains at the end of the block."""

    @contextmanager
    def start(pool: str, *, name: str = "tester", **options: Any) -> Iterator[WarmWorker]:
        ready = threading.Event()
        worker = WarmWorker(pool, name=name, heartbeat_interval_seconds=2, **{"poll": 0.5, **options})
        failure: list[BaseException] = []
        loops: list[asyncio.AbstractEventLoop] = []

        async def work() -> None:
            loops.append(asyncio.get_running_loop())
            await worker.start(printer=lambda _: ready.set())

        def body() -> None:
            try:
                with temporary_settings(
                    {PREFECT_API_URL: prefect_server.api, PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False}
                ):
                    asyncio.run(work())
            except BaseException as error:
                failure.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=body, name=f"worker-{name}")
        thread.start()
        assert ready.wait(20)
        try:
            yield worker
        finally:
            if thread.is_alive():
                loops[0].call_soon_threadsafe(worker.stop)
            thread.join(20)
        assert not failure, failure

    return start


@pytest.fixture
def worker_process(prefect_server: PrefectServer) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `python -m deployments.warm_worker` as the supervisor does; what is left is killed after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(pool: str, name: str, *options: str) -> subprocess.Popen[bytes]:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")},
            **WORKER,
            "PREFECT_HOME": str(prefect_server.home),
            "PREFECT_API_URL": prefect_server.api,
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "deployments.warm_worker", "--pool", pool, "--name", name]
        process = subprocess.Popen(
            [*command, "--preload", "tests.flows.samples", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert b"started" in line, (line, process.stderr.read() if process.stderr else b"")
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
