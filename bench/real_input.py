"""Real complaints, end to end: the CFPB sample is imported and brought to archive by agents, on the running system.

    python -m bench.real_input --file ../shared/data/cfpb_sample.csv

Prints what became of them: archived, closing categories, clocks met and missed, seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.product import Agents, system, wait


def main() -> None:
    """Import, work, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--file", type=Path, default=Path("../shared/data/cfpb_sample.csv"))
    parser.add_argument("--map", default="cfpb")
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--seconds", type=int, default=1800, help="Give up after so long.")
    options = parser.parse_args()
    home = options.home or Path(tempfile.mkdtemp(prefix="complaints-real-"))
    with system(home, sorted(os.sched_getaffinity(0))) as the:
        command = [str(Path(sys.executable).parent / "complaints"), "import", str(options.file), "--map", options.map]
        began = time.monotonic()
        first = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        imported = time.monotonic() - began
        again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        total = int(the.sql("select count(*) from complaint")[0][0])
        print(f"imported {total} in {imported:.1f} s; again: {again.stdout.strip()[:200]}", flush=True)
        with Agents(the):
            wait(lambda: the.status_counts().get("archived", 0) >= total, options.seconds)
        figures = {
            "total": total,
            "import": first.stdout.strip()[:200],
            "seconds": round(time.monotonic() - began, 1),
            "status": the.status_counts(),
            "closing": dict(the.sql("select closing_category, count(*) from complaint group by 1")),
            "category": dict(the.sql("select category, count(*) from complaint group by 1 order by 2 desc")),
            "clocks": {
                f"{p}.{n} {s}": c
                for p, n, s, c in the.sql("select profile, name, state, count(*) from clock group by 1, 2, 3")
            },
            "dead": the.sql("select count(*) from outbox where state = 'dead'")[0][0],
        }
        for check in (["audit", "verify"], ["archive", "verify"], ["doctor"]):
            done = subprocess.run([command[0], *check, "--json"], capture_output=True, text=True, check=False)
            figures[" ".join(check)] = f"exit {done.returncode}: {' '.join(done.stdout.split())[:200]}"
    print(json.dumps(figures, indent=2, default=str))


if __name__ == "__main__":
    main()
