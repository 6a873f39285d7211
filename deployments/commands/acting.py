"""Commands that do something to a complaint beside its tasks: any action, withdrawing, attaching files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from complaints.domain.commands import COMMANDS
from complaints.domain.errors import InvalidInput, Refusal
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Audience
from complaints.services import access, actions, attachments
from complaints.services.transition import row_for
from complaints.store.tables import Complaint
from config.wiring import app
from deployments.commands.cases import Reference
from deployments.commands.given import example, pieces, read_json, wanted, wanted_table
from deployments.commands.output import OPERATOR, As, AsJson, actor, emit, table


def act(
    reference: Reference,
    action: Annotated[str, typer.Argument(help="What to do. Without it: what is possible now.")] = "",
    body: Annotated[
        str,
        typer.Argument(help="What goes with it, as JSON; '-' is standard input, '@f' a file. Without it: its fields."),
    ] = "",
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """Do any action on a complaint: add a note, ask the complainant, correct the category, escalate, reopen, …

    Without ACTION it says what is possible now; with an ACTION alone, what the action wants to be given.
    """
    who = _who(login)
    if action not in COMMANDS:
        _offer(who, reference, action, as_json)
    elif not body:
        _explain(reference, action, as_json)
    else:
        _do(who, reference, action, read_json(body, "body"), as_json)


def _who(login: str | None) -> Actor:
    with app().store.reading(OPERATOR) as work:
        return actor(work, login)


def _offer(who: Actor, reference: str, action: str, as_json: bool) -> None:
    with app().store.reading(who) as work:
        complaint = access.see(work, reference)
        possible = actions.allowed_for(work, complaint)
    if action:
        now = f"{complaint.reference} is {complaint.status}; possible now: {', '.join(possible) or 'nothing'}"
        raise InvalidInput(f"There is no action {action!r}. {now}.")
    rows = [(name, (COMMANDS[name].__doc__ or "").strip()) for name in possible]
    emit(
        {"reference": complaint.reference, "status": complaint.status, "actions": dict(rows)},
        as_json,
        table(f"{complaint.reference} is {complaint.status}; possible now", ("action", "meaning"), rows),
    )


def _explain(reference: str, action: str, as_json: bool) -> None:
    form, about = COMMANDS[action], (COMMANDS[action].__doc__ or "").strip()
    sample = json.dumps(example(form), ensure_ascii=False)
    emit(
        {"action": action, "meaning": about, "fields": wanted(form), "example": example(form)},
        as_json,
        wanted_table(f"{action}: {about}", form),
        f"For example: complaints act {reference} {action} '{sample}'",
    )


def _do(who: Actor, reference: str, action: str, body: dict[str, Any], as_json: bool) -> None:
    with app().store.work(who) as work:
        complaint = actions.act(work, reference, action, body)
    app().background.drain()
    emit(_result(complaint, action), as_json, f"{complaint.reference}: {action} done, now {complaint.status}")


def _result(complaint: Complaint, action: str) -> dict[str, Any]:
    return {
        "reference": complaint.reference,
        "action": action,
        "status": complaint.status,
        "version": complaint.version,
    }


def withdraw(
    reference: Reference,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw a complaint: it is closed and archived, the complainant is told."""
    if not yes:
        typer.confirm(f"Withdraw {reference}? This cannot be undone", abort=True, err=True)
    _do(_who(login), reference, "withdraw", {"reason": reason}, as_json)


def attach(
    reference: Reference,
    files: Annotated[list[Path], typer.Argument(help="Files: documents, pictures, sound; judged by their content.")],
    audience: Annotated[Audience, typer.Option("--for", help="Who may read them.")] = Audience.INTERNAL,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """Attach files to a complaint, all or none. A file that is there already under the same name is left alone."""
    the, who = app(), _who(login)
    with the.store.reading(who) as work:
        row_for(work, access.see(work, reference), "add_attachment", who.roles)
    judged = [_judged(path) for path in files]
    with the.store.work(who) as work:
        done = [attachments.attach(work, reference, file, audience) for file in judged]
    emit(
        [row.model_dump(mode="json") | {"new": new} for row, new in done],
        as_json,
        *(f"{row.name} ({row.content_type}) is {'attached' if new else 'there already'}." for row, new in done),
    )


def _judged(path: Path) -> attachments.NewFile:
    settings = app().settings
    limit, types = settings.attachment_limit, settings.attachment_types
    try:
        return attachments.store(app().blobs, pieces(path), path.name, limit, types)
    except InvalidInput as error:
        raise InvalidInput(error.problems[0].message, str(path)) from None
    except Refusal as error:
        raise InvalidInput(str(error), str(path)) from None
