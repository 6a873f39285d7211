"""One segment of a flow run: from a claim to the next gate, the end, or a failure.

Stands in for Prefect's flow engine for the flows of this project, which keep no results and have no hooks; whatever
asks for more goes through that engine (`plain` says which). A sync flow runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from prefect import Flow
from prefect._flow_run_suspension import FlowRunSuspensionRequest
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, Pause
from prefect.logging.loggers import flow_run_logger
from prefect.results import ResultStore, get_result_store

from deployments.warm_worker.orchestration import Answer, Orchestration

_log = logging.getLogger("complaints.worker")
_stores: dict[int, ResultStore] = {}


def plain(flow: Flow[Any, Any]) -> bool:
    """Whether the lean path runs this flow; the others go through Prefect's engine."""
    hooks = (
        flow.on_running_hooks,
        flow.on_completion_hooks,
        flow.on_failure_hooks,
        flow.on_cancellation_hooks,
        flow.on_crashed_hooks,
    )
    return bool(
        not flow.isgenerator
        and (flow.isasync or not flow.timeout_seconds)
        and not any(hooks)
        and not flow.persist_result
        and not flow.retries
        and not flow.flow_run_name
    )


async def run_segment(api: Orchestration, flow: Flow[Any, Any], run: FlowRun) -> None:
    """Run `flow` for the claimed `run` and report how it ended.

    Raises only CancelledError, after handing the run back.
    """
    try:
        parameters = flow.validate_parameters(run.parameters) if flow.should_validate_parameters else run.parameters
        with await _context(api, flow, run, parameters):
            async with asyncio.timeout(flow.timeout_seconds):
                await (flow.fn(**parameters) if flow.isasync else asyncio.to_thread(flow.fn, **parameters))
    except Pause:
        return  # the gate has already suspended the run
    except Abort as refused:
        _log.warning("run %s was stopped by the server: %s", run.name, refused)
        await _settle(api, run, await api.propose(run.id, "CANCELLED", "Cancelled", message=str(refused)))
    except asyncio.CancelledError:
        await asyncio.shield(hand_back(api, run, "the worker shut down"))
        raise
    except TimeoutError as error:
        what = f"Flow run exceeded {flow.timeout_seconds} s" if flow.timeout_seconds else repr(error)
        await _fail(api, flow, run, "TimedOut", what, error)
    except Exception as error:
        await _fail(api, flow, run, "Failed", f"Flow run encountered an exception: {error!r}", error)
    except BaseException as error:  # SystemExit in a flow must not end the worker
        await _fail(api, flow, run, "Crashed", f"Flow run was ended by {error!r}", error)
    else:
        await _settle(api, run, await api.propose(run.id, "COMPLETED", "Completed"))


async def hand_back(api: Orchestration, run: FlowRun, why: str) -> None:
    """Let another worker run this segment from the top."""
    await api.propose(run.id, "SCHEDULED", "AwaitingRetry", message=why)


async def _context(
    api: Orchestration, flow: Flow[Any, Any], run: FlowRun, parameters: dict[str, Any]
) -> FlowRunContext:
    return FlowRunContext(
        flow=flow,
        flow_run=run,
        parameters=parameters,
        client=api.client,
        task_runner=flow.task_runner,
        result_store=await _store(flow),
        persist_result=False,
        flow_run_suspension_request=FlowRunSuspensionRequest(),
    )


async def _store(flow: Flow[Any, Any]) -> ResultStore:
    # resolving the default result storage asks the API; nothing is stored in it
    if id(flow) not in _stores:
        _stores[id(flow)] = await get_result_store().aupdate_for_flow(flow)
    return _stores[id(flow)]


async def _fail(
    api: Orchestration, flow: Flow[Any, Any], run: FlowRun, name: str, message: str, error: BaseException
) -> None:
    flow_run_logger(run, flow).error("%s", message, exc_info=error)
    kind = "CRASHED" if name == "Crashed" else "FAILED"
    await _settle(api, run, await api.propose(run.id, kind, name, message=message[:4000]))


async def _settle(api: Orchestration, run: FlowRun, answer: Answer) -> None:
    """A run that was asked to cancel while its segment ran is cancelled now, whatever the segment came to."""
    if answer.status != "ACCEPT" and answer.type == "CANCELLING":
        await api.propose(run.id, "CANCELLED", "Cancelled", message="Cancelled while a segment was running.")
