"""Writes `docs/reference/` from the code: settings, commands, policy files, life of a complaint, REST API.

`python docs/generate.py` writes the pages; `tests/house/test_docs.py` fails when they differ from what the code says.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from complaints.domain import policy, sla_policy
from complaints.domain.forms import FORMS
from complaints.domain.lifecycle import TABLE, Ground
from complaints.domain.vocabulary import OPEN, RemedyState, Role, Status, StepKind
from complaints.services.opening import ALIVE, BLOCKING, ROLE
from config.policy import load
from config.policy_checks import CLOCK_EVENTS
from config.settings import PREFIX, Settings
from config.wiring import App
from deployments.cli import app as command_line
from deployments.commands.examples import EXAMPLES
from web.app import create_app

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
_NOTE = "<!-- Written by docs/generate.py from the code. Do not edit; run `.venv/bin/python docs/generate.py`. -->"

#: Which file of a policy folder each section is read from.
_SECTIONS: Mapping[str, tuple[type[BaseModel], str]] = {
    "taxonomy.toml": (policy.Taxonomy, "Categories and root causes."),
    "routing.toml": (policy.Routing, "Teams, queues, and when a person triages."),
    "authority.toml": (policy.Authority, "Who may grant how much; what needs a second pair of eyes."),
    "lifecycle.toml": (policy.LifecyclePolicy, "Waiting times, fast track, the response, standard solutions."),
    "notifications.toml": (policy.Notifications, "How messages leave. May be left out."),
    "retention.toml": (policy.Retention, "How long an archived dossier is kept."),
    "calendars.toml": (sla_policy.CalendarPolicy, "When work is done: tables `[[calendars]]` of these keys."),
    "sla.toml": (sla_policy.SlaPolicy, "Ladders, quiet hours, digest. Calendars and profiles have files of their own."),
    "profiles/*.toml": (sla_policy.Profile, "One rule and its clocks per file."),
}


def pages() -> dict[str, str]:
    """Every page: file name in `docs/reference` → content."""
    made = {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "policy.md": _policy(),
        "lifecycle.md": _lifecycle(),
        "api.md": _api(),
    }
    return {name: "\n".join([_NOTE, "", *lines]).rstrip() + "\n" for name, lines in made.items()}


def main() -> None:
    """Write the pages."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


# -- Markdown


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    names = list(columns)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _code(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _words(text: str | None) -> str:
    return inspect.cleandoc(text or "")


# -- types and defaults, as a reader of TOML or of the environment sees them

_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", timedelta: "ISO 8601 duration"}


def _type(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in inner if one is not type(None)))
    if origin is Literal:
        return _code(inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"table {_type(inner[0])} → {_type(inner[1])}"
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _code(kind)
    return str(kind.__name__).lower()


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if field.is_required() or value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, tuple | frozenset | list):
        return _code(value) or "none"
    return "–" if value in (None, "", {}) else f"`{_shown(value)}`"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return f"PT{int(value.total_seconds())}S"
    if isinstance(value, Path) and value.is_absolute():
        return str(value.relative_to(ROOT))
    return str(value)


