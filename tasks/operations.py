"""What runs beside the complaints: sweeping intents, the clock, reconciling. Each task one service call."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from prefect import task

from complaints.domain.ports import SYSTEM
from complaints.services import ladders, marks, reconcile, signin, timers, watch
from config.wiring import app
from tasks.orphans import release_all

#: No retries: each is begun again by its schedule within a minute at most (`deployments/prefect.yaml`), takes up what
#: the one before it left, and a second one beside it, waiting to try again, would only be in its way.
_BY_SCHEDULE: dict[str, Any] = {"retries": 0, "persist_result": False}
#: The work pool of all our deployments.
POOL = "complaints"
#: No file is on its way for so long.
_UPLOAD = timedelta(days=1)


@task(name="sweep intents", **_BY_SCHEDULE)
def sweep_intents(most: int = 500) -> int:
    """Act on intents that are due; how many there were."""
    due = app().dispatcher.sweep(most)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(app().dispatcher.act, due))
    with app().store.work(SYSTEM) as work:
        watch.clock_stands_still(work)
        watch.clocks_fail(work)
        marks.set_mark(work, "dispatch", {"count": len(due)})
    return len(due)


@task(name="tick", **_BY_SCHEDULE)
def tick() -> dict[str, int]:
    """Fire rungs that are due and end waiting whose time is over."""
    done = {"rungs": ladders.tick(app().store), "waits": timers.end_waiting(app().store)}
    with app().store.work(SYSTEM) as work:
        done["untold"] = watch.extensions_untold(work)
        marks.set_mark(work, "sla_clock", {"count": sum(done.values())})
    return done


@task(name="end appeal windows", **_BY_SCHEDULE)
def end_windows() -> int:
    """Closed complaints whose appeal window is over go to the archive."""
    ended = timers.end_waiting(app().store)
    _mark("archive_due", ended)
    return ended


@task(name="compare with Prefect", **_BY_SCHEDULE)
def compare() -> dict[str, int]:
    """Find complaints without a live run and put them right; runs of dead workers are rescheduled first."""
    release_orphans()
    runs = app().runs
    report = reconcile.reconcile(app().store, lambda ids: runs.states(list(ids)), repair=True, waiting=runs.waiting)
    found = {key: len(value) for key, value in report.as_dict().items() if isinstance(value, list)}
    with app().store.work(SYSTEM) as work:
        watch.runs_failed(work, report.failed + report.stuck)
        signin.forget_old(work)
        app().blobs.forget_unfinished(work.now - _UPLOAD)
        marks.set_mark(work, "reconcile", {"count": report.looked_at})
    return {"looked_at": report.looked_at, **found}


def release_orphans() -> int:
    """Runs whose worker died are scheduled again; how many there were."""
    settings = app().settings
    return asyncio.run(release_all(settings.prefect_api_url, settings.prefect_auth(), POOL, app().store.now()))


def _mark(name: str, count: int) -> None:
    with app().store.work(SYSTEM) as work:
        marks.set_mark(work, name, {"count": count})
