"""Finding anything by a few letters: complaints, people, articles, saved views. For the command palette."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col, select

from complaints.domain.vocabulary import Role
from complaints.services import inbox
from complaints.services.inbox import Query, Sort, View
from complaints.store.tables import Article, Complaint, Person, SavedView
from complaints.store.unit import Work


def complaints(work: Work, words: str, most: int) -> list[Complaint]:
    """Complaints the actor may see, by reference, name or words, newest first; closed ones too."""
    found, _ = inbox.page(work, Query(view=View.ALL, words=words, sort=Sort.RECEIVED), limit=most)
    return found


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
