"""`python -m deployments.prefect_server server start …`: Prefect's own command line, collecting garbage seldom."""

from __future__ import annotations

import runpy

from config.garbage import collect_seldom


def main() -> None:
    """Hand over to Prefect."""
    collect_seldom()
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
