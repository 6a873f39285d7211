"""The product's own figures, measured through its real doors on the whole running system.

    python -m bench.product --home /tmp/bench --lifecycles 100

Everything of the system shares two cores; who plays agents and customers runs beside it (on the same two cores where
the machine has no others). Bounded in count and time; speaks to loopback only.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from bench import stock_worker
from complaints.domain.vocabulary import Role
from complaints.services import people
from config.settings import secluded_settings
from config.wiring import App
from deployments.commands.output import OPERATOR
from deployments.stack.supervisor import Stack

ROOT = Path(__file__).resolve().parent.parent
_WORDS = "The washing machine arrived broken and leaks all over the kitchen floor; I want my money back. Number {n}."
_FINDINGS = {"finding": "upheld", "summary": "The pump was damaged in transport. The fault is ours."}
_VERDICT = {"accepted": True, "rating": 5, "resolved": True}


@dataclass(frozen=True)
class Row:
    """One figure: what, how much, in what unit, what it must reach (a text), whether it does."""

    name: str
    value: float
    unit: str
    target: str
    met: bool


class System:
    """The running system and the clients that use it."""

    def __init__(self, stack: Stack, app: App) -> None:
        self.stack, self.app = stack, app
        self.api = f"{stack.settings.web_url}/api/v1"
        self.agents = [self._person(f"agent{n}", Role.MANAGER) for n in range(4)]
        self.database = psycopg.connect(stack.settings.postgres_url("complaints"), autocommit=True)
        self.n = 0

    def _person(self, login: str, role: Role) -> httpx.Client:
        with self.app.store.work(OPERATOR) as work:
            teams = [t.key for t in work.policy.routing.teams]
            known = next((p for p in people.everybody(work) if p.login == login), None)
            person = known or people.add_person(work, login, login, roles=[role, Role.AGENT], teams=teams)
            scopes = ["complaints:submit", "complaints:read", "complaints:act", "tasks"]
            _, secret = people.create_key(work, login, scopes, person=person)
        return httpx.Client(base_url=self.api, headers={"Authorization": f"Bearer {secret}"}, timeout=60)

    def submit(self, n: int, jurisdiction: str = "") -> tuple[str, float]:
        """Submit one complaint; reference and seconds."""
        body = {
            "narrative": _WORDS.format(n=n),
            "complainant": {"name": "Bench", "email": f"customer{n}@example.com"},
            "jurisdiction": jurisdiction,
        }
        began = time.perf_counter()
        answer = self.agents[n % 4].post("/complaints", json=body)
        return str(answer.raise_for_status().json()["reference"]), time.perf_counter() - began

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask our database."""
        return self.database.execute(query, parameters).fetchall()  # type: ignore[arg-type]  # queries are ours

    def status_counts(self) -> dict[str, int]:
        """Complaints by status."""
        return {str(k): int(v) for k, v in self.sql("select status, count(*) from complaint group by status")}

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far, by part (children included)."""
        found: dict[str, float] = {}
        for name, pid in self.stack.status().items():
            if pid is None:
                continue
            process = psutil.Process(pid)
            total = 0.0
            for each in [process, *process.children(recursive=True)]:
                try:
                    times = each.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
                except psutil.NoSuchProcess:
                    continue
            group = "workers" if name.startswith("worker") else name
            found[group] = found.get(group, 0.0) + total
        return found


@contextmanager
def system(home: Path, cores: list[int], **changes: str) -> Iterator[System]:
    """The whole system on the given cores, under a fresh state folder."""
    values = {
        "home": str(home),
        "web_port": str(free_port()),
        "prefect_port": str(free_port()),
        "policy_dir": str(ROOT / "bench" / "policy"),
        "workers": "2",
    } | changes
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # children inherit it
    try:
        settings = secluded_settings(**values)
        with Stack(settings) as stack:
            rest = sorted(mine - set(cores)) or cores
            os.sched_setaffinity(0, rest)
            the = System(stack, App(settings))
            with the.database:
                yield the
    finally:
        os.sched_setaffinity(0, mine)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Agents:
    """Complete every human step as soon as it is open, in a few threads."""

    def __init__(self, the: System) -> None:
        self._the, self._stop = the, threading.Event()
        self._done: set[str] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Agents:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        with ThreadPoolExecutor(4) as pool:
            while not self._stop.is_set():
                page = self._the.agents[0].get("/tasks", params={"limit": 200})
                items = page.json()["items"] if page.is_success else []
                fresh = [t for t in items if t["id"] not in self._done]
                list(pool.map(self._complete, enumerate(fresh)))
                if not fresh:
                    time.sleep(0.2)

    def _complete(self, numbered: tuple[int, dict[str, Any]]) -> None:
        n, task = numbered
        forms: dict[str, dict[str, Any]] = {
            "triage": {"decision": "investigate"},
            "investigation": _FINDINGS,
            "approval": {"decision": "approve"},
            "confirmation": _VERDICT,
            "call_back": {"reached": True, "satisfied": True},
            "management_review": {"measures": "A second agent helps; it is finished today."},
        }
        kind = task["kind"]
        if kind == "response":
            detail = self._the.agents[n % 4].get(f"/tasks/{task['id']}").json()
            forms["response"] = {"body": detail["draft"].get("body") or "We are sorry."}
        if kind in forms:
            order = [self._the.agents[(n + k) % 4] for k in range(4)]
            for client in order:  # four eyes: whoever may
                answer = client.post(f"/tasks/{task['id']}/complete", json=forms[kind])
                if answer.is_success or answer.status_code == 409:
                    self._done.add(task["id"])
                    return


def wait(until: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if until():
            return True
        time.sleep(0.25)
    return False


def throughput(
    the: System, count: int, *, first: int = 1000, warm: int = 4, each: float = 3.0
) -> tuple[float, dict[str, float]]:
    """Lifecycles per second, from the first submission to the last archive; CPU seconds per lifecycle by part.

    `first`: number of the first complaint; `warm` more go before the count begins; `each` is patience, in seconds.
    """

    def archived() -> int:
        return the.status_counts().get("archived", 0)

    with Agents(the):
        base = archived()
        for n in range(warm):
            the.submit(first + count + n)
        wait(lambda: archived() >= base + warm, 20 + warm * each)
        before, base, began = the.cpu(), archived(), time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(the.submit, range(first, first + count)))
        wait(lambda: archived() >= base + count, 20 + count * each)
        done = archived() - base
        seconds = time.monotonic() - began
    used = {k: (v - before.get(k, 0.0)) / max(done, 1) for k, v in the.cpu().items()}
    return done / seconds, used


def paced(the: System, per_second: float, seconds: float, first: int) -> list[tuple[str, float]]:
    """Submit at a steady pace; references and seconds until answered."""
    with ThreadPoolExecutor(8) as pool:
        jobs = []
        began = time.monotonic()
        for n in range(int(per_second * seconds)):
            ahead = began + n / per_second - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            jobs.append(pool.submit(the.submit, first + n))
        return [job.result() for job in jobs]


def p95(values: list[float]) -> float:
    """95th percentile."""
    return statistics.quantiles(values, n=20)[18] if len(values) > 1 else values[0]


def acknowledgment(the: System, seconds: float) -> float:
    """p95 of seconds from receipt to the acknowledgment being handed over, at one complaint a second."""
    references = [r for r, _ in paced(the, 1.0, seconds, 500_000)]
    query = "select count(*) from complaint where reference = any(%s) and acknowledged_at is not null"
    wait(lambda: the.sql(query, references)[0][0] == len(references), 60)
    rows = the.sql(
        "select extract(epoch from acknowledged_at - created_at) from complaint where reference = any(%s)", references
    )
    return p95([float(r[0]) for r in rows if r[0] is not None])


def human_step(the: System, count: int) -> float:
    """p95 of seconds from a completed investigation to the next task having done its work, one at a time."""
    found: list[float] = []
    for n in range(count):
        reference, _ = the.submit(700_000 + n)
        wait(lambda r=reference: _open_investigation(the, r) is not None, 30)  # type: ignore[misc]  # bound at once
        task = _open_investigation(the, reference)
        time.sleep(1.0)  # the run is suspended, as it is when a person comes
        the.agents[0].post(f"/tasks/{task}/complete", json=_FINDINGS).raise_for_status()
        query = (
            "select extract(epoch from min(d.at) - min(s.completed_at)) from complaint c "
            "join event d on d.complaint_id = c.id and d.kind = 'decide' "
            "join step s on s.complaint_id = c.id and s.kind = 'investigation' where c.reference = %s "
            "having count(*) > 0"
        )
        wait(lambda r=reference, q=query: bool(the.sql(q, r)), 30)  # type: ignore[misc]  # bound at once
        rows = the.sql(query, reference)
        found += [float(rows[0][0])] if rows else [30.0]
    return p95(found)


def _open_investigation(the: System, reference: str) -> str | None:
    rows = the.sql(
        "select s.id from step s join complaint c on c.id = s.complaint_id "
        "where c.reference = %s and s.kind = 'investigation' and s.state = 'open' and s.briefed_at is not null",
        reference,
    )
    return str(rows[0][0]) if rows else None


def importing(the: System, rows: int, home: Path) -> tuple[float, float]:
    """Durable rows per second of an import, and the peak memory of its process in MB."""
    path = home / "import.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "Complaint ID",
                "Consumer complaint narrative",
                "Issue",
                "Product",
                "Date sent to company",
                "Submitted via",
            ]
        )
        for n in range(rows):
            text = _WORDS.format(n=n) * 6
            writer.writerow([n, text, "Billing", "Card", datetime(2024, 1, 1 + n % 28).strftime("%Y/%m/%d"), "Web"])  # noqa: DTZ001
    command = [str(Path(sys.executable).parent / "complaints"), "import", str(path), "--map", "cfpb", "--json"]
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ))
    peak, began = 0, time.monotonic()
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.1)
    seconds = time.monotonic() - began
    taken = the.sql("select count(*) from complaint where external_source = 'cfpb'")[0][0]
    return taken / seconds, peak / 1e6


def at_rest(the: System, count: int, seconds: float) -> tuple[float, dict[str, float]]:
    """CPU of the whole stack with so many suspended complaints, in cores; copies one suspended complaint by SQL.

    The copies are vacuumed before the count begins: rows that came over days have been.
    """
    reference, _ = the.submit(900_000)
    wait(lambda: _open_investigation(the, reference) is not None, 30)
    time.sleep(3)
    _copies(the, reference, count)
    time.sleep(15)
    before, began = the.cpu(), time.monotonic()
    time.sleep(seconds)
    spent = {k: (v - before.get(k, 0.0)) / (time.monotonic() - began) for k, v in the.cpu().items()}
    return sum(spent.values()), spent


def lateness(the: System, count: int) -> float:
    """p99 of the seconds by which rungs fire late; two complaints a second come with a budget of a minute."""
    references = []
    for n in range(count):
        references.append(the.submit(800_000 + n, "bench")[0])
        time.sleep(0.5)
    query = (
        "select r.lateness from rung r join clock k on k.id = r.clock_id join complaint c on c.id = k.complaint_id "
        "where k.profile = 'bench' and c.reference = any(%s) order by 1"
    )
    wait(lambda: len(the.sql(query, references)) == count, 150)
    late = [float(row[0]) for row in the.sql(query, references)]
    return late[int(count * 0.99)] if len(late) == count else float("inf")


def _copies(the: System, reference: str, count: int) -> None:
    """Rows as they would be, had `count` complaints come to their investigation: ours, and Prefect's suspended runs."""
    ours, prefect = (the.stack.settings.postgres_url(n) for n in ("complaints", "prefect"))
    with psycopg.connect(ours) as connection:
        (source, run) = connection.execute(
            "select id, run_id from complaint where reference = %s", [reference]
        ).fetchone() or (None, None)
        connection.execute(
            "create temp table copies as select gen_random_uuid() as id, gen_random_uuid() as run, "
            "gen_random_uuid() as state, n from generate_series(1, %s) n",
            [count],
        )
        _copy(connection, "complaint", "id = %s", source, {"id": "k.id", "reference": "'X' || k.n", "run_id": "k.run"})
        _copy(connection, "step", "complaint_id = %s", source, {"id": "gen_random_uuid()", "complaint_id": "k.id"})
        _copy(connection, "clock", "complaint_id = %s", source, {"id": "gen_random_uuid()", "complaint_id": "k.id"})
        pairs = connection.execute("select run, state, n from copies").fetchall()
    with psycopg.connect(prefect) as connection:
        connection.execute("create temp table copies (run uuid, state uuid, n int)")
        with connection.cursor().copy("copy copies from stdin") as copy:
            for pair in pairs:
                copy.write_row(pair)
        state = connection.execute("select state_id from flow_run where id = %s", [run]).fetchone()
        assert state is not None
        changes = {"id": "k.run", "state_id": "null", "idempotency_key": "k.n::text", "name": "'X' || k.n"}
        _copy(connection, "flow_run", "id = %s", run, changes)
        _copy(connection, "flow_run_state", "id = %s", state[0], {"id": "k.state", "flow_run_id": "k.run"})
        connection.execute("update flow_run f set state_id = k.state from copies k where f.id = k.run")
    for database in (ours, prefect):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("vacuum analyze")


