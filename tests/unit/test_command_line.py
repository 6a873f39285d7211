"""The command line as it is learned and read: every command's help, JSON and examples; tables show data as it is."""

from __future__ import annotations

import errno
import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from complaints.domain.commands import COMMANDS
from complaints.domain.errors import InvalidInput
from complaints.domain.forms import FORMS
from complaints.domain.vocabulary import StepKind
from complaints.services import personnel
from deployments import cli as command_line
from deployments.cli import app
from deployments.commands import output, up
from deployments.commands.demo import summary
from deployments.commands.examples import EXAMPLES
from deployments.commands.given import example, read_json, wanted
from deployments.commands.staff import StaffRole

_PROJECT = Path(__file__).resolve().parents[2]
#: Commands that run until somebody stops them, and show what they do.
_NO_DATA = {"up", "demo"}
_FORMS = {**FORMS, **COMMANDS}


def _leaves(group: TyperGroup, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _leaves(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


ROOT = get_command(app)
assert isinstance(ROOT, TyperGroup)
EVERY = dict(_leaves(ROOT))


@pytest.mark.parametrize("name", sorted(EVERY.keys() - _NO_DATA))
def test_whatever_prints_data_prints_json(name: str) -> None:
    assert "--json" in {option for parameter in EVERY[name].params for option in parameter.opts}


def test_every_command_has_examples_and_no_example_is_left_over() -> None:
    assert set(EXAMPLES) == set(EVERY)


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in EXAMPLES.items() for line in lines])
def test_examples_are_read_by_their_commands(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "complaints.csv").touch()
    words = shlex.split(line.partition(" <")[0])
    words = words[words.index("complaints") + 1 :]
    assert words[: name.count(" ") + 1] == name.split()
    command = EVERY[name]
    context = command.make_context(name, words[name.count(" ") + 1 :])
    assert not context.args
    for given in (str(value) for value in context.params.values()):
        if given.startswith("{"):
            json.loads(given)


@pytest.mark.parametrize("name", EVERY)
def test_help_ends_with_the_examples(name: str) -> None:
    said = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "300"}).output
    assert all(f"$ {line}" in said for line in EXAMPLES[name]), said


@pytest.mark.parametrize("name", _FORMS)
def test_the_example_of_a_form_is_one(name: str) -> None:
    form: type[BaseModel] = _FORMS[name]
    form.model_validate(example(form))
    assert all(field["takes"] and field["meaning"] for field in wanted(form))


def test_what_a_field_takes_is_said() -> None:
    takes = {field["field"]: field["takes"] for field in wanted(COMMANDS["reclassify"])}
    assert takes["severity"] == "critical | serious | moderate | minor"
    takes = {field["field"]: field["takes"] for field in wanted(FORMS[StepKind.INVESTIGATION])}
    assert takes["remedies"] == "list of {kind, description, amount, currency, due_days}"


def test_roles_offered_are_those_that_people_hold() -> None:
    assert {role.value for role in StaffRole} == {role.value for role in personnel.STAFF}
    refused = CliRunner().invoke(app, ["people", "add", "x", "X", "--role", "system"])
    assert refused.exit_code == 2


def test_a_list_refuses_a_status_that_does_not_exist() -> None:
    for option, choice in (("--status", "investigating"), ("--severity", "critical")):
        refused = CliRunner().invoke(app, ["list", option, "nonsense"], env={"COLUMNS": "300"})
        assert refused.exit_code == 2
        assert choice in refused.output


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe{", "is not UTF-8 (byte 1)"),
        (b"{", "not JSON: "),
        (b"[1]", "give a JSON object"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_json_object(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "f").write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        read_json(f"@{tmp_path / 'f'}", "body")
    assert says in str(caught.value)
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        read_json(f"@{tmp_path}", "body")


_SAID = "sla.profiles[default].clocks[ack] [/b] [bold]x :smile: https://example.com/[1]"


def test_data_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(output, "out", output._console(io.StringIO()))
    output.emit({}, False, output.table(_SAID, ("where", "old"), [(_SAID, f"{'long ' * 40}end")]), _SAID)
    printed = capsys.readouterr().out
    assert printed.count(_SAID) == 3
    assert f"{'long ' * 40}end" in printed, "in a pipe nothing is folded"


def test_names_are_whole_at_eighty_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(output, "out", output._console(io.StringIO()))
    columns = ("task", "reference", "step", "team", "state", "severity", "due")
    row = (
        "8a9742c5",
        "C26-000042-7",
        "management_review-1",
        "compliance",
        "claimed",
        "moderate",
        "2026-11-27 08:16:51",
    )
    output.emit({}, False, output.table("Open tasks", columns, [row]))
    printed = capsys.readouterr().out
    assert all(name in printed for name in row[:3])
    assert max(map(len, printed.splitlines())) <= 80


def test_the_demonstration_says_when_the_system_was_ready_and_when_it_ended() -> None:
    said = summary(9.96, 43.51, complete=True)
    assert said == "The system was ready after 10.0 s; the demonstration was done after 43.5 s."
    assert "given up after 180.0 s" in summary(10, 180, complete=False)


def test_a_supervisor_that_nobody_hears_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(_: str) -> None:
        raise SystemExit(1)  # what rich makes of a broken pipe

    for nobody in (full, broken):
        monkeypatch.setattr(up, "say", nobody)
        up.say_if_heard("web ended; starting it again")


def test_what_cannot_be_printed_on_a_full_disk_is_told_in_a_sentence() -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        command = [sys.executable, "-m", "deployments.cli", "policy", "check", "config/policies/default"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=_PROJECT, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == "✗ No space left on device where this is written to. Make room, then say it again.\n"


def test_a_full_disk_of_the_database_is_no_database_that_is_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OperationalError(
            "insert", {}, psycopg.errors.DiskFull('could not extend file "base/1": No space left on device')
        )

    monkeypatch.setattr(command_line, "app", full)
    monkeypatch.setattr(command_line, "err", output._console(sys.stderr, stderr=True))
    with pytest.raises(SystemExit):
        command_line.main()
    said = capsys.readouterr().err
    assert said == (
        '✗ The disk of the database is full: could not extend file "base/1": No space left on device. '
        "Make room, then say it again.\n"
    )
