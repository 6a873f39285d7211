"""Following a complaint by its signed link: read, answer, accept or reject, appeal, withdraw, get a new link.

Whoever has no link gets one by mail, and a code for the device on which they asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.datastructures import FormData

from complaints.domain.errors import Conflict, InvalidInput, NotFound
from complaints.domain.intake import plain_address
from complaints.domain.ports import SYSTEM
from complaints.domain.reference import parse
from complaints.domain.validation import EMAIL, blank, narrow
from complaints.domain.vocabulary import Audience, Language, StepKind
from complaints.services import actions, attachments, steps, tracking
from complaints.services.attachments import NewFile
from complaints.services.sight import Sight
from complaints.services.tracking import LinkExpired, Visitor
from complaints.services.transition import lock
from complaints.store.tables import Complainant, Complaint, Party
from complaints.store.unit import Work
from web.api.attachments import saved
from web.language import N_
from web.portal import case, files
from web.portal.pages import PageRoute, Screen

router = APIRouter(route_class=PageRoute)
_PAGE = "/track"
_FIELDS = 20
_LONGEST = 20_000
_TOO_OLD = N_("This page was open for too long. Please send again.")
#: What is sent beside words: which form, which remedy, what was chosen.
_GIVEN = ("do", "remedy", "text", "accepted", "rating", "resolved", "effort")
#: What can bear files, or be nothing but files.
_WITH_FILES = ("answer", "message")
#: How a remedy was accepted, for the case log.
_BY_LINK = "on the tracking page"
#: What is said after something was done.
_DONE = {
    "answer": N_("Thank you. We have your answer and go on."),
    "message": N_("Your message is with us."),
    "confirm": N_("Thank you for telling us. We are glad that it is settled."),
    "accepted": N_("Thank you. We carry it out now."),
    "declined": N_("Thank you for telling us. We have what you wrote and take it into account."),
    "appeal": N_("Somebody who was not involved before will look at it again."),
    "withdraw": N_("You have withdrawn your complaint."),
    "before": N_("We have this from you already. Nothing was done twice."),
}
#: What was done by a form that takes a yes or no.
_ANSWERED = {("confirm", "no"): "appeal", ("remedy", "yes"): "accepted", ("remedy", "no"): "declined"}
Fields = dict[str, str]


# -- a new link


@router.get("/track")
def ask(request: Request, renewed: str = "") -> Response:
    """Reference and e-mail address, for a new link; also where one lands after asking that old links be worthless."""
    screen = Screen(request)
    given = {"reference": "", "email": ""}
    slip = screen.browser.slip(_PAGE)
    return screen.page("find.html", slip=slip, given=given, errors={}, notice="", renewed=bool(renewed))


@router.post("/track")
async def send_link(request: Request) -> Response:
    """Mail a new link if reference and address belong together; the answer never tells whether they do.

    With `do=code`: open the page with the code that the letter bears. With `do=read`: say once more that it was asked
    for, in the other language.
    """
    async with request.form(max_files=0, max_fields=_FIELDS) as posted:
        sent = posted.get("do") in ("code", "read")
        return await run_in_threadpool(_open_by_code if sent else _send_link, Screen(request), posted)


def _open_by_code(screen: Screen, posted: FormData) -> Response:
    given = _sought(posted)
    tracks, code = screen.product.tracking, "".join(narrow(given["code"]).split())
    _, fitting = screen.browser.returned(_PAGE, str(posted.get("slip", "")))
    said, status = "", HTTPStatus.UNPROCESSABLE_ENTITY
    if not fitting:
        return _found(screen, given, HTTPStatus.FORBIDDEN, notice=screen.too_old(_TOO_OLD))
    if posted.get("do") == "read":
        return _found(screen, given)
    if not re.fullmatch(rf"[0-9]{{{tracking.CODE_DIGITS}}}", code):
        said = N_("Type the six digits that stand in the mail.")
    elif screen.too_many_tries(given["reference"]):
        said, status = N_("Too many codes were tried. Use the link in the mail instead."), HTTPStatus.TOO_MANY_REQUESTS
    elif party := _party(screen, given, code):
        return screen.go(f"/track/{tracks.token(party.complaint_id, party.complainant_id, party.link_version)}")
    else:
        said = N_("This code does not fit, or it is older than 30 minutes. Compare it with the latest mail.")
    return _found(screen, given, status, errors={"code": screen.speech.say(said)})


def _party(screen: Screen, given: Fields, code: str) -> Party | None:
    try:
        with screen.product.store.reading(SYSTEM) as work:
            return tracking.by_code(work, given["reference"], given["email"], code)
    except InvalidInput:
        return None


def _sought(posted: FormData) -> Fields:
    return {name: str(posted.get(name, ""))[:300] for name in ("reference", "email", "code")}


def _found(screen: Screen, given: Fields, status: int = HTTPStatus.OK, **more: Any) -> Response:
    values = {"errors": {}, "notice": ""} | more
    return screen.page("found.html", status, slip=screen.browser.slip(_PAGE), given=given, **values)


def _send_link(screen: Screen, posted: FormData) -> Response:
    given = _sought(posted)
    speech, errors, notice, status = screen.speech, {}, "", HTTPStatus.UNPROCESSABLE_ENTITY
    slip, fitting = screen.browser.returned(_PAGE, str(posted.get("slip", "")))
    if not re.match(EMAIL, plain_address(given["email"])):
        errors["email"] = speech.say(N_("Write the address like name@example.com."))
    try:
        parse(given["reference"])
    except InvalidInput:
        errors["reference"] = speech.say(
            N_("A reference looks like C26-000042-7. Please compare it with your letter, digit by digit.")
        )
    if slip is None or not fitting:
        notice, status = screen.too_old(_TOO_OLD), HTTPStatus.FORBIDDEN
    elif not errors:
        wait = screen.too_many()
        if not wait:
            with screen.product.store.work(SYSTEM) as work:
                tracking.send_anew(work, given["reference"], given["email"])
            return _found(screen, given)
        notice = speech.say(
            N_("Too many requests came from your network. Please try again in %(minutes)s minutes."), minutes=wait
        )
        status = HTTPStatus.TOO_MANY_REQUESTS
    slip_again = screen.browser.slip(_PAGE)
    return screen.page("find.html", status, slip=slip_again, given=given, errors=errors, notice=notice, renewed=False)


# -- the page behind a link


@dataclass
class Visit:
    """A reader with a link that opens."""

    screen: Screen
    token: str
    visitor: Visitor

    def page(self, status: int = HTTPStatus.OK, **more: Any) -> Response:
        """The tracking page."""
        product = self.screen.product
        with product.store.reading(SYSTEM) as work:
            visitor = product.tracking.open(work, self.token)
            told = case.tracked(work, visitor, self.screen.speech)
            onward = case.merged_into(work, visitor)
        link = ""
        if onward is not None:
            into, party = onward
            link = f"/track/{product.tracking.token(into.id, party.complainant_id, party.link_version)}"
        values: dict[str, Any] = {"errors": {}, "given": {}, "done": "", "notice": "", "kept": "", **more}
        if values["given"] and values["given"]["do"] not in told.can:
            values["kept"] = values["given"]["text"]  # its form is gone from the page
        about = files.about(product, lost=bool(values["given"].get("files")))
        return self.screen.page(
            "track.html", status, case=told, token=self.token, slip=self.slip(), onward=link, files=about, **values
        )

    def slip(self) -> str:
        """A slip that fits this link only."""
        return self.screen.browser.slip(self.place)

    @property
    def place(self) -> str:
        """What slips of this link are made for."""
        return f"{_PAGE}/{self.visitor.complaint.id}/{self.visitor.complainant.id}"


def _visit(request: Request, token: str, words: str = "") -> Visit | Response:
    """The visit, or the kind page for a link that does not open; it shows the `words` that were sent by it."""
    screen = Screen(request)
    try:
        with screen.product.store.reading(SYSTEM) as work:
            visitor = screen.product.tracking.open(work, token)
    except NotFound as error:
        status = HTTPStatus.GONE if isinstance(error, LinkExpired) else HTTPStatus.NOT_FOUND
        given = {"reference": "", "email": ""}
        values = {"slip": screen.browser.slip(_PAGE), "given": given, "expired": isinstance(error, LinkExpired)}
        return screen.page("no_link.html", status, errors={}, notice="", kept=words, **values)
    screen.own = Language(visitor.complainant.language)
    return Visit(screen, token, visitor)


@router.get("/track/{token}")
def follow(request: Request, token: str, done: str = "") -> Response:
    """Where it stands."""
    visit = _visit(request, token)
    if isinstance(visit, Response):
        return visit
    return visit.page(done=visit.screen.speech.say(_DONE[done]) if done in _DONE else "")


@router.get("/track/{token}/withdraw")
def withdraw(request: Request, token: str) -> Response:
    """Is that what you want?"""
    visit = _visit(request, token)
    if isinstance(visit, Response):
        return visit
    return _withdrawal(visit)


def _withdrawal(visit: Visit, status: int = HTTPStatus.OK, **more: Any) -> Response:
    with visit.screen.product.store.reading(SYSTEM) as work:
        told = case.tracked(work, visit.visitor, visit.screen.speech)
    values: dict[str, Any] = {"errors": {}, "notice": "", "given": {"do": "withdraw", "text": ""}, **more}
    if "withdraw" not in told.can:
        notice = visit.screen.speech.say(N_("This is no longer possible."))
        return visit.page(HTTPStatus.CONFLICT, given=values["given"], notice=notice)
    return visit.screen.page("withdraw.html", status, case=told, token=visit.token, slip=visit.slip(), **values)


@router.get("/track/{token}/files/{attachment}")
def file(request: Request, token: str, attachment: UUID) -> Response:
    """One of the reader's files, to be saved."""
    visit = _visit(request, token)
    if isinstance(visit, Response):
        return visit
    product = visit.screen.product
    with product.store.reading(SYSTEM) as work:
        row = next((f for f in Sight(work, visit.visitor).files() if f.id == attachment), None)
    if row is None:
        raise NotFound("file", attachment)
    return saved(product, row)


