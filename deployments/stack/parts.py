"""One process of the stack: how it starts, how one knows that it is ready, how it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployments.stack.embedded_postgres import die_with_parent

#: A log larger than this is set aside as `.1` when its process starts.
LOG_LIMIT = 20_000_000


@dataclass
class Part:
    """A child process that the supervisor keeps alive."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0.0
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start it; its output goes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.env},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        self.started = time.monotonic()

    @property
    def pid(self) -> int | None:
        """Its process id, while it lives."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def ask_to_stop(self) -> None:
        """SIGTERM: finish what is in hand."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)

    def end(self, within: float) -> None:
        """Wait for it, then kill its whole process group."""
        if self.process is None:
            return
        try:
            self.process.wait(max(within, 0.05))
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # its children too: nothing is left behind
        except ProcessLookupError:
            pass
        self.process.wait(5)

    def last_words(self) -> str:
        """The end of its log, on one line."""
        if not self.log.exists():
            return ""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""
