"""`make bench`: the product's figures and, in the same run, its peers: Prefect's process worker, django-helpdesk."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from bench import product, sla_bench


def main() -> None:
    """Measure the product and its peers; print one table and one JSON line."""
    home = Path(tempfile.mkdtemp(prefix="complaints-bench-"))
    rows, more = product.measure(home, lifecycles=100, peers=6, suspended=20_000, rows=10_000)
    (home / "sla").mkdir()
    rows += sla_bench.measure(home / "sla", cases=100_000, rungs=10_000)
    for row in rows:
        print(f"{'✓' if row.met else '✗'} {row.name:72} {row.value:10.2f} {row.unit:12} must be {row.target}")
    for name, values in more.items():
        print(f"  {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in sorted(values.items())))
    figures = {r.name: round(r.value, 3) for r in rows}
    print(json.dumps({"product": figures, **more}))
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
