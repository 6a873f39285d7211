"""Keeping a process alive: back-off, giving up loudly, hanging processes, logs that grow."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.settings import Settings
from deployments.stack import parts, supervisor
from deployments.stack.errors import StackError
from deployments.stack.parts import Deaths, Part, rotate
from deployments.stack.supervisor import Stack


def part(tmp_path: Path, program: str, ready: bool = True) -> Part:
    return Part("thing", [sys.executable, "-c", program], {}, tmp_path / "log" / "thing.log", lambda: ready)


def test_pauses_double_and_end() -> None:
    deaths = Deaths()
    assert [deaths.pause(1000.0) for _ in range(6)] == [0.2, 0.4, 0.8, 1.6, 3.2, None]
    assert deaths.pause(1061.0) == 0.2  # a minute later all is forgiven


def test_what_dies_again_and_again_is_given_up_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_DEATHS", 3)
    stack = Stack(Settings(home=tmp_path))
    thing = part(tmp_path, "raise SystemExit('the disk of doom is full')")
    stack.parts["thing"] = thing
    thing.start()
    with pytest.raises(StackError) as caught:
        stack.watch()
    assert "'thing' died 3 times within a minute; giving up." in str(caught.value)
    assert f"the disk of doom is full (log: {thing.log})" in str(caught.value)
    stack.stop()


def test_what_lives_and_does_not_answer_is_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SICK_FOR", 0.2)
    monkeypatch.setattr(supervisor, "_PROBE_EVERY", 0.1)
    said: list[str] = []
    stack = Stack(Settings(home=tmp_path), said.append)
    thing = part(tmp_path, "import time; time.sleep(60)", ready=False)
    stack.parts["thing"] = thing
    thing.start()
    first = thing.pid
    watching = threading.Thread(target=stack.watch)
    watching.start()
    while thing.pid in (first, None):
        watching.join(0.05)
    stack.request_stop()
    watching.join()
    assert any(line.startswith("thing has not answered") for line in said)
    stack.stop()
    assert thing.pid is None


def test_stopping_ends_what_ignores_the_signal_and_what_it_started(tmp_path: Path) -> None:
    stubborn = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
    thing = part(tmp_path, stubborn)
    thing.start()
    while not thing.log.read_text().strip():
        threading.Event().wait(0.02)
    child = Path("/proc") / thing.log.read_text().strip()
    thing.ask_to_stop()
    thing.end(0.2)
    assert thing.pid is None
    for _ in range(100):
        if not child.exists() or "Z" in (child / "stat").read_text().split()[2]:
            return
        threading.Event().wait(0.02)
    pytest.fail("the child of a killed part lives on")


def test_a_log_that_grew_is_set_aside_while_it_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LOG_LIMIT", 10)
    log = tmp_path / "thing.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a long first line\n")
        rotate(log)
        writer.write(b"second\n")
    assert log.read_text() == "second\n"
    assert (tmp_path / "thing.log.1").read_text() == "a long first line\n"


def test_last_words_are_why_and_not_that_it_is_over(tmp_path: Path) -> None:
    log = tmp_path / "prefect.log"
    assert parts.last_words(log) == "it left no message"
    why = "sqlalchemy.exc.ProgrammingError: (asyncpg) permission denied for schema public"
    over = "[SQL:\nCREATE TABLE a (\n)\n]\n\nERROR:    Application startup failed. Exiting.\nServer stopped!\n"
    log.write_text(f"OldError: no\n  line 7\n{why}\n{over}")
    assert parts.last_words(log) == why
    log.write_text(f"{why}\nport is taken\n")
    assert parts.last_words(log) == "port is taken"
    log.write_text(over)
    assert parts.last_words(log) == "Server stopped!"


def test_a_part_that_stands_back_says_so_to_the_kernel(tmp_path: Path) -> None:
    part = Part("sleeper", ["sleep", "60"], {}, tmp_path / "sleeper.log", lambda: True, nice=10)
    part.start()
    try:
        assert part.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, part.pid) == 10
        group = Path(f"/proc/{part.pid}/autogroup")
        if group.exists():  # where sessions share processors, it is the session that stands back
            assert group.read_text().endswith("nice 10\n")
    finally:
        part.end(0)


def test_a_part_has_its_whole_time_from_when_it_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is started with the server and can only answer once that does, however long it took."""
    stack = Stack(Settings(home=tmp_path))
    thing = part(tmp_path, "import time; time.sleep(60)", ready=False)
    thing.start()
    thing.started -= supervisor.READY_WITHIN + 1
    threading.Timer(0.3, lambda: setattr(thing, "ready", lambda: True)).start()
    stack.parts["thing"] = thing
    stack._wait_for([thing])
    assert thing.well
    monkeypatch.setattr(supervisor, "READY_WITHIN", 0.2)
    thing.ready = lambda: False
    with pytest.raises(StackError, match="did not get ready"):
        stack._wait_for([thing])
    stack.stop()


