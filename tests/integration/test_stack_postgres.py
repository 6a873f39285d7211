"""The embedded PostgreSQL: safe by default, recovers from whatever was killed, says clearly when it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from deployments.stack import embedded_postgres
from deployments.stack.embedded_postgres import Running
from deployments.stack.errors import StackError

#: A process that starts the cluster of its first argument, says so, and waits to be killed.
_OWNER = """
import sys, time, pathlib
from deployments.stack import embedded_postgres
running = embedded_postgres.start(pathlib.Path(sys.argv[1]))
print(running.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State folder of a cluster that all tests here start and stop: creating one costs a second."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    server = embedded_postgres.start(home)
    yield server
    server.stop()


def ask(running: Running, question: str, database: str = "complaints") -> object:
    with psycopg.connect(running.dsn(database), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def test_it_is_safe_by_default(running: Running, home: Path) -> None:
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "postgres" / "data").stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in (home / "secrets").iterdir()} == {0o600}
    assert psutil.Process(running.pid).uids().real != 0
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(embedded_postgres.make_dsn(running.host, running.port, "guess", "complaints"))
    assert ask(running, "SHOW listen_addresses") == ""
    assert ask(running, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_ours_waits_for_the_disk_and_prefects_need_not(running: Running) -> None:
    assert ask(running, "SHOW synchronous_commit") == "on"
    assert ask(running, "SHOW fsync") == "on"
    assert ask(running, "SHOW synchronous_commit", "prefect") == "off"


@pytest.mark.parametrize("database", ["complaints", "prefect"])
def test_both_databases_have_what_is_needed(running: Running, database: str) -> None:
    assert ask(running, "SELECT similarity('退款很慢', '退款太慢') > 0", database) is True
    assert ask(running, "SELECT lower('ÄÖ退款')", database) == "äö退款"
    assert ask(running, "SELECT string_agg(w, '' ORDER BY w) FROM unnest(ARRAY['b', 'B', 'a', '退']) w") == "Bab退"


def test_a_second_start_on_the_same_folder_is_refused(running: Running, home: Path) -> None:
    with pytest.raises(StackError, match=f"already run by process {os.getpid()}; stop that one"):
        embedded_postgres.start(home)


def test_what_was_committed_survives_kill_9(home: Path) -> None:
    server = embedded_postgres.start(home)
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.restart()
    assert ask(server, "SELECT n FROM kept") == 42
    server.stop()


def test_prefects_database_can_be_made_anew_while_it_is_used(running: Running) -> None:
    with psycopg.connect(running.dsn("prefect")) as user:
        user.execute("CREATE TABLE history (n int)")
        user.commit()
        running.recreate("prefect")
    assert ask(running, "SELECT to_regclass('history') IS NULL", "prefect") is True
    assert ask(running, "SELECT similarity('a', 'a') = 1", "prefect") is True
    assert ask(running, "SHOW synchronous_commit", "prefect") == "off"


def test_it_dies_with_its_owner_and_starts_again_after_it(home: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(home)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    postmaster = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    postmaster.wait(10)
    server = embedded_postgres.start(home)
    assert ask(server, "SELECT 1") == 1
    server.stop()


def test_an_orphan_of_a_killed_owner_is_stopped_and_the_data_started_anew(home: Path) -> None:
    server = embedded_postgres.start(home)
    os.close(server._lock)  # as if its owner had died and left it behind
    server._lock = -1
    again = embedded_postgres.start(home)
    assert server.process.wait(1) == 0
    assert ask(again, "SELECT 1") == 1
    again.stop()


def test_a_lock_file_whose_process_number_was_reused_does_not_keep_it_from_starting(home: Path) -> None:
    (home / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{home}/postgres/data\n")
    server = embedded_postgres.start(home)
    assert ask(server, "SELECT 1") == 1
    server.stop()


def test_data_of_another_version_is_refused_with_what_to_do(home: Path) -> None:
    marker = home / "postgres" / "data" / "PG_VERSION"
    before = marker.read_text()
    marker.write_text("16\n")
    try:
        with pytest.raises(StackError, match=r"written by PostgreSQL 16, this installation brings 18\. .*pg_dump"):
            embedded_postgres.start(home)
    finally:
        marker.write_text(before)


def test_a_folder_too_deep_for_a_socket_uses_a_loopback_port(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 110)
    server = embedded_postgres.start(deep, durable=False)
    assert server.host == "127.0.0.1"
    assert ask(server, "SELECT 1") == 1
    server.stop()


def test_a_broken_start_says_which_log_to_read(home: Path, tmp_path: Path) -> None:
    control = home / "postgres" / "data" / "global" / "pg_control"
    shutil.copy2(control, tmp_path / "kept")
    owner = control.stat()
    control.unlink()
    try:
        with pytest.raises(StackError, match=r"PostgreSQL did not start: .*pg_control.* See .*postgres\.log"):
            embedded_postgres.start(home)
    finally:
        shutil.copy2(tmp_path / "kept", control)
        os.chown(control, owner.st_uid, owner.st_gid)


def test_databases_for_which_there_is_no_room_are_told_and_nothing_is_left_running(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[embedded_postgres.Running] = []

    def full(running: embedded_postgres.Running) -> None:
        made.append(running)
        raise psycopg.errors.DiskFull("could not extend file: No space left on device\nHINT:  Check free disk space.")

    monkeypatch.setattr(embedded_postgres, "_prepare", full)
    with pytest.raises(StackError, match=r"PostgreSQL cannot make its databases: .*No space left on device"):
        embedded_postgres.start(home)
    assert not made[0].alive()
    monkeypatch.undo()
    embedded_postgres.start(home).stop()


def test_stopping_is_quick_with_open_connections(home: Path) -> None:
    server = embedded_postgres.start(home)
    connection = psycopg.connect(server.dsn())
    connection.execute("SELECT 1")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5  # the budget of the whole stack is 10 s
    assert server.process.returncode == 0
    connection.close()


def test_recovery_may_take_longer_than_an_answer(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = ["FATAL:  the database system is starting up"] * 10 + ["FATAL:  the database system is in recovery mode"]
    connect = psycopg.connect

    def recovering(*arguments: object, **options: object) -> object:
        if refusals:
            raise psycopg.OperationalError(f"connection failed: {refusals.pop()}")
        return connect(running.dsn())

    monkeypatch.setattr(psycopg, "connect", recovering)
    embedded_postgres._wait_until_ready(running, timeout=0.01)
    assert not refusals
    refusals += ["connection failed: timeout expired"] * 100
    with pytest.raises(StackError, match="does not answer after 0 s"):
        embedded_postgres._wait_until_ready(running, timeout=0.01)