@router.post("/track/{token}")
async def do(request: Request, token: str) -> Response:
    """Whatever the page offers: `do` says which."""
    async with files.form(request, _FIELDS) as posted:
        visit = await run_in_threadpool(_visit, request, token, str(posted.get("text", "")))
        return visit if isinstance(visit, Response) else await run_in_threadpool(_do, visit, posted)


def _do(visit: Visit, posted: FormData) -> Response:
    speech, product = visit.screen.speech, visit.screen.product
    again = _withdrawal if posted.get("do") == "withdraw" else Visit.page
    given = {name: str(posted.get(name, "")) for name in _GIVEN} | {"files": "1" if files.chosen(posted) else ""}
    action = given["do"]
    if action not in _ACTIONS:
        raise NotFound("action", action)
    slip, fitting = visit.screen.browser.returned(visit.place, str(posted.get("slip", "")))
    if slip is None or not fitting:
        said = N_("This page was open for too long. Nothing is lost: please check and send again.")
        return again(visit, HTTPStatus.FORBIDDEN, given=given, notice=visit.screen.too_old(said))
    errors = {name: speech.say(said) for name, said in _wrong(given).items()}
    chosen = files.chosen(posted) if action in _WITH_FILES else []
    received, wrong = files.receive(product, chosen, speech) if not errors else ([], [])
    if wrong:
        errors["files"] = "\n".join(wrong)
    if errors:
        form = "-".join(filter(None, (action, given["remedy"])))  # several stand on the page
        errors = {f"{form}-{name}": said for name, said in errors.items()}
        return again(visit, HTTPStatus.UNPROCESSABLE_ENTITY, given=given, errors=errors)
    if received and blank(given["text"]):  # a picture answers by itself
        given["text"] = speech.say(N_("Attached: %(names)s"), names=speech.series(file.name for file in received))
    try:
        with product.store.work(visit.visitor.actor) as work:
            complaint = lock(work, visit.visitor.complaint.id)
            new = tracking.first_time(work, complaint, slip.key)
            if new:
                _ACTIONS[action](work, complaint, given)
                for each in received:
                    _attach(work, complaint, each)
    except Conflict:
        notice = speech.say(N_("The complaint has moved on in the meantime. Nothing was changed; please look again."))
        return visit.page(HTTPStatus.CONFLICT, notice=notice, kept=str(posted.get("text", "")))
    if action == "renew":
        return visit.screen.go("/track?renewed=1")
    done = _ANSWERED.get((action, given["accepted"]), action) if new else "before"
    return visit.screen.go(f"/track/{visit.token}?done={done}")


