"""API keys: made, shown once, revoked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import Conflict, FieldProblem, InvalidInput
from complaints.services import people, personnel
from complaints.store.tables import ApiKey
from complaints.store.unit import Work
from web.console import fields
from web.console.pages import Screen
from web.console.route import PageRoute, said_of
from web.console.seat import Administrator, Entries
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/admin/keys"
SCOPES: Mapping[str, str] = {
    "complaints:submit": N_("Submit complaints"),
    "complaints:read": N_("Read complaints"),
    "complaints:act": N_("Act on complaints"),
    "tasks": N_("Do tasks"),
    "admin": N_("Administer"),
}
_LONGEST = 3650
#: Id of a key that a form asks for: sent twice, it is made once.
_ONCE = re.compile(r"[0-9a-f]{32}")


@router.get("/admin/keys")
def keys(screen: Administrator) -> Response:
    """All keys, and the form for a new one."""
    return _page(screen, {"scopes": [], "valid_days": "365"}, {})


@router.get("/admin/keys.csv")
def keys_csv(screen: Administrator) -> Response:
    """The same as a file."""
    with screen.reading() as work:
        rows = [
            (
                k.name,
                k.prefix,
                [screen.speech.say(SCOPES.get(scope, scope)) for scope in k.scopes],
                who or screen.speech.say(N_("Integration")),
                k.created_at,
                k.expires_at,
                k.revoked_at,
                k.last_used_at,
            )
            for k, who in people.keys(work)
        ]
    columns = [
        N_("What it is for"),
        N_("Begins with"),
        N_("May"),
        N_("Acts as"),
        N_("Made"),
        N_("Expires"),
        N_("Revoked"),
    ]
    return sheet(screen, "keys", [*columns, N_("Last used")], rows)


@router.post("/admin/keys")
def create(screen: Administrator, entries: Entries) -> Response:
    """Make one and show its secret, once."""
    names = ("name", "login", "valid_days", "once")
    given: dict[str, Any] = {name: str(entries.get(name, "")).strip() for name in names}
    given["scopes"] = [str(s) for s in entries.getlist("scopes")]
    try:
        with screen.work() as work:
            key, secret = _made(work, given)
    except InvalidInput as error:
        wrong = fields.faults(error.problems, screen.speech)
        return _page(screen, given, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    except Conflict as error:  # the page with the secret was loaded again
        return screen.go(_HOME, said_of(screen.speech, error), tone="note")
    return screen.page("admin_key.html", key=key, secret=secret)


def _made(work: Work, given: dict[str, Any]) -> tuple[ApiKey, str]:
    problems = []
    if not given["name"] or len(given["name"]) > 100:
        problems.append(FieldProblem("name", "", "missing" if not given["name"] else "string_too_long"))
    if not given["scopes"]:
        problems.append(FieldProblem("scopes", "", "enum"))
    days = given["valid_days"]
    if days and not (days.isdecimal() and 1 <= int(days) <= _LONGEST):
        problems.append(FieldProblem("valid_days", "", "int_parsing"))
    if problems:
        raise InvalidInput(problems)
    person = personnel.by_login(work, given["login"]) if given["login"] else None
    valid_for = timedelta(days=int(days)) if days else None
    once = UUID(given["once"]) if _ONCE.fullmatch(given["once"]) else None
    return people.create_key(work, given["name"], given["scopes"], person=person, valid_for=valid_for, key_id=once)


@router.post("/admin/keys/{key_id}/revoke")
def revoke(screen: Administrator, key_id: UUID, entries: Entries) -> Response:
    """From now on it opens nothing; asked back first."""
    with screen.reading() as work:
        key = people.key(work, key_id)
    if entries.get("sure") != "yes":
        about = {
            "path": f"{_HOME}/{key_id}/revoke",
            "back": _HOME,
            "kept": {},
            "object": screen.speech.aside(key.name, f"{key.prefix}…"),
        }
        why = screen.speech.say(N_("Whatever uses this key stops working at once. This cannot be undone."))
        return screen.page("confirm.html", title=screen.speech.say(N_("Revoke")), why=why, to=about)
    with screen.work() as work:
        people.revoke_key(work, key_id)
    screen.request.app.state.keys.forget()
    return screen.go(_HOME, screen.speech.say(N_("The key is revoked.")))


def _page(screen: Screen, given: dict[str, Any], faults: dict[str, str], status: int = HTTPStatus.OK) -> Response:
    with screen.reading() as work:
        found = people.keys(work)
        logins = [(p.login, screen.speech.aside(p.name, p.login)) for p in people.everybody(work) if p.active]
    scopes = {code: screen.speech.say(text) for code, text in SCOPES.items()}
    now = screen.product.store.now()
    about = {"found": found, "logins": logins, "scopes": scopes, "now": now, "once": uuid4().hex}
    return screen.page("admin_keys.html", status, given=given, faults=faults, **about)
