"""Commands about policies and SLA clocks: check, diff, activate, show, explain."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from datetime import datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from complaints.domain.backtest import Tally
from complaints.domain.errors import PolicyInvalid
from complaints.domain.policy import PolicyBundle
from complaints.services import access, clocks
from complaints.services import backtest as replaying
from config import policy as loader
from config.garbage import collect_seldom
from config.wiring import app
from deployments.commands.output import OPERATOR, AsJson, emit, err, facts, out, table

policy = typer.Typer(help="Policies: taxonomy, routing, authority, SLA profiles, retention.", no_args_is_help=True)
sla = typer.Typer(help="SLA clocks.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="Folder of policy files.")]


@policy.command("check")
def check(folder: Folder, as_json: AsJson = False) -> None:
    """Check a policy: every problem at once, with file, line and key. Exit code 1 when there is any."""
    bundle, problems = loader.read(folder)
    told = loader.warnings(bundle) if bundle else []
    data = {"problems": [asdict(p) for p in problems], "warnings": told, "hash": bundle.hash if bundle else None}
    if as_json:
        emit(data, True)
    elif problems:
        for problem in problems:
            out.print(f"[red]✗[/red] {problem}", highlight=False)
    else:
        assert bundle is not None
        out.print(f"[green]✓[/green] {bundle.name} {bundle.hash[:12]} can be activated", highlight=False)
        for warning in told:
            out.print(f"[yellow]![/yellow] {warning}", highlight=False)
    if problems:
        sys.exit(1)


@policy.command("diff")
def diff(
    old: Annotated[str, typer.Argument(help="Folder, `active`, or the beginning of a version's hash.")],
    new: Annotated[str, typer.Argument(help="Folder, `active`, or the beginning of a version's hash.")],
    as_json: AsJson = False,
) -> None:
    """What differs between two policies."""
    rows = loader.diff(_bundle(old), _bundle(new))
    emit(
        [{"path": p, "old": a, "new": b} for p, a, b in rows],
        as_json,
        table(f"{len(rows)} differences", ("where", "old", "new"), [(p, a, b) for p, a, b in rows]),
    )


def _bundle(name: str) -> PolicyBundle:
    if Path(name).is_dir():
        return loader.load(Path(name))
    book = app().policies
    versions = book.versions()
    if name == "active":
        return book.active(app().store.now())
    found = [v for v in versions if v.hash.startswith(name)]
    if len(found) != 1:
        raise PolicyInvalid(f"{name!r} is neither a folder nor the beginning of exactly one version's hash.")
    return book.get(found[0].hash)


@policy.command("activate")
def activate(
    folder: Folder,
    effective: Annotated[datetime | None, typer.Option(help="From when (local time); without it, now.")] = None,
    by: Annotated[str, typer.Option(help="Who activates it.")] = OPERATOR.name,
) -> None:
    """Store a policy and put it in force. Complaints that began under another keep that one."""
    bundle = loader.load(folder)
    app().activate_policy(bundle, OPERATOR, effective.astimezone() if effective else app().store.now(), by)
    out.print(f"{bundle.name} {bundle.hash[:12]} is activated.", highlight=False)


@policy.command("list")
def listing(as_json: AsJson = False) -> None:
    """All versions ever activated."""
    rows = app().policies.versions()
    emit(
        [r.model_dump(mode="json", exclude={"content"}) for r in rows],
        as_json,
        table(
            "Policy versions",
            ("hash", "name", "in force from", "activated", "by"),
            [(r.hash[:12], r.name, r.effective_from, r.activated_at, r.activated_by) for r in rows],
        ),
    )


@policy.command("show")
def show(reference: Annotated[str, typer.Argument(help="Reference of a complaint.")], as_json: AsJson = False) -> None:
    """The policy version that a complaint is pinned to, its profiles and its clocks."""
    with app().store.reading(OPERATOR) as work:
        complaint = access.see(work, reference)
        bundle = work.policies.get(complaint.policy_hash)
        running = clocks.summary(work, complaint)
    profiles = [p for key in complaint.profiles if (p := bundle.sla.profile(key))]
    emit(
        {
            "policy": {"name": bundle.name, "hash": bundle.hash},
            "profiles": [p.model_dump(mode="json", exclude={"clocks"}) for p in profiles],
            "clocks": running,
        },
        as_json,
        facts(complaint.reference, {"policy": f"{bundle.name} {bundle.hash[:12]}"}),
        table(
            "Profiles",
            ("profile", "title", "evidence", "citation"),
            [
                (p.key, p.title_en, p.evidence + (" – verify first" if p.verify_first else ""), p.citation)
                for p in profiles
            ],
        ),
        table(
            "Clocks",
            ("clock", "kind", "state", "started", "due", "used"),
            [(c["clock"], c["kind"], c["state"], c["started_at"], c["due_at"], f"{c['share']:.0%}") for c in running],
        ),
    )


@sla.command("explain")
def explain(
    reference: Annotated[str, typer.Argument(help="Reference of a complaint.")],
    clock: Annotated[str | None, typer.Option(help="Only this clock, as profile.name, e.g. default.resolve.")] = None,
    as_json: AsJson = False,
) -> None:
    """Why a clock is due when it is: day by day what was counted, paused and why, closed, or a holiday."""
    with app().store.reading(OPERATOR) as work:
        complaint = access.see(work, reference)
        told = clocks.explained(work, complaint, clock)
    if as_json:
        emit(
            [
                {
                    "clock": f"{c.profile}.{c.name}",
                    "round": c.round,
                    "state": c.state,
                    "due_at": c.due_at,
                    "days": [asdict(r) for r in rows],
                }
                for c, rows, _ in told
            ],
            True,
        )
        return
    for c, _, lines in told:
        out.print(f"[bold]{c.profile}.{c.name}[/bold] (round {c.round}, {c.state})", highlight=False)
        for line in lines:
            out.print(f"  {line}", highlight=False)


@policy.command("backtest")
def backtest(
    folder: Folder,
    since: Annotated[datetime, typer.Option("--from", help="Complaints received from this day on.")],
    until: Annotated[datetime, typer.Option("--to", help="…and before this day.")],
    processes: Annotated[int, typer.Option(help="Processes that share the work.", min=1, max=32)] = 2,
    as_json: AsJson = False,
) -> None:
    """Replay past complaints under another policy: what would have been warned, breached, extended, against what was.

    Reads only; the running policy is not touched.
    """
    loader.load(folder)  # complain about the policy before the work begins
    period = (since.astimezone(), until.astimezone())
    total = replaying.count(app().engine, *period)
    tally = Tally()
    with (
        ProcessPoolExecutor(processes, get_context("spawn"), collect_seldom) as pool,
        Progress(console=err, transient=True, disable=as_json) as progress,
    ):
        job = progress.add_task(f"Replaying {total} complaints", total=total)
        pieces = max(processes, min(processes * 8, total // 500))
        shares = [pool.submit(_share, folder, *period, part, pieces) for part in range(pieces)]
        for share in as_completed(shares):
            tally.merge(share.result())
            progress.update(job, completed=tally.cases)
    rows = _compared(tally)
    emit(
        {"cases": tally.cases, "rows": [dict(zip(_COLUMNS, r, strict=True)) for r in rows]},
        as_json,
        table(f"{tally.cases} complaints: own policy → {folder.name}", _COLUMNS, rows),
    )


_COLUMNS = ("clock", "severity", "team", "clocks", "warned", "breached", "extended")


def _share(folder: Path, since: datetime, until: datetime, part: int, of: int) -> Tally:
    """One process's share of a back-test."""
    the = app()
    return replaying.run(the.engine, the.policies.get, _read(folder), since, until, the.store.now(), part=part, of=of)


_read = cache(loader.load)  # a process has several shares


def _compared(tally: Tally) -> list[tuple[str, ...]]:
    keys = sorted({key[1:4] for key in tally.counts})

    def pair(key: tuple[str, str, str], verdict: str) -> str:
        own, other = (tally.counts[name, *key, verdict] for name in ("own", "other"))
        return f"{own} → {other}"

    return [(*key, *(pair(key, v) for v in ("clocks", "warned", "breached", "extended"))) for key in keys]
