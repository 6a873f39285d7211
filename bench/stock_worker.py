"""The peer of the product's lifecycle figure: the same complaints, run by Prefect as it comes.

Its own process worker runs the segments, worker and server with Prefect's default settings; everything else is the
product: database, web process, flows, the regular flows on their warm workers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from complaints.runs.prefect_api import DEPLOYMENT
from config.settings import Settings
from deployments import prefect_settings
from deployments.register import QUEUES

_ROOT = Path(__file__).resolve().parent.parent
_POOL = "stock"
_SILENT = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}


@contextmanager
def default_settings() -> Iterator[None]:
    """A stack started inside has a Prefect server with default settings, but for telemetry."""
    ours = dict(prefect_settings.SERVER)
    prefect_settings.SERVER.clear()
    prefect_settings.SERVER.update(_SILENT)
    try:
        yield
    finally:
        prefect_settings.SERVER.update(ours)


@contextmanager
def instead(settings: Settings, cores: list[int]) -> Iterator[None]:
    """Inside, Prefect's process worker on `cores` runs the complaints of a running stack; afterwards its own again."""
    user, _, password = settings.prefect_auth().partition(":")
    with httpx.Client(base_url=settings.prefect_api_url, auth=(user, password), timeout=60) as api:
        _make_pool(api)
        deployment = api.get(f"/deployments/name/{DEPLOYMENT}").raise_for_status().json()
        own = {name: deployment[name] for name in ("work_pool_name", "work_queue_name", "job_variables")}
        theirs = {"work_pool_name": _POOL, "work_queue_name": "normal", "job_variables": {"working_dir": str(_ROOT)}}
        api.patch(f"/deployments/{deployment['id']}", json=theirs).raise_for_status()
        try:
            with _worker(settings, cores):
                while not api.post(f"/work_pools/{_POOL}/workers/filter", json={}).raise_for_status().json():
                    time.sleep(0.25)
                yield
        finally:
            api.patch(f"/deployments/{deployment['id']}", json=own).raise_for_status()


def _make_pool(api: httpx.Client) -> None:
    api.post("/work_pools/", json={"name": _POOL, "type": "process"}).raise_for_status()
    for queue, priority in QUEUES.items():
        api.post(f"/work_pools/{_POOL}/queues", json={"name": queue, "priority": priority}).raise_for_status()


@contextmanager
def _worker(settings: Settings, cores: list[int]) -> Iterator[None]:
    # no --limit: with one, the worker ends with an error when a run is resumed before its last process is gone
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", _POOL]
    environment = os.environ | _SILENT
    environment |= {
        "PREFECT_API_URL": settings.prefect_api_url,
        "PREFECT_API_AUTH_STRING": settings.prefect_auth(),
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PYTHONPATH": str(_ROOT),
    }
    with (settings.home / "log" / "stock-worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    os.sched_setaffinity(process.pid, cores)  # its children inherit it
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
