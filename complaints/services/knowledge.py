"""The knowledge base: guidance and standard solutions in words, one article per language, as draft or published."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from pydantic import Field, ValidationError
from sqlmodel import col, select

from complaints.domain.errors import FieldProblem, InvalidInput, NotFound, StaleVersion
from complaints.domain.forms import Form, Line, OptionalWords, Words
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Language, Role
from complaints.services import administration
from complaints.store.columns import new_id
from complaints.store.tables import Article
from complaints.store.unit import Work

#: Who writes articles; drafts are for them alone.
EDITORS = frozenset({Role.LEAD, Role.MANAGER, Role.ADMIN})
MOST_FOUND = 200


class ArticleForm(Form):
    """An article as its form sends it."""

    title: Line
    language: Language
    category: OptionalWords = ""
    solution: OptionalWords = Field(default="", description="Key of the standard solution it explains.")
    body: Words
    published: bool = False


def search(work: Work, words: str = "", *, category: str = "", language: str = "") -> list[Article]:
    """Articles that hold all of `words`, newest change first; drafts only for editors."""
    query = select(Article)
    if not work.actor.has(*EDITORS):
        query = query.where(col(Article.published).is_(True))
    if category:
        query = query.where(Article.category == category)
    if language:
        query = query.where(Article.language == language)
    for word in words.replace("\x00", "").casefold().split()[:10]:
        query = query.where(col(Article.search).contains(word, autoescape=True))
    return list(work.session.exec(query.order_by(col(Article.changed_at).desc()).limit(MOST_FOUND)).all())


def get(work: Work, article_id: UUID) -> Article:
    """The article; `NotFound` when there is none, or it is a draft and the actor no editor."""
    row = work.session.get(Article, article_id)
    if row is None or not (row.published or work.actor.has(*EDITORS)):
        raise NotFound("article", article_id)
    return row


def create(work: Work, given: Mapping[str, object]) -> Article:
    """Add an article; `InvalidInput` names each wrong field."""
    form = _checked(work, given)
    row = Article(
        id=new_id(work.now),
        search=_searchable(form),
        changed_at=work.now,
        changed_by=work.actor.name,
        **form.model_dump(),
    )
    work.session.add(row)
    administration.note(work, "article_added", row.title, {"id": str(row.id), "published": row.published})
    return row


def change(work: Work, article_id: UUID, given: Mapping[str, object], version: int) -> Article:
    """Replace an article; `StaleVersion` when somebody changed it since the caller saw `version`."""
    form = _checked(work, given)
    row = work.session.get(Article, article_id, with_for_update=True)
    if row is None:
        raise NotFound("article", article_id)
    if version != row.version:
        raise StaleVersion(version, row.version)
    before = {name: getattr(row, name) for name in ArticleForm.model_fields}
    row.sqlmodel_update(form.model_dump())
    row.search, row.version = _searchable(form), row.version + 1
    row.changed_at, row.changed_by = work.now, work.actor.name
    work.session.add(row)
    changed = {name: [old, getattr(row, name)] for name, old in before.items() if old != getattr(row, name)}
    administration.note(work, "article_changed", row.title, {"id": str(row.id), **changed})
    return row


def _searchable(form: ArticleForm) -> str:
    return f"{form.title}\n{form.body}".casefold()


def _checked(work: Work, given: Mapping[str, object]) -> ArticleForm:
    try:
        form = ArticleForm.model_validate(dict(given))
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    policy, problems = work.policy, []
    if form.category and policy.taxonomy.category(form.category) is None:
        problems.append(FieldProblem("category", "There is no such category in the policy.", "enum"))
    if form.solution and policy.lifecycle.solution(form.solution) is None:
        problems.append(FieldProblem("solution", "There is no such standard solution in the policy.", "enum"))
    if problems:
        raise InvalidInput(problems)
    return form