def _copy(connection: psycopg.Connection[Any], table: str, where: str, key: Any, changes: dict[str, str]) -> None:
    names = [
        str(r[0])
        for r in connection.execute(
            "select column_name from information_schema.columns where table_name = %s and table_schema = 'public' "
            "and is_generated = 'NEVER'",
            [table],
        ).fetchall()
    ]
    values = ", ".join(changes.get(n, f't."{n}"') for n in names)
    columns = ", ".join(f'"{n}"' for n in names)
    query = f"insert into {table} ({columns}) select {values} from {table} t, copies k where t.{where}"
    connection.execute(query, [key])  # type: ignore[arg-type]  # our own names


def size(the: System, archived: int) -> dict[str, float]:
    """Bytes per archived complaint: our database, Prefect's, the archive."""
    found = {}
    for name in ("complaints", "prefect"):
        with psycopg.connect(the.stack.settings.postgres_url(name), autocommit=True) as connection:
            connection.execute("vacuum full")
            found[name] = float(
                (connection.execute("select pg_database_size(current_database())").fetchone() or [0])[0]
            )
    bags = sum(p.stat().st_size for p in (the.stack.home / "archive").rglob("*.zip"))
    empty = 8_000_000  # an empty migrated database
    return {k: max(v - empty, 0) / max(archived, 1) for k, v in found.items()} | {"bags": bags / max(archived, 1)}


