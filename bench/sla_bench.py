"""The SLA engine's own figures, on a PostgreSQL of its own, and beside them the peer: django-helpdesk.

    python -m bench.sla_bench

Data is made by real services once and then multiplied inside the database. Bounded in count and time; one table and
one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench.product import Row
from complaints.domain.businesstime import Budget, Unit
from complaints.domain.calendars import calendar
from complaints.domain.intake import NewComplainant
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import StepKind
from complaints.services import ladders
from complaints.store.engine import make_engine
from complaints.store.unit import Store
from config.policybook import StoredPolicies
from deployments.stack import embedded_postgres
from deployments.stack.migrate import upgrade
from tests.integration.desk import CUSTOMER, FINDINGS, START, Desk, bundle

ROOT = Path(__file__).resolve().parent.parent
#: At this moment exactly one rung is due for what was received at START: half of default.investigate's 40 hours.
ONE_DUE = START + timedelta(days=2, hours=6)
PEER_TICKETS = 10_000
_CLONE = """
insert into {table} select copied.*
from {table} t, generate_series(cast(:first as int), cast(:last as int)) n,
lateral jsonb_populate_record(t, {changes}) copied where {where}
"""


@contextmanager
def desks(home: Path) -> Iterator[Desk]:
    """A desk on a durable PostgreSQL with the product's own tuning."""
    server = embedded_postgres.start(home / "database")
    try:
        url = server.dsn("complaints", driver="psycopg")
        upgrade(url)
        desk = Desk(url, home / "bags")
        yield desk
        desk.engine.dispose()
    finally:
        server.stop()


# -- making many out of one


def multiply(desk: Desk, case: UUID, first: int, last: int, *, logs: bool = False) -> None:
    """Copies number `first` to `last` of a complaint with its clocks; with `logs`, of its case log, spread over years.

    The copies' ids follow from the number, so that rows of several tables meet.
    """
    moved = "interval '10 minutes' * n" if logs else "interval '0'"
    copy = "md5('copy' || n)::uuid"
    complaint = f"""jsonb_build_object('id', {copy}, 'reference', 'copy ' || n, 'received_at', received_at + {moved},
        'created_at', created_at + {moved}, 'run_id', null)"""
    clock = f"jsonb_build_object('id', md5(t.id::text || n)::uuid, 'complaint_id', {copy})"
    event = f"jsonb_build_object('id', nextval('event_id_seq'), 'complaint_id', {copy}, 'at', t.at + {moved})"
    pieces = [("complaint", complaint, "t.id = :case")]
    pieces.append(("event", event, "t.complaint_id = :case") if logs else ("clock", clock, "t.complaint_id = :case"))
    with desk.engine.begin() as connection:
        connection.execute(text("set local statement_timeout = '300s'"))
        for table, changes, where in pieces:
            query = text(_CLONE.format(table=table, changes=changes, where=where))
            connection.execute(query, {"first": first, "last": last, "case": case})
    with desk.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze complaint, event, clock"))


def one(desk: Desk, query: str) -> Any:
    """A single value."""
    with desk.engine.connect() as connection:
        return connection.execute(text(query)).scalar_one()


# -- the figures


def due_times(policy: PolicyBundle, count: int = 60_000) -> float:
    """Due times per second: a month of working hours in an office with lunch breaks, holidays and make-up days."""
    days = calendar(policy.hash, policy.sla, "cn_office")
    budget = Budget(22 * 8, Unit.WORKING_HOURS)
    starts = [START + timedelta(minutes=n % 500_000) for n in range(count)]
    Ledger.start(START, budget).due(days)  # the calendar's line is made once
    began = time.perf_counter()
    for at in starts:
        Ledger.start(at, budget).due(days)
    return count / (time.perf_counter() - began)


