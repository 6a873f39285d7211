"""Commands for operations: doctor, audit, archive and disposal, outbox, keys."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from rich.progress import Progress
from sqlmodel import col, func, select

from complaints.archive.verify import verify as verify_bags
from complaints.domain.errors import ComplaintsError, NotFound
from complaints.domain.reference import parse
from complaints.domain.vocabulary import IntentState, Status
from complaints.services import marks, postroom, reading, reconcile, retention, trail
from complaints.services import people as people_service
from complaints.store.tables import Complaint, Event, Outbox, Person
from config.policy import ending
from config.wiring import app, wall_clock
from deployments.commands.output import OPERATOR, AsJson, emit, err, facts, out, say, short, table

audit = typer.Typer(help="The tamper-evident case log.", no_args_is_help=True)
archive = typer.Typer(help="The archive of closed complaints.", no_args_is_help=True)
outbox = typer.Typer(help="Messages, run starts and webhooks waiting to be acted on.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare every open complaint with Prefect and the outbox; say what is wrong, and with --repair mend it.

    `not_well` names the parts of the system that are not, as the web process sees them at /healthz. Exit code 0: all is
    well (or was mended); 1: something needs a person.
    """
    the = app()
    found: dict[str, Any] = {"prefect": "reachable"}
    try:
        if repair:
            from tasks.operations import release_orphans  # loads Prefect: only where it is needed

            found["orphaned_runs"] = release_orphans()
        report = reconcile.reconcile(
            the.store, the.runs.states, repair=repair, restart_failed=repair, messages=the.runs.messages
        )
        found |= report.as_dict()
        clean = report.clean
    except (ComplaintsError, httpx.HTTPError) as error:
        found["prefect"], clean = f"not reachable: {error}", False
    with the.store.reading(OPERATOR) as work:
        dead = work.session.exec(select(func.count()).where(Outbox.state == IntentState.DEAD)).one()
        backlog = work.session.exec(
            select(func.count()).where(Outbox.state == IntentState.PENDING, col(Outbox.next_at) < work.now)
        ).one()
        faults = marks.faults(work)
        last = {name: mark.at for name, mark in marks.marks(work).items()}
        calendars = ending(work.policy, work.now.date())
    found |= {"dead_letters": dead, "overdue_intents": backlog, "clock_faults": sorted(faults)}
    found |= {"calendars": calendars, "last": last}
    the.background.drain()
    reachable = found["prefect"] == "reachable"
    unwell = _not_well(f"{the.settings.web_url}/healthz", [] if reachable else ["prefect"])
    mended = repair and reachable
    healthy = (clean or mended) and not (dead or faults or found.get("stuck") or unwell)
    found |= {"not_well": unwell, "healthy": healthy}
    why = found.get("why", {})
    emit(
        found,
        as_json,
        facts("Doctor", {k: _short(v) for k, v in found.items() if k != "why"}),
        *([table("Why runs failed", ("reference", "what Prefect says"), why.items())] if why else []),
        *([] if healthy else [f"Something is wrong. Next: {_next(found, may_mend=not clean and not repair)}"]),
    )
    if not healthy:
        sys.exit(1)


def _next(found: dict[str, Any], may_mend: bool) -> str:
    """What to do about what was found: the most particular thing first."""
    if found["clock_faults"]:
        return f"complaints sla explain {found['clock_faults'][0]}"
    if found["dead_letters"]:
        return "complaints outbox list --state dead"
    if may_mend and found["prefect"] == "reachable":
        return "complaints doctor --repair"
    return f"docs/runbook.md, for: {', '.join(found['not_well'] or found['stuck'])}"


def _not_well(health: str, known: list[str]) -> list[str]:
    """The parts that are not well: what is known, and what `/healthz` says; `web` where it says nothing."""
    try:
        parts: dict[str, dict[str, Any]] = httpx.get(health, timeout=10).json()["parts"]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return [*known, "web"]
    return list(dict.fromkeys([*known, *(name for name, part in parts.items() if not part["ok"])]))


def _short(value: object) -> object:
    if isinstance(value, list):
        return f"{len(value)}: {', '.join(map(str, value[:10]))}{' …' if len(value) > 10 else ''}" if value else None
    if isinstance(value, dict):
        return ", ".join(f"{name} {_age(at)} ago" for name, at in value.items())
    return value


