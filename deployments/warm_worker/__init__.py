"""A Prefect worker of type `warm-process`: runs segments of flows inside a process that has already imported them.

Prefect's process worker starts two interpreters for every segment (seconds); this one calls the flow function. What it
leans on in Prefect's private surface is pinned by `tests/flows/test_warm_worker_contract.py`.
"""

from deployments.warm_worker.pool import ensure_pool
from deployments.warm_worker.worker import WarmWorker
from tasks.orphans import Orphan, orphaned_runs, release

__all__ = ["Orphan", "WarmWorker", "ensure_pool", "orphaned_runs", "release"]
