"""Waiting for a person: suspended, woken or answered once, whoever asks and how often."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from complaints.domain.errors import Permanent, Retryable
from complaints.runs.prefect_api import PrefectRuns
from tests.flows.conftest import PrefectServer
from tests.flows.samples import note
from tests.ports import free_port

Worker = Callable[..., Any]
FORM = {"gate": "first-1", "outcome": "upheld", "reason": "seen"}


@pytest.fixture
def waiting(prefect_server: PrefectServer, tmp_path: Path) -> Callable[[str], UUID]:
    """Start the sample with two gates on a pool; the row is `tmp_path/row`."""

    def begin(pool: str) -> UUID:
        prefect_server.deploy("sample-two-gates", "tests.flows.samples.two_gates", pool)
        runs = prefect_server.runs("sample-two-gates")
        run = runs.ensure(uuid4(), "C-1", ["a"], "normal", parameters={"path": str(tmp_path / "row")})
        prefect_server.wait(run, "Suspended")
        return run

    return begin


@pytest.fixture
def pool() -> str:
    return f"gates-{uuid4().hex[:8]}"


def resume(server: PrefectServer, run: UUID, **form: Any) -> httpx.Response:
    """As Prefect's own screen does it."""
    return server.http.post(f"/flow_runs/{run}/resume", json={"run_input": form})


def test_a_woken_run_reads_the_row_and_goes_on(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID], tmp_path: Path
) -> None:
    row, runs = tmp_path / "row", prefect_server.runs("sample-two-gates")
    with warm_worker(pool):
        run = waiting(pool)
        for gate in ("first-1", "second-1"):
            found = prefect_server.wait(run, "Suspended")
            assert found["state"]["message"] == gate
            note(str(row), f"done {gate}")
            assert runs.wake(run, gate) == "woken"
            if gate == "first-1":
                prefect_server.until(lambda: prefect_server.run(run)["state"]["message"] == "second-1")
        prefect_server.wait(run, "Completed")
    assert row.read_text().splitlines() == ["begun", "done first-1", "done second-1", "end"]
    assert prefect_server.states(run).count("Suspended") == 2


def test_prefects_own_form_is_answered_first_and_checked(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID], tmp_path: Path
) -> None:
    with warm_worker(pool):
        run = waiting(pool)
        keys = prefect_server.run(run)["state"]["state_details"]["run_input_keyset"]
        text = prefect_server.http.get(f"/flow_runs/{run}/input/{keys['description']}").json()
        assert text == '"Please decide first-1."' or text == "Please decide first-1."
        for wrong in (
            {**FORM, "outcome": "maybe"},
            {"gate": "first-1", "outcome": "upheld"},
            {**FORM, "gate": "second-1"},
            {**FORM, "surprise": 1},
        ):
            answer = resume(prefect_server, run, **wrong).json()
            assert answer["status"] == "REJECT", wrong
        assert resume(prefect_server, run, **FORM).json()["status"] == "ACCEPT"
        prefect_server.until(lambda: prefect_server.run(run)["state"]["message"] == "second-1")
        prefect_server.wait(run, "Suspended")
    assert (tmp_path / "row").read_text().splitlines() == ["begun", "done first-1 by form upheld"]


def test_of_five_wake_ups_at_once_one_wakes(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID]
) -> None:
    runs = prefect_server.runs("sample-two-gates")
    with warm_worker(pool):
        run = waiting(pool)
    with ThreadPoolExecutor(5) as threads:  # nobody takes the run up meanwhile
        outcomes = list(threads.map(lambda _: runs.wake(run), range(5)))
    assert sorted(outcomes) == ["not_waiting"] * 4 + ["woken"]
    assert prefect_server.states(run)[-1] == "Resuming"
    assert prefect_server.states(run).count("Resuming") == 1


def test_a_wake_up_for_nothing_suspends_again_at_the_same_gate(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID]
) -> None:
    runs = prefect_server.runs("sample-two-gates")
    with warm_worker(pool):
        run = waiting(pool)
        for times in (2, 3, 4):
            assert runs.wake(run, "first-1") == "woken"
            prefect_server.until(lambda seen=times: prefect_server.states(run).count("Suspended") >= seen)
        assert resume(prefect_server, run, **FORM).json()["status"] == "ACCEPT"
        prefect_server.until(lambda: prefect_server.run(run)["state"]["message"] == "second-1")


def test_a_form_is_taken_however_often_the_run_was_woken_before(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID]
) -> None:
    with warm_worker(pool):
        run = waiting(pool)
        for number in range(60):  # what as many wake-ups leave behind
            left = {"key": f"answer-first-1--{number:012x}", "value": '{"woken": true}'}
            prefect_server.http.post(f"/flow_runs/{run}/input", json=left).raise_for_status()
        assert resume(prefect_server, run, **FORM).json()["status"] == "ACCEPT"
        prefect_server.until(lambda: prefect_server.run(run)["state"]["message"] == "second-1")


def test_a_wake_up_for_another_gate_leaves_the_run_alone(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID]
) -> None:
    runs = prefect_server.runs("sample-two-gates")
    with warm_worker(pool):
        run = waiting(pool)
        assert runs.wake(run, "second-1") == "not_waiting"
        assert prefect_server.run(run)["state_name"] == "Suspended"


