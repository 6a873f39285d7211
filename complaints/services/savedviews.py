"""Saved views: lists of the inbox that somebody keeps under a name, for themselves or for everybody."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import col, or_, select

from complaints.domain.errors import InvalidInput, LimitExceeded, NotFound
from complaints.domain.vocabulary import Role
from complaints.store.columns import new_id
from complaints.store.tables import SavedView
from complaints.store.unit import Work

#: Most views that one person sees; more are no help.
MOST = 50
LONGEST_NAME = 60


def seen(work: Work) -> list[SavedView]:
    """The actor's own views and those of everybody, by name."""
    mine = or_(col(SavedView.owner_id).is_(None), col(SavedView.owner_id) == UUID(work.actor.id))
    return list(work.session.exec(select(SavedView).where(mine).order_by(SavedView.name, col(SavedView.id))).all())


def may_share(work: Work) -> bool:
    """Whether the actor makes, renames and deletes views of everybody: leads and managers do."""
    return work.actor.has(Role.LEAD, Role.MANAGER)


def add(work: Work, name: str, query: str, *, shared: bool) -> SavedView:
    """Keep a list; `shared` counts only for those who may. Raises `InvalidInput`, `LimitExceeded`."""
    if len(seen(work)) >= MOST:
        raise LimitExceeded(f"There are {MOST} views already. Delete one first.")
    owner = None if shared and may_share(work) else UUID(work.actor.id)
    view = SavedView(id=new_id(work.now), owner_id=owner, name=_name(name), query=query, created_at=work.now)
    work.session.add(view)
    return view


def rename(work: Work, view_id: UUID, name: str) -> None:
    """Give it another name."""
    view = _own(work, view_id)
    view.name = _name(name)
    work.session.add(view)


def drop(work: Work, view_id: UUID) -> None:
    """Forget it; the complaints stay as they are."""
    work.session.delete(_own(work, view_id))


def _own(work: Work, view_id: UUID) -> SavedView:
    """The view, if the actor may change it; else `NotFound`."""
    view = work.session.get(SavedView, view_id)
    if view is None or not (may_share(work) if view.owner_id is None else str(view.owner_id) == work.actor.id):
        raise NotFound("view", view_id)
    return view


def _name(text: str) -> str:
    name = " ".join(text.split())[:LONGEST_NAME]
    if not name:
        raise InvalidInput("Give the view a name.", "name")
    return name
