"""Staff record a complaint that came by telephone, by letter, at the counter or by mail."""

from __future__ import annotations

import secrets
from datetime import date, datetime, time
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from complaints.domain.errors import FieldProblem, InvalidInput
from complaints.domain.intake import NewComplaint
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Channel
from complaints.services import recording
from complaints.services.recording import AlreadyRecorded
from complaints.store.tables import Complaint
from web.console import fields
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Caseworker, Entries
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: Ways on which a complaint reaches a person here; the others come in by themselves.
_CHANNELS = (Channel.PHONE, Channel.LETTER, Channel.IN_PERSON, Channel.EMAIL, Channel.SOCIAL)
_OF_COMPLAINT = (
    "narrative", "subject", "channel", "language", "product", "desired_remedy", "order_ref", "jurisdiction",
)  # fmt: skip
_OF_PERSON = ("name", "email", "phone", "safe_contact")
#: What the general words for a wrong field leave unclear.
_PLAINER = {
    "complainant-email": N_("This is not an e-mail address."),
    "complainant-phone": N_("Write a telephone number in digits, such as +86 10 6552 9988."),
}


@router.get("/record")
def ask(screen: Caseworker) -> Response:
    """The empty form; today by telephone is what happens most."""
    today = screen.product.store.now().astimezone(screen.console.zone).date().isoformat()
    return _form(screen, {"channel": Channel.PHONE.value, "received_on": today, "once": secrets.token_urlsafe(16)})


@router.post("/record/likely")
def likely(screen: Caseworker, entries: Entries) -> Response:
    """Earlier complaints of the same person or order, for the script, while somebody still writes."""
    return screen.fragment("record_likely.html", likely=_likely(screen, entries))


@router.post("/record")
def record(screen: Caseworker, entries: Entries) -> Response:
    """Take it down. Whoever has not yet seen that it may be a duplicate is shown so first."""
    given = _given(entries)
    new, wrong = _understood(screen, entries)
    if new is None:
        return _form(screen, given, HTTPStatus.UNPROCESSABLE_ENTITY, wrong)
    found = _likely(screen, entries)
    if {c.reference for c in found} - set(str(entries.get("seen", "")).split()) and not _sent_before(screen, given):
        notice = N_("This may be recorded already. Look at these complaints; if it is another matter, send again.")
        return _form(screen, given, HTTPStatus.CONFLICT, {}, screen.speech.say(notice), found)
    try:
        with screen.work() as work:
            taken = recording.record(work, new, screen.product.classifier, given["once"] or secrets.token_urlsafe(16))
    except AlreadyRecorded as before:
        notice = N_("This form has recorded %(ref)s already. If this is another complaint, send it again.")
        said = screen.speech.say(notice, ref=before.reference)
        return _form(screen, given | {"once": secrets.token_urlsafe(16)}, HTTPStatus.CONFLICT, {}, said, found)
    except InvalidInput as error:
        return _form(screen, given, HTTPStatus.UNPROCESSABLE_ENTITY, _said(screen, error.problems))
    return _afterwards(screen, taken)


def _afterwards(screen: Screen, taken: recording.Recorded) -> Response:
    if taken.seen:
        said = screen.speech.say(N_("Recorded as %(ref)s."), ref=taken.reference)
        return screen.go(f"/console/complaints/{taken.reference}", said)
    unseen = N_("Recorded as %(ref)s. Tell the customer this reference; others will handle it, you cannot open it.")
    return screen.go("/console/inbox", screen.speech.say(unseen, ref=taken.reference))


def _given(entries: FormData) -> dict[str, Any]:
    """What was written, to be shown again."""
    return {name: str(entries.get(name, "")) for name in entries} | {
        "needs": [str(n) for n in entries.getlist("complainant-needs")],
        "once": str(entries.get("once", ""))[:100],
    }


def _understood(screen: Screen, entries: FormData) -> tuple[NewComplaint | None, dict[str, str]]:
    """The complaint, or what is wrong with which field."""
    problems: list[FieldProblem] = []
    try:
        received = _received(screen, str(entries.get("received_on", "")), str(entries.get("received_time", "")))
    except ValueError:
        received = None
        problems.append(FieldProblem("received_on", N_("Write a date, such as 2026-03-01, and a time, such as 14:30.")))
    try:
        new = NewComplaint.model_validate(_plain(entries) | {"received_at": received})
    except ValidationError as error:
        problems += problems_of(error)
        return None, _said(screen, problems)
    if new.channel not in _CHANNELS:
        problems.append(FieldProblem("channel", "", "enum"))
    if received is not None and received > screen.product.store.now():
        problems.append(FieldProblem("received_on", N_("This lies in the future.")))
    return (None, _said(screen, problems)) if problems else (new, {})


def _plain(entries: FormData) -> dict[str, Any]:
    def filled(names: tuple[str, ...], prefix: str = "") -> dict[str, Any]:
        texts = {name: str(entries.get(f"{prefix}{name}", "")).strip().replace("\r\n", "\n") for name in names}
        return {name: text for name, text in texts.items() if text}

    person = filled(_OF_PERSON, "complainant-") | {"needs": entries.getlist("complainant-needs")}
    return filled(_OF_COMPLAINT) | {"complainant": person, "confidential": bool(entries.get("confidential"))}


def _received(screen: Screen, on: str, at: str) -> datetime | None:
    """When it reached us; None is now. A day without a time counts from its beginning: never to the customer's cost."""
    today = screen.product.store.now().astimezone(screen.console.zone).date()
    day = date.fromisoformat(on) if on else today
    if day == today and not at:
        return None
    return datetime.combine(day, time.fromisoformat(at) if at else time(), screen.console.zone)


def _said(screen: Screen, problems: list[FieldProblem]) -> dict[str, str]:
    say = screen.speech.say
    said = {_shown(name): text for name, text in fields.faults(problems, screen.speech).items()}
    said |= {p.field: say(p.message) for p in problems if p.code == "invalid" and p.field == "received_on"}
    return said | {name: say(text) for name, text in _PLAINER.items() if name in said}


def _shown(name: str) -> str:
    """The field on the screen that stands for a field of the model."""
    return {"received_at": "received_on"}.get(name, "complainant-needs" if "-needs-" in name else name)


def _likely(screen: Screen, entries: FormData) -> list[Complaint]:
    asked = {
        key: str(entries.get(name, "")).replace("\x00", "").strip()[:300]
        for key, name in (("email", "complainant-email"), ("phone", "complainant-phone"), ("order_ref", "order_ref"))
    }
    with screen.reading() as work:
        return recording.likely(work, **asked)


def _sent_before(screen: Screen, given: dict[str, Any]) -> bool:
    """Asked after what is likely, so that a second click never meets its own complaint as a duplicate."""
    with screen.reading() as work:
        return recording.recorded(work, given["once"])


def _form(
    screen: Screen,
    given: dict[str, Any],
    status: int = HTTPStatus.OK,
    wrong: dict[str, str] | None = None,
    notice: str = "",
    found: list[Complaint] | None = None,
) -> Response:
    label = screen.label
    policy = screen.product.policies.active(screen.product.store.now())
    return screen.page(
        "record.html",
        status,
        given={"needs": []} | given,
        faults=wrong or {},
        notice=notice,
        likely=found or [],
        channels=[(c.value, label("channel", c)) for c in _CHANNELS],
        languages=label.options("language"),
        jurisdictions=fields.Choices(policy, screen.speech).of["jurisdiction"],
        needs=label.options("need"),
    )