# -- the pages


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Environment variables, or lines of a file `.env` where the process starts; the environment goes before it."
    yield "Each has a default, which an empty value (`NAME=`) means, too. What begins with"
    yield f"`{PREFIX}` and is no setting is refused, never ignored."
    yield ""
    yield from _table(
        ("Variable", "Default", "Meaning"),
        (
            (f"`{PREFIX}{name.upper()}`", _default(field), field.description or "")
            for name, field in Settings.model_fields.items()
        ),
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, in the order of the command line."""
    group: Any = typer.main.get_command(command_line)
    for name, command in group.commands.items():
        below: dict[str, Any] = getattr(command, "commands", {})
        yield from ((f"{name} {inner}", each) for inner, each in below.items()) if below else ((name, command),)


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "`complaints COMMAND --help` says the same. A refusal is one sentence on standard error and exit code 1."
    yield "Commands other than `up` and `demo` need the database of a running system (`COMPLAINTS_HOME` or"
    yield "`COMPLAINTS_DATABASE_URL`, as it was started with). Times are given and shown by the clock of the office"
    yield "(`COMPLAINTS_TIME_ZONE`); in JSON they bear their zone."
    yield ""
    for name, command in commands():
        arguments = [p for p in command.params if not p.opts[0].startswith("-")]
        shown = "".join(f" {p.name.upper()}" if p.required else f" [{p.name.upper()}]" for p in arguments)
        yield f"## {name}"
        yield ""
        yield f"`complaints {name}{shown}`"
        yield ""
        yield from (_words(command.help), "")
        if command.params:
            yield from _table(("Parameter", "Default", "Meaning"), (_parameter(p) for p in command.params))
        yield from ("```sh", *EXAMPLES[name], "```", "")


def _parameter(given: Any) -> tuple[str, str, str]:
    option = given.opts[0].startswith("-")
    name = _code([*given.opts, *given.secondary_opts]) if option else f"`{given.name.upper()}`"
    default = "required" if given.required else "–" if given.default in (None, "", False) else f"`{given.default}`"
    meaning = given.help or ""
    choices = [one for one in _members(given.type_descriptor.annotation) if isinstance(one, Enum)]
    return name, default, f"{meaning} One of: {_code(choices)}." if choices else meaning


def _members(kind: Any) -> Iterator[object]:
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, Enum):
            yield from one


def _policy() -> Iterator[str]:
    bundle = load(ROOT / "config" / "policies" / "default")
    yield "# Policy files"
    yield ""
    yield "A policy is a folder of TOML files: numbers and names, never control flow. `policy.toml` may say"
    yield '`extends = "../other"`; then only what differs is written. `complaints policy check DIR` names every problem'
    yield "with file, line and key; a key that does not exist is one. Durations are ISO 8601 (`P14D`, `PT2H`)."
    yield ""
    told: set[type[BaseModel]] = set()
    for file, (model, about) in _SECTIONS.items():
        yield f"## `{file}`"
        yield ""
        yield from (about, "")
        yield from _model(model, told)
    yield "## Events of the case log that clocks know"
    yield ""
    yield "For `starts`, `stops`, `restarts` and `continues` of a clock:"
    yield ""
    yield from (_code(sorted(CLOCK_EVENTS)) + ".", "")
    yield "## Profiles of the default policy"
    yield ""
    yield "Evidence: R, the rule's own text was read; S, a secondary source; M, from memory; `ours`, an internal"
    yield "target. Where it is S or M, verify the numbers before you rely on them. This is not legal advice."
    yield ""
    yield "Under *no source* is what a profile says and no source that was read does (`unverified`): written from"
    yield "memory, or our own choice where the rule names no number. `complaints policy check` notes each, the console"
    yield "shows them."
    yield ""
    yield from _table(
        ("Profile", "Title", "Clocks", "Evidence", "Citation", "No source"),
        (
            (
                f"`{p.key}`",
                f"{p.title_en} · {p.title_zh}",
                _code(c.name for c in p.clocks),
                p.evidence,
                p.citation,
                _code(p.unverified) or "–",
            )
            for p in bundle.sla.profiles
        ),
    )


def _model(model: type[BaseModel], told: set[type[BaseModel]]) -> Iterator[str]:
    """The fields of a section, and after them those of the sections inside it, each once."""
    told.add(model)
    yield f"### {model.__name__}"
    yield ""
    yield from (" ".join(_words(model.__doc__).split()), "")
    yield from _table(
        ("Key", "Type", "Default", "Meaning"),
        ((f"`{k}`", _type(_kind(model, k)), _default(f), f.description or "") for k, f in model.model_fields.items()),
    )
    for key in model.model_fields:
        for inner in _inside(_kind(model, key)):
            if inner not in told:
                yield from _model(inner, told)


def _kind(model: type[BaseModel], key: str) -> Any:
    return model.model_fields[key].annotation


def _inside(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind is not sla_policy.CalendarPolicy and kind is not sla_policy.Profile:
            yield kind
    else:
        for one in get_args(kind):
            yield from _inside(one)


def _lifecycle() -> Iterator[str]:
    yield "# Life of a complaint"
    yield ""
    yield "Every change of status is a row of this table, through whichever door it comes. `system` is the machine,"
    yield "`complainant` a signed link. Where an action leads to more than one status, the facts of the case decide."
    yield ""
    yield "## Actions"
    yield ""
    yield from _table(
        ("Action", "In the status", "Leads to", "Who may"),
        (
            (
                f"`{row.action}`",
                _statuses(row.sources) + _with(row.needs),
                _code(s for s in Status if s in row.targets) or "the status stays",
                _code(role for role in Role if role in row.roles),
            )
            for row in TABLE.values()
        ),
    )
    yield f"*open* means: {_code(s for s in Status if s in OPEN)}."
    yield ""
    yield "## Human steps"
    yield ""
    yield "What a person is asked to do, as a task with one form. The flow run waits at those marked *waits*; the"
    yield "others stand beside it. Required fields are in bold."
    yield ""
    yield from _table(
        ("Step", "In the status", "Role", "", "Fields of the form"),
        (
            (
                f"`{kind}`",
                _statuses(ALIVE[kind]),
                f"`{ROLE.get(kind, Role.AGENT)}`",
                "waits" if kind in BLOCKING else "",
                ", ".join(f"**{n}**" if f.is_required() else n for n, f in FORMS[kind].model_fields.items()),
            )
            for kind in StepKind
        ),
    )


def _statuses(found: frozenset[Status]) -> str:
    """Names in the order of life; all open ones together are called open."""
    rest = [s for s in Status if s in found]
    if not OPEN - found:
        return ", ".join(["*open*", *(f"`{s}`" for s in rest if s not in OPEN)])
    missing = [s for s in Status if s in OPEN and s not in found]
    if len(missing) == 1 and OPEN - set(missing) <= found:
        return f"*open* but `{missing[0]}`"
    return _code(rest)


def _with(needed: RemedyState | Ground | None) -> str:
    if isinstance(needed, Ground):
        return f", with {needed}"
    return f", with a remedy that is `{needed}`" if needed else ""


def _api() -> Iterator[str]:
    app = create_app(App(Settings()))
    yield "# REST API"
    yield ""
    yield f"A running system describes itself: OpenAPI at `{app.openapi_url}`, for reading at `{app.docs_url}`. That is"
    yield "the reference; here is the list. Send a key as `Authorization: Bearer ck_…` (`complaints keys create`);"
    yield "paths with `/track/` need none, their token is the key. Errors are problem documents (RFC 9457) that name"
    yield "each wrong field, in Chinese where `Accept-Language` asks for it. `/metrics` (Prometheus) is explained in"
    yield "the [runbook](../runbook.md)."
    yield ""
    yield from _table(
        ("Request", "What it does"),
        (
            (f"`{verb.upper()} {path}`", operation["summary"])
            for path, verbs in app.openapi()["paths"].items()
            for verb, operation in verbs.items()
        ),
    )


if __name__ == "__main__":
    main()
