"""Health of the Prefect side, as `/healthz` tells it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from config.settings import WORK_POOL, Settings
from config.wiring import App
from tests.flows.conftest import PrefectServer
from web.pulse import Pulse


def test_well_only_while_a_worker_is_heard_of(
    prefect_server: PrefectServer, warm_worker: Callable[..., Any], tmp_path: Path
) -> None:
    product = App(Settings(home=tmp_path, prefect_api=prefect_server.api, _env_file=None))

    def told() -> dict[str, Any]:
        with closing(Pulse(product)) as pulse:
            return pulse.prefect()

    prefect_server.http.delete(f"/work_pools/{WORK_POOL}")
    assert told() == {"prefect": {"ok": False, "detail": "its work pool is not registered"}}
    prefect_server.http.post("/work_pools/", json={"name": WORK_POOL, "type": "warm-process"}).raise_for_status()
    assert told()["prefect"] == {"ok": True}
    assert told()["workers"] == {"ok": False, "detail": "no worker was heard of lately", "each": {}}
    with warm_worker(WORK_POOL):
        prefect_server.until(lambda: bool(told()["workers"]["ok"]))
        (worker,) = told()["workers"]["each"].items()
        assert worker[0] == "tester"
        assert worker[1]["ok"]
        assert 0 <= worker[1]["heard_seconds_ago"] < 10
