"""`complaints`: the one command line. Commands live in `deployments/commands`, one module per theme."""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text
from sqlalchemy.exc import OperationalError, ProgrammingError

from complaints.domain.errors import ComplaintsError
from deployments.commands import acting, cases, demo, importing, operations, policies, staff, up, work
from deployments.commands.examples import epilog
from deployments.commands.output import err
from deployments.stack.external_postgres import reason

#: How a full disk is told, by the system and by PostgreSQL.
_FULL = os.strerror(errno.ENOSPC)
#: SQLSTATEs (PostgreSQL, appendix A) of a statement that finds no such schema, table or column.
_NO_SCHEMA = frozenset({"3F000", "42P01", "42703"})

app = typer.Typer(
    name="complaints",
    help=(
        "Complaint handling as a durable workflow.\n\n"
        "Start with `complaints demo` (some twenty complaints, handled before your eyes) or `complaints up` (the "
        "system). While it runs: `complaints submit`, `list`, `show`, `tasks`, `complete`, `act`; when something looks "
        "wrong: `doctor`. Every command explains itself, with examples: `complaints COMMAND --help`."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("submit")(cases.submit)
app.command("import")(importing.import_file)
app.command("show")(cases.show)
app.command("list")(cases.listing)
app.command("act")(acting.act)
app.command("withdraw")(acting.withdraw)
app.command("attach")(acting.attach)
app.command("tasks")(work.tasks)
app.command("claim")(work.claim)
app.command("release")(work.release)
app.command("complete")(work.complete)
app.command("doctor")(operations.doctor)
app.command("disposals")(operations.disposals)
app.add_typer(operations.audit, name="audit")
app.add_typer(operations.archive, name="archive")
app.add_typer(operations.outbox, name="outbox")
app.add_typer(staff.people, name="people")
app.add_typer(operations.keys, name="keys")
app.add_typer(policies.policy, name="policy")
app.add_typer(policies.sla, name="sla")


def _teach(group: typer.Typer, path: str = "") -> None:
    """Let the help of every command end with examples."""
    for command in group.registered_commands:
        command.epilog = epilog(f"{path}{command.name}")
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _teach(inner.typer_instance, f"{path}{inner.name} ")


_teach(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"complaints {version('complaints')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Complaint handling as a durable workflow."""


def _refuse(why: str) -> None:
    err.print(Text.assemble(("✗", "red"), f" {why}"), soft_wrap=True)
    sys.exit(1)


def main() -> None:
    """Run a command; a refusal becomes one sentence on standard error and exit code 1."""
    try:
        app()
    except ComplaintsError as error:
        _refuse(str(error))
    except OperationalError as error:
        why = reason(error.orig or error)
        if _FULL in why:
            _refuse(f"The disk of the database is full: {why}. Make room, then say it again.")
        _refuse(f"The database cannot be reached: {why}. Is the system up? Start it with `complaints up`.")
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) not in _NO_SCHEMA:
            raise
        _refuse("The database has not the tables of this version. Start the system once with `complaints up`.")
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _refuse(f"{_FULL} where this is written to. Make room, then say it again.")
        if error.filename is None:
            raise
        _refuse(f"{error.filename} cannot be used: {error.strerror}.")


if __name__ == "__main__":
    main()