def _wrong(given: Fields) -> dict[str, str]:
    """What is missing, by field."""
    do, text = given["do"], given["text"]
    empty = blank(text)
    if len(text.strip()) > _LONGEST:
        return {"text": N_("This is too long: at most 20,000 characters.")}
    if "\x00" in text:
        return {"text": N_("This contains characters that we cannot store. Type it again, please.")}
    if do in _WITH_FILES and empty and not given["files"]:
        return {"text": N_("Write something first.")}
    if do == "appeal" and empty:
        return {"text": N_("Say what is still wrong, so that somebody else can look at it.")}
    if do == "remedy" and given["accepted"] not in ("yes", "no"):
        return {"accepted": N_("Choose whether you accept what we offer.")}
    if do == "remedy" and given["accepted"] == "no" and empty:
        return {"text": N_("Say why you do not want it, and what would help instead.")}
    if do == "confirm" and given["accepted"] not in ("yes", "no"):
        return {"accepted": N_("Choose whether you accept our answer.")}
    if do == "confirm" and given["accepted"] == "no" and empty:
        return {"text": N_("Say what is still wrong, so that somebody else can look at it.")}
    return {}


def _attach(work: Work, complaint: Complaint, new: NewFile) -> None:
    attachments.add(work, complaint, new, Audience.COMPLAINANT)


