"""Doubles for the tests of whoever builds on this product: they remember what they were asked to do and reach nobody.

They keep the promises of the ports they stand in for (`complaints/domain/ports.py`), so a case walked with them takes
the same way as with mail, Prefect and templates.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from complaints.domain.errors import ComplaintsError
from complaints.domain.ports import Letter, Message, Receipt
from complaints.domain.vocabulary import Language

_OVER = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
Woken = Literal["woken", "not_waiting", "running", "gone"]


class RecordingSender:
    """A `Sender` that keeps messages in `sent`. Errors put into `failures` are raised first, one per call."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.failures: list[ComplaintsError] = []

    def send(self, message: Message, now: datetime) -> Receipt:
        """Remember the message, or fail as ordered."""
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)
        return Receipt("recording", message.key, now)

    def to(self, address: str, kind: str | None = None) -> list[Message]:
        """What was sent to `address` (of one kind, if given), in order."""
        return [m for m in self.sent if m.to == address and kind in (None, m.kind)]


class RecordingRuns:
    """A `Runs` with one live run per complaint, as Prefect keeps them. `states` answers as the reconciler asks it."""

    def __init__(self) -> None:
        self.live: dict[UUID, UUID] = {}  #: complaint → its live run
        self.started: list[tuple[UUID, str, tuple[str, ...], str]] = []
        self.woken: list[UUID] = []
        self.failures: list[ComplaintsError] = []  #: raised by the next calls of `ensure`, one each
        self.answers: list[Woken] = []  #: what the next calls of `wake` say; "woken" when empty
        self.state: dict[UUID, str] = {}  #: run → state type; SCHEDULED unless set
        self._lock = threading.Lock()

    def ensure(self, complaint_id: UUID, name: str, tags: Sequence[str], queue: str) -> UUID:
        """The live run of the complaint; asked again, the same one."""
        with self._lock:
            if self.failures:
                raise self.failures.pop(0)
            run = self.live.get(complaint_id)
            if run is None or self.state.get(run) in _OVER:
                self.live[complaint_id] = uuid4()
                self.started.append((complaint_id, name, tuple(tags), queue))
            return self.live[complaint_id]

    def wake(self, run_id: UUID, gate: str) -> Woken:
        """Remember the call; "gone" for a run that was lost."""
        with self._lock:
            self.woken.append(run_id)
            if run_id not in self.live.values():
                return "gone"
            return self.answers.pop(0) if self.answers else "woken"

    def lose(self, complaint_id: UUID) -> None:
        """Forget the complaint's run, as a Prefect server does whose database was dropped."""
        with self._lock:
            self.state.pop(self.live.pop(complaint_id), None)

    def states(self, run_ids: Iterable[UUID]) -> dict[UUID, str]:
        """State type of each run that is known."""
        known = set(self.live.values())
        return {run: self.state.get(run, "SCHEDULED") for run in run_ids if run in known}


class PlainRenderer:
    """A `Renderer` without templates: one line per value it was given, so that a test can look for any of them."""

    def render(self, kind: str, language: Language, context: Mapping[str, object]) -> Letter:
        """Subject `[reference] kind`; the text lists the context and names the right of appeal and its time limit."""
        lines = [f"{name}: {_plain(value)}" for name, value in sorted(context.items())]
        lines.append("You may appeal within the time given.")
        return Letter(f"[{context.get('reference', '')}] {kind}", "\n".join(lines))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_plain(v) for v in value.values())
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(v) for v in value)
    return str(value)
