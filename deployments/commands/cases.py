"""Commands about complaints: submit, show, list, withdraw and every other action."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from complaints.domain.commands import COMMANDS
from complaints.domain.errors import InvalidInput
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Audience, Channel, Language
from complaints.services import access, actions, decision, intake, reading
from complaints.services.opening import open_steps
from complaints.store.tables import Complaint
from config.wiring import app
from deployments.commands.output import OPERATOR, As, AsJson, actor, emit, facts, out, table

Reference = Annotated[str, typer.Argument(help="Reference of the complaint, e.g. C26-000042-7.")]


def read_json(text: str, name: str) -> dict[str, Any]:
    """A JSON object given on the command line; `-` reads standard input, `@file` a file."""
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = Path(text[1:]).read_text(encoding="utf-8")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", name) from None
    if not isinstance(value, dict):
        raise InvalidInput('give a JSON object, e.g. \'{"reason": "…"}\'', name)
    return value


def submit(
    narrative: Annotated[str, typer.Argument(help="What happened; '-' reads standard input.")],
    subject: Annotated[str, typer.Option(help="Short title.")] = "",
    name: Annotated[str, typer.Option(help="Name of the complainant.")] = "",
    email: Annotated[str | None, typer.Option(help="E-mail address for our letters.")] = None,
    phone: Annotated[str | None, typer.Option(help="Telephone number.")] = None,
    language: Annotated[Language | None, typer.Option(help="Language of our letters; found from the words.")] = None,
    channel: Annotated[Channel, typer.Option(help="How it arrived.")] = Channel.PHONE,
    product: Annotated[str, typer.Option(help="Product or service.")] = "",
    remedy: Annotated[str, typer.Option(help="What would put it right.")] = "",
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same key again gives the same reference.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a complaint and print its reference."""
    text = sys.stdin.read() if narrative == "-" else narrative
    try:
        new = NewComplaint(
            narrative=text,
            subject=subject,
            language=language,
            channel=channel,
            product=product,
            desired_remedy=remedy,
            complainant=NewComplainant(name=name, email=email, phone=phone),
        )
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    with app().store.work(OPERATOR) as work:
        taken = intake.submit(work, new, app().classifier, owner="cli", key=key)
    app().background.drain()
    data = {"reference": taken.reference, "id": str(taken.id), "new": taken.new}
    if as_json:
        emit(data, True)
    else:
        out.print(f"[bold]{taken.reference}[/bold]{'' if taken.new else ' (taken before)'}")


def show(reference: Reference, as_json: AsJson = False) -> None:
    """Everything about one complaint: state, open tasks, findings, remedies, timeline, thread."""
    with app().store.reading(OPERATOR) as work:
        complaint = access.see(work, reference)
        events = actions.timeline(work, complaint, frozenset(Audience))
        steps = open_steps(work, complaint)
        remedies = decision.remedies(work, complaint)
        latest = decision.findings(work, complaint)
        possible = actions.allowed_for(work, complaint)
    data = {
        "complaint": complaint.model_dump(mode="json", exclude={"search"}),
        "open_tasks": [s.model_dump(mode="json") for s in steps],
        "findings": latest.model_dump(mode="json") if latest else None,
        "remedies": [r.model_dump(mode="json") for r in remedies],
        "events": [e.model_dump(mode="json") for e in events],
        "actions": possible,
    }
    words = complaint.classification.get("evidence", [])
    emit(
        data,
        as_json,
        facts(
            complaint.reference,
            {
                "status": complaint.status,
                "subject": complaint.subject,
                "category": f"{complaint.category} ({complaint.confidence:.0%} sure)" if complaint.category else "",
                "decided by": ", ".join(dict.fromkeys(str(w["word"]) for w in words[:8])),
                "severity": complaint.severity,
                "team": complaint.team,
                "flags": ", ".join(complaint.flags),
                "received": complaint.received_at,
                "acknowledged": complaint.acknowledged_at,
                "due": complaint.due_at,
                "finding": complaint.finding,
                "findings": latest.summary if latest else "",
                "remedies": "; ".join(f"{r.kind}: {r.description} ({r.state})" for r in remedies),
                "closing category": complaint.closing_category,
                "archive bag": complaint.bag_url,
                "flow run": complaint.run_id,
                "possible now": ", ".join(possible),
            },
        ),
        table(
            "Open tasks",
            ("task", "kind", "team", "state", "due"),
            [(s.id, s.gate, s.team, s.state, s.due_at) for s in steps],
        ),
        table(
            "Timeline",
            ("#", "at", "event", "by", "status", "reason"),
            [(e.seq, e.at, e.kind, e.actor_name, e.to_status, e.reason) for e in events],
        ),
    )


def listing(
    status: Annotated[list[str] | None, typer.Option(help="Only this status (repeatable).")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only this category (repeatable).")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="Only this severity (repeatable).")] = None,
    team: Annotated[list[str] | None, typer.Option(help="Only this team (repeatable).")] = None,
    words: Annotated[str, typer.Option(help="Words that must occur, in any language.")] = "",
    limit: Annotated[int, typer.Option(help="Most rows.", min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """List complaints, newest first."""
    wanted = reading.Filter(
        status=status or (), category=category or (), severity=severity or (), team=team or (), words=words
    )
    with app().store.reading(OPERATOR) as work:
        page = reading.complaints(work, wanted, limit=limit, cursor=cursor)
    emit(
        {"items": [_brief(c) for c in page.items], "next": page.next},
        as_json,
        table(
            "Complaints" + ("" if page.next is None else f" (more: --cursor {page.next})"),
            ("reference", "status", "category", "severity", "team", "received", "subject"),
            [
                (c.reference, c.status, c.category, c.severity, c.team, c.received_at, c.subject[:60])
                for c in page.items
            ],
        ),
    )


def _brief(complaint: Complaint) -> dict[str, Any]:
    fields = {"id", "reference", "status", "category", "severity", "team", "received_at", "due_at", "subject"}
    return complaint.model_dump(mode="json", include=fields)


def withdraw(
    reference: Reference,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    login: As = None,
) -> None:
    """Withdraw a complaint: it is closed and archived, the complainant is told."""
    if not yes:
        typer.confirm(f"Withdraw {reference}? This cannot be undone", abort=True)
    _act(reference, "withdraw", {"reason": reason}, login)


def act(
    reference: Reference,
    action: Annotated[str, typer.Argument(help="One of: " + ", ".join(COMMANDS))],
    body: Annotated[
        str, typer.Argument(help="What goes with it, as JSON; '-' reads standard input, '@f' a file.")
    ] = "{}",
    login: As = None,
) -> None:
    """Do any other action on a complaint, e.g.: act C26-000042-7 add_note '{"text": "called back"}'."""
    _act(reference, action, read_json(body, "body"), login)


def _act(reference: str, action: str, body: dict[str, Any], login: str | None) -> None:
    with app().store.reading(OPERATOR) as work:
        who = actor(work, login)
    with app().store.work(who) as work:
        complaint = actions.act(work, reference, action, body)
    app().background.drain()
    out.print(f"{complaint.reference}: {action} done, now [bold]{complaint.status}[/bold]")