def _confirm(work: Work, complaint: Complaint, given: Fields) -> None:
    step = actions.open_step_of(work, complaint, StepKind.CONFIRMATION)
    if step is None:
        raise Conflict("There is nothing to confirm now.")
    scale = {name: int(given[name]) for name in ("rating", "effort") if given[name] in set("12345")}
    resolved = {"yes": True, "no": False}.get(given["resolved"])
    verdict = {"accepted": given["accepted"] == "yes", "words": given["text"], "resolved": resolved}
    steps.complete(work, step.id, verdict | scale)


def _remedy(work: Work, complaint: Complaint, given: Fields) -> None:
    about = {"remedy": given["remedy"]}
    if given["accepted"] == "yes":
        actions.act(work, complaint.reference, "accept_remedy", {**about, "evidence": _BY_LINK})
        if not blank(given["text"]):
            actions.act(work, complaint.reference, "add_message", {"text": given["text"]})
    else:
        actions.act(work, complaint.reference, "decline_remedy", {**about, "reason": given["text"]})


def _renew(work: Work, complaint: Complaint, given: Fields) -> None:
    if not tracking.renew(work, complaint, work.session.get_one(Complainant, UUID(work.actor.id))):
        raise Conflict("There is no address to which a new link could be sent.")


def _act(action: str, field: str) -> Callable[[Work, Complaint, Fields], None]:
    def run(work: Work, complaint: Complaint, given: Fields) -> None:
        actions.act(work, complaint.reference, action, {} if blank(given["text"]) else {field: given["text"]})

    return run


_ACTIONS: dict[str, Callable[[Work, Complaint, Fields], None]] = {
    "answer": _act("customer_replied", "answer"),
    "message": _act("add_message", "text"),
    "appeal": _act("appeal", "reason"),
    "withdraw": _act("withdraw", "reason"),
    "confirm": _confirm,
    "remedy": _remedy,
    "renew": _renew,
}
