"""`python -m deployments.prefect_server server start …`: Prefect's own command line, a little cheaper to run."""

from __future__ import annotations

import runpy
import zoneinfo
from functools import cache

from config.garbage import collect_seldom


def main() -> None:
    """Hand over to Prefect."""
    collect_seldom()
    # each schedule that Prefect reads asks for all time zones, each time with a walk through the file system: a seventh
    # of the server's CPU at rest
    zoneinfo.available_timezones = cache(zoneinfo.available_timezones)
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
