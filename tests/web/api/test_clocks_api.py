"""Clocks over the API: where they stand, and why they are due when they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

import deployments.commands.policies as commands
from config.wiring import App
from deployments.cli import app as cli
from deployments.commands import cases
from tests.web.api.conftest import Caller


def test_an_explanation_has_the_same_fields_here_and_on_the_command_line(
    agent: Caller, routed: Callable[..., str], product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "app", lambda: product)
    reference = routed()
    here = agent.get(f"/complaints/{reference}/clocks/explain").json()
    there = json.loads(CliRunner().invoke(cli, ["sla", "explain", reference, "--json"]).stdout)
    assert [c["clock"] for c in here] == [c["clock"] for c in there]
    for one, other in zip(here, there, strict=True):
        assert one.keys() - other.keys() == {"text"}
        assert other.keys() <= one.keys()
        assert (one["days"], one["budget"], one["rule"]) == (other["days"], other["budget"], other["rule"])
        assert {"started_at", "stopped_at", "budget", "pauses", "changes", "days", "total", "due_at"} <= one.keys()
    investigate = next(c for c in here if c["clock"] == "default.investigate")
    assert investigate["days"][-1]["due"]
    assert investigate["budget"]["unit"] == "working_hours"
    assert investigate["days"][-1]["opens"] == ["09:00–12:00", "13:00–18:00"]


def test_api_and_command_line_name_the_clock_that_follows_and_what_to_verify(
    agent: Caller, routed: Callable[..., str], product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "app", lambda: product)
    reference = routed(jurisdiction="uk")
    here = {c["clock"]: c for c in agent.get(f"/complaints/{reference}/clocks/explain").json()}
    rule = here["fca.summary"]["rule"]
    assert (rule["next"], rule["effective_from"], rule["effective_until"]) == ("fca.final", "2016-06-30", None)
    assert {"path": "effective_from", "value": "2016-06-30"} in rule["unverified"]
    assert here["fca.final"]["rule"]["next"] == ""
    told = CliRunner().invoke(cli, ["sla", "explain", reference, "--clock", "fca.summary"]).stdout.splitlines()
    assert told == here["fca.summary"]["text"]
    assert "When it is over: fca.final governs" in told


def test_a_letter_keyed_on_the_command_line_counts_from_its_receipt(
    agent: Caller, product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "app", lambda: product)
    asked = ["submit", "The kettle leaks.", "--channel", "letter", "--received", "2026-03-06 09:00:00"]
    reference = CliRunner().invoke(cli, [*asked, "--jurisdiction", "uk"]).stdout.strip()
    listed = {c["clock"]: c for c in agent.get(f"/complaints/{reference}/clocks").json()}
    assert {"default.resolve", "fca.final"} <= listed.keys()
    started = datetime.fromisoformat(listed["fca.final"]["started_at"])
    assert started == datetime(2026, 3, 6, 1, 0, tzinfo=UTC), "nine o'clock in Shanghai"
    late = CliRunner().invoke(cli, ["submit", "x", "--received", "2099-01-01"])
    assert "future" in f"{late.output} {late.exception}"


def test_the_clocks_of_an_external_body_are_listed_like_others(
    agent: Caller, lead: Caller, routed: Callable[..., str]
) -> None:
    reference = routed()
    said: dict[str, dict[str, str]] = {
        "reject": {"reason": "Not our contract."},
        "refer_externally": {"body": "12315 platform", "reason": "They went there."},
    }
    for action, body in said.items():
        assert lead.post(f"/complaints/{reference}/actions/{action}", body).status_code == 200
    listed = agent.get(f"/complaints/{reference}/clocks")
    assert listed.status_code == 200
    assert {c["clock"]: c["kind"] for c in listed.json()}["cn_samr.accept"] == "external"
    assert any(c["kind"] == "external" for c in agent.get(f"/complaints/{reference}/clocks/explain").json())


def test_an_explanation_speaks_the_readers_language(agent: Caller, routed: Callable[..., str]) -> None:
    path = f"/complaints/{routed()}/clocks/explain"

    def last(**asked: object) -> str:
        return str(agent.get(path, **asked).json()[0]["text"][-1])

    assert last().startswith("Due: ")
    assert last(headers={"Accept-Language": "zh-CN,en;q=0.5"}).startswith("到期：")
    assert last(params={"language": "zh-CN"}).startswith("到期：")
    assert last(params={"language": "en"}, headers={"Accept-Language": "zh-CN"}).startswith("Due: ")
    assert agent.get(path, params={"language": "tlh"}).status_code == 422
    assert agent.get(path, params={"clock": "no.such"}).status_code == 422


def test_the_command_line_explains_in_either_language(
    routed: Callable[..., str], product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "app", lambda: product)
    reference = routed()
    english = CliRunner().invoke(cli, ["sla", "explain", reference, "--clock", "default.resolve"]).stdout
    assert english.splitlines()[0] == "Clock: default.resolve"
    assert english.splitlines()[-1].startswith("Due: ")
    chinese = CliRunner().invoke(cli, ["sla", "explain", reference, "--language", "zh-CN"]).stdout
    assert "时钟：default.ack" in chinese
    assert chinese.splitlines()[-1].startswith("到期：")
