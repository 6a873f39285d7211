"""Finding anything by a few letters: complaints, people, articles, saved views. For the command palette."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, union
from sqlmodel import col, select

from complaints.domain.intake import plain_number
from complaints.domain.vocabulary import Role
from complaints.services import inbox
from complaints.services.access import visible
from complaints.services.inbox import Query, Sort, View
from complaints.store.tables import Article, Complainant, Complaint, Party, Person, SavedView
from complaints.store.unit import Work

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
#: Shorter numbers are parts of references, orders and sums.
_NUMBER = re.compile(r"\+?\d{7,16}")


def complaints(work: Work, words: str, most: int) -> list[Complaint]:
    """Complaints the actor may see, by reference, name, words, or the e-mail address or telephone number of somebody
    who complains; newest first, closed ones too."""
    if (who := _reached_at(words)) is not None:
        return _of_somebody(work, who, most)
    found, _ = inbox.page(work, Query(view=View.ALL, words=words, sort=Sort.RECEIVED), limit=most)
    return found


def _reached_at(words: str) -> ColumnElement[bool] | None:
    """Whose whole address or number this is; None where it is neither. Each has an index of its own."""
    if _ADDRESS.fullmatch(words):
        return func.lower(col(Complainant.email)) == words.lower()
    number = plain_number(words)
    if _NUMBER.fullmatch(number):
        bare = number.lstrip("+")
        return col(Complainant.phone).in_([number, bare, f"+{bare}", f"+86{bare}"])
    return None


def _of_somebody(work: Work, who: ColumnElement[bool], most: int) -> list[Complaint]:
    people = select(Complainant.id).where(who)
    parties = select(Party.complaint_id).where(col(Party.complainant_id).in_(people))
    own = select(Complaint.id).where(col(Complaint.complainant_id).in_(people))
    found = select(Complaint).where(visible(work), col(Complaint.id).in_(union(own, parties)))
    return list(work.session.exec(found.order_by(col(Complaint.received_at).desc()).limit(most)).all())


def people(work: Work, words: str, most: int) -> list[Person]:
    """Colleagues, by name or login; those who left only for administrators."""
    wanted = [_holds(words, col(Person.name), col(Person.login))]
    if not work.actor.has(Role.ADMIN):
        wanted.append(col(Person.active).is_(True))
    return list(work.session.exec(select(Person).where(*wanted).order_by(Person.name).limit(most)).all())


def articles(work: Work, words: str, most: int) -> list[Article]:
    """Published articles whose title or text has all the words."""
    return list(
        work.session.exec(
            select(Article)
            .where(col(Article.published).is_(True), _holds(words, col(Article.title), col(Article.body)))
            .order_by(Article.title)
            .limit(most)
        ).all()
    )


def saved_views(work: Work, words: str, most: int) -> list[SavedView]:
    """Views of the actor's own and those of everybody."""
    mine = or_(col(SavedView.owner_id).is_(None), col(SavedView.owner_id) == UUID(work.actor.id))
    wanted = select(SavedView).where(mine, _holds(words, col(SavedView.name))).order_by(SavedView.name).limit(most)
    return list(work.session.exec(wanted).all())


def _holds(words: str, *columns: Any) -> ColumnElement[bool]:
    """Every word stands in one of these columns."""
    return and_(*(or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words.split()[:8]))
