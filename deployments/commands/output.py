"""What all commands share: tables for people, JSON for programs, who is acting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlmodel import select

from complaints.domain.errors import InvalidInput
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Role
from complaints.services.routing import as_actor
from complaints.store.tables import Person
from complaints.store.unit import Work

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
As = Annotated[str | None, typer.Option("--as", help="Login of the person who acts. Without it: the operator.")]

#: Whoever has a shell on the machine. Named in the case log, so that it is seen.
OPERATOR = Actor(
    "system", "operator", "Operator (command line)", frozenset(set(Role) - {Role.COMPLAINANT, Role.INTEGRATOR})
)


def actor(work: Work, login: str | None) -> Actor:
    """The person with this login, or the operator."""
    if login is None:
        return OPERATOR
    person = work.session.exec(select(Person).where(Person.login == login)).first()
    if person is None:
        known = ", ".join(work.session.exec(select(Person.login).order_by(Person.login)).all()) or "nobody yet"
        raise InvalidInput(f"There is nobody with the login {login!r}. Known are: {known}.", "--as")
    return as_actor(person)


def emit(data: Any, as_json: bool, *tables: Table) -> None:
    """Print `data` as JSON, or the tables."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
        return
    for table in tables:
        out.print(table)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table."""
    made = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else _cell(cell) for cell in row))
    return made


def _cell(value: object) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)


def facts(title: str, values: Mapping[str, object]) -> Table:
    """A table of names and values; empty values are left out."""
    return table(title, ("", ""), [(key, value) for key, value in values.items() if value not in (None, "", [])])
