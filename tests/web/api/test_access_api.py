"""Keys, scopes, and who sees what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from complaints.domain.vocabulary import Language, Role
from config.wiring import App
from tests.web.api.conftest import SUBMISSION, Caller
from web.auth import KeyRing


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer ck_wrong", "Bearer é", "ck_x"])
def test_without_a_valid_key_there_is_a_challenge(web: TestClient, header: str | None) -> None:
    headers = {"Authorization": header.encode()} if header is not None else {}
    answer = web.get("/api/v1/complaints", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


def test_a_scope_opens_only_its_own(caller: Callable[..., Caller]) -> None:
    submitter = caller("complaints:submit")
    reference = submitter.submit()
    refused = submitter.get(f"/complaints/{reference}")
    assert refused.status_code == 403
    assert "complaints:read" in refused.json()["detail"]
    reader = caller("complaints:read")
    assert reader.get(f"/complaints/{reference}").status_code == 200
    assert reader.post("/complaints", SUBMISSION).status_code == 403
    assert reader.get("/tasks").status_code == 403
    assert reader.get("/outbox").status_code == 403
    assert reader.post(f"/complaints/{reference}/actions/withdraw", {}).status_code == 403


def test_the_scope_admin_is_worth_nothing_without_the_role(caller: Callable[..., Caller]) -> None:
    pretender = caller("admin", roles=(Role.AGENT,))
    assert pretender.get("/outbox").status_code == 403
    assert caller("admin", roles=(Role.ADMIN,)).get("/outbox").status_code == 200


def test_a_revoked_key_opens_nothing(admin: Caller) -> None:
    made = admin.post("/keys", {"name": "shop", "scopes": ["complaints:read"]})
    assert made.status_code == 201
    other = Caller(admin.web, made.json()["secret"])
    assert other.get("/complaints").status_code == 200
    assert admin("DELETE", f"/keys/{made.json()['id']}").status_code == 204
    assert other.get("/complaints").status_code == 401


def test_a_key_revoked_elsewhere_is_forgotten_in_time(
    product: App, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = admin.post("/keys", {"name": "shop", "scopes": ["complaints:read"]}).json()
    here = KeyRing(product)
    moment = [100.0]
    monkeypatch.setattr("web.auth.time.monotonic", lambda: moment[0])
    here.verify(made["secret"])
    admin("DELETE", f"/keys/{made['id']}")
    assert here.remembered(made["secret"]) is not None
    moment[0] += 5.1
    assert here.remembered(made["secret"]) is None


def test_another_teams_complaint_does_not_exist_for_an_agent(
    product: App, integrator: Caller, agent: Caller, caller: Callable[..., Caller], routed: Callable[..., str]
) -> None:
    reference = routed()
    stranger = caller("complaints:read", "complaints:act", "tasks", roles=(Role.AGENT,), teams=("public",))
    task = agent.get("/tasks", params={"reference": reference}).json()["items"][0]["id"]
    assert stranger.get(f"/complaints/{reference}").status_code == 404
    assert stranger.get("/complaints").json()["items"] == []
    assert stranger.get("/tasks").json()["items"] == []
    for path in ("timeline", "thread", "steps", "remedies", "attachments", "actions"):
        assert stranger.get(f"/complaints/{reference}/{path}").status_code == 404, path
    assert stranger.post(f"/complaints/{reference}/actions/withdraw", {}).status_code == 404
    assert stranger.post(f"/tasks/{task}/claim").status_code == 404
    assert stranger.post(f"/tasks/{task}/complete", {}).status_code == 404
    assert stranger("PUT", f"/tasks/{task}/draft", json={}).status_code == 404


def test_a_confidential_complaint_is_hidden_from_integrators(integrator: Caller, lead: Caller) -> None:
    reference = integrator.submit(confidential=True)
    assert integrator.get(f"/complaints/{reference}").status_code == 404
    assert lead.get(f"/complaints/{reference}").status_code == 200


def test_an_invisible_complaint_cannot_be_merged_into(
    integrator: Caller, agent: Caller, routed: Callable[..., str]
) -> None:
    reference, hidden = routed(), integrator.submit(confidential=True)
    for action, body in (("merge", {"into": hidden}), ("link", {"to": hidden})):
        answer = agent.post(f"/complaints/{reference}/actions/{action}", body)
        assert answer.status_code == 404, answer.text


def test_people_read_the_installations_language_unless_it_is_said(admin: Caller, product: App) -> None:
    product.settings = product.settings.model_copy(update={"language": Language.EN})
    for login, more, reads in (("zhao", {}, "en"), ("li", {"language": "zh-CN"}, "zh-CN")):
        made = admin.post("/people", {"login": login, "name": login, "roles": ["agent"]} | more)
        assert (made.status_code, made.json()["language"]) == (201, reads)


def test_people_and_keys_are_made_by_administrators(admin: Caller, integrator: Caller) -> None:
    person = {"login": "zhao", "name": "赵敏", "roles": ["agent"], "teams": ["service"]}
    made = admin.post("/people", person)
    assert made.status_code == 201
    assert admin.post("/people", person).status_code == 409
    assert integrator.post("/people", person | {"login": "x"}).status_code == 403
    wrong = admin.post("/people", person | {"login": "y", "teams": ["nowhere"]})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "teams"
    assert [p["login"] for p in admin.get("/people").json()] == ["zhao"]
    key = admin.post("/keys", {"name": "zhao", "scopes": ["complaints:read"], "person_id": made.json()["id"]}).json()
    assert key["secret"].startswith("ck_")
    assert Caller(admin.web, key["secret"]).get("/complaints").status_code == 200
    nobody = admin.post(
        "/keys", {"name": "z", "scopes": ["tasks"], "person_id": "0192f0c1-0000-7000-8000-000000000000"}
    )
    assert nobody.status_code == 422