def idle_tick(desk: Desk, repeats: int = 40) -> tuple[float, float]:
    """Seconds of a tick with nothing due: median and worst."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        assert ladders.tick(desk.store) == 0
        found.append(time.perf_counter() - began)
    return statistics.median(found), max(found)


def ticking(desk: Desk, now: datetime) -> subprocess.Popen[str]:
    """A process of its own that ticks until it is ended; ready when this returns."""
    command = [sys.executable, "-m", "bench.sla_bench", "--ticker", desk.url, now.isoformat()]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def tick_for_ever(url: str, now: datetime) -> None:
    """What a ticking process does: the product's tick, again and again, at an instant of the bench's choosing."""
    engine = make_engine(url)
    store = Store(engine, StoredPolicies(engine, lambda: now), lambda: now)
    with store.reading(SYSTEM) as work:
        assert work.policy
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        ladders.tick(store)
        time.sleep(0.05)


def burst(desk: Desk, expected: int, processes: int, killed: int) -> float:
    """Seconds until all rungs have fired; `killed` of the processes are killed when half of them have."""
    running = [ticking(desk, desk.at) for _ in range(processes)]
    before = one(desk, "select count(*) from rung")
    began = time.perf_counter()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    victims = running[:killed]
    try:
        while (fired := one(desk, "select count(*) from rung") - before) < expected:
            if fired >= expected / 2:
                for process in victims:
                    process.send_signal(signal.SIGKILL)
                victims = []
            if time.perf_counter() - began > 120:
                raise TimeoutError(f"only {fired} of {expected} rungs fired within two minutes")
            time.sleep(0.02)
        seconds = time.perf_counter() - began
    finally:
        for process in running:
            process.kill()
            process.communicate()
    return seconds


def once_each(desk: Desk, expected: int) -> bool:
    """Every rung once: in the table, in the case logs, and in what people are told."""
    rungs = one(desk, "select count(*) from rung")
    logged = one(desk, "select count(*) from event where kind = 'rung_fired'")
    cases = one(desk, "select count(distinct complaint_id) from event where kind = 'rung_fired'")
    told = one(
        desk,
        """select count(distinct (i ->> 'reference') || (i ->> 'rung')) from outbox o,
           jsonb_array_elements(o.payload -> 'context' -> 'items') i where o.payload ->> 'template' = 'digest'""",
    )
    return bool(rungs == logged == cases == told == expected)


def lives(desk: Desk) -> list[UUID]:
    """Four kinds of life, each through the real services."""

    def life(severity: str, waits: int, days: int, jurisdiction: str) -> UUID:
        desk.at = START
        mail = NewComplainant(email=f"{severity}{waits}@customer.example")  # nobody complains twice
        case = desk.submit(
            f"The {severity} washing machine arrived broken.", complainant=mail, jurisdiction=jurisdiction
        )
        if desk.complaint(case).severity != severity:
            desk.act(case, desk.lead, "reclassify", severity=severity, reason="Bench.")
        if waits:
            desk.act(case, desk.agent, "ask_customer", question="Which model?")
            desk.at += timedelta(days=waits)
            desk.act(case, desk.agent, "customer_replied", answer="That one.")
        desk.at += timedelta(days=days)
        desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
        desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
        desk.end_window(case)
        return case

    return [
        life("minor", 0, 2, ""), life("moderate", 4, 12, "uk"), life("serious", 2, 9, "cn_fin"),
        life("moderate", 0, 20, "us"),
    ]  # fmt: skip


def backtest(desk: Desk, home: Path, count: int) -> tuple[float, int]:
    """Seconds of `complaints policy backtest` with two processes over `count` closed cases, and how many it saw."""
    other = home / "stricter"
    other.mkdir()
    (other / "policy.toml").write_text(f'extends = "{ROOT / "config" / "policies" / "default"}"')
    (other / "profiles").mkdir()
    fca = (ROOT / "config" / "policies" / "default" / "profiles" / "fca.toml").read_text(encoding="utf-8")
    (other / "profiles" / "fca.toml").write_text(fca.replace("amount = 8,", "amount = 2,"), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COMPLAINTS_")}
    environment |= {
        "COMPLAINTS_DATABASE_URL": desk.url.replace("+psycopg", ""),
        "COMPLAINTS_HOME": str(home / "cli"),
    }
    command = [sys.executable, "-m", "deployments.cli", "policy", "backtest", str(other), "--json"]
    command += ["--from", "2020-01-01", "--to", "2040-01-01", "--processes", "2"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    cases = int(json.loads(done.stdout)["cases"])
    assert cases >= count, f"only {cases} cases were replayed"
    return seconds, cases


# -- the peer

_SETTINGS = """
SECRET_KEY = "bench"
DEBUG = False
USE_TZ = True
DATABASES = {database}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.sites", "django.contrib.messages", "django.contrib.admin", "django.contrib.humanize",
    "django.contrib.staticfiles", "rest_framework", "helpdesk"]
SITE_ID = 1
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
TEMPLATES = [dict(BACKEND="django.template.backends.django.DjangoTemplates", APP_DIRS=True, OPTIONS=dict(
    context_processors=["django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages", "django.template.context_processors.request"]))]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware"]
HELPDESK_TEAMS_MODE_ENABLED = False
ROOT_URLCONF = "peer_urls"
STATIC_URL = "/static/"
"""
_URLS = """
from django.urls import include, path
urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]
"""
_PEER = """
import sys, time
import django
django.setup()
from datetime import timedelta
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from helpdesk.models import Queue, Ticket
call_command("migrate", verbosity=0)
queue = Queue.objects.create(title="q", slug="q", escalate_days=1)
long_ago = timezone.now() - timedelta(days=3)
Ticket.objects.bulk_create([Ticket(title=f"t{n}", queue=queue, status=1, priority=3, created=long_ago,
    modified=long_ago, last_escalation=long_ago, submitter_email=f"c{n}@example.com") for n in range(int(sys.argv[1]))])
