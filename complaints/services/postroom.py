"""The outbox as people see it: what waits, what went, what is dead and why; and giving dead ones another life."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal_column, or_, tuple_
from sqlmodel import col, func, select

from complaints.domain.errors import NotFound
from complaints.domain.vocabulary import IntentState
from complaints.services import access, administration, dispatch
from complaints.store.tables import Complaint, Outbox
from complaints.store.unit import Work

PAGE = 50
#: Dead letters replayed at once.
MOST_AT_ONCE = 1000
_SECRET = re.compile(r"code|token|secret|password|link|url|authorization", re.IGNORECASE)
_LINK = re.compile(r"https?://\S+")
HIDDEN = "•••"


@dataclass(frozen=True)
class Entry:
    """One intent, with the reference of its complaint."""

    intent: Outbox
    reference: str | None


def entries(
    work: Work, *, state: str = "", kind: str = "", reference: str = "", before: UUID | None = None
) -> tuple[list[Entry], UUID | None]:
    """A page of intents, newest first, and where the next one begins. Those of hidden complaints are not there."""
    query = _visible(work)
    if state in set(IntentState):
        query = query.where(Outbox.state == literal_column(f"'{IntentState(state).value}'"))
    if kind:
        query = query.where(Outbox.kind == kind)
    if reference:
        query = query.where(Complaint.reference == reference.strip().upper())
    # few rows wait or are dead, and those have indexes of their own; all others follow their ids, which grow with time
    few = state in (IntentState.PENDING, IntentState.DEAD)
    if before is not None and (last := work.session.get(Outbox, before)) is not None:
        older = tuple_(col(Outbox.created_at), col(Outbox.id)) < (last.created_at, last.id)
        query = query.where(older if few else col(Outbox.id) < last.id)
    order = [col(Outbox.created_at).desc(), col(Outbox.id).desc()] if few else [col(Outbox.id).desc()]
    rows = work.session.exec(query.order_by(*order).limit(PAGE + 1)).all()
    found = [Entry(intent, name) for intent, name in rows[:PAGE]]
    return found, found[-1].intent.id if len(rows) > PAGE else None


def entry(work: Work, intent_id: UUID) -> Entry:
    """One intent; `NotFound` when there is none that the actor may see."""
    row = work.session.exec(_visible(work).where(Outbox.id == intent_id)).first()
    if row is None:
        raise NotFound("intent", intent_id)
    return Entry(*row)


def waiting(work: Work) -> dict[str, int]:
    """How many wait and how many are dead."""
    return {state.value: _count(work, state) for state in (IntentState.PENDING, IntentState.DEAD)}


def _count(work: Work, state: IntentState) -> int:
    """By the partial index of the state, where there is one."""
    return work.session.exec(select(func.count()).where(Outbox.state == literal_column(f"'{state.value}'"))).one()


def replay(work: Work, intent_id: UUID) -> Outbox:
    """Give one dead letter another life; what was sent already is not sent again."""
    row = dispatch.replay(work, entry(work, intent_id).intent.id)
    administration.note(work, "intent_replayed", row.key, {"kind": row.kind})
    return row


def replay_all(work: Work, most: int | None = MOST_AT_ONCE) -> int:
    """The same for dead letters that the actor may see, the oldest first; how many. One replayed by somebody else at
    this moment is left to them."""
    dead = _visible(work).where(Outbox.state == IntentState.DEAD).order_by(col(Outbox.created_at)).limit(most)
    rows = work.session.exec(dead.with_for_update(of=Outbox, skip_locked=True)).all()
    for intent, _ in rows:
        dispatch.replay(work, intent.id)
    if rows:
        administration.note(work, "intents_replayed", "outbox", {"count": len(rows)})
    return len(rows)


def without_secrets(value: Any, name: str = "") -> Any:
    """A payload as it may be shown: codes, tokens and links, with which one could act as the customer, are hidden."""
    if isinstance(value, dict):
        return {key: without_secrets(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner, name) for inner in value]
    if _SECRET.search(name) and value:
        return HIDDEN
    return _LINK.sub(HIDDEN, value) if isinstance(value, str) else value


def _visible(work: Work) -> Any:
    mine: ColumnElement[bool] = or_(col(Outbox.complaint_id).is_(None), access.visible(work))
    return (
        select(Outbox, Complaint.reference)
        .join(Complaint, col(Complaint.id) == col(Outbox.complaint_id), isouter=True)
        .where(mine)
    )
