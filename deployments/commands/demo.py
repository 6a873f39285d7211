"""`complaints demo`: the whole system on embedded parts, some twenty complaints handled before your eyes."""

from __future__ import annotations

import signal
import sys
import threading
import time
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from complaints.domain.explain_words import tell
from complaints.domain.vocabulary import Language
from complaints.services import access, clocks
from config.settings import load_settings, secluded_settings
from config.wiring import App
from deployments.actors import STAFF, Office, in_background
from deployments.commands.output import OPERATOR, err, out, say, table
from deployments.commands.up import STOPS, announce, say_if_heard
from deployments.stack.supervisor import Stack

_CONFIG = Path(__file__).resolve().parents[2] / "config"
#: Events that end a stage, in the order of the walk.
_STAGES = (
    ("received", ("received",)),
    ("acknowledged", ("acknowledged",)),
    ("findings", ("submit_findings", "fast_track", "merge", "withdraw")),
    ("decided", ("decide", "approve")),
    ("responded", ("send_response",)),
    ("closed", ("confirm", "confirmation_timeout", "withdraw", "merge", "reject")),
    ("archived", ("archive",)),
)


def samples() -> list[dict[str, Any]]:
    """The self-written sample complaints."""
    text = (_CONFIG / "samples" / "complaints.toml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["complaints"]
    return found


def demo(
    seconds: Annotated[int, typer.Option(help="Give up when not all is archived by then.", min=10)] = 180,
    stay: Annotated[
        bool | None, typer.Option("--stay/--no-stay", help="Stay up afterwards (default: at a terminal).")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the state of the last demo.")] = False,
) -> None:
    """Start everything, send some twenty complaints (Chinese and English), play agents and customers, show the outcome.

    Uses the folder `demo` in the state folder and a policy with very short times. Your own state is not touched, nor is
    any database, archive, Prefect or mail server that your settings name.
    """
    home = load_settings().home / "demo"
    settings = secluded_settings(home=str(home), policy_dir=str(_CONFIG / "policies" / "demo"), clock_seconds="2")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    say("Starting the system on embedded parts", "bold")
    try:
        with Stack(settings, say=say_if_heard, fresh=not keep) as stack:
            ready = time.monotonic() - began
            say(f"  ready after {ready:.1f} s")
            app = App(settings)
            office = Office.staff(app, f"{settings.web_url}/api/v1")
            office.give_passwords(app)
            complete = _play(app, office, seconds)
            announce(stack, summary(ready, time.monotonic() - began, complete=complete))
            out.print(_logins(office))
            if stay if stay is not None else sys.stdout.isatty():
                say(STOPS)
                stack.watch()
            else:
                say("It stops now, since no terminal is here; --stay keeps it up.")
    except KeyboardInterrupt:
        say("Stopped.")
        return
    if not complete:
        sys.exit(1)


def summary(ready: float, ended: float, *, complete: bool) -> str:
    """How long the system took to be ready, and how long the demonstration."""
    verb = "done" if complete else "given up"
    return f"The system was ready after {ready:.1f} s; the demonstration was {verb} after {ended:.1f} s."


def _interrupt(*_: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _logins(office: Office) -> Table:
    """With whom one can look around at the console; new at each demonstration."""
    rows = [(login, office.passwords[login], name, ", ".join(roles)) for login, name, roles, _ in STAFF]
    return table("Sign in at the console as", ("login", "password", "name", "roles"), rows)


def _play(app: App, office: Office, seconds: int) -> bool:
    enough = threading.Event()
    thread = in_background(office, enough)
    try:
        references = [office.submit(sample) for sample in samples()]
        rows = _watch(office, references, seconds)
    finally:
        enough.set()
        thread.join(10)
    out.print(_outcome(rows))
    _explain_ladder(app, office)
    for problem in office.problems[:20]:
        err.print(Text.assemble(("note", "yellow"), f" {problem}"), soft_wrap=True)
    archived = sum(row["status"] == "archived" for row in rows)
    say(f"{archived} of {len(rows)} complaints are archived. Letters: {office.outgoing}")
    return bool(archived == len(rows))


def _explain_ladder(app: App, office: Office) -> None:
    """The clock that climbed its ladder, explained."""
    reference = next(r for r, sample in office.plays.items() if sample["play"] == "ladder")
    events = office.people["sun.yu"].get(f"/complaints/{reference}/timeline").raise_for_status().json()
    fired = [e for e in events if e["kind"] == "rung_fired" and e["data"]["clock"].startswith("demo.")]
    say(f"{reference} {'climbed its ladder' if fired else 'has not begun to climb its ladder yet'}", "bold")
    again = f"COMPLAINTS_HOME={app.settings.home} complaints sla explain {reference} --clock demo.resolve"
    say(f"  while this system is up: {again}")
    zone = ZoneInfo(app.settings.time_zone)
    for event in fired:
        data, at = event["data"], datetime.fromisoformat(event["at"]).astimezone(zone)
        say(f"  {at:%H:%M:%S}  {data['clock']} {data['rung']}: {', '.join(data['actions'])}")
    if not fired:
        return  # time was up before the case was routed
    with app.store.reading(OPERATOR) as work:
        for told in clocks.explained(work, access.see(work, reference), zone, "demo.resolve"):
            for line in tell(told, Language.EN).lines():
                say(f"  {line}")


def _watch(office: Office, references: list[str], seconds: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    done: dict[str, dict[str, Any]] = {}
    with Live(console=out, refresh_per_second=4, transient=True) as live:
        while time.monotonic() < deadline:
            rows = []
            for reference in references:
                if reference not in done:
                    row = _row(office, reference)
                    if row["status"] == "archived":
                        done[reference] = row
                    rows.append(row)
                else:
                    rows.append(done[reference])
            live.update(_progress(rows, office))
            if len(done) == len(references):
                break
            time.sleep(0.4)
    return [done.get(r) or _row(office, r) for r in references]


def _row(office: Office, reference: str) -> dict[str, Any]:
    client = office.people["sun.yu"]
    detail: dict[str, Any] = client.get(f"/complaints/{reference}").raise_for_status().json()
    events = client.get(f"/complaints/{reference}/timeline").raise_for_status().json()
    return detail | {"events": events}


def _progress(rows: list[dict[str, Any]], office: Office) -> Table:
    archived = sum(r["status"] == "archived" for r in rows)
    made = table(
        f"{archived} of {len(rows)} archived", ("reference", "what it shows", "status", "category", "events"), []
    )
    for row in rows:
        play = office.plays[row["reference"]]["play"].replace("_", " ")
        bar = "█" * min(len(row["events"]), 24)
        made.add_row(row["reference"], play, row["status"], row["category"], Text(bar, "green"))
    return made


def _outcome(rows: list[dict[str, Any]]) -> Table:
    stages = [name for name, _ in _STAGES[1:]]
    made = table(
        "What became of them (stages in seconds after receipt)",
        ("reference, archive bag", "category, severity, closing category", "stages"),
        [],
    )
    made.row_styles = ["", "dim"]
    for row in rows:
        times = _times(row["events"])
        told = [f"{name} {times[name]:.1f}" for name in stages if name in times]
        made.add_row(
            f"{row['reference']}\n{(row['archive']['bag_url'] or '–').rsplit('/', 1)[-1]}",
            f"{row['category']}, {row['severity']}\n{row['closing_category'] or '–'}",
            "\n".join(" · ".join(told[i : i + 3]) for i in range(0, len(told), 3)),
        )
    return made


def _times(events: list[dict[str, Any]]) -> dict[str, float]:
    start = datetime.fromisoformat(events[0]["at"])
    found: dict[str, float] = {}
    for name, kinds in _STAGES:
        at = [datetime.fromisoformat(e["at"]) for e in events if e["kind"] in kinds]
        if at:
            found[name] = (at[-1] - start).total_seconds()
    return found
