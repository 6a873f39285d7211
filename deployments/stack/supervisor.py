"""Starts the whole system, restarts what dies, stops everything in order. What `complaints up` runs.

Order: state folder → PostgreSQL → schema → Prefect server, web process and workers side by side → registration. The
workers load their code while the server starts, and begin once their pool is registered.
Every child is told when we die (`setpriv --pdeathsig`), so that even `kill -9` of this process leaves no orphan.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import httpx

from complaints.domain.ports import SYSTEM
from complaints.services import personnel, starter
from config.settings import WORK_POOL, Settings
from config.texts import texts
from config.wiring import App
from deployments import prefect_settings, register
from deployments.stack import embedded_postgres, external_postgres
from deployments.stack.errors import StackError
from deployments.stack.migrate import upgrade
from deployments.stack.parts import Deaths, Part, last_words, rotate

#: Free space below which we do not start, in bytes.
LEAST_FREE = 200_000_000
#: Free space without which PostgreSQL cannot start again (a segment of its log and a little), and how often to look.
_ROOM, _LOOK_FOR_ROOM = 20_000_000, 5.0
#: Everything is stopped within this many seconds; a busy machine takes one or two more, and ten are promised.
STOP_WITHIN = 8.0
READY_WITHIN = 120.0
#: A part that lives but has not answered for so long is started anew, in seconds.
SICK_FOR = 60.0
#: Niceness of the Prefect server and the workers: who submits or looks is answered before runs go on.
BEHIND = 5
_LOOK_EVERY = 0.2
_LOCK = "up.lock"
_PROBE_EVERY = 15.0  # each worker costs the server one look-up

Say = Callable[[str], None]


class Stack:
    """The running system. `with Stack(settings) as stack:` starts it and stops it; `watch()` keeps it alive."""

    def __init__(self, settings: Settings, say: Say = lambda _: None, *, fresh: bool = False) -> None:
        """`say` is told what happens; `fresh` forgets whatever the state folder holds, unless a system runs on it."""
        self.settings, self.say, self._fresh = settings, say, fresh
        self.home = settings.home
        self.postgres: embedded_postgres.Running | None = None
        self.parts: dict[str, Part] = {}
        #: Login and temporary password, where this start made the first person who can sign in.
        self.first_admin: tuple[str, str] | None = None
        self._postgres_deaths = Deaths()
        self._lock: int | None = None
        self._stopping = threading.Event()
        self._http = httpx.Client(timeout=5)  # kept: a new one costs more than a request

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- start

    def start(self) -> None:
        """Bring everything up; returns when every part answers. StackError says in one sentence why it cannot."""
        self._take_folder()
        self._check_ports()
        if self._fresh:
            self._forget()
        self._start_database()
        first = [self._web()] if self.settings.prefect_api else [self._prefect(), self._web()]
        workers = [self._worker(number) for number in range(1, self.settings.workers + 1)]
        for part in [*first, *workers]:
            self.parts[part.name] = part
            part.start()
        self._wait_for(first)
        self._register()
        self._wait_for(workers)
        self._write_status()

    def _take_folder(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_lock()
            (self.home / "log").mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.home) as probe:
                probe.write(b"x" * 1_000_000)
                probe.flush()
        except OSError as error:
            raise StackError(
                f"Cannot write to the state folder {self.home}: {error.strerror}. "
                "Free some space or set COMPLAINTS_HOME to a folder of yours elsewhere."
            ) from None
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE:
            raise StackError(
                f"Only {free // 1_000_000} MB are free on the disk of {self.home}; {LEAST_FREE // 1_000_000} MB are "
                "needed. Free some space or set COMPLAINTS_HOME to a folder elsewhere."
            )

    def _forget(self) -> None:
        """Empty the state folder but for our lock, which says that nobody else runs on it."""
        embedded_postgres.leave_no_orphan(self.home / "postgres" / "data")
        for found in self.home.iterdir():
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found)
            elif found.name != _LOCK:
                found.unlink()

    def _take_lock(self) -> None:
        descriptor = os.open(self.home / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "?"
            os.close(descriptor)
            raise StackError(
                f"The system already runs on {self.home} (process {holder}). "
                "Stop it first, or set COMPLAINTS_HOME to another folder."
            ) from None
        self._lock = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)

    def _check_ports(self) -> None:
        wanted = [("WEB_PORT", "HOST", self.settings.host, self.settings.web_port)]
        if not self.settings.prefect_api:
            wanted.append(("PREFECT_PORT", "PREFECT_HOST", self.settings.prefect_host, self.settings.prefect_port))
        for port_name, host_name, host, port in wanted:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise StackError(_unusable(host, port, host_name, port_name, error)) from None

    def _start_database(self) -> None:
        began = time.monotonic()
        if self.settings.database_url is None:
            self.postgres = embedded_postgres.start(self.home)
            where = self.postgres.host
        else:
            where = external_postgres.reach(self.settings.postgres_url("complaints"), "COMPLAINTS_DATABASE_URL")
        if self.settings.prefect_api is None and (self.settings.database_url or self.settings.prefect_database_url):
            external_postgres.reach(
                self.settings.postgres_url("prefect"), "COMPLAINTS_PREFECT_DATABASE_URL", create=True
            )
        self._ready("PostgreSQL", began, where)
        began = time.monotonic()
        revision = upgrade(self.settings.sqlalchemy_url())
        app = App(self.settings)
        _ = app.sender  # read when first needed: a wrong file is told now, not by letters that nobody gets
        if app.adopt_policy(SYSTEM):
            self.say(f"The policy of {self.settings.policy_dir} is put in force.")
        with app.store.work(SYSTEM) as work:
            made = personnel.first_admin(work, self.settings.language)
            if made:
                starter.furnish(work, texts())
        self.first_admin = (made[0].login, made[1]) if made else None
        app.engine.dispose()
        self._ready("Schema", began, revision)

    def _register(self) -> None:
        began, url = time.monotonic(), self.settings.prefect_api_url
        try:
            deployments = register.register(
                url, self.settings.prefect_auth(), {"sla_clock": self.settings.clock_seconds}
            )
        except httpx.HTTPError as error:
            raise StackError(
                f"The Prefect server at {url} does not take the deployments: {str(error).splitlines()[0]}. "
                "Check COMPLAINTS_PREFECT_API and COMPLAINTS_PREFECT_PASSWORD."
            ) from error
        self._ready("Deployments", began, ", ".join(deployments))

    def _ready(self, what: str, began: float, more: str = "") -> None:
        self.say(f"{what:12} ready in {time.monotonic() - began:4.1f} s  {more}")

    # -- parts

    def _environment(self, prefect: dict[str, str]) -> dict[str, str]:
        """Ours in full, also what is not set: a part reads `.env` as well, and must not find there what we did not."""
        values = {k: "" if v is None else v for k, v in self.settings.model_dump(mode="json").items()}
        ours = {
            f"COMPLAINTS_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
            for key, value in values.items()
        }
        return (
            ours
            | prefect
            | {
                "PYTHONUNBUFFERED": "1",
                "PREFECT_HOME": str(self.home / "prefect"),
                "PREFECT_API_URL": self.settings.prefect_api_url,
                "PREFECT_API_AUTH_STRING": self.settings.prefect_auth(),
            }
        )

    def _prefect(self) -> Part:
        database, transport = external_postgres.for_asyncpg(self.settings.postgres_url("prefect"))
        env = self._environment(prefect_settings.SERVER | transport) | {
            "PREFECT_API_DATABASE_CONNECTION_URL": database,
            "PREFECT_SERVER_API_AUTH_STRING": self.settings.prefect_auth(),
        }
        command = [sys.executable, "-m", "deployments.prefect_server", "server", "start"]
        command += ["--host", self.settings.prefect_host, "--port", str(self.settings.prefect_port)]
        return Part("prefect", command, env, self._log("prefect"), lambda: self._answers("/health"), BEHIND)

    def _worker(self, number: int) -> Part:
        name, label = f"worker-{number}", f"{socket.gethostname()}-{number}"
        command = [sys.executable, "-m", "deployments.warm_worker", "--pool", WORK_POOL, "--name", label]
        command += ["--concurrency", str(self.settings.worker_concurrency), "--drain", "4"]
        command += ["--wait", str(int(2 * READY_WITHIN))]
        command += ["--share", f"{number}/{self.settings.workers}"]  # so that not every worker claims every run
        env = self._environment(prefect_settings.WORKER)
        part = Part(name, command, env, self._log(name), lambda: beats(part.pid), BEHIND)
        beats = _Heartbeat(self._http, self.settings, label)
        return part

    def _web(self) -> Part:
        def ready() -> bool:
            return self._http.get(f"{self.settings.web_url}/healthz/live").status_code == 200

        command = [sys.executable, "-m", "web", "--host", self.settings.host, "--port", str(self.settings.web_port)]
        return Part("web", command, self._environment(prefect_settings.CLIENT), self._log("web"), ready)

    def _answers(self, path: str) -> bool:
        answer = self._http.get(f"{self.settings.prefect_api_url}{path}", auth=_login(self.settings))
        return answer.status_code == 200

    def _log(self, name: str) -> Path:
        return self.home / "log" / f"{name}.log"

    # -- coming up

    def _wait_for(self, parts: list[Part]) -> None:
        """Return when each is ready; a worker's time begins when the server is there."""
        waiting, began = list(parts), time.monotonic()
        while waiting:
            for part in [*waiting]:
                if self._is_up(part, began):
                    part.well = True
                    waiting.remove(part)
                    self._ready(part.name, part.started, f"process {part.pid}")
            time.sleep(0.1)

    def _is_up(self, part: Part, began: float) -> bool:
        if part.pid is None:
            raise StackError(f"'{part.name}' ended while starting: {part.last_words()} (log: {part.log})")
        if _asks(part):
            return True
        if time.monotonic() - began > READY_WITHIN:
            raise StackError(f"'{part.name}' did not get ready within {READY_WITHIN:.0f} s; see {part.log}.")
        return False

    # -- staying up

    def watch(self) -> None:
        """Restart what dies or hangs, until `request_stop`. StackError when something dies again and again.

        Call it in the thread that called `start`, or in one that lives as long as the process.
        """
        probed = time.monotonic()
        while not self._stopping.wait(_LOOK_EVERY):
            self._keep_postgres()
            due = time.monotonic() - probed > _PROBE_EVERY
            for part in self.parts.values():
                self._keep(part)
                if due or not part.well:
                    self._probe(part)
            if due:
                for log in (self.home / "log").glob("*.log"):
                    rotate(log)
                probed = time.monotonic()

    def request_stop(self) -> None:
        """Make `watch` return. Safe in a signal handler."""
        self._stopping.set()

    def _keep_postgres(self) -> None:
        if self.postgres is None or self.postgres.alive():
            return
        pause = self._pause("PostgreSQL", self._postgres_deaths, self.postgres.log)
        if self._stopping.wait(pause) or not self._has_room():
            return
        began = time.monotonic()
        try:
            self.postgres.restart()
        except (StackError, OSError) as error:  # it is tried again, until too often
            self.say(str(error))
            return
        self._ready("PostgreSQL", began, "again")
        self._write_status()

    def _has_room(self) -> bool:
        """Wait for room on the disk, without which PostgreSQL dies at every start. False where we are stopped first."""
        told = False
        while shutil.disk_usage(self.home).free < _ROOM:
            if not told:
                self.say(f"The disk of {self.home} is full; PostgreSQL is started again as soon as there is room.")
                told = True
            if self._stopping.wait(_LOOK_FOR_ROOM):
                return False
        return True

    def _keep(self, part: Part) -> None:
        if part.pid is not None or self._waits_for_prefect(part):
            return
        now, part.well = time.monotonic(), False
        if part.revive_at is None:
            part.end(0)  # what it may have started itself
            part.revive_at = now + self._pause(part.name, part.deaths, part.log)
        elif now >= part.revive_at:
            part.start()
            self._write_status()

    def _waits_for_prefect(self, part: Part) -> bool:
        """A worker ends where it finds no server, and cannot tell that it lives: neither is its fault."""
        prefect = self.parts.get("prefect")
        return part.name.startswith("worker") and prefect is not None and not prefect.well

    def _pause(self, name: str, deaths: Deaths, log: Path) -> float:
        pause = deaths.pause(time.monotonic())
        if pause is None:
            raise StackError(
                f"'{name}' died {deaths.lately} times within a minute; giving up. "
                f"Its last words: {last_words(log)} (log: {log})"
            )
        self.say(f"{name} ended; starting it again in {pause:.1f} s (log: {log})")
        return pause

    def _probe(self, part: Part) -> None:
        """Note whether it answers; end it when it has not for long, so that `_keep` starts it anew."""
        if part.pid is None:
            return
        if _asks(part) and (part.well or self._welcome(part)):
            part.well, part.sick_since = True, None
            return
        if self._waits_for_prefect(part):
            return
        part.sick_since = part.sick_since or time.monotonic()
        if time.monotonic() - part.sick_since > SICK_FOR:
            self.say(f"{part.name} has not answered for {SICK_FOR:.0f} s; ending it (log: {part.log})")
            part.ask_to_stop()
            part.end(3)

    def _welcome(self, part: Part) -> bool:
        """It answers again after a new start. A Prefect server may have come back with an empty database."""
        self._ready(part.name, part.started, "again")
        if part.name == "prefect":
            try:
                self._register()
            except StackError as error:
                self.say(str(error))
                return False
        return True

    # -- going down

    def stop(self) -> None:
        """Stop all parts in order: first who begins work, then who stores it. Nothing is left running."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_WITHIN - 3.0
        prefect = self.parts.get("prefect")
        front = [part for part in self.parts.values() if part is not prefect]
        for part in front:
            part.ask_to_stop()
        for part in front:
            part.end(deadline - time.monotonic())
        if prefect is not None:
            prefect.ask_to_stop()
            prefect.end(1.5)
        if self.postgres is not None:
            self.postgres.stop(timeout=1.5)
            self.postgres = None
        self.parts.clear()
        if self._lock is not None:
            (self.home / "status.json").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    # -- telling

    def status(self) -> dict[str, int | None]:
        """Process id of each part; None while it is down."""
        pids = {name: part.pid for name, part in self.parts.items()}
        if self.postgres is not None:
            pids["postgres"] = self.postgres.pid if self.postgres.alive() else None
        return pids

    def urls(self) -> dict[str, str]:
        """Where people and programs go."""
        web = self.settings.web_url
        return {
            "console": f"{web}/console",
            "portal": f"{web}/",
            "api": f"{web}/api/v1",
            "docs": f"{web}/docs",
            "health": f"{web}/healthz",
            "prefect": self.settings.prefect_api_url.removesuffix("/api"),
        }

    def _write_status(self) -> None:
        told = {"supervisor": os.getpid(), "pids": self.status(), "urls": self.urls()}
        draft = self.home / ".status.json"
        try:
            draft.write_text(json.dumps(told, indent=2))
            draft.replace(self.home / "status.json")
        except OSError as error:  # a full disk is no reason to stop what runs
            self.say(f"{draft} cannot be written: {error.strerror}")


def _unusable(host: str, port: int, host_name: str, port_name: str, error: OSError) -> str:
    """Why nothing of ours can listen there, and which setting is to be changed."""
    if error.errno == errno.EADDRINUSE:
        advice = f"Stop what uses it, or set COMPLAINTS_{port_name} to another."
    elif error.errno == errno.EACCES:
        advice = f"Set COMPLAINTS_{port_name} to one above 1023."
    else:
        advice = f"Set COMPLAINTS_{host_name} to an address of this machine."
    return f"Port {port} on {host} cannot be used: {error.strerror}. {advice}"


def _asks(part: Part) -> bool:
    try:
        return part.ready()
    except httpx.HTTPError:
        return False


def _login(settings: Settings) -> tuple[str, str]:
    user, _, password = settings.prefect_auth().partition(":")
    return user, password


class _Heartbeat:
    """Whether a worker tells Prefect that it lives; what was told before its present process started does not count."""

    def __init__(self, http: httpx.Client, settings: Settings, label: str) -> None:
        self._http, self._settings, self._label = http, settings, label
        self._pid: int | None = None
        self._old = ""

    def __call__(self, pid: int | None) -> bool:
        url = f"{self._settings.prefect_api_url}/work_pools/{WORK_POOL}/workers/filter"
        answer = self._http.post(url, json={}, auth=_login(self._settings)).raise_for_status()
        beat = {w["name"]: w["last_heartbeat_time"] for w in answer.json() if w["status"] == "ONLINE"}.get(
            self._label, ""
        )
        if pid != self._pid:
            self._pid, self._old = pid, beat
        return beat not in ("", self._old)
