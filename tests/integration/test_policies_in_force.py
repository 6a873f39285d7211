"""Which policy is in force: looking changes nothing, starting the system adopts what has changed, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner

import deployments.commands.policies as commands
from complaints.domain.ports import SYSTEM
from complaints.store.tables import AdminEvent
from config.policy import load
from config.settings import Settings
from config.wiring import App
from deployments.cli import app as cli
from deployments.commands.output import OPERATOR

POLICIES = Path(__file__).parents[2] / "config" / "policies"
DEFAULT, DEMO = POLICIES / "default", POLICIES / "demo"


@pytest.fixture
def process(database: str, tmp_path: Path) -> Iterator[Callable[[Path], App]]:
    """Makes the `App` of another process of one installation, with a policy folder of its own settings."""
    made: list[App] = []

    def start(folder: Path) -> App:
        made.append(App(Settings(home=tmp_path / "home", database_url=database, policy_dir=folder)))
        return made[-1]

    yield start
    for one in made:
        one.engine.dispose()


def in_force(the: App) -> str:
    return the.policies.active(the.store.now()).name


def notes(the: App) -> list[tuple[str, str]]:
    """Who put which policy in force, by the log of administration."""
    with Session(the.engine) as session:
        rows = session.exec(select(AdminEvent).where(AdminEvent.kind == "policy_activated").order_by("id")).all()
    return [(r.actor_name, r.data["name"]) for r in rows]


def test_the_first_use_of_an_empty_installation_takes_the_configured_folder(process: Callable[[Path], App]) -> None:
    the = process(DEMO)
    assert in_force(the) == "demo"
    assert [v.activated_by for v in the.policies.versions()] == [SYSTEM.name]
    assert notes(the) == [(SYSTEM.name, "demo")]


def test_a_process_with_other_settings_changes_nothing_by_looking(
    process: Callable[[Path], App], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = process(DEMO)
    assert in_force(running) == "demo"
    other = process(DEFAULT)
    monkeypatch.setattr(commands, "app", lambda: other)
    answer = CliRunner().invoke(cli, ["policy", "list", "--json"])
    assert answer.exit_code == 0, answer.output
    assert in_force(process(DEFAULT)) == in_force(other) == "demo"
    assert len(running.policies.versions()) == len(notes(running)) == 1


def test_a_start_adopts_a_changed_folder_and_a_known_one_never_again(process: Callable[[Path], App]) -> None:
    assert in_force(process(DEMO)) == "demo"
    started = process(DEFAULT)
    assert started.adopt_policy(SYSTEM)
    assert in_force(started) == "default"
    assert notes(started) == [(SYSTEM.name, "demo"), (SYSTEM.name, "default")]
    assert not process(DEMO).adopt_policy(SYSTEM), "it was in force before; only a person goes back to it"
    assert in_force(process(DEMO)) == "default"
    assert len(notes(started)) == 2


def test_the_command_puts_an_old_one_in_force_again_and_says_who(
    process: Callable[[Path], App], monkeypatch: pytest.MonkeyPatch
) -> None:
    the = process(DEMO)
    assert the.activate_policy(load(DEFAULT), SYSTEM)
    assert in_force(the) == "default"
    monkeypatch.setattr(commands, "app", lambda: the)
    answer = CliRunner().invoke(cli, ["policy", "activate", str(DEMO), "--by", "Ruth Adler"])
    assert answer.exit_code == 0, answer.output
    assert in_force(the) == "demo"
    assert notes(the)[-1] == (OPERATOR.name, "demo")
    assert the.policies.versions()[0].activated_by == "Ruth Adler"


def test_a_date_never_puts_what_is_in_force_out_of_force(
    process: Callable[[Path], App], monkeypatch: pytest.MonkeyPatch
) -> None:
    the = process(DEMO)
    assert in_force(the) == "demo"
    monkeypatch.setattr(commands, "app", lambda: the)

    def activate(folder: Path, effective: str) -> str:
        answer = CliRunner().invoke(cli, ["policy", "activate", str(folder), "--effective", effective])
        return f"{answer.output} {answer.exception or ''}"

    assert "is in force already" in activate(DEMO, "2099-01-01")
    assert "has passed" in activate(DEFAULT, "2020-01-01")
    assert [v.name for v in the.policies.versions()] == ["demo"]
    assert "will be in force from 2099-01-01" in activate(DEFAULT, "2099-01-01")
    assert in_force(the) == "demo"
    assert [v.name for v in the.policies.versions()] == ["default", "demo"]
