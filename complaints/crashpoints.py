"""Named places where tests kill the process, to prove that nothing is lost there. Unarmed, each is one comparison."""

from __future__ import annotations

import os
import signal

#: Every crash point, with what has happened when it is reached.
POINTS = {
    "after_commit": "the transaction is durable, its intents were not acted on",
    "after_start_run": "the flow run exists, the intent is not marked done",
    "after_send": "the message was handed over, the intent is not marked done",
    "after_task": "a task's effect is durable, the run has not gone on",
    "in_tick": "a clock tick has fired a rung and not yet committed",
}

_armed: str | None = None


def arm(point: str | None) -> None:
    """Kill this process when `point` is reached next; None disarms. Called by the composition root only."""
    global _armed
    if point is not None and point not in POINTS:
        raise ValueError(f"unknown crash point {point!r}; known are: {', '.join(POINTS)}")
    _armed = point


def reach(point: str) -> None:
    """Mark the place."""
    if point == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
