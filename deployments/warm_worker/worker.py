"""The worker: polls, claims, runs segments side by side in one event loop, and drains before it leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import anyio.abc
import httpx
from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter
from prefect.events.schemas.events import Event
from prefect.exceptions import Abort, ObjectNotFound, Pause, PrefectHTTPStatusError
from prefect.flow_engine import run_flow_async, run_flow_sync
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from deployments.warm_worker.flows import FlowBook, UnknownFlow
from deployments.warm_worker.orchestration import Due, Orchestration
from deployments.warm_worker.pool import TYPE, ensure_pool
from deployments.warm_worker.segment import plain, run_segment
from deployments.warm_worker.task_events import TaskEvents
from tasks.orphans import orphaned_runs, release

_log = logging.getLogger("complaints.worker")
#: What makes a poll worth while, told by the server's event stream.
_WAKERS = ["prefect.flow-run.Scheduled", "prefect.flow-run.Resuming", "prefect.flow-run.AwaitingRetry"]
#: Shortest time between two polls, the dearest call there is: one poll finds many runs. Seconds.
_SPACING = 0.25
#: The event of a new run comes a little before its commit. Seconds.
_COMMIT = 0.03


class WarmWorker(BaseWorker[BaseJobConfiguration, BaseVariables, BaseWorkerResult]):
    """At most `concurrency` segments at a time; `drain` seconds to finish them before leaving."""

    type = TYPE
    job_configuration = BaseJobConfiguration
    _display_name = "Warm process"
    _description = "Runs flows inside a process that has already imported them."

    def __init__(
        self,
        work_pool_name: str,
        *args: Any,
        concurrency: int = 20,
        drain: float = 8.0,
        poll: float = 2.0,
        share: tuple[int, int] = (1, 1),
        **more: Any,
    ) -> None:
        """`share` (2, 3): second of three workers of this pool; together they poll every `poll` seconds at rest."""
        # a limit of the base class crashes the worker when a run is resumed before its previous segment returned
        super().__init__(work_pool_name, *args, **{**more, "limit": None})
        self.concurrency, self.drain, self.poll, self.share = concurrency, drain, poll, share
        self.life = uuid4().hex[:8]
        self.segments = 0
        self._in_flight: dict[UUID, asyncio.Task[None]] = {}
        self._left_over = False
        self._held_back = True
        self._nudged = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def holder(self) -> str:
        """How this worker signs what it claims."""
        return f"{self.name}/{self.life}"

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """No job is started, so nothing can be configured; the server checks each new run against this schema."""
        return {"job_configuration": {"env": {}}, "variables": {"properties": {}}}

    def stop(self) -> None:
        """Take nothing new, finish what is in flight, leave. Call it on the worker's loop."""
        self._stopping.set()
        self._nudged.set()

    async def start(
        self, run_once: bool = False, with_healthcheck: bool = False, printer: Callable[..., None] = print
    ) -> None:
        """Work until `stop`; with `run_once`, run what is due now and leave."""
        # every segment may block in a thread; one client for async code and one for sync tasks in those threads:
        # building a client costs more than ten tasks
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(self.concurrency + 4, thread_name_prefix="segment")
        )
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), SyncClientContext():
            async with AsyncClientContext() as shared, self:
                await ensure_pool(shared.client, self._work_pool_name)
                self._api = Orchestration(shared.client, self.holder)
                self._book = FlowBook(shared.client)
                self._events = TaskEvents(self._api.send_events, asyncio.get_running_loop())
                await self._take_back(self.name)  # by an earlier life
                self._held_back = await self._api.held_back(self._work_pool_name)
                with self._events.instead_of_stock():
                    printer(f"Worker {self.name!r} started!")
                    await self._work(run_once)
        printer(f"Worker {self.name!r} stopped!")

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        """Run one ad-hoc submitted flow run through Prefect's engine; the polling loop does not come here."""
        if task_status is not None:
            task_status.started(0)
        await self._engine(await self._book.flow_of(flow_run.deployment_id), flow_run)
        return BaseWorkerResult(identifier=self.holder, status_code=0)

    async def _work(self, run_once: bool) -> None:
        if run_once:
            await self._poll_once()
            await self._finish()
            return
        helpers = [asyncio.create_task(helper) for helper in (self._heartbeats(), self._flush())]
        try:
            await self._poll_loop()
            await self._finish()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._events.flush(everything=True)

    async def _take_back(self, holder: str) -> None:
        """Schedule again what was claimed by `holder`, a life of ours, and nobody runs."""
        busy = set(self._in_flight)
        for orphan in await orphaned_runs(self.client, self._work_pool_name, datetime.now(UTC), dead=self.name):
            ours = f"{orphan.holder}/".startswith(f"{holder}/") and orphan.run_id not in busy | self._in_flight.keys()
            if ours and await release(self.client, orphan):
                _log.warning("took back run %s from %s", orphan.name, orphan.holder)

    # -- picking up

    async def _poll_loop(self) -> None:
        loop, pause = asyncio.get_running_loop(), 0.5
        while not self._stopping.is_set():
            self._nudged.clear()
            started = loop.time()
            try:
                await self._poll_once()
                pause = 0.5
            except (httpx.HTTPError, PrefectHTTPStatusError) as error:
                await self._away(error, pause)
                pause = min(pause * 2, 8.0)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll * self.share[1]):
                    await self._nudged.wait()
            await asyncio.sleep(max(0.0, _SPACING - (loop.time() - started)))

    async def _poll_once(self) -> None:
        if len(self._in_flight) >= self.concurrency:
            return
        # those in flight may be due again already: they must not hide others
        limit = self.concurrency
        for due in await self._api.due(self._work_pool_name, sorted(self._work_queues), limit):
            self._offer(due)

    def _offer(self, due: Due) -> None:
        if due.run_id in self._in_flight or len(self._in_flight) >= self.concurrency:
            self._left_over = True  # full, or resumed before its last segment returned: polled for when one has
        elif not self._stopping.is_set():
            self._take(due)

    def _take(self, due: Due) -> None:
        task = asyncio.create_task(self._segment(due), name=f"segment-{due.run_id}")
        self._in_flight[due.run_id] = task
        task.add_done_callback(lambda done: self._returned(due.run_id, done))

    def _returned(self, run_id: UUID, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(run_id, None)
        self.segments += 1
        if self._left_over:
            self._left_over = False
            self._nudged.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("segment of run %s ended badly", run_id, exc_info=error)

    async def _away(self, error: Exception, pause: float) -> None:
        _log.warning("cannot poll the Prefect server: %s; next try in %.1f s", error, pause)
        if isinstance(error, PrefectHTTPStatusError) and error.response.status_code == 404:
            # the pool is gone, perhaps with the whole database: make it anew
            with suppress(httpx.HTTPError, PrefectHTTPStatusError):
                await ensure_pool(self.client, self._work_pool_name)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._stopping.wait()

    # -- running

    async def _segment(self, due: Due) -> None:
        try:
            flow = await self._book.flow_of(due.deployment_id)
        except (UnknownFlow, ObjectNotFound) as error:
            if await self._api.claim(due, "PENDING", "Pending"):
                await self._api.propose(due.run_id, "CRASHED", "Crashed", message=str(error))
            return
        lean = plain(flow)
        await asyncio.sleep(_COMMIT)
        try:
            run = await self._api.claim(due, *(("RUNNING", "Running") if lean else ("PENDING", "Pending")))
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            self._nudged.set()  # not committed yet
            return
        if run is None:
            return
        if lean:
            await run_segment(self._api, flow, run)
        else:
            await self.client.update_flow_run(run.id, infrastructure_pid=self.holder)
            await self._engine(flow, run)

    async def _engine(self, flow: Flow[Any, Any], run: FlowRun) -> None:
        """Prefect's own engine, for flows that ask for hooks, retries, results or a computed name."""
        parameters = flow.validate_parameters(run.parameters) if flow.should_validate_parameters else run.parameters
        with suppress(Pause, Abort):
            if flow.isasync:
                await run_flow_async(flow, flow_run=run, parameters=parameters, return_type="state")
            else:
                await asyncio.to_thread(run_flow_sync, flow, flow_run=run, parameters=parameters, return_type="state")

    async def _finish(self) -> None:
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=self.drain)
        late = list(self._in_flight.values())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    # -- beside

    async def _heartbeats(self) -> None:
        """Report to the server, and listen to the pool that has our name: it is another one after a lost database."""
        listener, pool_id = asyncio.create_task(self._listen()), self.work_pool.id
        try:
            while True:
                await asyncio.sleep(self.heartbeat_interval_seconds)
                try:
                    await self._sync_and_initialize()
                    # what ended here, but not there: the server's database does not wait for its disk
                    await self._take_back(self.holder)
                    self._held_back = await self._api.held_back(self._work_pool_name)
                except Exception as error:  # a missed heartbeat is made up for by the next one
                    _log.warning("heartbeat failed: %s", error)
                if self.work_pool.id != pool_id:
                    listener.cancel()
                    listener, pool_id = asyncio.create_task(self._listen()), self.work_pool.id
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            await self._events.flush()

    async def _listen(self) -> None:
        """Take what the server tells to be due, without a poll; what is missed here, the next poll finds.

        Where operations hold runs back, a poll alone tells which may start.
        """
        pool = EventAnyResourceFilter(id=[f"prefect.work-pool.{self.work_pool.id}"])
        wanted = EventFilter(event=EventNameFilter(name=_WAKERS), any_resource=pool)
        while True:
            try:
                async with get_events_subscriber(filter=wanted, reconnect_on_clean_close=True) as stream:
                    self._nudged.set()  # what happened before
                    async for event in stream:
                        due = _due(event)
                        if self._held_back:
                            self._nudged.set()
                        elif self._is_ours(due) and (not self._work_queues or self._work_queues & _queues(event)):
                            self._offer(due)
            except Exception as error:  # server restarts, proxies: the stream is an accelerator only
                _log.warning("no event stream for now, polling every %.1f s: %s", self.poll, error)
            await asyncio.sleep(2.0)

    def _is_ours(self, due: Due) -> bool:
        # of several workers one claims at once; what it leaves, because it is full or dead, the others poll
        number, of = self.share
        return due.run_id.int % of == number - 1


def _due(event: Event) -> Due:
    """The run of a state event; the event has the id of the state that it tells of."""
    deployment = next((r.id for r in event.related if r.role == "deployment"), None)
    return Due(
        run_id=UUID(event.resource.id.rpartition(".")[2]),
        state_id=str(event.id),
        deployment_id=UUID(deployment.rpartition(".")[2]) if deployment else None,
        run_count=int(event.resource["prefect.run-count"]),
        resuming=event.event.endswith(".Resuming"),
        seen=asyncio.get_running_loop().time(),
    )


def _queues(event: Event) -> set[str]:
    return {r["prefect.resource.name"] for r in event.related if r.role == "work-queue"}
