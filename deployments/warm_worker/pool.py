"""The work pool of the product and its three queues."""

from __future__ import annotations

from contextlib import suppress

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from complaints.domain.vocabulary import QUEUES

TYPE = "warm-process"


async def ensure_pool(client: PrefectClient, name: str) -> None:
    """Create the pool and its queues where they are missing; safe to repeat, and from several processes at once."""
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name=name, type=TYPE, base_job_template={}))
    there = {queue.name for queue in await client.read_work_queues(work_pool_name=name)}
    for queue, priority in QUEUES.items():
        if queue not in there:
            with suppress(ObjectAlreadyExists):
                await client.create_work_queue(name=queue, work_pool_name=name, priority=priority)
