"""The regular flows: dispatch, the SLA clock, reconcile, archive. Short, on schedules, any number of them at once."""

from __future__ import annotations

from prefect import flow

from tasks import operations as tasks


@flow(name="dispatch", persist_result=False)
def dispatch() -> int:
    """Act on intents that were not acted on right after their commit."""
    return tasks.sweep_intents()


@flow(name="sla_clock", persist_result=False)
def sla_clock() -> dict[str, int]:
    """Fire due rungs, end waits whose time is over."""
    return tasks.tick()


@flow(name="reconcile", persist_result=False)
def reconcile() -> dict[str, int]:
    """Give every open complaint its live run at its gate again."""
    return tasks.compare()


@flow(name="archive_due", persist_result=False)
def archive_due() -> int:
    """End appeal windows that are over."""
    return tasks.end_windows()