def test_a_log_that_grew_gives_way_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path, target: Path) -> None:
        target.write_text("a half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parts, "LOG_LIMIT", 10)
    monkeypatch.setattr(parts.shutil, "copyfile", full)
    log = tmp_path / "thing.log"
    log.write_text("a long first line\n")
    rotate(log)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("thing.log", "")]


def test_a_full_disk_does_not_stop_the_supervisor(tmp_path: Path) -> None:
    said: list[str] = []
    stack = Stack(Settings(home=tmp_path), said.append)
    (tmp_path / ".status.json").mkdir()  # as little to be written as on a full disk
    stack._write_status()
    assert said == [f"{tmp_path / '.status.json'} cannot be written: Is a directory"]


class _Server:
    """Stands in for PostgreSQL: it is dead, and comes back when the disk has room again.

    A test cannot fill the disk of whoever runs it.
    """

    pid = os.getpid()

    def __init__(self, log: Path, refusals: list[Exception]) -> None:
        self.log, self.refusals, self.up = log, refusals, False

    def alive(self) -> bool:
        return self.up

    def restart(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.up = True

    def stop(self, timeout: float) -> None:
        self.up = False


def test_a_database_that_cannot_start_yet_is_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    stack = Stack(Settings(home=tmp_path), said.append)
    full = OSError(errno.ENOSPC, "No space left on device")
    server = _Server(tmp_path / "postgres.log", [full, StackError("PostgreSQL did not start: no room.")])
    stack.postgres = server  # type: ignore[assignment]  # stands in for it
    while not server.up:
        stack._keep_postgres()
    assert [line.partition(";")[0] for line in said] == [
        "PostgreSQL ended",
        str(full),
        "PostgreSQL ended",
        "PostgreSQL did not start: no room.",
        "PostgreSQL ended",
        said[-1],
    ]
    assert said[-1].startswith("PostgreSQL   ready")
    server.up, server.refusals = False, [StackError("no room")] * parts.MOST_DEATHS
    with pytest.raises(StackError, match="'PostgreSQL' died 6 times within a minute; giving up"):
        stack.watch()


def test_a_database_without_room_waits_for_it_and_costs_no_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    stack = Stack(Settings(home=tmp_path), said.append)
    free = iter([0, 1000, 0, *[10**12] * 9])
    monkeypatch.setattr(supervisor, "_LOOK_FOR_ROOM", 0.01)
    monkeypatch.setattr(supervisor.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free)))
    server = _Server(tmp_path / "postgres.log", [])
    stack.postgres = server  # type: ignore[assignment]  # stands in for it
    stack._keep_postgres()
    assert server.up
    assert len(said) == 3
    assert said[1] == f"The disk of {tmp_path} is full; PostgreSQL is started again as soon as there is room."
    server.up, free = False, iter([0] * 9)
    threading.Timer(0.3, stack.request_stop).start()
    monkeypatch.setattr(supervisor, "_LOOK_FOR_ROOM", 60)
    stack.watch()
    assert not server.up
