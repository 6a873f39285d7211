"""The whole system for the tests of `e2e` and `chaos`: started as `complaints up` starts it, with real people at work.

Looked at from outside only: the REST API, the command line, the letters, both databases, Prefect's REST API.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import httpx
import psycopg
from typer.testing import CliRunner

from config.settings import Settings
from config.wiring import App, app
from deployments.actors import Office
from deployments.cli import app as cli
from deployments.stack.parts import Deaths, Part
from deployments.stack.supervisor import Stack
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
Json = dict[str, Any]
#: Longest wait for one thing to happen, in seconds.
PATIENCE = 240.0
LIVE = ("RUNNING", "PENDING", "SCHEDULED", "PAUSED", "CANCELLING")


class System:
    """The running system and its people."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.told: list[str] = []
        self.stack = Stack(settings, self.told.append)
        self.office: Office
        self._failure: BaseException | None = None
        self._up = threading.Event()
        # the parts are told when the thread that started them ends, so it must live as long as they
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._prefect = httpx.Client(
            base_url=settings.prefect_api_url,
            auth=httpx.BasicAuth(*settings.prefect_auth().split(":", 1)),
            timeout=15,
        )

    def _run(self) -> None:
        try:
            with self.stack:
                self._up.set()
                self.stack.watch()
        except BaseException as error:
            self._failure = error
            self._up.set()

    def start(self) -> None:
        """Bring it up and give its people their keys."""
        self._thread.start()
        assert self._up.wait(PATIENCE)
        self.check_alive()
        the = App(self.settings)
        self.office = Office.staff(the, f"{self.settings.web_url}/api/v1")
        the.engine.dispose()

    def stop(self) -> None:
        """Stop it."""
        self.stack.request_stop()
        self._thread.join(30)
        self._prefect.close()
        self.check_alive()

    def check_alive(self) -> None:
        """Fail with what the supervisor said when it gave up."""
        if self._failure is not None:
            raise AssertionError("\n".join(self.told)) from self._failure

    def wait(self, condition: Callable[[], Any], what: str, within: float = PATIENCE, every: float = 0.2) -> Any:
        """The first true value of `condition`; what is away in the meantime may be away."""
        deadline, last = time.monotonic() + within, None
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                if value := condition():
                    return value
            except (httpx.HTTPError, psycopg.OperationalError) as error:
                last = error
            time.sleep(every)
        raise AssertionError(f"{what}: not within {within:.0f} s ({last}); the supervisor said: {self.told[-12:]}")

    # -- people at work

    @contextmanager
    def people_at_work(self) -> Iterator[Office]:
        """Agents and customers do what is open, and carry on when the system is away for a moment."""
        enough = threading.Event()

        def work() -> None:
            while not enough.is_set():
                try:
                    done = self.office.do_open_tasks() + self.office.answer_letters()
                except httpx.HTTPError:
                    done = 0
                if not done:
                    enough.wait(0.3)

        thread = threading.Thread(target=work, name="office", daemon=True)
        thread.start()
        try:
            yield self.office
        finally:
            enough.set()
            thread.join(40)

    def submit(self, name: str, play: str = "straight", **more: Any) -> str:
        """A new complaint of somebody new; its reference."""
        return self.office.submit(sample(name, play) | more)

    # -- looking at it

    def cli(self, *arguments: str, code: int | None = 0) -> str:
        """What `complaints …` prints on standard output; its exit code must be `code`, where one is given.

        Each call is what a process of its own would be, without the second and a half that imports take.
        """
        app.cache_clear()
        try:
            done = CliRunner().invoke(cli, [*arguments], env=self.environment())
        finally:
            if app.cache_info().currsize:
                app().engine.dispose()
            app.cache_clear()
        assert done.exit_code == code or code is None, (arguments, done.exit_code, done.output[-4000:], done.exception)
        return done.stdout

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """The same, with `--json`, read."""
        return json.loads(self.cli(*arguments, "--json", code=code))

    def environment(self) -> dict[str, str]:
        """Environment of a command line for this system."""
        names = ("home", "web_port", "prefect_port", "policy_dir", "clock_seconds", "workers")
        ours = {f"COMPLAINTS_{name.upper()}": str(getattr(self.settings, name)) for name in names}
        return {**os.environ, **ours, "COLUMNS": "200"}

    def rows(self, query: LiteralString, *values: object, database: str = "complaints") -> list[tuple[Any, ...]]:
        """Rows of one of the two databases."""
        with psycopg.connect(self.settings.postgres_url(database), connect_timeout=5) as connection:
            return connection.execute(query, values).fetchall()

    def statuses(self, references: Iterable[str]) -> dict[str, str]:
        """Status of each complaint that is stored."""
        return dict(self.rows("select reference, status from complaint where reference = any(%s)", list(references)))

    def wait_for_status(self, references: Iterable[str], status: str) -> None:
        """Wait until all are there."""
        wanted = list(references)
        try:
            self.wait(lambda: set(self.statuses(wanted).values()) == {status}, f"all {status}")
        except AssertionError as error:
            raise AssertionError(f"{error}; they are {self.statuses(wanted)}") from error

    def prefect(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """One call to Prefect's REST API."""
        return self._prefect.request(method, path, json=body)

    def run(self, reference: str) -> Json:
        """The flow run that the complaint's row names."""
        ((run_id,),) = self.rows("select run_id from complaint where reference = %s", reference)
        answer: Json = self.prefect("GET", f"/flow_runs/{run_id}").raise_for_status().json()
        return answer

    def live_runs(self) -> Counter[str]:
        """How many live flow runs Prefect has for each complaint id."""
        found: list[Json] = []
        while True:
            body = {
                "flows": {"name": {"any_": ["complaint"]}},
                "flow_runs": {"state": {"type": {"any_": LIVE}}},
                "limit": 200,
                "offset": len(found),
            }
            page = self.prefect("POST", "/flow_runs/filter", body).raise_for_status().json()
            found += page
            if len(page) < 200:
                return Counter(run["parameters"]["complaint_id"] for run in found)

    # -- what must hold

    def settle(self, references: Iterable[str], within: float = PATIENCE) -> None:
        """Wait until all are archived and written to, with at most one live run each all the way; then check what was
        promised. These lives last seconds: a letter leased by a dead process may go out after the case is archived."""
        wanted = set(references)

        def archived() -> bool:
            self.check_single_runs()
            found = self.statuses(wanted)
            over = found.keys() == wanted and set(found.values()) == {"archived"}
            return over and not self._letters_to_come(wanted)

        try:
            self.wait(archived, "all archived", within, every=0.5)
        except AssertionError as error:
            late = {r: s for r, s in self.statuses(wanted).items() if s != "archived"}
            told = [self._runs_of(r) for r in sorted(late)[:3]] + self._letters_to_come(wanted)
            raise AssertionError(f"{error}; late: {late}; problems: {self.office.problems[-2:]}; {told}") from error
        self.check_promises(wanted)

    def check_single_runs(self) -> None:
        """At most one live flow run per complaint."""
        twice = [UUID(complaint) for complaint, count in self.live_runs().items() if count > 1]
        found = self.rows("select reference from complaint where id = any(%s)", twice) if twice else []
        assert not twice, [self._runs_of(reference) for (reference,) in found]

    def _letters_to_come(self, references: Iterable[str]) -> list[str]:
        """Keys of letters that are not handed over yet."""
        query: LiteralString = (
            "select o.key from outbox o join complaint c on c.id = o.complaint_id "
            "where c.reference = any(%s) and o.kind = 'notify' and o.state = 'pending'"
        )
        return [key for (key,) in self.rows(query, list(references))]

    def _runs_of(self, reference: str) -> list[str]:
        """Each run of a complaint with its states, and what our side recorded about it: for whoever reads a failure."""
        body = {"flow_runs": {"name": {"like_": reference}}, "sort": "EXPECTED_START_TIME_ASC"}
        told = []
        for run in self.prefect("POST", "/flow_runs/filter", body).raise_for_status().json():
            states = self.prefect("GET", f"/flow_run_states/?flow_run_id={run['id']}").json()
            lived = ", ".join(f"{s['name']}@{s['timestamp'][11:19]} {s['message']}" for s in states)
            told.append(f"{run['name']} {run['id']}: {lived}")
        query: LiteralString = (
            "select o.key, o.state, o.attempts, o.receipt::text from outbox o "
            "join complaint c on c.id = o.complaint_id where c.reference = %s"
        )
        return [*told, *map(str, self.rows(query, reference))]

    def check_promises(self, references: Iterable[str]) -> None:
        """One acknowledgment each (letter, thread and log), unbroken logs, bags as they were written."""
        wanted = sorted(references)
        files = self.receipts("acknowledgment")
        wrong = {r: files[r] for r in wanted if files[r] != 1}
        assert not wrong, f"{wrong} acknowledgments: {[self._runs_of(r) for r in wrong]}"
        thread = self.rows(
            "select c.reference, count(m.kind) from complaint c left join message m on m.complaint_id = c.id "
            "and m.kind = 'acknowledgment' where c.reference = any(%s) group by 1",
            wanted,
        )
        log_entries = self.rows(
            "select c.reference, count(e.kind) from complaint c left join event e on e.complaint_id = c.id "
            "and e.kind = 'acknowledged' where c.reference = any(%s) group by 1",
            wanted,
        )
        assert dict(thread) == dict(log_entries) == dict.fromkeys(wanted, 1)
        log, bags = self.json("audit", "verify"), self.json("archive", "verify")
        assert (log["broken"], bags["bad"]) == ([], [])
        assert min(log["checked"], bags["checked"]) >= len(wanted)

    def case(self, reference: str) -> Json:
        """The complaint as the API shows it, with its events."""
        client = self.office.people["sun.yu"]
        told: Json = client.get(f"/complaints/{reference}").raise_for_status().json()
        return told | {"events": client.get(f"/complaints/{reference}/timeline").raise_for_status().json()}

    def letters(self, kind: str) -> list[Path]:
        """Letters of one kind that were handed over for delivery."""
        return sorted((self.settings.home / "outgoing").glob(f"{kind}-*.eml"))

    def receipts(self, kind: str) -> Counter[str]:
        """How many letters of one kind were handed over, for each reference."""
        return Counter(path.name.removeprefix(f"{kind}-").rsplit("-", 1)[0] for path in self.letters(kind))

    # -- breaking it

    def pid(self, part: str) -> int | None:
        """Process id of a part while it lives."""
        return self.stack.status().get(part)

    def kill(self, part: str) -> int:
        """`kill -9`; the process id that is no more."""
        pid = self.pid(part)
        assert pid is not None, f"{part} is down already"
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_back(self, part: str, old: int, within: float = 60.0) -> None:
        """Wait until the supervisor has a new process for the part, and it answers."""
        parts = self.stack.parts
        self.wait(
            lambda: self.pid(part) not in (None, old) and (part == "postgres" or parts[part].well),
            f"{part} is back",
            within,
            every=0.1,
        )

    def arm(self, parts: Iterable[str], point: str) -> dict[str, subprocess.Popen[bytes]]:
        """Start these parts anew, to die at a crash point once: the next process is not armed. The armed processes.

        The environment counts when a process starts, so it is put back as soon as the armed ones run.
        """
        chosen = [self.stack.parts[name] for name in parts]
        plain: dict[str, Mapping[str, str]] = {part.name: part.env for part in chosen}
        old = {part.name: part.pid or 0 for part in chosen}
        for part in chosen:
            part.deaths = Deaths()
            part.env = {**part.env, "COMPLAINTS_CRASH_AT": point}
            part.ask_to_stop()
        armed: dict[str, subprocess.Popen[bytes]] = {}
        for part in chosen:
            self.wait(partial(_is_new, part, old[part.name]), f"{part.name} is armed", every=0.05)
            assert part.process is not None
            part.env, armed[part.name] = plain[part.name], part.process
        for part in chosen:  # it may come by the point at once
            self.wait(partial(_is_up_or_dead, part, armed[part.name]), f"{part.name} is up")
        return armed


def _is_new(part: Part, old: int) -> bool:
    return part.pid not in (None, old)


def _is_up_or_dead(part: Part, process: subprocess.Popen[bytes]) -> bool:
    return part.well or process.poll() is not None


def sample(name: str, play: str = "straight") -> Json:
    """A complaint like no other, for people who play their parts."""
    return {
        "key": name,
        "play": play,
        "language": "en",
        "channel": "portal",
        "subject": f"Parcel {name} never came",
        "product": f"Parcel {name}",
        "narrative": f"I ordered parcel {name} three weeks ago. It was due on Monday, it was never delivered, "
        "and nobody answers the telephone. I want my money back.",
        "complainant": {"name": f"Customer {name}", "email": f"customer.{name}@example.com"},
    }


@contextmanager
def running(home: Path) -> Iterator[System]:
    """The whole system on an empty state folder, with the demonstration's policy (times of seconds)."""
    web, prefect = free_port(), free_port()
    policy = ROOT / "config" / "policies" / "demo"
    system = System(
        Settings(home=home, web_port=web, prefect_port=prefect, policy_dir=policy, clock_seconds=2, workers=2)
    )
    try:
        system.start()
        yield system
    finally:
        system.stop()
