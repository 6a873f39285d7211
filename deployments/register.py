"""Telling a Prefect server what it needs to know: the work pool, its queues, and the deployments of `prefect.yaml`.

Over the REST API: one connection, well under a second, and safe to repeat at every start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import yaml

from complaints.domain.vocabulary import QUEUES
from config.settings import WORK_POOL

MANIFEST = Path(__file__).with_name("prefect.yaml")
POOL_TYPE = "warm-process"


def manifest() -> list[dict[str, Any]]:
    """The deployments as written down."""
    declared: list[dict[str, Any]] = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["deployments"]
    return declared


def register(api_url: str, auth: str, intervals: Mapping[str, int] = MappingProxyType({})) -> dict[str, str]:
    """Create or update pool, queues, flows and deployments; deployment name → id.

    `intervals` replaces the seconds between two runs of a deployment.
    """
    user, password = auth.split(":", 1)
    with httpx.Client(base_url=api_url, auth=(user, password), timeout=30) as client:
        _pool(client)
        return {d["name"]: _deployment(client, d, intervals.get(d["name"])) for d in manifest()}


def _pool(client: httpx.Client) -> None:
    if client.get(f"/work_pools/{WORK_POOL}").status_code == 404:
        made = client.post("/work_pools/", json={"name": WORK_POOL, "type": POOL_TYPE})
        if made.status_code != 409:  # a worker that starts makes it, too
            made.raise_for_status()
    known = {
        q["name"]: q for q in client.post(f"/work_pools/{WORK_POOL}/queues/filter", json={}).raise_for_status().json()
    }
    for name, priority in QUEUES.items():
        if name not in known:
            body = {"name": name, "priority": priority}
            answer = client.post(f"/work_pools/{WORK_POOL}/queues", json=body)
            if answer.status_code != 409:  # here as well
                answer.raise_for_status()


def _deployment(client: httpx.Client, declared: dict[str, Any], interval: int | None) -> str:
    name = declared["entrypoint"].rpartition(":")[2]
    flow = client.post("/flows/", json={"name": name}).raise_for_status().json()
    answer = client.post(
        "/deployments/",
        json={
            "name": declared["name"],
            "flow_id": flow["id"],
            "entrypoint": declared["entrypoint"],
            "description": declared["description"],
            "work_pool_name": declared["work_pool"]["name"],
            "work_queue_name": declared["work_pool"]["work_queue_name"],
            "schedules": [
                {"schedule": {"interval": interval or s["interval"]}, "active": True}
                for s in declared.get("schedules", ())
            ],
            "pull_steps": [],
            "enforce_parameter_schema": False,
        },
    )
    identifier: str = answer.raise_for_status().json()["id"]
    return identifier
