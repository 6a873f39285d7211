"""One process of the stack: how it starts, how one knows that it is well, how often it may die, how it is stopped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: A log larger than this is set aside as `.1`, in bytes.
LOG_LIMIT = 20_000_000
#: A part that dies this often within `_MEMORY` seconds is given up.
MOST_DEATHS = 6
_MEMORY = 60.0
_LONGEST_PAUSE = 10.0
#: Last lines that say nothing of why, how the line of an exception begins, and within how many lines it stands.
_FAREWELLS = ("Server stopped!", "Application startup failed. Exiting.")
_EXCEPTION = re.compile(r"[\w.]+(Error|Exception): ")
_SHORT_BEFORE = 20


def on_our_death(sign: signal.Signals) -> list[str]:
    """What to put before a command so that it gets `sign` when we die, however we die. Linux; elsewhere nothing.

    The kernel watches the thread that starts the command, so that thread must live as long as we do.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", sign.name.removeprefix("SIG"), "--"] if setpriv else []


def stand_back(pid: int, nice: int) -> None:
    """Let others run before the leader of a session, a process just started, and all that it will start.

    Linux may share processors among sessions first (sched(7), autogroup): there the nice value of a process says
    nothing to other sessions, and that of its session does. What cannot be set only costs speed.
    """
    if nice:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        for _ in range(3):  # who is not root may set one in a tenth of a second
            try:
                Path(f"/proc/{pid}/autogroup").write_text(str(nice))
            except BlockingIOError:
                time.sleep(0.1)
            except OSError:  # no such feature, or it has died already
                return
            else:
                return


@dataclass
class Deaths:
    """How often something died lately, and when to try again."""

    _at: list[float] = field(default_factory=list)

    @property
    def lately(self) -> int:
        """How often within the last minute, when it was last asked."""
        return len(self._at)

    def pause(self, now: float) -> float | None:
        """Note a death; seconds until the next try, doubling each time. None: too many, give up."""
        self._at = [at for at in self._at if now - at < _MEMORY] + [now]
        if len(self._at) >= MOST_DEATHS:
            return None
        return min(0.2 * 2.0 ** (len(self._at) - 1), _LONGEST_PAUSE)


@dataclass
class Part:
    """A child process that the supervisor keeps alive."""

    name: str
    command: list[str]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    ready: Callable[[], bool]  #: asks the process itself; may raise httpx.HTTPError
    nice: int = 0  #: 0 to 19: how far it stands back where processors are short
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0.0  #: monotonic
    deaths: Deaths = field(default_factory=Deaths, repr=False)
    revive_at: float | None = None  #: monotonic; it is dead and waits for its next start
    well: bool = False  #: it has answered since its last start
    sick_since: float | None = None  #: monotonic; it lives and does not answer

    def start(self) -> None:
        """Start it; its output goes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*on_our_death(signal.SIGTERM), *self.command],
                env={**os.environ, **self.env},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        stand_back(self.process.pid, self.nice)
        self.started, self.revive_at, self.sick_since, self.well = time.monotonic(), None, None, False

    @property
    def pid(self) -> int | None:
        """Its process id, while it lives."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def ask_to_stop(self) -> None:
        """SIGTERM: finish what is in hand."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)

    def end(self, within: float) -> None:
        """Wait for it, `within` seconds at most, then kill whatever is left of its process group."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(within, 0.05))
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its children too: nothing is left behind
        self.process.wait(5)

    def last_words(self) -> str:
        """The end of its log, on one line."""
        return last_words(self.log)


def last_words(log: Path) -> str:
    """The last line of a log; where that only says that it is over, the exception before it."""
    lines = (
        [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    )
    if not lines:
        return "it left no message"
    raised = [line for line in lines[-_SHORT_BEFORE:] if _EXCEPTION.match(line)]
    return (raised if raised and lines[-1].endswith(_FAREWELLS) else lines)[-1][:300]


def rotate(log: Path) -> None:
    """Set a log that has grown too large aside as `.1`, under the hands of the process that goes on appending to it.

    Where the disk has no room for that, what it said is given up: it makes the room that the system needs to go on.
    """
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        aside = log.with_suffix(".log.1")
        try:
            shutil.copyfile(log, aside)
        except OSError:
            aside.unlink(missing_ok=True)
        os.truncate(log, 0)
