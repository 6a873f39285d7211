"""What the flow run does next, as a pure function of the complaint's row. The run keeps no state of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from complaints.domain.vocabulary import OVER, Status, StepKind


class Move(StrEnum):
    """A task of the flow, or waiting, or the end. Operations read these names in Prefect."""

    INTAKE = "intake"
    CLASSIFICATION = "classification"
    ACKNOWLEDGMENT = "acknowledgment"
    BRIEFING = "briefing"  #: hand the open human step to somebody; the task bears the step's name
    DECISION = "decision"
    RESPONSE = "response"
    SURVEY = "satisfaction survey"
    ARCHIVE = "archive"
    WAIT = "wait"
    END = "end"


@dataclass(frozen=True)
class Position:
    """What the next move depends on: `gate` is the first open human step that blocks the case."""

    status: Status
    screened: bool
    classified: bool
    acknowledgment_due: bool
    gate: str | None = None
    step: StepKind | None = None
    briefed: bool = True
    window_open: bool = False  #: closed, and an appeal is still possible


@dataclass(frozen=True)
class Next:
    """The next move; with `gate` and `step` where it waits or hands over a human step."""

    move: Move
    gate: str | None = None
    step: StepKind | None = None
    tags: tuple[str, ...] = ()  #: what operations filter runs by; empty while nothing is known


def next_move(at: Position) -> Next:
    """What to do now. Calling it again without a change of the row gives the same answer."""
    if at.status in OVER:
        return Next(Move.END)
    if at.status is not Status.CLOSED:
        if not at.screened:
            return Next(Move.INTAKE)
        if not at.classified:
            return Next(Move.CLASSIFICATION)
    if at.acknowledgment_due:
        return Next(Move.ACKNOWLEDGMENT)
    if at.gate is not None:
        if not at.briefed:
            move = Move.SURVEY if at.step is StepKind.CONFIRMATION else Move.BRIEFING
            return Next(move, at.gate, at.step)
        return Next(Move.WAIT, at.gate, at.step)
    if at.status is Status.DECIDING:
        return Next(Move.DECISION)
    if at.status is Status.RESPONDING:
        return Next(Move.RESPONSE)
    if at.status is Status.CLOSED:
        return Next(Move.ARCHIVE)
    raise AssertionError(f"{at.status} has no open step to wait on")  # reconcile finds and reports such a row