def test_a_running_run_says_so_and_is_not_started_again(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, tmp_path: Path
) -> None:
    runs = prefect_server.runs("sample-napping")
    with warm_worker(pool):
        prefect_server.deploy("sample-napping", "tests.flows.samples.napping", pool)
        run = runs.ensure(uuid4(), "nap", [], "normal", parameters={"path": str(tmp_path / "nap"), "seconds": 1.0})
        prefect_server.wait(run, "Running")
        assert runs.wake(run) == "running"
        prefect_server.wait(run, "Completed")
        assert runs.wake(run) == "not_waiting"
    assert prefect_server.states(run) == ["Scheduled", "Running", "Completed"]


def test_a_retry_after_the_answer_does_not_ask_again(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID], tmp_path: Path
) -> None:
    with warm_worker(pool):
        run = waiting(pool)
        assert resume(prefect_server, run, **FORM).json()["status"] == "ACCEPT"
        prefect_server.until(lambda: prefect_server.run(run)["state"]["message"] == "second-1")
        (tmp_path / "row").write_text("begun\n")  # as if the work after the answer had been lost
        assert prefect_server.runs("sample-two-gates").wake(run) == "woken"
        prefect_server.until(lambda: prefect_server.states(run).count("Suspended") >= 3)
    assert (tmp_path / "row").read_text().splitlines() == ["begun", "done first-1 by form upheld"]


def test_a_retry_of_a_failed_run_finds_the_answer_that_prefect_forgot_it_asked_for(
    prefect_server: PrefectServer, pool: str, warm_worker: Worker, waiting: Callable[[str], UUID], tmp_path: Path
) -> None:
    """Leaving an end, a run loses its pause keys; its inputs stay."""

    def become(run: UUID, **state: str) -> None:
        body = {"state": state, "force": False}
        assert prefect_server.http.post(f"/flow_runs/{run}/set_state", json=body).json()["status"] == "ACCEPT"

    with warm_worker(pool):
        run = waiting(pool)
        assert resume(prefect_server, run, **FORM).json()["status"] == "ACCEPT"
        prefect_server.until(lambda: prefect_server.run(run)["state"]["message"] == "second-1")
        (tmp_path / "row").write_text("begun\n")  # as if the work after the answer had failed and been rolled back
        become(run, type="FAILED", name="Failed")
        become(run, type="SCHEDULED", name="AwaitingRetry")
        prefect_server.until(lambda: prefect_server.states(run)[-1] == "Suspended")
        keys = prefect_server.run(run)["empirical_policy"]["pause_keys"]
        assert [key.partition("--")[0] for key in keys] == ["second-1"]
    assert (tmp_path / "row").read_text().splitlines() == ["begun", "done first-1 by form upheld"]


def test_unknown_runs_and_servers(prefect_server: PrefectServer) -> None:
    runs = prefect_server.runs("sample-two-gates")
    assert runs.wake(uuid4()) == "gone"
    assert runs.state(uuid4()) is None
    assert runs.states([uuid4()]) == {}
    runs.cancel(uuid4())
    with pytest.raises(Retryable, match="no deployment"):
        prefect_server.runs("nothing").ensure(uuid4(), "x", [], "normal")
    with pytest.raises(Retryable, match="does not answer"):
        PrefectRuns(f"http://127.0.0.1:{free_port()}/api").state(uuid4())
    with pytest.raises(Permanent):
        PrefectRuns(f"{prefect_server.api}/nowhere").states([uuid4()])


def test_one_run_per_complaint_and_round(prefect_server: PrefectServer, pool: str) -> None:
    prefect_server.http.post("/work_pools/", json={"name": pool, "type": "warm-process"})
    prefect_server.deploy("sample-two-gates", "tests.flows.samples.two_gates", pool)
    runs, case = prefect_server.runs("sample-two-gates"), uuid4()
    with ThreadPoolExecutor(5) as threads:
        made = set(threads.map(lambda _: runs.ensure(case, "C-7", ["billing", "high"], "urgent"), range(5)))
    assert len(made) == 1
    run = made.pop()
    assert runs.find_run(case, "C-7") == run
    assert runs.find_run(case, "C-7 (2)") is None
    assert runs.ensure(case, "C-7 (2)", [], "bulk") != run
    found = prefect_server.run(run)
    assert (found["name"], sorted(found["tags"]), found["work_queue_name"]) == ("C-7", ["billing", "high"], "urgent")
    assert found["parameters"] == {"complaint_id": str(case)}
    assert runs.states([run, uuid4()]) == {run: "SCHEDULED"}
    assert runs.messages([run, uuid4()]) == {}
    runs.cancel(run)
    assert runs.state(run) == "CANCELLED"
    failed = {"state": {"type": "FAILED", "message": "Task archive failed: the disk is full"}, "force": True}
    prefect_server.http.post(f"/flow_runs/{run}/set_state", json=failed).raise_for_status()
    assert runs.messages([run]) == {run: "Task archive failed: the disk is full"}
