"""The whole system, started as a person starts it, and killed in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import yaml

from tests.ports import free_port

#: How long anything here may take before the test fails, in seconds.
PATIENCE = 90.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class System:
    """`complaints up` on one state folder."""

    home: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def up(self) -> dict[str, int]:
        """Start it; process ids when all is ready."""
        with (self.home.parent / "console.log").open("ab") as console:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deployments.cli", "up"], env=self.env, stdout=console, stderr=console
            )
        return self.wait_for(lambda pids: all(pids.values()))

    def told(self) -> dict[str, Any]:
        path = self.home / "status.json"
        told: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return told if self.process and told.get("supervisor") == self.process.pid else {}

    def wait_for(self, condition: Any) -> dict[str, int]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, (self.home.parent / "console.log").read_text()
            pids = self.told().get("pids", {})
            if pids and condition(pids):
                return dict(pids)
            time.sleep(0.1)
        pytest.fail((self.home.parent / "console.log").read_text())

    def auth(self) -> tuple[str, str]:
        return "complaints", (self.home / "secrets" / "prefect_password").read_text()

    def answers(self) -> bool:
        urls = self.told()["urls"]
        try:
            web = httpx.get(f"{urls['health']}/live", timeout=5).status_code
            prefect = httpx.get(f"{urls['prefect']}/api/health", auth=self.auth(), timeout=5).status_code
        except httpx.HTTPError:
            return False
        return (web, prefect) == (200, 200)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that is not yet up."""
    home = tmp_path_factory.mktemp("up") / "home"
    ports = {"COMPLAINTS_WEB_PORT": str(free_port()), "COMPLAINTS_PREFECT_PORT": str(free_port())}
    system = System(home, {**os.environ, **ports, "COMPLAINTS_HOME": str(home), "COMPLAINTS_WORKERS": "1"})
    yield system
    if system.process is not None and system.process.poll() is None:
        system.process.terminate()
        system.process.wait(15)


def lose_prefects_database(system: System) -> None:
    """Drop it under the server's feet and put an empty one in its place."""
    address = (system.home / "secrets" / "database_url").read_text()
    with psycopg.connect(address.replace("{database}", "postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE prefect WITH (FORCE)")
        connection.execute("CREATE DATABASE prefect")
    with psycopg.connect(address.replace("{database}", "prefect"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")


def deployments(system: System) -> int:
    url = f"{system.told()['urls']['prefect']}/api/deployments/count"
    return int(httpx.post(url, json={}, auth=system.auth()).raise_for_status().text)


def gone(pids: dict[str, int], within: float) -> None:
    processes = [psutil.Process(pid) for pid in pids.values() if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(processes, timeout=within)
    assert alive == []


def test_a_life_with_every_kind_of_death(system: System) -> None:
    """One story, since a start takes seconds: up, parts killed and back, supervisor killed, up again, told to stop."""
    first = system.up()
    assert set(first) == {"postgres", "prefect", "web", "worker-1"}
    assert system.answers()
    prefect = system.told()["urls"]["prefect"]
    assert httpx.get(f"{prefect}/api/flows/count").status_code in (401, 405)

    lose_prefects_database(system)
    for name, pid in first.items():
        with suppress(ProcessLookupError):  # a worker may have ended by itself when its server was killed
            os.kill(pid, signal.SIGKILL)
        now = system.wait_for(lambda pids, name=name, pid=pid: pids[name] not in (pid, None))
        assert psutil.pid_exists(now[name])
    declared = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    deadline = time.monotonic() + PATIENCE
    while not system.answers() or deployments(system) != len(declared):  # registered again in the empty database
        assert time.monotonic() < deadline
        time.sleep(0.2)

    second = system.told()["pids"]
    assert not set(second.values()) & set(first.values())
    assert system.process is not None
    system.process.kill()
    system.process.wait()
    gone(second, within=15)  # told by the kernel that the supervisor died

    third = system.up()
    assert system.answers()
    system.process.send_signal(signal.SIGTERM)
    assert system.process.wait(10) == 0
    gone(third, within=0.1)
    assert not (system.home / "status.json").exists()
    said = (system.home.parent / "console.log").read_text()
    assert said.count("Ready in") == 2
    assert "worker-1 ended; starting it again" in said
    assert said.rstrip().endswith("Stopped.")
