"""Commands that take, show and list complaints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from textwrap import indent
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table
from sqlmodel import SQLModel

from complaints.domain.errors import InvalidInput
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Channel, Language, Severity, Status
from complaints.services import access, actions, attachments, intake, reading, view
from complaints.services.view import Whole
from complaints.store.tables import Attachment, Complainant, Complaint, Event, Message
from config.wiring import app
from deployments.commands.given import read_text
from deployments.commands.output import OPERATOR, AsJson, by_office_clock, emit, facts, office_time, short, table

Reference = Annotated[str, typer.Argument(help="Reference of the complaint, e.g. C26-000042-7.")]


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
    received: Annotated[
        datetime | None, typer.Option(help="When it reached us, if earlier than now, by the clock of the office.")
    ] = None,
    jurisdiction: Annotated[str, typer.Option(help="Tag that selects regulatory profiles, e.g. uk.")] = "",
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same key again gives the same reference.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a complaint and print its reference."""
    text = read_text(narrative, "narrative")
    try:
        new = NewComplaint(
            narrative=text,
            subject=subject,
            language=language,
            channel=channel,
            product=product,
            desired_remedy=remedy,
            received_at=received and by_office_clock(received),
            jurisdiction=jurisdiction,
            complainant=NewComplainant(name=name, email=email, phone=phone),
        )
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    with app().store.work(OPERATOR) as work:
        taken = intake.submit(work, new, app().classifier, owner="cli", key=key)
    app().background.drain()
    data = {"reference": taken.reference, "id": str(taken.id), "new": taken.new}
    emit(data, as_json, taken.reference if taken.new else f"{taken.reference} (taken before)")


def show(reference: Reference, as_json: AsJson = False) -> None:
    """Everything about one complaint.

    State, narrative, open tasks, findings, decisions, remedies, survey, relations, attachments, thread, timeline.
    """
    with app().store.reading(OPERATOR) as work:
        complaint = access.see(work, reference)
        whole = view.whole(work, complaint)
        thread = view.thread(work, complaint, view.EVERYTHING)
        files = attachments.of(work, complaint, view.EVERYTHING)
        events = actions.timeline(work, complaint, view.EVERYTHING)
    data = {
        "complaint": complaint.model_dump(mode="json", exclude={"search"}),
        "complainants": _dumped(whole.complainants),
        "open_tasks": _dumped(whole.open_steps),
        "findings": _dumped(whole.findings),
        "decisions": _dumped(whole.decisions),
        "remedies": _dumped(whole.remedies),
        "surveys": _dumped(whole.surveys),
        "relations": [asdict(r) for r in whole.relations],
        "attachments": _dumped(files),
        "thread": _dumped(thread),
        "events": _dumped(events),
        "actions": whole.allowed,
    }
    emit(data, as_json, *_pages(whole, thread, files, events))


def _dumped(rows: Iterable[SQLModel]) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in rows]


def _pages(whole: Whole, thread: list[Message], files: list[Attachment], events: list[Event]) -> Iterator[Table | str]:
    """What a person reads, in the order of asking; what there is none of is left out."""
    yield _state(whole)
    yield f"Narrative\n\n{indent(whole.complaint.narrative, '  ')}\n"
    for title, columns, rows in (
        (
            "Open tasks",
            ("task", "step", "team", "state", "due"),
            [(short(s.id), s.gate, s.team, s.state, s.due_at) for s in whole.open_steps],
        ),
        (
            "Findings",
            ("at", "source", "finding", "summary", "root cause", "by"),
            [(f.at, f.source, f.finding, f.summary, f.root_cause, f.by_name) for f in whole.findings],
        ),
        (
            "Decisions",
            ("at", "outcome", "reason", "by"),
            [(d.at, d.outcome, d.reason, d.by_name) for d in whole.decisions],
        ),
        (
            "Remedies",
            ("kind", "description", "amount", "state", "due", "evidence"),
            [
                (r.kind, r.description, f"{r.amount} {r.currency}" if r.amount else "", r.state, r.due_at, r.evidence)
                for r in whole.remedies
            ],
        ),
        (
            "Survey",
            ("at", "accepted", "rating", "resolved", "effort", "words", "via"),
            [(s.at, s.accepted, s.rating, s.resolved, s.effort, s.words, s.via) for s in whole.surveys],
        ),
        (
            "Related complaints",
            ("reference", "how", "note"),
            [(r.reference, r.kind if r.outgoing else f"{r.kind} (from there)", r.note) for r in whole.relations],
        ),
        (
            "Attachments",
            ("at", "name", "type", "bytes", "for", "by"),
            [(a.at, a.name, a.content_type, a.size, a.audience, a.uploaded_by) for a in files],
        ),
    ):
        if rows:
            yield table(title, columns, rows)
    if thread:
        yield "Thread\n"
    for message in thread:
        kind = f"{message.direction}, {message.channel}, {message.kind or 'message'}, for {message.audience}"
        yield f"  {office_time(message.at)}  {message.author} ({kind})  {message.subject}"
        yield f"{indent(message.body.strip(), '    ')}\n"
    log = [(e.seq, e.at, e.kind, e.actor_name, e.to_status, e.reason) for e in events]
    yield table("Timeline", ("#", "at", "event", "by", "status", "reason"), log)


def _state(whole: Whole) -> Table:
    complaint, words = whole.complaint, whole.complaint.classification.get("evidence", [])
    return facts(
        complaint.reference,
        {
            "status": complaint.status,
            "subject": complaint.subject,
            "complainants": "; ".join(_who(c) for c in whole.complainants),
            "category": f"{complaint.category} ({complaint.confidence:.0%} sure)" if complaint.category else "",
            "decided by": ", ".join(dict.fromkeys(str(w["word"]) for w in words[:8])),
            "severity": complaint.severity,
            "team": complaint.team,
            "flags": ", ".join(complaint.flags),
            "received": complaint.received_at,
            "acknowledged": complaint.acknowledged_at,
            "due": complaint.due_at,
            "finding": complaint.finding,
            "closing category": complaint.closing_category,
            "merged into": whole.merged_into,
            "archive bag": complaint.bag_url,
            "flow run": complaint.run_id,
            "possible now": ", ".join(whole.allowed),
        },
    )


def _who(complainant: Complainant) -> str:
    return ", ".join(filter(None, (complainant.name or "anonymous", complainant.email, complainant.phone)))


def listing(
    status: Annotated[list[Status] | None, typer.Option(help="Only this status (repeatable).")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only this category (repeatable).")] = None,
    severity: Annotated[list[Severity] | None, typer.Option(help="Only this severity (repeatable).")] = None,
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
        reading.check_filter(work, wanted)
        page = reading.complaints(work, wanted, limit=limit, cursor=cursor)
    emit(
        {"items": [_brief(c) for c in page.items], "next": page.next},
        as_json,
        table(
            "Complaints",
            ("reference", "status", "category", "severity", "team", "received", "subject"),
            [
                (c.reference, c.status, c.category, c.severity, c.team, c.received_at, c.subject[:60])
                for c in page.items
            ],
        ),
        *([] if page.next is None else [f"There are more: --cursor {page.next}"]),
    )


def _brief(complaint: Complaint) -> dict[str, Any]:
    fields = {"id", "reference", "status", "category", "severity", "team", "received_at", "due_at", "subject"}
    return complaint.model_dump(mode="json", include=fields)
