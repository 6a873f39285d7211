"""Does a worker grow? Its memory while complaints go through it from intake to archive.

python -m bench.worker_memory --segments 5000
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psutil
import psycopg

from bench.product import System, system, throughput

#: Lifecycles that come at once. As many go before the first look: pools, caches and the C library's heaps are then as
#: large as such a crowd makes them, and what is added afterwards is added by work.
_CROWD = 300


@dataclass(frozen=True)
class Memory:
    """Resident memory of the one worker, in bytes, before and after so many segments."""

    segments: int
    before: int
    after: int
    seconds: float

    @property
    def growth(self) -> float:
        """What was added, as a share."""
        return self.after / self.before - 1


def measure(home: Path, segments: int) -> Memory:
    """Let one worker run at least `segments` segments after a warm-up, crowd after crowd."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with system(home, cores, workers="1") as the:
        throughput(the, _CROWD)
        ran, before, began = _segments(the), _resident(the), time.monotonic()
        for crowd in count(1):
            done, now = _segments(the) - ran, _resident(the)
            print(f"{done:,} segments: {now / 1e6:.1f} MB", flush=True)
            if done >= segments:
                break
            throughput(the, _CROWD, first=10_000 * crowd)
        return Memory(done, before, now, time.monotonic() - began)


def _segments(the: System) -> int:
    """Segments that Prefect has seen start."""
    query = "select count(*) from flow_run_state where type = 'RUNNING'"
    with psycopg.connect(the.stack.settings.postgres_url("prefect")) as connection:
        return int((connection.execute(query).fetchone() or [0])[0])


def _resident(the: System) -> int:
    (pid,) = (pid for name, pid in the.stack.status().items() if name.startswith("worker") and pid)
    process = psutil.Process(pid)
    return sum(int(each.memory_info().rss) for each in [process, *process.children(recursive=True)])


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--segments", type=int, default=5_000)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="complaints-memory-"))
    found = measure(home / "state", options.segments)
    print(
        f"{found.segments:,} segments in {found.seconds:.0f} s: "
        f"{found.before / 1e6:.1f} → {found.after / 1e6:.1f} MB ({found.growth:+.1%})"
    )
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
