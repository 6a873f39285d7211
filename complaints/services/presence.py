"""Who has a complaint open right now, and whether they are writing. Told by their pages every few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from complaints.store.tables import Complaint, Person, Presence
from complaints.store.unit import Work

#: Whoever has not been heard of for so long is gone: three signs of life missed.
GONE_AFTER = timedelta(seconds=35)
#: Rows this old are swept away.
_SWEPT_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Here:
    """A colleague at the same complaint."""

    name: str
    writing: bool


def note(work: Work, complaint: Complaint, *, writing: bool) -> None:
    """The actor has the complaint open."""
    row = {"complaint_id": complaint.id, "person_id": UUID(work.actor.id), "at": work.now, "writing": writing}
    sign = insert(Presence).values(**row)
    work.session.execute(
        sign.on_conflict_do_update(
            index_elements=["complaint_id", "person_id"],
            set_={"at": sign.excluded.at, "writing": sign.excluded.writing},
        )
    )


def others(work: Work, complaint: Complaint) -> list[Here]:
    """Colleagues who have it open now, writers first."""
    rows = work.session.exec(
        select(Person.name, Presence.writing)
        .join(Presence, col(Presence.person_id) == col(Person.id))
        .where(
            Presence.complaint_id == complaint.id,
            col(Presence.at) > work.now - GONE_AFTER,
            col(Presence.person_id) != UUID(work.actor.id),
        )
        .order_by(col(Presence.writing).desc(), Person.name)
    ).all()
    return [Here(name, writing) for name, writing in rows]


def leave(work: Work, complaint: Complaint) -> None:
    """The actor has closed it; long forgotten rows go with theirs."""
    mine = (col(Presence.complaint_id) == complaint.id) & (col(Presence.person_id) == UUID(work.actor.id))
    work.session.execute(delete(Presence).where(mine | (col(Presence.at) < work.now - _SWEPT_AFTER)))
