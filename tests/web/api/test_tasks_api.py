"""Human steps over the API."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from complaints.domain.vocabulary import Role
from tests.web.api.conftest import Caller

FINDINGS = {"finding": "upheld", "summary": "The heater was damaged in transport.", "remedies": []}


def _task(caller: Caller, reference: str) -> dict[str, Any]:
    items = caller.get("/tasks", params={"reference": reference}).json()["items"]
    assert len(items) == 1
    return dict(items[0])


@pytest.fixture
def investigated(agent: Caller, routed: Callable[..., str]) -> tuple[str, dict[str, Any]]:
    """A complaint under investigation, and its open task."""
    reference = routed()
    task = _task(agent, reference)
    if task["kind"] == "triage":
        done = agent.post(f"/tasks/{task['id']}/complete", {"decision": "investigate"})
        assert done.status_code == 200, done.text
        task = _task(agent, reference)
    return reference, task


def test_a_task_is_claimed_drafted_and_completed(agent: Caller, investigated: tuple[str, dict[str, Any]]) -> None:
    reference, task = investigated
    path = f"/tasks/{task['id']}"
    claimed = agent.post(f"{path}/claim")
    assert claimed.json()["state"] == "claimed"
    assert [t["id"] for t in agent.get("/tasks", params={"mine": "true"}).json()["items"]] == [task["id"]]
    assert agent("PUT", f"{path}/draft", json={"finding": "upheld"}).json()["draft"] == {"finding": "upheld"}
    read = agent.get(path).json()
    assert read["draft"] == {"finding": "upheld"}
    assert "finding" in read["form"]["required"]
    done = agent.post(f"{path}/complete", FINDINGS)
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "done"
    assert agent.get(f"/complaints/{reference}").json()["finding"] == "upheld"


def test_the_second_who_completes_is_told_who_was_first(
    agent: Caller, lead: Caller, investigated: tuple[str, dict[str, Any]]
) -> None:
    path = f"/tasks/{investigated[1]['id']}/complete"
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda who: who.post(path, FINDINGS), (agent, lead)))
    assert sorted(a.status_code for a in answers) == [200, 409]
    refused = next(a for a in answers if a.status_code == 409).json()
    assert refused["code"] == "already_done"
    assert refused["completed_by"] in ("李娜", "Boss")


def test_a_wrong_form_names_the_field_and_changes_nothing(
    agent: Caller, investigated: tuple[str, dict[str, Any]]
) -> None:
    task = investigated[1]
    wrong = {"finding": "maybe", "summary": " ", "remedies": [{"kind": "refund", "description": "x", "amount": "-1"}]}
    answer = agent.post(f"/tasks/{task['id']}/complete", wrong)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"finding", "summary", "remedies.0.amount"}
    assert agent.get(f"/tasks/{task['id']}").json()["state"] == task["state"]
    for draft in ({"x": "\u0000"}, [], "text"):
        assert agent("PUT", f"/tasks/{task['id']}/draft", json=draft).status_code == 422
    unknown = agent.post(f"/tasks/{task['id']}/complete", FINDINGS | {"root_cause": "gremlins"})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["field"] == "root_cause"


def test_a_claimed_task_is_released_by_its_holder_or_a_lead(
    agent: Caller, caller: Callable[..., Caller], investigated: tuple[str, dict[str, Any]]
) -> None:
    task = investigated[1]
    other = caller("tasks", roles=(Role.AGENT,), teams=("orders", "payments", "credit", "service"), login="other")
    claimed = agent.post(f"/tasks/{task['id']}/claim").json()
    assert other.post(f"/tasks/{task['id']}/claim").status_code == 409
    assert other.post(f"/tasks/{task['id']}/release").status_code == 403
    assert other.post(f"/tasks/{task['id']}/complete", FINDINGS).status_code == 409
    stale = agent.post(f"/tasks/{task['id']}/release", headers={"If-Match": f'"{claimed["version"] - 1}"'})
    assert stale.status_code == 412
    assert agent.post(f"/tasks/{task['id']}/release").json()["state"] == "open"


def test_a_key_without_a_person_claims_nothing(admin: Caller, investigated: tuple[str, dict[str, Any]]) -> None:
    answer = admin.post(f"/tasks/{investigated[1]['id']}/claim")
    assert answer.status_code == 403
    assert admin.get("/tasks/0192f0c1-0000-7000-8000-000000000000").status_code == 404
