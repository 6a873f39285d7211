"""The server has done what it was asked, and its answer is lost; or it has forgotten what it had answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deployments.warm_worker import WarmWorker
from tests.flows.conftest import PrefectServer
from tests.flows.samples import note

Worker = Callable[..., Any]


class Lossy(httpx.AsyncBaseTransport):
    """Passes every request on; the first answer to each that `concerns` selects becomes a 500."""

    def __init__(self, inner: httpx.AsyncBaseTransport, concerns: str, before: Callable[[], object]) -> None:
        self.inner, self.concerns, self.before = inner, concerns, before
        self.lost: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Through, and perhaps lost on the way back."""
        response = await self.inner.handle_async_request(request)
        about = f"{request.method} {request.url.path}".encode() + request.content
        if self.concerns.encode() not in about or request.content in self.lost:
            return response
        self.lost.append(request.content)
        await response.aread()
        await asyncio.to_thread(self.before)
        return httpx.Response(500, request=request)


def lose(worker: WarmWorker, concerns: str, before: Callable[[], object] = lambda: None) -> Lossy:
    """From now on, answers to this worker are lost; `before` happens while they are."""
    client = worker._api.client._client
    client._transport = Lossy(client._transport, concerns, before)
    return client._transport


@pytest.fixture
def pool() -> str:
    return f"lossy-{uuid4().hex[:8]}"


@pytest.mark.parametrize("concerns", ['"type":"RUNNING"', "/input", '"type":"PAUSED"', '"type":"COMPLETED"', "GET "])
def test_a_lost_answer_costs_a_repetition(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path, concerns: str
) -> None:
    row = tmp_path / "row"
    with warm_worker(pool) as worker:
        lossy = lose(worker, concerns)
        run, runs = begin(prefect_server, pool, row), prefect_server.runs("sample-two-gates")
        for gate in ("first-1", "second-1"):
            prefect_server.until(lambda gate=gate: suspended_at(prefect_server, run) == gate)
            note(str(row), f"done {gate}")
            assert runs.wake(run, gate) == "woken"
        prefect_server.wait(run, "Completed")
    assert lossy.lost
    assert row.read_text().splitlines() == ["begun", "done first-1", "done second-1", "end"]
    assert prefect_server.states(run).count("Running") == 3


def test_a_run_that_is_woken_before_its_suspension_was_answered_goes_on(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    row, woken = tmp_path / "row", list[str]()
    with warm_worker(pool) as worker:
        runs = prefect_server.runs("sample-two-gates")

        def wake() -> None:
            gate = suspended_at(prefect_server, run) or ""
            note(str(row), f"done {gate}")
            woken.append(runs.wake(run, gate))

        lossy = lose(worker, '"type":"PAUSED"', wake)
        run = begin(prefect_server, pool, row)
        prefect_server.wait(run, "Completed")
    assert len(lossy.lost) == len(woken) == 2
    assert set(woken) == {"woken"}
    assert row.read_text().splitlines() == ["begun", "done first-1", "done second-1", "end"]


def test_what_the_server_forgot_is_run_again(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    row = tmp_path / "row"
    with warm_worker(pool) as worker:
        run = begin(prefect_server, pool, row)
        prefect_server.wait(run, "Suspended")
        # as its database stands after a crash that took the last commits with it
        state = {"type": "RUNNING", "name": "Running", "message": worker.holder}
        prefect_server.http.post(f"/flow_runs/{run}/set_state", json={"state": state, "force": True}).raise_for_status()
        prefect_server.wait(run, "Suspended")
    assert prefect_server.states(run)[-4:] == ["Running", "AwaitingRetry", "Running", "Suspended"]
    assert row.read_text().splitlines() == ["begun"]


def test_a_run_whose_form_the_server_forgot_can_be_woken(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    row, runs = tmp_path / "row", prefect_server.runs("sample-two-gates")
    with warm_worker(pool):
        run = begin(prefect_server, pool, row)
        form = prefect_server.wait(run, "Suspended")["state"]["state_details"]["run_input_keyset"]["schema"]
        prefect_server.http.delete(f"/flow_runs/{run}/input/{form}").raise_for_status()
        note(str(row), "done first-1")
        with ThreadPoolExecutor(4) as several:
            told = list(several.map(lambda _: runs.wake(run), range(4)))
        assert told.count("woken") == 1
        prefect_server.until(lambda: suspended_at(prefect_server, run) == "second-1")
    assert prefect_server.states(run)[-3:] == ["Resuming", "Running", "Suspended"]


def begin(server: PrefectServer, pool: str, row: Path) -> UUID:
    """A run of the sample with two gates; `row` is its row."""
    server.deploy("sample-two-gates", "tests.flows.samples.two_gates", pool)
    return server.runs("sample-two-gates").ensure(uuid4(), "C-1", [], "normal", parameters={"path": str(row)})


def suspended_at(server: PrefectServer, run: UUID) -> str | None:
    """The gate at which it waits."""
    state = server.run(run)["state"]
    return state["message"] if state["type"] == "PAUSED" else None
