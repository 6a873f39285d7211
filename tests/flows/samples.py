"""Flows that the tests of the worker run. What they did is told in files, so that worker processes can tell it too."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Literal

from prefect import flow, task
from pydantic import BaseModel, ConfigDict

from flows.gates import wait_at_gate


class Decision(BaseModel):
    """A form with a required choice, a required text and an optional number."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["upheld", "not_upheld"]
    reason: str
    amount: float | None = None


def note(path: str, line: str) -> None:
    """One line more."""
    with Path(path).open("a") as file:
        file.write(line + "\n")


@task(name="count", persist_result=False)
async def count(path: str, line: str) -> str:
    """A task as the product writes them: async, with the blocking part in a thread."""
    await asyncio.to_thread(note, path, line)
    return line


@task(name="slow", persist_result=False)
async def slow(seconds: float) -> None:
    """Long enough to be shown as running."""
    await asyncio.sleep(seconds)


@task(name="flaky", retries=2, retry_delay_seconds=0.05, persist_result=False)
async def flaky(path: str) -> int:
    """Fails twice."""
    await asyncio.to_thread(note, path, "try")
    tries = len(Path(path).read_text().splitlines())
    if tries < 3:
        raise RuntimeError(f"try {tries} fails")
    return tries


@flow(name="sample-two-gates", validate_parameters=False)
async def two_gates(path: str) -> None:
    """Works, waits, works, waits, ends; the file is its row."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    if "begun" not in lines:
        await count(path, "begun")
    for gate in ("first-1", "second-1"):
        if f"done {gate}" not in lines:
            answer = await wait_at_gate(gate, Decision, f"Please decide {gate}.")
            await count(path, f"done {gate} by form {answer['outcome']}")
            lines = [*lines, f"done {gate}"]
    await count(path, "end")


@flow(name="sample-napping", validate_parameters=False)
async def napping(path: str, seconds: float) -> None:
    """Says when it begins and when it ends."""
    note(path, "begin")
    await asyncio.sleep(seconds)
    note(path, "end")


@flow(name="sample-slow-task", validate_parameters=False)
async def slow_task(seconds: float) -> None:
    """One long task."""
    await slow(seconds)


@flow(name="sample-flaky", validate_parameters=False)
async def with_flaky_task(path: str) -> None:
    """A task that succeeds at the third try."""
    await flaky(path)


@flow(name="sample-failing", validate_parameters=False)
async def failing(kind: str) -> None:
    """Ends badly in several ways."""
    if kind == "exit":
        raise SystemExit(3)
    raise ValueError("no such thing")


@task(name="sync step", persist_result=False)
def sync_step(path: str) -> None:
    """A sync task."""
    note(path, "sync ran")


@flow(name="sample-sync")
def sync_flow(path: str) -> None:
    """A sync flow with a sync task, as those with a schedule are."""
    sync_step(path)


@flow(name="sample-blocking", validate_parameters=False)
async def blocking(path: str) -> None:
    """Hangs in a thread for longer than anybody waits."""
    note(path, "begin")
    await asyncio.to_thread(time.sleep, 60)


def _tell(flow: Any, run: Any, state: Any) -> None:
    note(run.parameters["path"], f"hook {state.name}")


@flow(name="sample-hooked", on_completion=[_tell])
async def hooked(path: str) -> None:
    """An async flow with a hook: goes through Prefect's engine."""
    note(path, "body")
