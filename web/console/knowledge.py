"""The knowledge base: everybody reads and searches it, editors write it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from complaints.domain.errors import InvalidInput, StaleVersion
from complaints.services import knowledge
from complaints.store.tables import Article
from web.console import fields
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Editor, Entries, Staff
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/knowledge"


@router.get("/knowledge")
def articles(screen: Staff, q: str = "", category: str = "", language: str = "") -> Response:
    """What is written down, newest first."""
    with screen.reading() as work:
        found = knowledge.search(work, q, category=category, language=language)
    chosen = {"q": q, "category": category, "language": language}
    return screen.page("knowledge.html", found=found, chosen=chosen, **_choices(screen))


@router.get("/knowledge.csv")
def articles_csv(screen: Staff, q: str = "", category: str = "", language: str = "") -> Response:
    """The same as a file."""
    with screen.reading() as work:
        found = knowledge.search(work, q, category=category, language=language)
    columns = [N_("Title"), N_("Language"), N_("Category"), N_("Standard solution"), N_("Published"), N_("Changed")]
    label, name = screen.label, screen.choices.name
    rows = (
        (
            a.title,
            label("language", a.language),
            name("category", a.category),
            name("solution", a.solution),
            a.published,
            a.changed_at,
            a.changed_by,
        )
        for a in found
    )
    return sheet(screen, "knowledge", [*columns, N_("By")], rows)


@router.get("/knowledge/new")
def ask_new(screen: Editor, solution: str = "") -> Response:
    """The form for a new article; for a standard solution it begins with the policy's own words."""
    language = screen.speech.language
    given: dict[str, Any] = {"language": language.value}
    known = screen.product.policies.active(screen.product.store.now()).lifecycle.solution(solution)
    if known is not None:
        given |= {"title": known.title.in_(language), "body": known.body.in_(language)}
        given |= {"category": known.category, "solution": known.key}
    return _form(screen, None, given, {})


@router.post("/knowledge/new")
def create(screen: Editor, entries: Entries) -> Response:
    """Add it."""
    given = _read(entries)
    try:
        with screen.work() as work:
            row = knowledge.create(work, given)
    except InvalidInput as error:
        return _refused(screen, None, given, error)
    return screen.go(f"{_HOME}/{row.id}", screen.speech.say(N_("Saved.")))


@router.get("/knowledge/{article_id}")
def article(screen: Staff, article_id: UUID) -> Response:
    """One article, to read."""
    with screen.reading() as work:
        found = knowledge.get(work, article_id)
    return screen.page("article.html", article=found, **_choices(screen))


@router.get("/knowledge/{article_id}/edit")
def ask_change(screen: Editor, article_id: UUID) -> Response:
    """The form."""
    with screen.reading() as work:
        found = knowledge.get(work, article_id)
    return _form(screen, found, found.model_dump(), {})


@router.post("/knowledge/{article_id}/edit")
def change(screen: Editor, article_id: UUID, entries: Entries) -> Response:
    """Save it; where somebody else saved meanwhile, both versions are shown and nothing is lost."""
    given, version = _read(entries), str(entries.get("version", ""))
    try:
        with screen.work() as work:
            knowledge.change(work, article_id, given, int(version) if version.isdecimal() else 0)
    except (InvalidInput, StaleVersion) as error:
        with screen.reading() as work:
            found = knowledge.get(work, article_id)
        return _refused(screen, found, given, error)
    return screen.go(f"{_HOME}/{article_id}", screen.speech.say(N_("Saved.")))


def _read(entries: FormData) -> dict[str, Any]:
    names = ("title", "language", "category", "solution", "body")
    given: dict[str, Any] = {name: str(entries.get(name, "")).strip().replace("\r\n", "\n") for name in names}
    return given | {"published": entries.get("published") == "yes"}


def _refused(
    screen: Screen, found: Article | None, given: dict[str, Any], error: InvalidInput | StaleVersion
) -> Response:
    if isinstance(error, StaleVersion):
        return _form(screen, found, given, {}, HTTPStatus.CONFLICT, stale=True)
    return _form(screen, found, given, fields.faults(error.problems, screen.speech), HTTPStatus.UNPROCESSABLE_ENTITY)


def _form(
    screen: Screen,
    found: Article | None,
    given: Mapping[str, Any],
    faults: dict[str, str],
    status: int = HTTPStatus.OK,
    *,
    stale: bool = False,
) -> Response:
    """`found` is what is saved now, `given` what the form holds."""
    return screen.page(
        "article_edit.html", status, article=found, given=given, faults=faults, stale=stale, **_choices(screen)
    )


def _choices(screen: Screen) -> dict[str, Any]:
    policy, language = screen.product.policies.active(screen.product.store.now()), screen.speech.language
    categories = {c.key: c.label.in_(language) for c in policy.taxonomy.categories}
    solutions = {s.key: s.title.in_(language) for s in policy.lifecycle.solutions}
    return {"categories": categories, "solutions": solutions}
