"""Commands about the people who work here."""

from __future__ import annotations

from typing import Annotated

import typer

from complaints.domain.vocabulary import Language, Role
from complaints.services import people as people_service
from complaints.services import personnel
from config.wiring import app
from deployments.commands.output import OPERATOR, AsJson, emit, err, out, table

people = typer.Typer(help="People who work here.", no_args_is_help=True)
_SECRET = {"password_hash", "totp_secret", "totp_used"}


@people.command("list")
def people_list(as_json: AsJson = False) -> None:
    """List people."""
    with app().store.reading(OPERATOR) as work:
        rows = people_service.everybody(work)
    emit(
        [r.model_dump(mode="json", exclude=_SECRET) for r in rows],
        as_json,
        table(
            "People",
            ("id", "login", "name", "roles", "teams", "active"),
            [(r.id, r.login, r.name, ", ".join(r.roles), ", ".join(r.teams), r.active) for r in rows],
        ),
    )


@people.command("add")
def people_add(
    login: Annotated[str, typer.Argument(help="Login name, unique.")],
    name: Annotated[str, typer.Argument(help="Name, as colleagues read it.")],
    role: Annotated[list[Role], typer.Option(help="Role (repeatable).")],
    team: Annotated[list[str] | None, typer.Option(help="Team (repeatable).")] = None,
    email: Annotated[str | None, typer.Option(help="Address for internal messages.")] = None,
    language: Annotated[Language, typer.Option(help="Language of internal messages.")] = Language.ZH,
    password: Annotated[
        bool, typer.Option("--password", help="Also print a temporary password for the console.")
    ] = False,
) -> None:
    """Add somebody."""
    with app().store.work(OPERATOR) as work:
        person = people_service.add_person(
            work, login, name, roles=role, teams=team or (), email=email, language=language
        )
        temporary = personnel.new_password(work, person.id) if password else ""
    out.print(f"{person.name} ({person.login}) added: {person.id}")
    if temporary:
        _tell(login, temporary)


@people.command("password")
def people_password(login: Annotated[str, typer.Argument(help="Login of the person.")]) -> None:
    """Give somebody a temporary password for the console and print it; they choose their own at the next sign-in.

    It is shown this once. Their open sessions end; their second factor stays.
    """
    with app().store.work(OPERATOR) as work:
        temporary = personnel.new_password(work, personnel.by_login(work, login).id)
    _tell(login, temporary)


def _tell(login: str, temporary: str) -> None:
    out.print(temporary, highlight=False, markup=False)
    err.print(f"Temporary password of {login}. It must be changed at the first sign-in and cannot be shown again.")
