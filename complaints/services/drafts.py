"""Half-filled forms of human steps: who kept one and when, so that nobody overwrites what a colleague wrote unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from complaints.domain.errors import Conflict
from complaints.services import steps
from complaints.store.tables import Step
from complaints.store.unit import Work

#: Where a draft says who kept it and when, beside its entries.
_MARK = "_kept"


@dataclass(frozen=True)
class Draft:
    """The entries, and who kept them when; nobody did where the machine wrote the draft."""

    entries: Mapping[str, Any]
    by_id: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def mark(self) -> str:
        """Tells this draft from a later one."""
        return self.at.isoformat() if self.at else ""


class DraftChanged(Conflict):
    """Somebody else kept another draft since the caller's page was made; `draft` is theirs."""

    code = "draft_changed"

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        super().__init__(f"{draft.by} has kept another draft of this task in the meantime.")


def of(step: Step) -> Draft:
    """The step's draft."""
    entries = dict(step.draft)
    mark = entries.pop(_MARK, None)
    if not isinstance(mark, dict):
        return Draft(entries)
    return Draft(entries, mark["by_id"], mark["by"], datetime.fromisoformat(mark["at"]))


def keep(work: Work, step_id: UUID, entries: Mapping[str, Any], seen: str) -> Draft:
    """Keep a half-filled form of the actor. `seen` is the mark of the draft their page was made with.

    Raises `DraftChanged` when somebody else has kept another one since, and what `steps.save_draft` raises.
    """
    _, step = steps.locked(work, step_id)
    unchanged(work, step, seen)
    mark = {"by_id": work.actor.id, "by": work.actor.name, "at": work.now.isoformat()}
    return of(steps.save_draft(work, step_id, {**entries, _MARK: mark}))


def unchanged(work: Work, step: Step, seen: str) -> None:
    """Raises `DraftChanged` when somebody but the actor kept a draft after the one called `seen`."""
    draft = of(step)
    if draft.at is not None and draft.by_id != work.actor.id and draft.mark != seen:
        raise DraftChanged(draft)
