"""All that can be done to a complaint beside its steps: each action with its form, as the table allows it now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.commands import COMMANDS
from complaints.domain.errors import Conflict, InvalidInput, NotFound, StaleVersion
from complaints.services import access, actions, casefile, tracking
from complaints.services.transition import lock
from web.console import case, case_forms, fields
from web.console.case_words import CaseWords
from web.console.pages import Screen
from web.console.route import PageRoute, by_script, said_of
from web.console.seat import Caseworker, Entries
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: Hidden in a form: a token that makes it count once.
_ONCE = "once"


@router.get("/complaints/{reference}/do/{action}")
def ask(screen: Caseworker, reference: str, action: str) -> Response:
    """The form of an action; a query such as `?into=C26-000042-7` fills it."""
    _known(action)
    given = fields.read(COMMANDS[action], dict(screen.request.query_params))
    return _form(screen, reference, action, given, HTTPStatus.OK)


@router.post("/complaints/{reference}/do/{action}")
def do(screen: Caseworker, reference: str, action: str, entries: Entries) -> Response:
    """Do it, once however often the form is sent."""
    _known(action)
    plain = {name: str(value).replace("\x00", "") for name, value in entries.items()}
    given = fields.read(COMMANDS[action], plain)
    if action in case_forms.CONFIRMED and entries.get("sure") != "yes":
        faults = {"sure": screen.speech.say(N_("Confirm that you know what follows."))}
        return _form(screen, reference, action, given, HTTPStatus.UNPROCESSABLE_ENTITY, faults)
    try:
        _act(screen, reference, action, given, entries)
    except InvalidInput as error:
        faults = fields.faults(error.problems, screen.speech)
        return _form(screen, reference, action, given, HTTPStatus.UNPROCESSABLE_ENTITY, faults)
    except Conflict as error:
        seen = case_forms.number(entries, "seen") if isinstance(error, StaleVersion) else None
        said = _why(screen, error)
        faults = {error.field: said} if error.field else {}
        notice = "" if error.field else said
        return _form(screen, reference, action, given, HTTPStatus.CONFLICT, faults, notice, seen)
    return case.onward(screen, reference, screen.speech.say(N_("Done: %(done)s."), done=screen.label("action", action)))


def _known(action: str) -> None:
    if action not in COMMANDS:
        raise NotFound("action", action)


def _act(screen: Screen, reference: str, action: str, given: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    version = None if action in case_forms.ANYTIME else case_forms.number(entries, "version")
    with screen.work() as work:
        complaint = lock(work, access.see(work, reference).id)
        once = str(entries.get(_ONCE, ""))[:64]
        if once and not tracking.first_time(work, complaint, f"console:{once}:{_mark(action, given)}"):
            return
        actions.act(work, complaint.reference, action, given, version)


def _mark(action: str, given: Mapping[str, Any]) -> str:
    """Tells what was sent: a page that was left open may send another action, or other words, and means them."""
    return hashlib.sha256(json.dumps([action, given], sort_keys=True).encode()).hexdigest()[:16]


def _why(screen: Screen, error: Conflict) -> str:
    if isinstance(error, StaleVersion):
        return screen.speech.say(
            N_("Something has happened since you opened this. Does it still fit? Then send again.")
        )
    return said_of(screen.speech, error)


def _form(
    screen: Screen,
    reference: str,
    action: str,
    given: Mapping[str, Any],
    status: int,
    faults: Mapping[str, str] | None = None,
    notice: str = "",
    seen: int | None = None,
) -> Response:
    with screen.reading() as work:
        complaint = access.see(work, reference)
        if action not in actions.allowed_for(work, complaint):
            notice = _why(screen, actions.refusal(work, complaint, action))
            status = HTTPStatus.CONFLICT
        words = CaseWords(screen.label, work.policies.get(complaint.policy_hash))
        events = casefile.since(work, complaint, seen) if seen is not None else []
        values = {
            "one": complaint,
            "deed": case_forms.deed(screen, work, complaint, action, given, faults),
            "notice": notice,
            "events": [(event, words.event(event)) for event in events],
            "inside": by_script(screen.request),
        }
    if by_script(screen.request):
        return screen.fragment("case_action_form.html", status, **values)
    return screen.page("case_action.html", status, **values)
