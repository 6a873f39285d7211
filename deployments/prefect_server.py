"""`python -m deployments.prefect_server server start …`: Prefect's own command line in a process that collects seldom.

The server makes very many short-lived objects beside very many that stay; to look through all of them again and again
took a tenth of its time.
"""

from __future__ import annotations

import gc
import runpy


def main() -> None:
    """Hand over to Prefect."""
    gc.set_threshold(20_000, 20, 100)
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
