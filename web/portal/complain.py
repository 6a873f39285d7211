"""Complaining: the form, the review before sending, and the receipt. Nothing is stored before "send"."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from starlette.datastructures import FormData

from complaints.domain.errors import Conflict
from complaints.domain.intake import NARRATIVE_LIMIT, NewComplaint
from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Audience, Role
from complaints.services import attachments, clocks, intake
from complaints.services.contact import way_to_reach
from complaints.services.transition import lock
from complaints.store.tables import Complaint, IdempotencyKey
from web.browser import Slip
from web.language import N_, chosen
from web.portal import answers, files
from web.portal.pages import PageRoute, Screen

router = APIRouter(route_class=PageRoute)
_OWNER = "portal"
#: No person sees this field; machines that fill in everything fill it in too.
_TRAP = "website"
_FIELDS = 40


def _screen(request: Request) -> Screen:
    return Screen(request, embedded=request.url.path.startswith("/embed/"))


def _base(screen: Screen) -> str:
    return "/embed/complain" if screen.embedded else "/complain"


def _onward(screen: Screen, path: str, **query: str) -> str:
    """An address of ours, with the language that was chosen where no cookie can keep it: in a frame on another site."""
    if screen.embedded and (language := chosen(screen.request)):
        query["lang"] = language.value
    return f"{path}?{urlencode(query)}" if query else path


@router.get("/")
def start(request: Request) -> Response:
    """The two things one can do here."""
    return Screen(request).page("start.html")


@router.get("/complain")
@router.get("/embed/complain")
def form(request: Request, product: str = "") -> Response:
    """The empty form, with the product filled in where a link names it."""
    screen = _screen(request)
    return _form(screen, answers.empty(product), screen.browser.slip(_base(screen)))


def _form(screen: Screen, given: answers.Answers, slip: str, status: int = HTTPStatus.OK, **more: Any) -> Response:
    values = {"errors": {}, "notice": "", "trap": False, "needs": answers.NEEDS, "limit": NARRATIVE_LIMIT} | more
    return _kept(screen.page("complain.html", status, given=given, slip=slip, **_addresses(screen), **values))


def _review(screen: Screen, given: answers.Answers, slip: str, status: int = HTTPStatus.OK, **more: Any) -> Response:
    values = {"errors": {}, "notice": "", "needs": answers.NEEDS} | more
    about = files.about(screen.product, lost=bool(given["lost"]))
    page = screen.page("review.html", status, given=given, slip=slip, files=about, **_addresses(screen), **values)
    return _kept(page)


def _addresses(screen: Screen) -> dict[str, str]:
    """Where the form is sent, and where it is sent to go on in the other language."""
    return {"action": _onward(screen, _base(screen)), "base": _base(screen)}


def _kept(page: Response) -> Response:
    """The back button leads here again: a browser that may not keep the page asks whether to send the form anew."""
    page.headers["Cache-Control"] = "private, no-cache"
    return page


@router.post("/complain")
@router.post("/embed/complain")
async def step(request: Request) -> Response:
    """From the form to the review, back, or on: everything typed travels along, in the form itself."""
    async with files.form(request, _FIELDS) as posted:
        return await run_in_threadpool(_step, _screen(request), posted)


def _step(screen: Screen, posted: FormData) -> Response:
    given, base, speech = answers.read(posted), _base(screen), screen.speech
    slip, fitting = screen.browser.returned(base, str(posted.get("slip", "")))
    if slip is None or not fitting:
        # only our own slip keeps its key: who knows the key of another could ask for the receipt of what is sent here
        fresh = screen.browser.slip(base, slip.key if slip and screen.browser.made_for(slip, base) else "")
        notice = screen.too_old(N_("This page was open for too long. Nothing is lost: please check and go on."))
        return _form(screen, given, fresh, HTTPStatus.FORBIDDEN, notice=notice)
    same = str(posted["slip"])  # keeps its age: going back and forth is no new beginning
    if posted.get(_TRAP):
        notice = speech.say(N_("Please leave the field “Website” empty. It is there to stop machines."))
        return _form(screen, given, same, HTTPStatus.UNPROCESSABLE_ENTITY, notice=notice, trap=True)
    do = posted.get("do")
    if do == "edit":
        return _form(screen, given, same)
    new, wrong = answers.judge(given, speech)
    if new is None:
        return _form(screen, given, same, HTTPStatus.UNPROCESSABLE_ENTITY, errors=wrong)
    if slip.age(screen.product.store.now()).total_seconds() < screen.product.settings.form_seconds:
        notice = speech.say(N_("That was very quick. Please check your answers, then go on."))
        return _form(screen, given, same, HTTPStatus.TOO_MANY_REQUESTS, notice=notice)
    if do != "send":
        return _review(screen, given, same)
    return _send(screen, given, new, _once(screen, slip, new), posted)


def _once(screen: Screen, slip: Slip, new: NewComplaint) -> str:
    """The key under which a complaint is taken once.

    A slip in a frame may be anybody's. There the words are part of the key, so that nobody who has the slip, too, gets
    the receipt of what somebody else wrote.
    """
    words = hashlib.sha256(new.model_dump_json().encode()).hexdigest() if screen.embedded else ""
    return f"{slip.key} {words}".strip()


def _send(screen: Screen, given: answers.Answers, new: NewComplaint, key: str, posted: FormData) -> Response:
    product, speech = screen.product, screen.speech
    same = str(posted["slip"])
    wait = screen.too_many()
    if wait:
        said = N_(
            "Many complaints came from your network. Please send again in %(minutes)s minutes; keep this page open."
        )
        notice = speech.say(said, minutes=wait)
        return _review(screen, given, same, HTTPStatus.TOO_MANY_REQUESTS, notice=notice)
    received, wrong = files.receive(product, files.chosen(posted), speech)
    if wrong:
        return _review(screen, given, same, HTTPStatus.UNPROCESSABLE_ENTITY, errors={"files": "\n".join(wrong)})
    name = new.complainant.name or "Complainant"
    actor = Actor("complainant", "portal", name, frozenset({Role.COMPLAINANT}))
    again: dict[str, str] = {}
    try:
        with product.store.work(actor) as work:
            taken = intake.submit(work, new, product.classifier, owner=_OWNER, key=key)
            complaint = work.session.get_one(Complaint, taken.id)
            for file in received if taken.new else ():
                attachments.add(work, lock(work, taken.id), file, Audience.COMPLAINANT)
    except Conflict:
        with product.store.reading(SYSTEM) as work:
            earlier = work.session.get_one(IdempotencyKey, (_OWNER, key))
            complaint = work.session.get_one(Complaint, earlier.complaint_id)
        again = {"changed": "1"}
    token = product.tracking.token(complaint.id, complaint.complainant_id, 1)
    return screen.go(_onward(screen, f"{_base(screen)}/sent/{token}", **again))


@router.get("/complain/sent/{token}")
@router.get("/embed/complain/sent/{token}")
def sent(request: Request, token: str) -> Response:
    """The receipt: reference, link, what happens next."""
    screen = _screen(request)
    with screen.product.store.reading(SYSTEM) as work:
        visitor = screen.product.tracking.open(work, token)
        due = clocks.answer_due(work, visitor.complaint)
    return screen.page(
        "sent.html",
        complaint=visitor.complaint,
        way=way_to_reach(visitor.complainant).kind,
        due=due,
        link=f"{screen.product.settings.link_base.rstrip('/')}/track/{token}",
        path=f"/track/{token}",
        changed="changed" in request.query_params,
    )