def beside_stock(home: Path, cores: list[int], lifecycles: int, peers: int) -> tuple[list[float], list[float]]:
    """Lifecycles per second of the product, and of Prefect's process worker with the same complaints, in turn: the
    machine's own speed drifts by a third within minutes."""
    ours, theirs = [], []
    for turn in "ab":
        with system(home / f"ours-{turn}", cores) as the:
            ours.append(throughput(the, lifecycles)[0])
        with (
            stock_worker.default_settings(),
            system(home / f"stock-{turn}", cores) as the,
            stock_worker.instead(the.stack.settings, cores),
        ):
            theirs.append(throughput(the, peers, warm=2, each=40.0)[0])
    return ours, theirs


def measure(home: Path, lifecycles: int, peers: int, suspended: int, rows: int) -> tuple[list[Row], dict[str, Any]]:
    """All figures, in one run of the system."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    ours, theirs = beside_stock(home, cores, lifecycles, peers)
    with system(home / "product", cores) as the:
        rate, cpu = throughput(the, lifecycles)
        times = statistics.mean([*ours, rate]) / statistics.mean(theirs)
        sizes = size(the, the.status_counts().get("archived", 0))
        ack = acknowledgment(the, 30)
        step = human_step(the, 12)
        latencies = [s for _, s in paced(the, 20, 10, 300_000)]
        with Agents(the):
            wait(lambda: set(the.status_counts()) == {"archived"}, 240)
        per_second, peak = importing(the, rows, home)
    with system(home.with_name(home.name + "-rest"), cores) as the:
        rest, parts = at_rest(the, suspended, 60)
        late = lateness(the, 200)
    table = [
        Row("lifecycle throughput, whole system on two cores", rate, "/s", "≥ 2.0", rate >= 2.0),
        Row("the same complaints, Prefect's own worker and settings", statistics.mean(theirs), "/s", "measured", True),
        Row("… ours in turn with it, against it", times, "×", "≥ 20", times >= 20),
        Row("submit at 20/s, p95", p95(latencies) * 1000, "ms", "≤ 60", p95(latencies) <= 0.06),
        Row("submit → acknowledgment handed over at 1/s, p95", ack, "s", "≤ 2", ack <= 2),
        Row("human step completed → next task done, p95", step, "s", "≤ 0.5", step <= 0.5),
        Row("CSV import, durable", per_second, "rows/s", "≥ 500", per_second >= 500),
        Row("memory of the import", peak, "MB", "constant", True),
        Row(f"{suspended:,} suspended complaints, CPU at rest", rest * 100, "% of a core", "≤ 10", rest <= 0.1),
        Row("… lateness of a rung there, its clock ticking each 30 s, p99", late, "s", "≤ 35", late <= 35),
        Row("our database per archived complaint", sizes["complaints"] / 1000, "kB", "measured", True),
        Row("Prefect's database per archived complaint", sizes["prefect"] / 1000, "kB", "measured", True),
        Row("archive bag", sizes["bags"] / 1000, "kB", "measured", True),
    ]
    return table, {"cpu_per_lifecycle": cpu, "rest_cores_by_part": parts}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--home", type=Path, default=None, help="State folder (a temporary one without it).")
    parser.add_argument("--lifecycles", type=int, default=100)
    parser.add_argument("--peers", type=int, default=6, help="Lifecycles on Prefect's process worker.")
    parser.add_argument("--suspended", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=5_000)
    options = parser.parse_args()
    home = options.home or Path(tempfile.mkdtemp(prefix="complaints-bench-"))
    shutil.rmtree(home, ignore_errors=True)
    rows, more = measure(home, options.lifecycles, options.peers, options.suspended, options.rows)
    for row in rows:
        print(f"{'✓' if row.met else '✗'} {row.name:55} {row.value:10.2f} {row.unit:12} must be {row.target}")
    for name, values in more.items():
        print(f"  {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in sorted(values.items())))
    print(json.dumps({"product": {r.name: round(r.value, 3) for r in rows}, **more}))


if __name__ == "__main__":
    main()
