"""Starts the whole system, restarts what dies, stops everything in order. What `complaints up` runs."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import httpx
import psycopg
from sqlalchemy.exc import OperationalError

from complaints.domain.errors import ComplaintsError
from complaints.store.engine import make_engine
from config.settings import Settings
from config.wiring import App
from deployments import prefect_settings, register
from deployments.stack import migrate
from deployments.stack.embedded_postgres import EmbeddedPostgres
from deployments.stack.parts import Part

#: Free space below which we do not start, in bytes.
LEAST_FREE = 200_000_000
#: A part that dies this often within a minute is given up.
MOST_DEATHS = 6
#: Everything is stopped within this many seconds.
STOP_WITHIN = 9.0
READY_WITHIN = 90.0

Say = Callable[[str], None]


class StartFailed(ComplaintsError):
    """The system cannot start, or cannot go on; the message says why and what to do."""

    code = "start_failed"


class Stack:
    """The running system. `with Stack(settings) as stack:` starts it and stops it."""

    def __init__(self, settings: Settings, say: Say = lambda _: None) -> None:
        self.settings, self.say = settings, say
        self.home = settings.home.resolve()
        self.postgres: EmbeddedPostgres | None = None
        self.parts: dict[str, Part] = {}
        self._lock: int | None = None
        self._stopping = threading.Event()

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # -- start

    def start(self) -> None:
        """Bring everything up; returns when every part answers."""
        self._take_folder()
        self._check_ports()
        self._start_database()
        self._start_part(self._prefect())
        register.register(self.settings.prefect_api_url, self.settings.prefect_auth())
        rest = [self._web(), *(self._worker(number) for number in range(1, self.settings.workers + 1))]
        for part in rest:
            self.parts[part.name] = part
            part.start()
        for part in rest:
            self._await(part)
        self._write_status()

    def _take_folder(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.home / "log").mkdir(exist_ok=True)
            probe = self.home / ".probe"
            probe.write_bytes(b"x" * 65536)
            probe.unlink()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise StartFailed(f"The disk of {self.home} is full. Free some space, then start again.") from None
            raise StartFailed(f"Cannot write to {self.home}: {error.strerror}. Set COMPLAINTS_HOME.") from None
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE:
            raise StartFailed(
                f"Only {free // 1_000_000} MB are free on the disk of {self.home}; "
                f"at least {LEAST_FREE // 1_000_000} MB are needed. Free some space, then start again."
            )
        descriptor = os.open(self.home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "?"
            os.close(descriptor)
            raise StartFailed(
                f"The system already runs on {self.home} (process {holder}). "
                "Stop it first, or set COMPLAINTS_HOME to another folder."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor

    def _check_ports(self) -> None:
        wanted = {"WEB_PORT": self.settings.web_port, "PREFECT_PORT": self.settings.prefect_port}
        for name, port in wanted.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.settings.host, port))
                except OSError as error:
                    raise StartFailed(
                        f"Port {port} on {self.settings.host} cannot be used ({error.strerror}). "
                        f"Stop what uses it, or set COMPLAINTS_{name} to another."
                    ) from None

    def _start_database(self) -> None:
        if self.settings.database_url is None:
            began = time.monotonic()
            self.postgres = EmbeddedPostgres(self.home, self.settings.postgres_port)
            self.postgres.take_over()
            self._free_postgres_port()
            self.postgres.start()
            self.say(f"PostgreSQL     ready in {time.monotonic() - began:4.1f} s  127.0.0.1:{self.postgres.port}")
        for name in ("complaints", "prefect"):
            self._reach(name)
        began = time.monotonic()
        engine = make_engine(self.settings.sqlalchemy_url())
        try:
            migrate.upgrade(engine)
        except OperationalError as error:
            raise StartFailed(f"The database cannot be migrated: {error.orig}") from None
        finally:
            engine.dispose()
        app = App(self.settings)
        app.policies  # noqa: B018  activates the configured policy at the first start
        app.engine.dispose()
        self.say(f"Schema         ready in {time.monotonic() - began:4.1f} s")

    def _free_postgres_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.settings.postgres_port))
            except OSError:
                raise StartFailed(
                    f"Port {self.settings.postgres_port} on 127.0.0.1 is taken. "
                    "Stop what uses it, or set COMPLAINTS_POSTGRES_PORT to another."
                ) from None

    def _reach(self, name: str) -> None:
        try:
            psycopg.connect(self.settings.postgres_url(name), connect_timeout=10).close()
        except (psycopg.OperationalError, psycopg.ProgrammingError, UnicodeError) as error:
            reason = str(error).strip().splitlines()[-1]
            setting = "COMPLAINTS_DATABASE_URL" if name == "complaints" else "COMPLAINTS_PREFECT_DATABASE_URL"
            raise StartFailed(
                f"The database '{name}' cannot be reached: {reason}. Check {setting}, and that the database exists."
            ) from None

    # -- parts

    def _environment(self) -> dict[str, str]:
        settings = self.settings.model_dump(mode="json", exclude_none=True)
        ours = {f"COMPLAINTS_{key.upper()}": str(value) for key, value in settings.items() if value != ""}
        ours |= {"COMPLAINTS_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        return ours | prefect_settings.client(self.settings.prefect_api_url, self.settings.prefect_auth())

    def _prefect(self) -> Part:
        database = "postgresql+asyncpg" + self.settings.postgres_url("prefect").removeprefix("postgresql")
        home = self.home / "prefect"
        home.mkdir(exist_ok=True)
        env = prefect_settings.server(
            database, self.settings.host, self.settings.prefect_port, self.settings.prefect_auth(), str(home)
        )

        def ready() -> bool:
            answer = httpx.get(f"{self.settings.prefect_api_url}/health", auth=self._auth(), timeout=2)
            return answer.status_code == 200

        command = [sys.executable, "-m", "prefect", "server", "start"]
        command += ["--host", self.settings.host, "--port", str(self.settings.prefect_port)]
        return Part("prefect", command, self._environment() | env, self._log("prefect"), ready)

    def _worker(self, number: int) -> Part:
        name = f"worker-{number}"
        command = [sys.executable, "-m", "deployments.warm_worker", "--name", f"{socket.gethostname()}-{number}"]
        command += ["--concurrency", str(self.settings.worker_concurrency)]
        return Part(name, command, self._environment(), self._log(name), lambda: True)

    def _web(self) -> Part:
        def ready() -> bool:
            return httpx.get(f"{self.settings.web_url}/healthz/live", timeout=2).status_code == 200

        command = [sys.executable, "-m", "web", "--host", self.settings.host, "--port", str(self.settings.web_port)]
        return Part("web", command, self._environment(), self._log("web"), ready)

    def _auth(self) -> tuple[str, str]:
        user, password = self.settings.prefect_auth().split(":", 1)
        return user, password

    def _log(self, name: str) -> Path:
        return self.home / "log" / f"{name}.log"

    def _start_part(self, part: Part) -> None:
        self.parts[part.name] = part
        part.start()
        self._await(part)

    def _await(self, part: Part) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if part.pid is None:
                raise StartFailed(f"'{part.name}' ended while starting: {part.last_words()} (log: {part.log})")
            try:
                if part.ready():
                    self.say(f"{part.name:14} ready in {time.monotonic() - part.started:4.1f} s")
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise StartFailed(f"'{part.name}' did not get ready within {READY_WITHIN:.0f} s. See {part.log}.")

    # -- watch

    def watch(self) -> None:
        """Restart what dies, until `request_stop`. Raises `StartFailed` when a part dies again and again."""
        while not self._stopping.wait(0.3):
            for part in self.parts.values():
                if part.pid is None and not self._stopping.is_set():
                    self._revive(part)
            if self.postgres is not None and self.postgres.ended() and not self._stopping.is_set():
                self.say("PostgreSQL ended; starting it again")
                self.postgres.start()

    def _revive(self, part: Part) -> None:
        now = time.monotonic()
        part.deaths = [at for at in part.deaths if now - at < 60] + [now]
        if len(part.deaths) >= MOST_DEATHS:
            raise StartFailed(
                f"'{part.name}' died {len(part.deaths)} times within a minute; giving up. "
                f"Last words: {part.last_words()} (log: {part.log})"
            )
        delay = min(0.2 * 2 ** (len(part.deaths) - 1), 10.0)
        self.say(f"'{part.name}' ended; starting it again in {delay:.1f} s (log: {part.log})")
        if not self._stopping.wait(delay):
            part.start()
            self._write_status()

    def request_stop(self) -> None:
        """Make `watch` return. Safe in a signal handler."""
        self._stopping.set()

    # -- stop

    def stop(self) -> None:
        """Stop all parts in order: first who begins work, then who stores it. Nothing is left running."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_WITHIN - 2.5
        front = [p for n, p in self.parts.items() if n != "prefect"]
        for part in front:
            part.ask_to_stop()
        for part in front:
            part.end(deadline - time.monotonic())
        if "prefect" in self.parts:
            self.parts["prefect"].ask_to_stop()
            self.parts["prefect"].end(min(2.0, deadline + 1.5 - time.monotonic()))
        if self.postgres is not None:
            self.postgres.stop(timeout=max(1.0, deadline + 2.0 - time.monotonic()))
        if self._lock is not None:
            (self.home / "status.json").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    # -- tell

    def status(self) -> dict[str, int | None]:
        """Process id of each part."""
        pids = {name: part.pid for name, part in self.parts.items()}
        if self.postgres is not None and self.postgres.process is not None:
            pids["postgres"] = None if self.postgres.ended() else self.postgres.process.pid
        return pids

    def urls(self) -> dict[str, str]:
        """Where people and programs go."""
        prefect = self.settings.prefect_api_url.removesuffix("/api")
        web = self.settings.web_url
        return {"api": f"{web}/api/v1", "docs": f"{web}/api/docs", "health": f"{web}/healthz", "prefect": prefect}

    def _write_status(self) -> None:
        path = self.home / "status.json"
        path.write_text(json.dumps({"pids": self.status(), "urls": self.urls()}, indent=2))