began = time.perf_counter()
call_command("escalate_tickets", verbosity=0)
print(time.perf_counter() - began, Ticket.objects.filter(priority=2).count())
"""


def peer(desk: Desk, home: Path, count: int) -> tuple[float, int]:
    """Seconds that django-helpdesk takes to escalate `count` tickets on the same PostgreSQL, and how many it did."""
    home.mkdir(parents=True)
    python = home / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True, timeout=120)
    install = [str(python), "-m", "pip", "install", "-q", "django-helpdesk", "psycopg[binary]"]
    subprocess.run(install, check=True, timeout=300, capture_output=True)
    with desk.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("create schema if not exists peer"))
    url = desk.engine.url
    database = {
        "ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username,
        "PASSWORD": url.password, "HOST": str(url.query.get("host", url.host or "")), "PORT": str(url.port or ""),
        "OPTIONS": {"options": "-c search_path=peer"},
    }  # fmt: skip
    (home / "peer_settings.py").write_text(_SETTINGS.format(database={"default": database}))
    (home / "peer_urls.py").write_text(_URLS)
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "peer_settings", "PYTHONPATH": str(home)}
    done = subprocess.run(
        [str(python), "-c", _PEER, str(count)], cwd=home, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    seconds, escalated = done.stdout.split()[-2:]
    return float(seconds), int(escalated)


# -- all of it


def measure(home: Path, cases: int, rungs: int, *, with_peer: bool = True) -> Iterator[Row]:
    """All figures, in one run."""
    rate = due_times(bundle())
    yield Row("due times, a month of working hours", rate, "/s", "≥ 20,000", rate >= 20_000)
    with desks(home / "ladder") as desk:
        due = desk.submit()
        desk.at = ONE_DUE - timedelta(hours=2)
        calm = desk.submit("Another machine, received two days later.", jurisdiction="us")  # CFPB's clocks beside ours
        multiply(desk, calm, 1, cases)
        desk.at = ONE_DUE - timedelta(minutes=90)
        usual, worst = idle_tick(desk)
        running = sum(clock.stopped_at is None for clock in desk.clocks(calm).values())
        name = f"tick with nothing due, {cases:,} complaints × {running} running clocks, median"
        yield Row(name, usual * 1000, "ms", "≤ 50", usual <= 0.05)
        yield Row("… the slowest of 40", worst * 1000, "ms", "≤ 50", worst <= 0.05)
        multiply(desk, due, cases + 1, cases + rungs - 1)
        desk.at = ONE_DUE
        seconds = burst(desk, rungs, 3, killed=1)
        yield Row(f"{rungs:,} rungs due at once, 3 ticking, 1 killed half-way", seconds, "s", "≤ 20", seconds <= 20)
        exact = once_each(desk, rungs)
        yield Row("… each exactly once (rows, logs, messages)", float(exact), "", "1", exact)
        if with_peer:
            yield from compared(desk, home, rungs)
    with desks(home / "history") as desk:
        each = cases // 4
        for n, case in enumerate(lives(desk)):
            multiply(desk, case, n * each + 1, (n + 1) * each, logs=True)
        seconds, seen = backtest(desk, home, cases)
        yield Row(f"backtest of {seen:,} complaints, 2 processes", seconds, "s", "≤ 60", seconds <= 60)


def compared(desk: Desk, home: Path, count: int) -> list[Row]:
    """One process of ours beside one of the peer's, as many cases each."""
    desk.at = ONE_DUE + timedelta(days=2, hours=6)  # half of the investigation of what was received two days later
    waiting = one(desk, f"select count(*) from clock where next_at <= '{desk.at.isoformat()}'")
    ours = burst(desk, min(count, waiting), 1, killed=0)
    per_second = min(count, waiting) / ours
    rows = [Row("rungs, one process", per_second, "/s", "measured", True)]
    try:
        seconds, done = peer(desk, home / "peer", PEER_TICKETS)
    except (subprocess.SubprocessError, RuntimeError) as error:
        said = str(error).strip().splitlines()
        print(f"  django-helpdesk could not be measured: {said[-1] if said else type(error).__name__}", file=sys.stderr)
        return [*rows, Row("django-helpdesk escalate_tickets: not measurable here", 0.0, "/s", "measured", True)]
    rows.append(Row("django-helpdesk escalate_tickets, one process", done / seconds, "/s", "measured", True))
    faster = per_second / (done / seconds)
    rows.append(Row("… ours against it", faster, "×", "≥ 1", faster >= 1))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--rungs", type=int, default=10_000)
    parser.add_argument("--home", type=Path, default=None, help="State folder (a temporary one without it).")
    parser.add_argument("--no-peer", action="store_true", help="Do not install and measure django-helpdesk.")
    parser.add_argument("--ticker", nargs=2, metavar=("URL", "NOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ticker:
        tick_for_ever(options.ticker[0], datetime.fromisoformat(options.ticker[1]))
    home = options.home or Path(tempfile.mkdtemp(prefix="complaints-sla-"))
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    rows = []
    for row in measure(home, options.cases, options.rungs, with_peer=not options.no_peer):
        print(
            f"{'✓' if row.met else '✗'} {row.name:72} {row.value:12.2f} {row.unit:4} must be {row.target}", flush=True
        )
        rows.append(row)
    print(json.dumps({"sla": {r.name: round(r.value, 3) for r in rows}}))
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
