"""What the warm worker and the gates lean on in Prefect beyond its documentation. An upgrade that changes it fails."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import prefect
import pytest
from prefect import task_engine
from prefect._flow_run_suspension import FlowRunSuspensionRequest
from prefect._internal.pydantic.v2_schema import create_v2_schema
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from prefect.context import AsyncClientContext, FlowRunContext, SyncClientContext
from prefect.events.clients import get_events_subscriber
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow_async, run_flow_sync
from prefect.results import ResultStore
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    Settings,
    temporary_settings,
)
from prefect.settings.context import get_current_settings
from prefect.task_engine import AsyncTaskRunEngine, SyncTaskRunEngine
from prefect.utilities import engine as engine_utilities
from prefect.workers.base import BaseWorker

from deployments import prefect_settings
from deployments.warm_worker import WarmWorker
from deployments.warm_worker.segment import plain
from flows.gates import _schema
from tests.flows import samples
from tests.flows.conftest import PrefectServer


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


# -- the library


def test_version_is_the_one_that_was_read() -> None:
    assert prefect.__version__ == "3.8.8", "read flow_engine, task_engine and core_policy again before you change this"


def test_signals_of_the_engine_are_not_exceptions() -> None:
    # `except Exception` in flows must not swallow them, and the worker must catch them by name
    assert not issubclass(Pause, Exception)
    assert issubclass(Pause, BaseException)
    assert not issubclass(Abort, Exception)
    assert issubclass(Abort, BaseException)
    assert Pause(state=None).state is None


def test_the_task_engine_tells_states_through_one_function() -> None:
    name = "emit_task_run_state_change_event"
    assert getattr(task_engine, name) is getattr(engine_utilities, name)
    assert parameters(getattr(task_engine, name)) == ["task_run", "initial_state", "validated_state", "follows"]
    for engine in (AsyncTaskRunEngine, SyncTaskRunEngine):
        assert f"self._last_event = {name}(" in inspect.getsource(engine.set_state)
        assert f"{name}(" in inspect.getsource(engine.initialize_run)


def test_the_task_run_has_what_its_event_carries() -> None:
    wanted = {"task_key", "dynamic_key", "task_version", "empirical_policy", "tags", "task_inputs", "run_count"}
    wanted |= {"flow_run_run_count", "expected_start_time", "start_time", "end_time", "total_run_time", "name"}
    assert wanted <= set(TaskRun.model_fields)
    source = inspect.getsource(prefect.Task.create_local_run)
    assert 'f"{self.name}-{dynamic_key[:3]}"' in source  # the suffix that we take off


def test_the_client_has_one_http_connection_pool_that_is_shared() -> None:
    source = inspect.getsource(get_client)
    assert "AsyncClientContext.get()" in source
    assert "return client_ctx.client" in source
    assert "_client" in inspect.getsource(PrefectClient.__init__)
    assert "get_client(" in inspect.getsource(AsyncClientContext.__init__)
    assert "get_client()" in inspect.getsource(AsyncTaskRunEngine.initialize_run)


def test_sync_tasks_in_threads_share_the_worker_s_sync_client() -> None:
    # building one takes longer than twenty tasks
    assert "SyncClientContext.get_or_create()" in inspect.getsource(SyncTaskRunEngine.initialize_run)
    nowhere = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED: False}
    with temporary_settings(nowhere), SyncClientContext() as outer, SyncClientContext.get_or_create() as inner:
        assert inner.client is outer.client
        assert get_client(sync_client=True) is outer.client


def test_flow_run_context_takes_what_a_segment_gives() -> None:
    wanted = {"flow", "flow_run", "parameters", "task_runner", "result_store", "persist_result"}
    assert wanted | {"flow_run_suspension_request", "client"} <= set(FlowRunContext.model_fields)
    assert FlowRunSuspensionRequest().get_state() is None
    assert parameters(ResultStore.aupdate_for_flow) == ["self", "flow"]


def test_flows_say_what_the_lean_path_asks() -> None:
    for attribute in ("on_running_hooks", "on_completion_hooks", "on_failure_hooks", "on_cancellation_hooks"):
        assert getattr(samples.two_gates, attribute) == []
    assert samples.two_gates.on_crashed_hooks == []
    assert plain(samples.two_gates)
    assert plain(samples.sync_flow)
    assert not plain(samples.sync_flow.with_options(timeout_seconds=1))
    assert not plain(samples.hooked)
    assert not plain(samples.two_gates.with_options(retries=1))
    assert not plain(samples.two_gates.with_options(persist_result=True))


def test_other_flows_find_prefects_engine() -> None:
    for function in (run_flow_async, run_flow_sync):
        assert {"flow", "flow_run", "parameters", "return_type"} <= set(parameters(function))


def test_the_base_worker_has_what_we_use() -> None:
    source = inspect.getsource(BaseWorker)
    for name in ("_work_pool_name", "_work_queues", "_sync_and_initialize", "heartbeat_interval_seconds", "_client"):
        assert name in source, name
    assert BaseWorker.get_worker_class_from_type("warm-process") is WarmWorker
    assert parameters(BaseWorker.start) == ["self", "run_once", "with_healthcheck", "printer"]
    assert "reconnect_on_clean_close" in parameters(get_events_subscriber)


def test_a_limit_never_reaches_the_base_worker() -> None:
    assert WarmWorker("pool", name="w", limit=3)._limit is None


def test_heartbeats_can_be_switched_off_in_code_only() -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        assert get_current_settings().flows.heartbeat_frequency is None


def test_every_setting_we_give_exists() -> None:
    known = _setting_names(Settings)
    for settings in (prefect_settings.SERVER, prefect_settings.WORKER, prefect_settings.CLIENT):
        for name in settings:
            assert name in known or name in {"DO_NOT_TRACK", "MALLOC_ARENA_MAX"}, (
                f"{name} is not a setting of this Prefect"
            )


def _setting_names(model: Any, prefix: str = "PREFECT_") -> set[str]:
    names: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields") and "Settings" in kind.__name__:
            names |= _setting_names(kind, f"{prefix}{name.upper()}_")
        else:
            names.add(f"{prefix}{name.upper()}")
    return names


def test_the_form_is_drawn_and_can_be_left_out_by_a_wake_up() -> None:
    assert parameters(create_v2_schema)[:1] == ["name_"] or "model_base" in parameters(create_v2_schema)
    schema = json.loads(_schema(samples.Decision, "first-1"))
    assert list(schema["properties"]) == ["gate", "outcome", "reason", "amount"]
    assert schema["then"] == {"required": ["gate", "outcome", "reason"]}


# -- the server


@pytest.fixture
def run_id(prefect_server: PrefectServer) -> Iterator[UUID]:
    pool = f"contract-{uuid4().hex[:6]}"
    prefect_server.http.post("/work_pools/", json={"name": pool, "type": "warm-process"})
    deployment = prefect_server.deploy("contract", "tests.flows.samples.two_gates", pool)
    answer = prefect_server.http.post(
        f"/deployments/{deployment}/create_flow_run", json={"parameters": {"path": "x"}, "name": pool}
    )
    return UUID(answer.json()["id"])


def propose(server: PrefectServer, run_id: UUID, kind: str, name: str, **details: Any) -> dict[str, Any]:
    state = {"type": kind, "name": name, "state_details": details}
    answer: dict[str, Any] = server.http.post(f"/flow_runs/{run_id}/set_state", json={"state": state}).json()
    return answer


def test_scheduled_goes_straight_to_running_and_a_transition_id_is_taken_once(
    prefect_server: PrefectServer, run_id: UUID
) -> None:
    transition = str(uuid4())
    first = propose(prefect_server, run_id, "RUNNING", "Running", transition_id=transition)
    second = propose(prefect_server, run_id, "RUNNING", "Running", transition_id=transition)
    assert first["status"] == "ACCEPT"
    assert second["status"] == "REJECT"
    assert second["state"]["type"] == "RUNNING"
    assert prefect_server.run(run_id)["run_count"] == 1


def test_a_scheduled_run_is_handed_out_with_what_a_claim_needs(prefect_server: PrefectServer, run_id: UUID) -> None:
    pool = prefect_server.run(run_id)["work_pool_name"]
    body = {"scheduled_before": datetime.now(UTC).isoformat(), "limit": 5}
    (due,) = prefect_server.http.post(f"/work_pools/{pool}/get_scheduled_flow_runs", json=body).json()
    run = FlowRun.model_validate(due["flow_run"])
    assert run.id == run_id
    assert run.state_id is not None
    assert run.run_count == 0
    assert run.parameters == {"path": "x"}
    assert run.deployment_id is not None


def test_a_resume_is_not_counted_as_a_run_but_leaves_a_pause_key(prefect_server: PrefectServer, run_id: UUID) -> None:
    propose(prefect_server, run_id, "RUNNING", "Running")
    assert prefect_server.run(run_id)["empirical_policy"]["pause_keys"] == []
    propose(prefect_server, run_id, "PAUSED", "Suspended", pause_reschedule=True, pause_key="a")
    propose(prefect_server, run_id, "SCHEDULED", "Resuming")
    assert prefect_server.run(run_id)["empirical_policy"]["resuming"] is True
    propose(prefect_server, run_id, "RUNNING", "Running")
    assert prefect_server.run(run_id)["run_count"] == 1
    assert prefect_server.run(run_id)["empirical_policy"]["pause_keys"] == ["a"]
    propose(prefect_server, run_id, "SCHEDULED", "AwaitingRetry")
    propose(prefect_server, run_id, "RUNNING", "Running")
    assert prefect_server.run(run_id)["run_count"] == 2


def test_a_pause_key_fires_once_but_another_one_does(prefect_server: PrefectServer, run_id: UUID) -> None:
    def suspend(key: str) -> str:
        return str(
            propose(prefect_server, run_id, "PAUSED", "Suspended", pause_reschedule=True, pause_key=key)["status"]
        )

    propose(prefect_server, run_id, "RUNNING", "Running")
    assert suspend("a--1") == "ACCEPT"
    propose(prefect_server, run_id, "SCHEDULED", "Resuming")
    propose(prefect_server, run_id, "RUNNING", "Running")
    assert suspend("a--1") == "REJECT"
    assert suspend("a--2") == "ACCEPT"


def test_a_task_run_can_be_told_by_its_final_event_alone(prefect_server: PrefectServer, run_id: UUID) -> None:
    began, task_run_id = datetime.now(UTC) - timedelta(seconds=3), uuid4()
    ended = began + timedelta(seconds=2)
    event = {
        "id": str(uuid4()),
        "occurred": ended.isoformat(),
        "event": "prefect.task-run.Completed",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{task_run_id}",
            "prefect.resource.name": "intake",
            "prefect.orchestration": "client",
        },
        "related": [
            {"prefect.resource.id": f"prefect.flow-run.{run_id}", "prefect.resource.role": "flow-run"},
        ],
        "payload": {
            "intended": {"from": "RUNNING", "to": "COMPLETED"},
            "initial_state": {"type": "RUNNING", "name": "Running"},
            "validated_state": {
                "type": "COMPLETED",
                "name": "Completed",
                "message": None,
                "state_details": {},
                "data": None,
            },
            "task_run": {
                "name": "intake",
                "task_key": "intake-1",
                "dynamic_key": "1",
                "run_count": 1,
                "start_time": began.isoformat(),
                "end_time": ended.isoformat(),
                "total_run_time": 2.0,
                "task_inputs": {},
            },
        },
    }
    prefect_server.http.post("/events", json=[event]).raise_for_status()
    deadline = time.monotonic() + 10
    while not (found := prefect_server.task_runs(run_id)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(t["name"], t["state_type"], t["total_run_time"]) for t in found] == [("intake", "COMPLETED", 2.0)]
    assert found[0]["flow_run_id"] == str(run_id)


def test_an_input_key_is_taken_once(prefect_server: PrefectServer, run_id: UUID) -> None:
    entry = {"key": "answer-first-1--1", "value": "{}"}
    first = prefect_server.http.post(f"/flow_runs/{run_id}/input", json=entry)
    second = prefect_server.http.post(f"/flow_runs/{run_id}/input", json=entry)
    assert (first.status_code, second.status_code) == (201, 409)


def test_an_unknown_run_cannot_be_resumed_and_cannot_be_read(prefect_server: PrefectServer) -> None:
    # the first is a server error today; `PrefectRuns.wake` takes any refusal and then looks for the run
    # (and closes the connection, hence not the shared one)
    answer = httpx.post(f"{prefect_server.api}/flow_runs/{uuid4()}/resume", json={"run_input": {"woken": True}})
    assert answer.is_error
    assert prefect_server.http.get(f"/flow_runs/{uuid4()}").status_code == 404


def test_the_settings_reach_the_server(prefect_server: PrefectServer) -> None:
    told: dict[str, Any] = prefect_server.http.get("/admin/settings").json()
    services = told["server"]["services"]
    assert services["pause_expirations"]["enabled"] is False
    assert services["task_run_recorder"]["batch_size"] == 100


def test_state_types_are_spelled_as_we_send_them() -> None:
    assert {
        "SCHEDULED",
        "PENDING",
        "RUNNING",
        "PAUSED",
        "COMPLETED",
        "FAILED",
        "CRASHED",
        "CANCELLED",
        "CANCELLING",
    } == {kind.value for kind in StateType}
