"""Prefect's own screens as a second door: its form for human steps, its Retry for a run that failed for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from config.policy import load
from tests.running import Json, System

FINDINGS = {"finding": "upheld", "summary": "Your parcel was lost on the way; the fault is ours.", "remedies": []}


def suspended(system: System, reference: str, pause_key: str) -> Json:
    """The run of the complaint once it waits at the gate whose key begins so."""

    def look() -> Json | None:
        run = system.run(reference)
        details = run["state"]["state_details"]
        waits = run["state_type"] == "PAUSED" and (details["pause_key"] or "").startswith(f"{pause_key}--")
        return run if waits else None

    found: Json = system.wait(look, f"{reference} waits at {pause_key}")
    return found


def typed_in(system: System, run: Json, answer: Json) -> Json:
    """What Prefect answers when its form is sent as its screen sends it."""
    answered = system.prefect("POST", f"/flow_runs/{run['id']}/resume", {"run_input": answer})
    assert answered.status_code in (200, 201), answered.text
    told: Json = answered.json()
    return told


def stored(system: System, run: Json, which: str) -> Any:
    """Schema or description of the form that the run shows."""
    key = run["state"]["state_details"]["run_input_keyset"][which]
    return system.prefect("GET", f"/flow_runs/{run['id']}/input/{key}").raise_for_status().json()


def finish(system: System, reference: str) -> None:
    """The form's answer is taken before anybody else comes; then people do the rest."""
    system.wait(lambda: system.statuses([reference])[reference] != "investigating", "the answer is taken")
    with system.people_at_work():
        system.settle([reference])


def event(system: System, reference: str, kind: str) -> Json:
    events = system.case(reference)["events"]
    found: Json = next(e for e in events if e["kind"] == kind)
    return found


def test_a_step_completed_in_prefects_form_is_recorded_as_such(system: System) -> None:
    reference = system.submit("form-good")
    run = suspended(system, reference, "investigation-1")
    form = stored(system, run, "schema")
    assert {"gate", "finding", "summary", "remedies"} <= form["properties"].keys()
    assert form["properties"]["finding"].get("description")
    assert typed_in(system, run, {"gate": "investigation-1", **FINDINGS})["status"] == "ACCEPT"
    finish(system, reference)
    assert event(system, reference, "submit_findings")["actor_name"] == "Prefect form"


def test_shape_is_checked_by_the_server_meaning_by_the_service(system: System) -> None:
    reference = system.submit("form-bad")
    run = suspended(system, reference, "investigation-1")
    assert (
        typed_in(system, run, {"gate": "investigation-1", "finding": "perhaps", "summary": "x"})["status"] == "REJECT"
    )
    assert typed_in(system, run, {"gate": "investigation-2", **FINDINGS})["status"] == "REJECT"
    assert (
        typed_in(system, run, {"gate": "investigation-1", **FINDINGS, "root_cause": "gremlins"})["status"] == "ACCEPT"
    )

    asked_again = suspended(system, reference, "investigation-1-try-2")
    assert "unknown root cause" in stored(system, asked_again, "description")
    assert system.statuses([reference]) == {reference: "investigating"}

    fields = stored(system, asked_again, "schema")["properties"]
    assert fields["gate"]["const"] == "investigation-1-try-2"
    assert typed_in(system, asked_again, {"gate": "investigation-1-try-2", **FINDINGS})["status"] == "ACCEPT"
    finish(system, reference)
    kinds = [e["kind"] for e in system.case(reference)["events"]]
    assert kinds.count("submit_findings") == 1


def test_of_two_who_answer_the_form_one_is_taken(system: System) -> None:
    reference = system.submit("form-twice")
    run = suspended(system, reference, "investigation-1")
    answers = [{"gate": "investigation-1", **FINDINGS, "summary": f"Words of person {n}."} for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sent = list(
            pool.map(lambda a: system.prefect("POST", f"/flow_runs/{run['id']}/resume", {"run_input": a}), answers)
        )
    accepted = [a for r, a in zip(sent, answers, strict=True) if r.is_success and r.json()["status"] == "ACCEPT"]
    assert len(accepted) == 1
    late = system.prefect("POST", f"/flow_runs/{run['id']}/resume", {"run_input": answers[0]})
    assert not late.is_success or late.json()["status"] != "ACCEPT"
    finish(system, reference)
    shown = system.json("show", reference)
    assert [found["summary"] for found in shown["findings"]] == [accepted[0]["summary"]]
    assert [e["kind"] for e in shown["events"]].count("submit_findings") == 1


def test_a_run_that_failed_for_good_goes_on_after_a_retry_in_prefect(system: System) -> None:
    reference = system.submit("retry")
    shelf = system.settings.home / "archive"
    away = shelf.with_name("archive-away")
    shelf.mkdir(exist_ok=True)
    shelf.rename(away)
    shelf.write_text("a file where the archive should be")
    try:
        with system.people_at_work():
            failed = system.wait(
                lambda: (run := system.run(reference))["state_type"] == "FAILED" and run, "the run failed for good"
            )
        told = system.json("doctor", code=1)
        assert told["failed"] == [reference]
        assert not told["healthy"]
        assert "Not a directory" in failed["state"]["message"]
        asked = {"flow_runs": {"id": {"any_": [failed["id"]]}}, "task_runs": {"name": {"any_": ["archive"]}}}
        most = load(system.settings.policy_dir).lifecycle.timings.task_attempts

        def tried() -> list[int]:  # task runs come to Prefect a little later than the run's own states
            return [task["run_count"] for task in system.prefect("POST", "/task_runs/filter", asked).json()]

        system.wait(lambda: tried() == [most], "tried as often as policy says")
    finally:
        shelf.unlink()
        away.rename(shelf)
    state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
    answer = system.prefect("POST", f"/flow_runs/{failed['id']}/set_state", {"state": state, "force": True})
    assert answer.json()["status"] == "ACCEPT"
    system.settle([reference])
    assert system.run(reference)["id"] == failed["id"]
    assert system.json("doctor")["failed"] == []


def test_a_second_run_of_a_complaint_ends_whoever_began_it(system: System) -> None:
    """One that was replaced and is retried all the same, and one that is started by hand."""
    reference = system.submit("second-run")
    first = suspended(system, reference, "investigation-1")
    failed = {"state": {"type": "FAILED", "name": "Failed", "message": "as if"}, "force": True}
    system.prefect("POST", f"/flow_runs/{first['id']}/set_state", failed).raise_for_status()
    assert system.json("doctor", "--repair")["failed"] == [reference]
    system.wait(lambda: system.run(reference)["id"] != first["id"], "it has another run")
    suspended(system, reference, "investigation-1")

    again = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    system.prefect("POST", f"/flow_runs/{first['id']}/set_state", again).raise_for_status()
    by_hand = {"name": "brave-otter", "parameters": first["parameters"]}
    second = system.prefect("POST", f"/deployments/{first['deployment_id']}/create_flow_run", by_hand).json()
    for run in (first["id"], second["id"]):
        ended = system.wait(
            lambda run=run: (found := system.prefect("GET", f"/flow_runs/{run}").json())["end_time"] and found, "ended"
        )
        assert ended["state_type"] == "CANCELLED"
        assert "has another run" in ended["state"]["message"]
    with system.people_at_work():
        system.settle([reference])
