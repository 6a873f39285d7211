"""Outbox, policy, health, metrics, and what happens when a part is away or a bug strikes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import exc, text
from sqlmodel import update

from complaints.domain import errors
from complaints.domain.ports import SYSTEM
from complaints.services.marks import note_fault, set_mark
from complaints.store.tables import Outbox
from config.wiring import App
from tests.web.api.conftest import SUBMISSION, Caller, make_product
from web import problems
from web.app import create_app
from web.pulse import Pulse


def test_a_dead_letter_is_listed_and_replayed_once(admin: Caller, product: App) -> None:
    reference = admin.submit()
    assert admin.get("/outbox", params={"state": "dead"}).json() == {"items": [], "next": None}
    with product.store.work(SYSTEM) as work:
        work.session.execute(update(Outbox).values(state="dead", attempts=8, last_error="refused"))
    (dead,) = admin.get("/outbox", params={"state": "dead"}).json()["items"]
    assert (dead["kind"], dead["reference"], dead["last_error"]) == ("start_run", reference, "refused")
    product.background.intents.clear()  # type: ignore[attr-defined]  # the recorder of these tests
    replayed = admin.post(f"/outbox/{dead['id']}/replay")
    assert (replayed.json()["state"], replayed.json()["attempts"]) == ("pending", 1)  # leased by the replay itself
    assert len(product.background.intents) == 1  # type: ignore[attr-defined]
    assert admin.post(f"/outbox/{dead['id']}/replay").status_code == 409
    assert admin.post("/outbox/0192f0c1-0000-7000-8000-000000000000/replay").status_code == 404


def test_the_policy_in_force_can_be_read(integrator: Caller) -> None:
    policy = integrator.get("/policy").json()
    assert len(policy["hash"]) == 64
    assert policy["content"]["taxonomy"]["categories"]


def test_health_names_each_part(web: TestClient, product: App, integrator: Caller) -> None:
    integrator.submit()
    answer = web.get("/healthz")
    parts = answer.json()["parts"]
    assert answer.status_code == 503
    assert parts["database"]["ok"]
    assert not parts["prefect"]["ok"], "no Prefect server here"
    fresh = {"ok": True, "last_tick_seconds_ago": None, "complaints_not_calculated": 0}
    assert parts["clock"] == fresh, "the house has just opened"
    assert parts["launching"]["unlaunched"] == 1
    assert parts["launching"]["oldest_unlaunched_seconds"] >= 0
    assert parts["outbox"]["pending"] == 1
    assert parts["disk"]["free_bytes"] > 0


def test_what_runs_regularly_is_late_once_the_house_has_been_open_that_long(
    product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(product)
    regular = ("clock", "dispatch", "reconcile", "archive_due")

    def told() -> dict[str, bool]:
        parts = TestClient(app).get("/healthz").json()["parts"]
        return {name: parts[name]["ok"] for name in regular}

    with product.store.work(SYSTEM) as work:
        work.now -= timedelta(hours=1)
        set_mark(work, "sla_clock", {})
    assert told() == dict.fromkeys(regular, True), "it was shut since the last tick"
    monkeypatch.setattr(Pulse, "up", 200.0)
    assert told() == {"clock": False, "dispatch": False, "reconcile": True, "archive_due": True}
    monkeypatch.setattr(Pulse, "up", 700.0)
    assert told() == dict.fromkeys(regular, False)
    with product.store.work(SYSTEM) as work:
        for mark in ("sla_clock", "dispatch", "reconcile", "archive_due"):
            set_mark(work, mark, {})
    app.state.pulse.fresh = app.state.pulse._figures
    assert told() == dict.fromkeys(regular, True)
    with product.store.work(SYSTEM) as work:
        note_fault(work, "C26-000001-5", "KeyError: 'budget'")
    sick = TestClient(create_app(product)).get("/healthz").json()["parts"]["clock"]
    assert (sick["ok"], sick["complaints_not_calculated"]) == (False, 1)


def test_a_reminder_that_waits_for_the_morning_is_no_backlog(product: App, admin: Caller) -> None:
    app = create_app(product)
    admin.submit()

    def told(**values: Any) -> dict[str, Any]:
        with product.store.work(SYSTEM) as work:
            work.session.execute(update(Outbox).values(**{k: work.now + v for k, v in values.items()}, attempts=0))
        app.state.pulse.fresh = app.state.pulse._figures
        found: dict[str, Any] = TestClient(app).get("/healthz").json()["parts"]["outbox"]
        return found

    evening, morning = timedelta(hours=-9), timedelta(hours=3)
    waits = told(created_at=evening, next_at=morning)
    assert (waits["ok"], waits["pending"], waits["oldest_pending_seconds"]) == (True, 1, 0.0)
    assert told(next_at=timedelta(seconds=-5))["ok"], "it has just become due"
    late = told(next_at=timedelta(minutes=-6))
    assert not late["ok"]
    assert 360 <= late["oldest_pending_seconds"] < 400


def test_the_process_answers_and_the_database_away_is_said(tmp_path: Path) -> None:
    product = make_product("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    with TestClient(create_app(product)) as web:
        assert web.get("/healthz/live").status_code == 200
        answer = web.get("/healthz")
        assert answer.status_code == 503
        assert not answer.json()["parts"]["database"]["ok"]
        refused = web.post("/api/v1/complaints", json=SUBMISSION, headers={"Authorization": "Bearer ck_x"})
        assert refused.status_code == 503
        assert refused.json()["code"] == "busy"
        assert refused.headers["retry-after"] == "5"
        assert "complaints_up 0.0" in web.get("/metrics").text


def test_metrics_count_requests_and_show_the_house(web: TestClient, integrator: Caller) -> None:
    integrator.get(f"/complaints/{integrator.submit()}")
    web.get("/api/v1/secret-scan")
    shown = web.get("/metrics").text
    assert 'http_requests_total{method="POST",route="/api/v1/complaints",status="201"} 1.0' in shown
    assert 'http_requests_total{method="GET",route="/api/v1/complaints/{reference}",status="200"} 1.0' in shown
    assert 'route="unknown",status="404"' in shown
    assert "secret-scan" not in shown
    assert 'complaints_by_status{status="received"} 1.0' in shown
    assert 'complaints_outbox{state="pending"} 1.0' in shown
    assert "complaints_oldest_unlaunched_seconds" in shown


def test_a_bug_is_logged_under_an_id_and_not_shown(
    web: TestClient, integrator: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("web.api.complaints.reading.complaints", broken)
    with caplog.at_level(logging.ERROR, "web"):
        answer = integrator.get("/complaints", headers={"X-Request-ID": "my-request-1"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == "my-request-1" == answer.headers["x-request-id"]
    assert any("my-request-1" in r.getMessage() and r.exc_info for r in caplog.records)


def test_a_locked_complaint_is_a_503_that_may_be_repeated(
    agent: Caller, product: App, routed: Callable[..., str]
) -> None:
    reference = routed()
    with product.engine.connect() as holder, holder.begin():
        holder.execute(text("select 1 from complaint for update"))
        product.engine.dispose(close=False)
        with psycopg.connect(product.settings.postgres_url("complaints"), autocommit=True) as admin:
            admin.execute(
                "do $$ begin execute format('alter role %I set lock_timeout = ''200ms''', current_user); end $$"
            )
            try:
                answer = agent.post(f"/complaints/{reference}/actions/add_note", {"text": "x"})
            finally:
                admin.execute("do $$ begin execute format('alter role %I reset lock_timeout', current_user); end $$")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    product.engine.dispose()
    assert agent.post(f"/complaints/{reference}/actions/add_note", {"text": "x"}).status_code == 200


class _Fault(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("fault")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [
        (exc.OperationalError, "40P01", 409),
        (exc.OperationalError, "40001", 409),
        (exc.OperationalError, "55P03", 503),
        (exc.OperationalError, "57014", 503),
        (exc.OperationalError, "57P01", 503),
        (exc.OperationalError, "08006", 503),
        (exc.OperationalError, "53300", 503),
        (exc.OperationalError, None, 503),
        (exc.DataError, "22P05", 422),
        (exc.IntegrityError, "23505", 409),
        (exc.IntegrityError, "23502", None),
        (exc.ProgrammingError, "42P01", None),
    ],
)
def test_faults_of_the_database(kind: type[exc.DBAPIError], state: str | None, status: int | None) -> None:
    answer = problems.of_database(kind("select", {}, _Fault(state)))
    assert (answer.status if answer else None) == status
    if status == 503:
        assert answer is not None
        assert "Retry-After" in answer.headers


def test_every_error_of_the_domain_has_an_answer() -> None:
    def leaves(kind: type[errors.ComplaintsError]) -> list[type[errors.ComplaintsError]]:
        own = [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
        return [kind, *(leaf for sub in own for leaf in leaves(sub))]

    for kind in leaves(errors.ComplaintsError)[1:]:
        error = kind.__new__(kind)
        Exception.__init__(error, "why")
        vars(error).update(
            problems=[], action="", status="", allowed=[], expected=1, actual=2, by="", missing=[], at=_Now()
        )
        answer = problems.of_domain(error)
        assert 400 <= answer.status < 600, kind
        assert answer.code in problems._TITLES, kind


class _Now:
    def isoformat(self) -> str:
        return "2026-01-01T00:00:00+00:00"
