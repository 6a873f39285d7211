"""`complaints policy backtest` on a real database: its processes share the work, say how far they are, and agree."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import deployments.commands.policies as commands
from complaints.domain.intake import NewComplainant
from complaints.domain.vocabulary import StepKind
from complaints.services import backtest
from config.settings import Settings
from config.wiring import App
from deployments.cli import app as cli
from tests.integration.desk import FINDINGS, START, Desk, bundle

DEFAULT = Path(__file__).resolve().parents[2] / "config" / "policies" / "default"


def test_progress_is_told_case_by_case_and_never_too_much(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        desk.submit(f"Parcel {n} never came.", complainant=NewComplainant(email=f"p{n}@customer.example"))
    monkeypatch.setattr(backtest, "_CHUNK", 2)
    told: list[int] = []
    period = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    tally = backtest.run(desk.engine, desk.policies.get, bundle(), *period, START, progress=told.append)
    assert told == [2, 2, 1]
    assert tally.cases == 5


def test_a_policy_with_shorter_times_breaches_what_its_own_kept(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = desk.engine.url.render_as_string(hide_password=False)
    case = desk.submit()
    desk.at = START.replace(day=START.day + 4)
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    other = tmp_path / "strict"
    (other / "profiles").mkdir(parents=True)
    (other / "policy.toml").write_text(f'extends = "{DEFAULT}"')
    profile = DEFAULT.joinpath("profiles/default.toml").read_text("utf-8")
    (other / "profiles/default.toml").write_text(profile.replace("amount = 40,", "amount = 4,"), "utf-8")
    monkeypatch.setenv("COMPLAINTS_DATABASE_URL", database)
    monkeypatch.setenv("COMPLAINTS_HOME", str(tmp_path / "home"))
    the = App(Settings(home=tmp_path / "home", database_url=database))
    monkeypatch.setattr(commands, "app", lambda: the)
    asked = ["policy", "backtest", str(other), "--from", "2000-01-01", "--to", "2100-01-01"]
    told = json.loads(CliRunner().invoke(cli, [*asked, "--json"]).stdout)
    assert told["cases"] == 1
    (row,) = [r for r in told["rows"] if r["clock"] == "default.investigate"]
    assert (row["severity"], row["team"]) == (desk.complaint(case).severity, desk.complaint(case).team)
    assert (row["did"]["breached"], row["would"]["breached"]) == (0, 1)
    shown = CliRunner().invoke(cli, [*asked, "--processes", "1"])
    assert "By severity and team" in shown.stdout
    assert "1/1" in shown.stderr
    the.engine.dispose()
