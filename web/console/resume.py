"""A session that is over costs nobody their work: what was sent stays in the page, to be sent after signing in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile

from complaints.domain.ports import SYSTEM
from complaints.services import signin
from complaints.services.signin import Seat
from web.console.labels import Labels
from web.console.pages import Screen, own
from web.console.seat import SAFE, posted, session_of
from web.language import N_

#: Prefix of kept fields in the page where somebody signs in.
KEPT = "kept."
#: Where login and password are sent to; the form that slips of that page are made for.
DOOR = "/console/sign-in"
#: Never written into a page: tokens, passwords, codes.
_SECRET = ("csrf", "password", "code", "secret", "slip")
Fields = list[tuple[str, str]]
#: A field in a row of a list: `remedies-0-kind`.
_PART = re.compile(r"\w+-(?:\d+-)?(?P<key>\w+)")
#: Which tables have the words for what was chosen.
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "decision": ("decision",),
    "result": ("decision",),
    "severity": ("severity",),
    "finding": ("finding",),
    "kind": ("remedy", "link"),
    "audience": ("audience",),
    **dict.fromkeys(("reached", "satisfied", "accepted", "resolved", "approve", "hold"), ("yesno",)),
}


async def ask(request: Request) -> Response:
    """Sign in first; a script is told so, a form that was sent is kept."""
    screen = Screen(request)
    if "x-csrf" in request.headers:
        return screen.json({"code": "sign_in", "say": ""}, HTTPStatus.UNAUTHORIZED)
    if request.method in SAFE:
        return screen.go(f"{DOOR}?{_next(request)}")
    fields = kept(await posted(request))
    seat = await run_in_threadpool(_seated, screen)
    if seat is not None:  # signed in anew in another tab: only the form is old
        return again(Screen(request, seat), request.url.path, fields)
    said = N_("Your session is over. Sign in and go on: what you wrote is kept.")
    return door(screen, own(request.url.path), fields, HTTPStatus.UNAUTHORIZED, notice=screen.speech.say(said))


def door(screen: Screen, onward: str, fields: Fields, status: int = HTTPStatus.OK, **more: Any) -> Response:
    """The page where somebody signs in to go on to `onward`, with the `fields` that are kept for them meanwhile."""
    values = {"errors": {}, "login": "", "notice": ""} | more
    return screen.page("sign_in.html", status, slip=screen.browser.slip(DOOR), onward=onward, fields=fields, **values)


def again(screen: Screen, path: str, fields: Fields) -> Response:
    """The form that was sent too late, ready to be sent again."""
    fields = [(name, value) for name, value in fields if name != "csrf"]
    return screen.page("resume.html", onward=own(path), fields=fields, told=_told(screen.label, fields))


def _told(label: Labels, fields: Fields) -> list[tuple[str, str]]:
    """What a person entered, in their words; what a form carries for itself is not shown."""
    titles, found = label.of("field"), []
    for name, value in fields:
        part = _PART.fullmatch(name)
        key = part["key"] if part else name
        if value and key in titles:
            words = {word for table in _CHOICES.get(key, ()) if (word := label(table, value)) != value}
            found.append((titles[key], words.pop() if words else value))
    return found


def kept(form: FormData, prefix: str = "") -> Fields:
    """The fields of a form, without files (a browser cannot give them back)."""
    return [
        (name.removeprefix(prefix), value)
        for name, value in form.multi_items()
        if not isinstance(value, UploadFile) and name.startswith(prefix)
        if not name.removeprefix(prefix).startswith(_SECRET)
    ]


def _seated(screen: Screen) -> Seat | None:
    token = session_of(screen.request)
    with screen.product.store.reading(SYSTEM) as work:
        return signin.seat(work, token) if token else None


def _next(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return urlencode({"next": own(f"{request.url.path}{query}")})
