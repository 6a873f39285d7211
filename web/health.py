"""`/healthz`: each part; 503 where something needs a person. `/healthz/live`: the process answers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from web.pulse import Figures, Pulse

router = APIRouter(tags=["health"])

#: Ages in seconds from which on something is wrong: the clock ticks and the sweep runs every few seconds.
CLOCK_LATE, BACKLOG_LATE, UNLAUNCHED_LATE = 180.0, 300.0, 300.0
#: What else happens regularly, by its mark, and from which age on it is late.
_REGULAR = {"dispatch": CLOCK_LATE, "reconcile": 600.0, "archive_due": 600.0}


class Part(BaseModel):
    """One part of the system, with figures of its own."""

    model_config = {"extra": "allow"}

    ok: bool


class Health(BaseModel):
    """The whole system: `ok` when every part is."""

    ok: bool
    parts: dict[str, Part] = Field(
        description="By name: database, prefect, workers, disk; clock, dispatch, reconcile, archive_due; outbox, …"
    )


@router.get(
    "/healthz",
    summary="Health of each part",
    responses={200: {"model": Health}, 503: {"model": Health, "description": "Some part is not well."}},
)
def healthz(request: Request) -> JSONResponse:
    """Database, Prefect, each worker, ages of what runs regularly, outbox backlog, oldest unlaunched complaint, disk.

    What runs regularly is late only when this process has been up that long: nothing ticks while the house is shut.
    """
    pulse: Pulse = request.app.state.pulse
    database, figures = pulse.database()
    parts: dict[str, Any] = {"database": database, **pulse.prefect(), "disk": pulse.disk()}
    if figures is not None:
        parts |= _from(figures, pulse.up)
    ok = all(part["ok"] for part in parts.values())
    return JSONResponse({"ok": ok, "parts": parts}, 200 if ok else 503)


def _from(figures: Figures, up: float) -> dict[str, Any]:
    def punctual(age: float | None, late: float) -> bool:
        return min(up, up if age is None else age) < late

    tick = figures.marks.get("sla_clock")
    regular = {name: (figures.marks.get(name), late) for name, late in _REGULAR.items()}
    backlog, waiting = figures.oldest_pending, figures.oldest_unlaunched
    return {
        "clock": {
            "ok": punctual(tick, CLOCK_LATE) and not figures.clock_faults,
            "last_tick_seconds_ago": tick,
            "complaints_not_calculated": figures.clock_faults,
        },
        **{name: {"ok": punctual(age, late), "last_seconds_ago": age} for name, (age, late) in regular.items()},
        "outbox": {
            "ok": backlog is None or backlog < BACKLOG_LATE,
            "pending": figures.outbox.get("pending", 0),
            "dead": figures.outbox.get("dead", 0),
            "oldest_pending_seconds": backlog,
        },
        "launching": {
            "ok": waiting is None or waiting < UNLAUNCHED_LATE,
            "unlaunched": figures.unlaunched,
            "oldest_unlaunched_seconds": waiting,
        },
    }


@router.get("/healthz/live", summary="The process answers")
async def live() -> dict[str, bool]:
    """Nothing is asked of any other part."""
    return {"ok": True}
