"""Canned texts: what agents insert, written by editors."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from complaints.domain import placeholders
from complaints.domain.errors import InvalidInput, NotFound, StaleVersion
from complaints.services import canned
from complaints.store.tables import CannedText
from complaints.store.unit import Work
from web.console import fields
from web.console.labels import TABLES
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Editor, Entries
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/admin/texts"


@router.get("/admin/texts")
def texts(screen: Editor) -> Response:
    """All of them."""
    with screen.reading() as work:
        found = canned.everything(work)
    return screen.page("canned.html", found=found, purposes=dict(_purposes(screen)))


@router.get("/admin/texts.csv")
def texts_csv(screen: Editor) -> Response:
    """The same as a file, with the texts themselves."""
    with screen.reading() as work:
        found = canned.everything(work)
    purposes = dict(_purposes(screen))
    rows = [
        (
            one.title,
            screen.label("language", one.language),
            purposes.get(one.purpose, one.purpose) or screen.speech.say(N_("Anything")),
            one.active,
            one.body,
            one.changed_at,
            one.changed_by,
        )
        for one in found
    ]
    columns = [N_("Title"), N_("Language"), N_("Meant for"), N_("In use"), N_("Text"), N_("Changed"), N_("By")]
    return sheet(screen, "texts", columns, rows)


@router.get("/admin/texts/new")
def ask_new(screen: Editor) -> Response:
    """The form for a new one."""
    return _form(screen, None, {"language": screen.speech.language.value, "active": True}, {})


@router.post("/admin/texts/new")
def create(screen: Editor, entries: Entries) -> Response:
    """Add it."""
    given = _read(entries)
    try:
        with screen.work() as work:
            canned.create(work, given)
    except InvalidInput as error:
        return _form(screen, None, given, fields.faults(error.problems, screen.speech), HTTPStatus.UNPROCESSABLE_ENTITY)
    return screen.go(_HOME, screen.speech.say(N_("Saved.")))


@router.get("/admin/texts/{text_id}")
def ask_change(screen: Editor, text_id: UUID) -> Response:
    """The form."""
    with screen.reading() as work:
        found = _get(work, text_id)
    return _form(screen, found, found.model_dump(), {})


@router.post("/admin/texts/{text_id}")
def change(screen: Editor, text_id: UUID, entries: Entries) -> Response:
    """Save it; where somebody else saved meanwhile, both versions are shown and nothing is lost."""
    given, version = _read(entries), str(entries.get("version", ""))
    wrong: dict[str, str] = {}
    try:
        with screen.work() as work:
            canned.change(work, text_id, given, int(version) if version.isdecimal() else 0)
    except InvalidInput as error:
        status, wrong = HTTPStatus.UNPROCESSABLE_ENTITY, fields.faults(error.problems, screen.speech)
    except StaleVersion:
        status = HTTPStatus.CONFLICT
    else:
        return screen.go(_HOME, screen.speech.say(N_("Saved.")))
    with screen.reading() as work:
        found = _get(work, text_id)
    return _form(screen, found, given, wrong, status)


def _get(work: Work, text_id: UUID) -> CannedText:
    found = work.session.get(CannedText, text_id)
    if found is None:
        raise NotFound("text", text_id)
    return found


def _read(entries: FormData) -> dict[str, Any]:
    names = ("title", "language", "body", "purpose")
    given: dict[str, Any] = {name: str(entries.get(name, "")).strip().replace("\r\n", "\n") for name in names}
    return given | {"active": entries.get("active") == "yes"}


def _form(
    screen: Screen,
    found: CannedText | None,
    given: Mapping[str, Any],
    faults: dict[str, str],
    status: int = HTTPStatus.OK,
) -> Response:
    about = {"text": found, "given": given, "faults": faults, "stale": status == HTTPStatus.CONFLICT}
    holes = [(f"{{{name}}}", screen.label("placeholder", name)) for name in placeholders.NAMES]
    return screen.page("canned_edit.html", status, purposes=_purposes(screen), holes=holes, **about)


def _purposes(screen: Screen) -> list[tuple[str, str]]:
    """Steps and actions in which somebody writes."""
    steps = [(code, screen.label("step", code)) for code in TABLES["step"]]
    return steps + [(code, screen.label("action", code)) for code in TABLES["action"] if code not in TABLES["step"]]
