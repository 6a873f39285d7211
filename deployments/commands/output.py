"""What all commands share: tables for people, JSON for programs, who is acting."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from sqlmodel import select

from complaints.domain.errors import InvalidInput
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Role
from complaints.services.routing import as_actor
from complaints.store.tables import Person
from complaints.store.unit import Work
from config.wiring import app

#: Columns of a line that goes to no terminal and has no width of its own.
_ENDLESS = 10_000


def _console(file: Any, *, stderr: bool = False) -> Console:
    """What is printed is data, as it is: no markup is looked for in it, no names of emoji, nothing to be coloured.

    In a pipe lines are as long as they are, unless COLUMNS says otherwise.
    """
    width = None if file.isatty() or "COLUMNS" in os.environ else _ENDLESS
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


out = _console(sys.stdout)
err = _console(sys.stderr, stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
As = Annotated[str | None, typer.Option("--as", help="Login of the person who acts. Without it: the operator.")]

#: Whoever has a shell on the machine. Named in the case log, so that it is seen.
OPERATOR = Actor(
    "system", "operator", "Operator (command line)", frozenset(set(Role) - {Role.COMPLAINANT, Role.INTEGRATOR})
)
#: Columns by whose cells one names things to the next command: they are never folded over lines.
_NAMES = frozenset({"task", "reference", "step", "id", "hash", "login", "action", "field"})
#: Digits of an id that lists show: its end. Its beginning is its time, and alike in all ids of the same minute.
_SHORT = 8


def actor(work: Work, login: str | None) -> Actor:
    """The person with this login, or the operator."""
    if login is None:
        return OPERATOR
    person = work.session.exec(select(Person).where(Person.login == login)).first()
    if person is None:
        known = ", ".join(work.session.exec(select(Person.login).order_by(Person.login)).all()) or "nobody yet"
        raise InvalidInput(f"There is nobody with the login {login!r}. Known are: {known}.", "--as")
    return as_actor(person)


def emit(data: Any, as_json: bool, *shown: Table | str) -> None:
    """Print `data` as JSON, or what is shown to a person instead: tables and lines."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
        return
    for each in shown:
        if isinstance(each, str):
            say(each)
        else:
            out.print(each)


def say(text: str, style: str = "") -> None:
    """A line as it is; the terminal may wrap it, we do not."""
    out.print(text, style=style or None, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table."""
    made = Table(
        title=title, title_justify="left", header_style="bold", expand=False, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column in _NAMES)
    for row in rows:
        made.add_row(*("" if cell is None else _cell(cell) for cell in row))
    return made


def _cell(value: object) -> str:
    return office_time(value) if isinstance(value, datetime) else str(value)


def office_time(at: datetime) -> str:
    """A moment by the clock of the office, as letters and the console say it, wherever the machine stands."""
    return at.astimezone(_office()).strftime("%Y-%m-%d %H:%M:%S")


def by_office_clock(given: datetime) -> datetime:
    """The moment that somebody means who gives a date, or a date and a time, without a zone."""
    return given.replace(tzinfo=_office())


def _office() -> ZoneInfo:
    return ZoneInfo(app().settings.time_zone)


def short(row_id: UUID) -> str:
    """The end of an id: enough for a command to know it by among those that can be meant."""
    return str(row_id)[-_SHORT:]


def facts(title: str, values: Mapping[str, object]) -> Table:
    """A table of names and values; empty values are left out."""
    return table(title, ("", ""), [(key, value) for key, value in values.items() if value not in (None, "", [])])