def _age(at: datetime) -> timedelta:
    return timedelta(seconds=max(0, int((wall_clock() - at).total_seconds())))


@audit.command("verify")
def audit_verify(
    reference: Annotated[str | None, typer.Argument(help="Only this complaint; without it, all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the hash chain of the case logs, and of the log of administration where no complaint is named.

    Exit code 1 when anything was edited, removed or inserted. An erased complaint has no log; it is counted, and looked
    up in the log of administration.
    """
    verdict, erased, house = _audited(reference, quiet=as_json)
    broken = [{"reference": name, "seq": seq, "what": what} for name, seq, what in verdict.broken]
    gone = f" ({erased} erased: their logs are gone)" if erased else ""
    lines = [f"{verdict.checked} case logs checked{gone}, {len(broken)} breaks."]
    found: dict[str, Any] = {"checked": verdict.checked, "erased": erased, "broken": broken}
    rows = list(verdict.broken)
    if house is not None:
        in_house = [{"entry": entry, "what": what} for _, entry, what in house.broken]
        found["administration"] = {"checked": house.checked, "broken": in_house}
        lines.append(f"{house.checked} entries of the log of administration checked, {len(in_house)} breaks.")
        rows += [("administration", entry, what) for _, entry, what in house.broken]
    emit(found, as_json, *lines, *([table("Breaks", ("reference", "event", "what"), rows)] if rows else []))
    if rows:
        sys.exit(1)


def _audited(reference: str | None, quiet: bool) -> tuple[trail.Verdict, int, trail.Verdict | None]:
    """What the check of the case logs found, how many cases were erased, and the same for the log of administration."""
    checked, erased, broken = 0, 0, list[tuple[str, int, str]]()
    with app().store.reading(OPERATOR) as work, Progress(console=err, transient=True, disable=quiet) as progress:
        # one moment for heads and events: the system goes on writing meanwhile
        work.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        query = select(  # type: ignore[call-overload]  # more columns than its overloads know
            Complaint.id, Complaint.reference, Complaint.status, Complaint.chain_head, Complaint.event_count
        )
        if reference is not None:
            query = query.where(Complaint.reference == parse(reference))
        rows = work.session.exec(query.order_by(col(Complaint.id))).all()
        if reference is not None and not rows:
            raise NotFound("complaint", reference)
        for complaint_id, name, status, head, count in progress.track(rows, description="Checking case logs"):
            events = work.session.exec(
                select(Event).where(Event.complaint_id == complaint_id).order_by(col(Event.seq))
            ).all()
            checked, erased = checked + 1, erased + (status == Status.ERASED)
            broken += [(name, b.seq, b.what) for b in trail.breaks(work, name, status, events, head, count)]
            work.session.expunge_all()
        house = trail.check_administration(work) if reference is None else None
    return trail.Verdict(checked, broken), erased, house


@archive.command("verify")
def archive_verify(as_json: AsJson = False) -> None:
    """Re-check every bag in the archive: missing, altered or extra files. Exit code 1 when anything is wrong."""
    bad: list[dict[str, Any]] = []
    checked = 0
    with Progress(console=err, transient=True, disable=as_json) as progress:
        job = progress.add_task("Checking bags", total=None)
        for verdict in verify_bags(app().settings.archive_url(), _known_bags()):
            checked += 1
            progress.update(job, advance=1, description=f"Checking bags: {checked}")
            if not verdict.ok:
                bad.append({"bag": verdict.url, "problems": list(verdict.problems)})
    if as_json:
        emit({"checked": checked, "bad": bad}, True)
    else:
        say(f"{checked} bags checked, {len(bad)} not as they were written.")
        if bad:
            out.print(table("Bad bags", ("bag", "problems"), [(b["bag"], "; ".join(b["problems"])) for b in bad]))
    if bad:
        sys.exit(1)


def disposals(
    limit: Annotated[int, typer.Option(help="Most rows.", min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List archived complaints whose retention date has come, the longest overdue first.

    To dispose of one, somebody requests it (`complaints act REFERENCE request_disposal`) and somebody else erases it
    (`complaints act REFERENCE erase`).
    """
    with app().store.reading(OPERATOR) as work:
        found, more = retention.due(work, limit)
    columns = ("reference", "closed", "retention until", "legal hold", "requested by")
    rows = [
        (
            each.complaint.reference,
            each.complaint.closed_at,
            each.complaint.retention_until,
            each.complaint.legal_hold,
            each.requested_by,
        )
        for each in found
    ]
    keys = [column.replace(" ", "_") for column in columns]
    emit(
        [dict(zip(keys, row, strict=True)) for row in rows],
        as_json,
        table("Due for disposal", columns, rows),
        *(["There are more: give a larger --limit."] if more else []),
    )


def _known_bags() -> dict[str, str]:
    """What the rows say of each bag: its address and hash."""
    with app().store.reading(OPERATOR) as work:
        query = select(Complaint.bag_url, Complaint.bag_hash).where(col(Complaint.bag_url).is_not(None))
        return {str(url): str(digest) for url, digest in work.session.exec(query).all()}


@outbox.command("list")
def outbox_list(
    state: Annotated[IntentState | None, typer.Option(help="Only this state.")] = None,
    limit: Annotated[int, typer.Option(help="Most rows.", min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List intents, newest first; dead ones say why."""
    with app().store.reading(OPERATOR) as work:
        query = select(Outbox).order_by(col(Outbox.created_at).desc()).limit(limit + 1)
        found = work.session.exec(query.where(Outbox.state == state) if state else query).all()
    rows = found[:limit]
    emit(
        [r.model_dump(mode="json") for r in rows],
        as_json,
        table(
            "Outbox",
            ("id", "kind", "what", "state", "attempts", "next", "last error"),
            [
                (short(r.id), r.kind, r.payload.get("template", ""), r.state, r.attempts, r.next_at, r.last_error[:80])
                for r in rows
            ],
        ),
        *(["There are more: give --state or a larger --limit."] if len(found) > limit else []),
    )


@outbox.command("replay")
def outbox_replay(
    intent: Annotated[
        str,
        typer.Argument(
            help="One dead intent: its id, or eight or more digits of the id's beginning or end, as `outbox list` "
            "shows them. Without it: all dead ones."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Give dead letters another life, from the first attempt. What was sent already is not sent again."""
    with app().store.work(OPERATOR) as work:
        if intent:
            postroom.replay(work, reading.named_intent(work, intent).id)
            count = 1
        else:
            count = postroom.replay_all(work, most=None)
    app().background.drain()
    emit({"replayed": count}, as_json, f"{count} replayed.")


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="Scope (repeatable): " + ", ".join(people_service.SCOPES))],
    login: Annotated[str | None, typer.Option("--for", help="Login of the person who acts with it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and print its secret, which is shown this once."""
    with app().store.work(OPERATOR) as work:
        person = None
        if login:
            person = work.session.exec(select(Person).where(Person.login == login)).first()
            if person is None:
                raise NotFound("person", login)
        row, secret = people_service.create_key(work, name, scope, person=person)
    emit(row.model_dump(mode="json", exclude={"hash"}) | {"secret": secret}, as_json, secret)
    err.print(f"Key {row.id} ({name}). Keep the secret: it is not stored and cannot be shown again.", soft_wrap=True)


@keys.command("list")
def keys_list(as_json: AsJson = False) -> None:
    """List API keys, those in use first; their secrets are nowhere."""
    with app().store.reading(OPERATOR) as work:
        rows = people_service.keys(work)
    emit(
        [row.model_dump(mode="json", exclude={"hash"}) | {"person": login} for row, login in rows],
        as_json,
        table(
            "API keys",
            ("id", "name", "begins", "scopes", "person", "last used", "revoked"),
            [(k.id, k.name, k.prefix, ", ".join(k.scopes), who, k.last_used_at, k.revoked_at) for k, who in rows],
        ),
    )


@keys.command("revoke")
def keys_revoke(
    key: Annotated[UUID, typer.Argument(help="Id of the key, from `keys list`.")], as_json: AsJson = False
) -> None:
    """Revoke an API key: from now on it opens nothing."""
    with app().store.work(OPERATOR) as work:
        row = people_service.revoke_key(work, key)
    emit(row.model_dump(mode="json", exclude={"hash"}), as_json, f"Key {row.name} revoked.")
