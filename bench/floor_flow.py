"""The synthetic complaint of `prefect_floor`: seven tasks and two human steps over a row in PostgreSQL.

`warm` is written the way the product writes its flow; `stock` the way Prefect's documentation shows it.
"""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import Any, Literal

from prefect import flow, suspend_flow_run, task
from prefect.input.actions import aread_flow_run_input
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

from flows.gates import wait_at_gate

#: What happens in order; a gate is waited at until its number of answers is in the row.
STEPS = ("intake", "classification", "acknowledgment", "gate-1", "decision", "response", "gate-2", "survey", "archive")


class Findings(BaseModel):
    """Form of the first human step."""

    gate: Literal["gate-1", "gate-2"]
    outcome: Literal["upheld", "partly", "not_upheld"]
    summary: str


@cache
def pool() -> ConnectionPool:
    """Connections of this process."""
    return ConnectionPool(os.environ["FLOOR_DATABASE"], min_size=1, max_size=8, open=True)


def look(case: str) -> tuple[int, int]:
    """Steps done and human answers given."""
    with pool().connection() as connection:
        row = connection.execute("select done, answers from floor where id = %s", (case,)).fetchone()
    assert row is not None
    return row[0], row[1]


def advance(case: str, step: int) -> int:
    """Do one step: one transaction."""
    with pool().connection() as connection:
        connection.execute("update floor set done = %s where id = %s and done = %s", (step + 1, case, step))
    return step + 1


def _step(name: str) -> Any:
    @task(name=name, retries=3, retry_delay_seconds=2, persist_result=False)
    async def step(case: str, number: int) -> int:
        return await asyncio.to_thread(advance, case, number)

    return step


TASKS = {name: _step(name) for name in STEPS if not name.startswith("gate")}


@flow(name="floor-warm", validate_parameters=False, persist_result=False)
async def warm(case: str) -> None:
    """As the product does it: the row says what is next."""
    done, answers = await asyncio.to_thread(look, case)
    while done < len(STEPS):
        name = STEPS[done]
        if not name.startswith("gate"):
            done = await TASKS[name](case, done)
        elif answers >= int(name[-1]):
            done = await asyncio.to_thread(advance, case, done)
        else:
            await wait_at_gate(name, Findings)


@flow(name="floor-stock", persist_result=False)
async def stock(case: str) -> None:
    """As the documentation has it, with the stored answer read first (else a retry hangs for ever)."""
    done, _ = await asyncio.to_thread(look, case)
    while done < len(STEPS):
        name = STEPS[done]
        if name.startswith("gate"):
            if await aread_flow_run_input(f"suspended-{name}-response") is None:
                await suspend_flow_run(wait_for_input=Findings, key=name, timeout=None)
            done = await asyncio.to_thread(advance, case, done)
        else:
            done = await TASKS[name](case, done)
