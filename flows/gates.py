"""Waiting for a person: the run is suspended, costs nothing, and starts again from the top when it is woken.

The truth is the complaint's row. A run is woken because the row may have changed, so it reads the row; only where
somebody used the form that Prefect's own screens show does the answer come from here.

Every suspension has its own set of keys (gate and a random part; Prefect's run count does not grow with a resume),
because Prefect stores one answer per key and refuses
the second for ever: that is what makes parallel wake-ups safe, and it must not stop a later suspension at the same
gate. The form is stored before the run is suspended, so a quick answer always finds it.
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from typing import Any
from uuid import uuid4

from prefect._internal.pydantic.v2_schema import create_v2_schema
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, Pause
from pydantic import BaseModel

from tasks.server import ask

#: Field of an answer that is none: the product's own service finished the step and only wakes the run.
WOKEN = "woken"
#: Answers of one gate that are read, the oldest first; each time the run was woken there left one.
_MOST = 10_000
#: A run in another state was cancelled or ended while its segment ran.
_ALIVE = frozenset({"PAUSED", "SCHEDULED", "PENDING", "RUNNING"})


async def wait_at_gate(gate: str, form: type[BaseModel], description: str = "") -> dict[str, Any]:
    """The answer given for `gate` in Prefect's own form, if there is one; else suspend the run (this never returns).

    `gate` is unique per step and round (`investigation-1`). `form` has the fields of the step; `description` is shown
    above it. The values are as typed: shape checked by the server, meaning not, so hand them to the service.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not isinstance(context.client, PrefectClient):
        raise RuntimeError("A gate can only be waited at inside an async flow run.")
    run, client = context.flow_run, context.client
    if _may_be_answered(run, gate) and (answer := await _answer(client, run, gate)) is not None:
        return answer
    state = await _suspend(client, run, gate, form, description)
    raise Pause(state=state)


def _may_be_answered(run: FlowRun, gate: str) -> bool:
    """Whether the run has been suspended at `gate` before, as far as Prefect remembers: a new attempt, which it counts
    as a run (not so a resume after a gate), may have lost the keys of its visits."""
    return run.run_count > 1 or any(key.startswith(f"{_slug(gate)}--") for key in run.empirical_policy.pause_keys or ())


async def _answer(client: PrefectClient, run: FlowRun, gate: str) -> dict[str, Any] | None:
    wanted = {"prefix": f"answer-{_slug(gate)}--", "limit": _MOST}
    found = await ask(client, "POST", f"/flow_runs/{run.id}/input/filter", wanted)
    values = [json.loads(entry["value"]) for entry in found]
    typed = [value for value in values if WOKEN not in value]
    if not typed:
        return None
    return {name: value for name, value in typed[-1].items() if name != "gate"}


async def _suspend(
    client: PrefectClient, run: FlowRun, gate: str, form: type[BaseModel], description: str
) -> State[Any]:
    visit = f"{_slug(gate)}--{uuid4().hex[:12]}"
    keys = {"schema": f"form-{visit}", "response": f"answer-{visit}", "description": f"text-{visit}"}
    inputs = {keys["schema"]: _schema(form, gate)}
    if description:
        inputs[keys["description"]] = json.dumps(description)
    await asyncio.gather(
        *(
            ask(client, "POST", f"/flow_runs/{run.id}/input", {"key": key, "value": value}, fine=409)
            for key, value in inputs.items()
        )
    )
    details = {"pause_reschedule": True, "pause_key": visit, "run_input_keyset": keys}
    state = {"type": "PAUSED", "name": "Suspended", "message": gate, "state_details": details}
    body = await ask(client, "POST", f"/flow_runs/{run.id}/set_state", {"state": state})
    holds = body.get("state") or {}
    # refused, but alive: an answer was lost, and the run may have been woken since, or another worker has it
    if body["status"] != "ACCEPT" and holds.get("type") not in _ALIVE:
        raise Abort(f"the run could not be suspended at {gate}: {body.get('details')}")
    return State.model_validate(holds)


async def label(tags: tuple[str, ...]) -> None:
    """Give the current run these tags, so that operations can filter by them; asks nothing where it bears them."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or not isinstance(context.client, PrefectClient):
        raise RuntimeError("Only a flow run can be given tags.")
    run = context.flow_run
    if tags and set(tags) != set(run.tags):
        await ask(context.client, "PATCH", f"/flow_runs/{run.id}", {"tags": list(tags)})
        run.tags = list(tags)


def _slug(gate: str) -> str:
    """Keys of inputs have lower-case letters, digits and dashes only; the double dash ends the gate's name."""
    return re.sub(r"[^a-z0-9]+", "-", gate.lower())


@cache
def _schema(form: type[BaseModel], gate: str) -> str:
    """The form as Prefect's screens render it; whoever only wakes the run may leave the fields out."""
    schema = create_v2_schema(form.__name__, model_base=form)
    required = [name for name in schema.get("required", []) if name != "gate"]
    schema["properties"] = {
        "gate": {"title": "gate", "type": "string", "const": gate, "default": gate, "enum": [gate], "position": 0},
        **{name: field for name, field in schema["properties"].items() if name != "gate"},
    }
    schema["required"] = []
    schema["patternProperties"] = {f"^{WOKEN}$": {"const": True}}
    schema["if"] = {"not": {"required": [WOKEN]}}
    schema["then"] = {"required": ["gate", *required]}
    return json.dumps(schema)
