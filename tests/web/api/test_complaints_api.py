"""Submitting, reading, listing, acting."""

from __future__ import annotations

from collections.abc import Callable

from complaints.domain.commands import COMMANDS
from complaints.store.tables import Complaint
from config.wiring import App
from tests.web.api.conftest import SUBMISSION, Caller, counted


def test_a_submission_is_stored_and_says_where(integrator: Caller, product: App) -> None:
    answer = integrator.post("/complaints", SUBMISSION)
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/api/v1/complaints/{body['reference']}" == body["links"]["self"]
    assert body["status"] == "received"
    assert product.background.intents, "starting its run was handed on after commit"
    read = integrator.get(f"/complaints/{body['reference']}").json()
    assert read["id"] == body["id"]
    assert read["narrative"] == SUBMISSION["narrative"]
    assert read["complainants"][0]["email"] == "wang.fang@example.com"


def test_the_same_request_under_the_same_key_is_stored_once(integrator: Caller, product: App) -> None:
    headers = {"Idempotency-Key": "order-17"}
    first = integrator.post("/complaints", SUBMISSION, headers=headers)
    again = integrator.post("/complaints", SUBMISSION, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert counted(product, Complaint) == 1
    other = integrator.post("/complaints", SUBMISSION | {"subject": "Another"}, headers=headers)
    assert other.status_code == 409
    assert other.json()["code"] == "conflict"


def test_two_integrators_do_not_share_idempotency_keys(integrator: Caller, caller: Callable[..., Caller]) -> None:
    headers = {"Idempotency-Key": "1"}
    other = caller("complaints:submit")
    mine = integrator.post("/complaints", SUBMISSION, headers=headers).json()["reference"]
    assert other.post("/complaints", SUBMISSION, headers=headers).json()["reference"] != mine


def test_an_external_id_is_taken_once(integrator: Caller) -> None:
    outside = SUBMISSION | {"external_source": "shop", "external_id": "9"}
    first = integrator.post("/complaints", outside)
    again = integrator.post("/complaints", outside)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["reference"] == again.json()["reference"]


def test_pages_follow_each_other_without_gap_or_repeat(integrator: Caller) -> None:
    made = [integrator.submit(subject=f"No {n}") for n in range(7)]
    seen, cursor = [], None
    while True:
        page = integrator.get("/complaints", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [c["reference"] for c in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_filters_restrict_and_a_misspelt_one_is_refused(integrator: Caller) -> None:
    integrator.submit(subject="Zebra crossing")
    integrator.submit()

    def found(**params: str) -> int:
        return len(integrator.get("/complaints", params=params).json()["items"])

    assert found(words="zebra") == 1
    assert found(status="received") == 2
    assert found(status="closed") == 0
    assert found(received_before="2020-01-01T00:00:00Z") == 0
    refused = integrator.get("/complaints", params={"statuss": "closed"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "statuss"


def test_the_detail_has_classification_run_and_what_can_be_done(agent: Caller, routed: Callable[..., str]) -> None:
    reference = routed()
    body = agent.get(f"/complaints/{reference}").json()
    assert body["category"]
    assert body["classification"]["evidence"]
    assert body["open_tasks"][0]["kind"] in ("investigation", "triage")
    assert "withdraw" in body["allowed_actions"]
    assert body["run"] == {"id": None, "number": 0, "launched_at": None, "url": None}
    assert "password" not in str(body)


def test_every_command_has_its_own_documented_operation(integrator: Caller) -> None:
    paths = integrator.web.get("/openapi.json").json()["paths"]
    for action in COMMANDS:
        operation = paths[f"/api/v1/complaints/{{reference}}/actions/{action}"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["$ref"].endswith(COMMANDS[action].__name__)


def test_acting_checks_the_version_seen(agent: Caller, routed: Callable[..., str]) -> None:
    reference = routed()
    version = agent.get(f"/complaints/{reference}").headers["etag"]
    done = agent.post(f"/complaints/{reference}/actions/add_note", {"text": "called"}, headers={"If-Match": version})
    assert done.status_code == 200
    stale = agent.post(f"/complaints/{reference}/actions/add_note", {"text": "late"}, headers={"If-Match": version})
    assert stale.status_code == 412
    assert stale.json()["code"] == "stale_version"
    stale = agent.post(f"/complaints/{reference}/actions/add_note?version=1", {"text": "late"})
    assert stale.status_code == 409
    assert stale.json()["actual_version"] == done.json()["version"]
    notes = [m["body"] for m in agent.get(f"/complaints/{reference}/thread").json()]
    assert notes == ["called"]


def test_an_action_that_the_status_forbids_says_what_is_possible(agent: Caller, routed: Callable[..., str]) -> None:
    reference = routed()
    answer = agent.post(f"/complaints/{reference}/actions/reopen", {"reason": "again"})
    assert answer.status_code == 409
    body = answer.json()
    assert body["code"] == "action_not_allowed"
    assert "withdraw" in body["allowed"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_timeline_is_in_order_and_an_integrator_sees_only_what_the_complainant_may(
    agent: Caller, integrator: Caller, routed: Callable[..., str]
) -> None:
    reference = routed()
    agent.post(f"/complaints/{reference}/actions/add_note", {"text": "internal"})
    everything = agent.get(f"/complaints/{reference}/timeline").json()
    assert [e["seq"] for e in everything] == list(range(1, len(everything) + 1))
    outside = integrator.get(f"/complaints/{reference}/timeline").json()
    assert {e["audience"] for e in outside} == {"complainant"}
    assert integrator.get(f"/complaints/{reference}/thread").json() == []


def test_withdrawing_closes_the_case(agent: Caller, routed: Callable[..., str]) -> None:
    reference = routed()
    done = agent.post(f"/complaints/{reference}/actions/withdraw", {})
    assert done.json()["status"] == "closed"
    assert agent.get(f"/complaints/{reference}").json()["closing_category"] == "withdrawn"
    assert agent.get(f"/complaints/{reference}/steps").json()[0]["state"] == "cancelled"
    assert agent.get(f"/complaints/{reference}/remedies").json() == []
