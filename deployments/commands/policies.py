"""Commands about policies and SLA clocks: check, diff, activate, show, explain."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict
from datetime import datetime
from functools import cache
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE_HEAD
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table
from rich.text import Text

from complaints.domain.backtest import Tally
from complaints.domain.errors import InvalidInput, PolicyInvalid
from complaints.domain.explain_words import tell
from complaints.domain.policy import PolicyBundle
from complaints.domain.vocabulary import Language
from complaints.services import access, clocks
from complaints.services import backtest as replaying
from config import policy as loader
from config.garbage import collect_seldom
from config.lexicons import wrong_words
from config.wiring import app, wall_clock
from deployments.commands.output import OPERATOR, AsJson, by_office_clock, emit, err, facts, out, say, table

policy = typer.Typer(help="Policies: taxonomy, routing, authority, SLA profiles, retention.", no_args_is_help=True)
sla = typer.Typer(help="SLA clocks.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="Folder of policy files.")]


@policy.command("check")
def check(folder: Folder, as_json: AsJson = False) -> None:
    """Check a policy: every problem of every file at once, with line, key and what to do. Exit code 1 if there is any.

    A sound policy is told with its hash and what to know before relying on it: profiles to verify, provisional years,
    calendars that end soon.
    """
    bundle, problems = loader.read(folder)
    problems += wrong_words(folder) if folder.is_dir() else []
    told = loader.warnings(bundle, wall_clock().date()) if bundle else []
    data = {"problems": [asdict(p) for p in problems], "warnings": told, "hash": bundle.hash if bundle else None}
    if as_json:
        emit(data, True)
    elif problems:
        for problem in problems:
            out.print(Text.assemble(("✗", "red"), f" {problem}"), soft_wrap=True)
    else:
        assert bundle is not None
        said = f" {bundle.name} {bundle.hash[:12]} can be activated"
        out.print(Text.assemble(("✓", "green"), said), soft_wrap=True)
        for warning in told:
            out.print(Text.assemble(("!", "yellow"), f" {warning}"), soft_wrap=True)
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
    effective: Annotated[
        datetime | None, typer.Option(help="From when, by the clock of the office; without it, now.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who activates it.")] = OPERATOR.name,
    as_json: AsJson = False,
) -> None:
    """Store a policy and put it in force. Complaints that began under another keep that one."""
    bundle = loader.load(folder)
    since = _since(bundle, by_office_clock(effective) if effective else None)
    app().activate_policy(bundle, OPERATOR, since or app().store.now(), by)
    data = {"name": bundle.name, "hash": bundle.hash, "by": by, "effective": since}
    when = f"will be in force from {since:%Y-%m-%d %H:%M %Z}" if since else "is activated"
    emit(data, as_json, f"{bundle.name} {bundle.hash[:12]} {when}.")


def _since(bundle: PolicyBundle, effective: datetime | None) -> datetime | None:
    """The date asked for, if it takes nothing away: a version is in force from one date."""
    now = app().store.now()
    if effective is not None and effective <= now:
        raise PolicyInvalid(
            f"{effective:%Y-%m-%d %H:%M %Z} has passed. Leave --effective out to activate the policy now."
        )
    if effective is not None and bundle.hash == app().policies.active(now).hash:
        raise PolicyInvalid(
            f"{bundle.name} {bundle.hash[:12]} is in force already; a later date would put it out of force until then."
        )
    return effective


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
    language: Annotated[Language, typer.Option(help="Language of the text.")] = Language.EN,
    as_json: AsJson = False,
) -> None:
    """Why a clock is due when it is: day by day what was counted, paused and why, opening hours, holidays."""
    with app().store.reading(OPERATOR) as work:
        told = clocks.explained(work, access.see(work, reference), ZoneInfo(app().settings.time_zone), clock)
    if as_json:
        emit([asdict(one) for one in told], True)
        return
    for number, one in enumerate(told):
        say("\n" * bool(number) + "\n".join(tell(one, language).lines()))


@policy.command("backtest")
def backtest(
    folder: Folder,
    since: Annotated[datetime, typer.Option("--from", help="Complaints received from this day on.")],
    until: Annotated[datetime, typer.Option("--to", help="…and before this day.")],
    processes: Annotated[int, typer.Option(help="Processes that share the work.", min=1, max=32)] = 2,
    as_json: AsJson = False,
) -> None:
    """Replay past complaints under another policy: what would have been warned, breached, extended, against what was.

    `warned`: a clock reached a rung of its own ladder before its due time. Reads only; the running policy is not
    touched.
    """
    if until <= since:
        raise InvalidInput("lies before --from, or is the same day", "--to")
    loader.load(folder)  # complain about the policy before the work begins
    period = (by_office_clock(since), by_office_clock(until))
    tally = _replayed(folder, period, replaying.count(app().engine, *period), processes)
    emit(
        {"cases": tally.cases, "rows": [_row(tally, *key) for key in sorted({key[1:4] for key in tally.counts})]},
        as_json,
        _compared(f"{tally.cases} complaints: what their own policy did, what {folder.name} would", "clock", tally, 0),
        _compared("By severity and team", "severity, team", tally, 1, 2),
    )


_VERDICTS = ("clocks", "warned", "breached", "extended")


def _replayed(folder: Path, period: tuple[datetime, datetime], total: int, processes: int) -> Tally:
    """The whole period, shared among processes; the bar advances with every chunk that any of them has done."""
    tally, context = Tally(), get_context("spawn")
    done = context.Value("q", 0)
    with (
        ProcessPoolExecutor(processes, context, _begin, (done,)) as pool,
        Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=err) as progress,
    ):
        job = progress.add_task("Replaying", total=total)
        pieces = max(processes, min(processes * 8, total // 500))
        waiting = {pool.submit(_share, folder, *period, part, pieces) for part in range(pieces)}
        while waiting:
            finished, waiting = wait(waiting, timeout=0.2)
            for share in finished:
                tally.merge(share.result())
            progress.update(job, completed=done.value)
    return tally


#: How many complaints all processes of this back-test have replayed; set as a process begins.
_done: Synchronized[int]


def _begin(done: Synchronized[int]) -> None:
    global _done
    _done = done
    collect_seldom()


def _advance(cases: int) -> None:
    with _done.get_lock():
        _done.value += cases


def _share(folder: Path, since: datetime, until: datetime, part: int, of: int) -> Tally:
    """One process's share of a back-test."""
    the = app()
    return replaying.run(
        the.engine, the.policies.get, _read(folder), since, until, the.store.now(),
        part=part, of=of, progress=_advance,
    )  # fmt: skip


_read = cache(loader.load)  # a process has several shares


def _row(tally: Tally, clock: str, severity: str, team: str) -> dict[str, Any]:
    """Numbers of one clock, severity and team: what was and what would have been."""
    counts = {
        name: {v: tally.counts[which, clock, severity, team, v] for v in _VERDICTS}
        for name, which in (("did", "own"), ("would", "other"))
    }
    return {"clock": clock, "severity": severity, "team": team, **counts}


def _compared(title: str, by: str, tally: Tally, *parts: int) -> Table:
    """A table of two rows for each group: what was above what would have been. It fits into 80 columns."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for (which, *key, verdict), count in tally.counts.items():
        sums[", ".join(key[part] or "–" for part in parts), which, verdict] += count
    made = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    for column in (by, "", *_VERDICTS):
        made.add_column(column, no_wrap=True, justify="right" if column in _VERDICTS else "left")
    for group in sorted({key[0] for key in sums}):
        for which, verb in (("own", "did"), ("other", "would")):
            numbers = (f"{sums[group, which, verdict]:,}" for verdict in _VERDICTS)
            made.add_row(group if which == "own" else "", verb, *numbers)
    return made
