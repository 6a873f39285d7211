"""One complaint, one flow run, from intake to archive. Days or weeks; while a person works on it the run is suspended.

The run keeps no state: after a crash, a retry or a resume it asks the row where the complaint stands and goes on there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.exceptions import Abort
from prefect.runtime import flow_run
from sqlalchemy.exc import SQLAlchemyError

from complaints.domain.forms import FORMS
from complaints.domain.vocabulary import StepKind
from complaints.domain.walk import Move, Next
from complaints.store.engine import is_away
from flows.gates import label, wait_at_gate
from tasks import complaint as tasks

_TASKS: dict[Move, Any] = {
    Move.INTAKE: tasks.intake,
    Move.CLASSIFICATION: tasks.classification,
    Move.ACKNOWLEDGMENT: tasks.acknowledgment,
    Move.DECISION: tasks.decision,
    Move.RESPONSE: tasks.respond,
    Move.SURVEY: tasks.survey,
    Move.ARCHIVE: tasks.archive,
}


@flow(name="complaint", persist_result=False, validate_parameters=False)
async def complaint(complaint_id: str) -> None:
    """Handle the complaint with this id until it is archived."""
    case = UUID(complaint_id)
    following: Next | None = await _patiently(tasks.take_up, case, UUID(str(flow_run.id)), flow_run.name)
    if following is None:
        raise Abort("the complaint has another run; this one would be its second")
    while following.move is not Move.END:
        await label(following.tags)
        if following.move is Move.WAIT:
            await _wait(case, following)
            following = await _patiently(tasks.look, case)
        elif following.move is Move.BRIEFING:
            assert following.step is not None
            following = await _patiently(tasks.briefing, case, str(following.step).replace("_", " "))
        else:
            following = await _patiently(_TASKS[following.move], case)


async def _patiently(do: Callable[..., Any], *arguments: Any) -> Any:
    """What `do` returns, done again for as long as our database is away: no run may fail, and then need a person, for
    an outage that ends by itself."""
    pause = 1.0
    while True:
        try:
            return await asyncio.to_thread(do, *arguments)
        except SQLAlchemyError as error:
            if not is_away(error):
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, 30.0)


async def _wait(case: UUID, at: Next) -> None:
    """Suspend at the gate. Returns when somebody used Prefect's own form; a wake-up by us starts the run anew."""
    assert at.gate is not None
    assert at.step is not None
    key, refusal, attempt = at.gate, "", 1
    while True:
        answer = await wait_at_gate(key, FORMS[StepKind(at.step)], refusal)
        refused: str | None = await _patiently(tasks.take_answer, case, at.gate, answer)
        if not refused:
            return
        refusal = refused
        attempt += 1
        key = f"{at.gate}-try-{attempt}"
