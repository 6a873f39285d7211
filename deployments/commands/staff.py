"""Commands about the people who work here."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from complaints.domain.vocabulary import Language, Role
from complaints.services import people as people_service
from complaints.services import personnel, signin
from config.wiring import app
from deployments.commands.output import OPERATOR, AsJson, emit, err, table

#: The roles that people hold, for the command line to offer.
StaffRole = Enum("StaffRole", [(role.name, role.value) for role in personnel.STAFF])  # type: ignore[misc]  # computed
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
    role: Annotated[list[StaffRole], typer.Option(help="Role (repeatable).")],
    team: Annotated[list[str] | None, typer.Option(help="Team (repeatable).")] = None,
    email: Annotated[str | None, typer.Option(help="Address for internal messages.")] = None,
    language: Annotated[
        Language | None, typer.Option(help="Language of internal messages.", show_default="the installation's")
    ] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Also print a temporary password for the console.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add somebody who works here."""
    speaks, roles = language or app().settings.language, [Role(r.value) for r in role]
    with app().store.work(OPERATOR) as work:
        person = people_service.add_person(
            work, login, name, roles=roles, teams=team or (), email=email, language=speaks
        )
        temporary = personnel.new_password(work, person.id) if password else ""
    data = person.model_dump(mode="json", exclude=_SECRET) | {"temporary_password": temporary or None}
    said = f"{person.name} ({person.login}) added: {person.id}"
    emit(data, as_json, *([said, temporary] if temporary else [said]))
    if temporary:
        _warn(login)


@people.command("password")
def people_password(
    login: Annotated[str, typer.Argument(help="Login of the person.")], as_json: AsJson = False
) -> None:
    """Give somebody a temporary password for the console and print it; they choose their own at the next sign-in.

    It is shown this once. Their open sessions end; their second factor stays.
    """
    with app().store.work(OPERATOR) as work:
        temporary = personnel.new_password(work, personnel.by_login(work, login).id)
    emit({"login": login, "temporary_password": temporary}, as_json, temporary)
    _warn(login)


def _warn(login: str) -> None:
    within = f"at the first sign-in, within {signin.TEMPORARY.days} days"
    said = f"Temporary password of {login}. It must be changed {within}, and cannot be shown again."
    err.print(said, soft_wrap=True)
