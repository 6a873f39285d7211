"""The pages that show every component of both design systems, in each of its states; the samples are made up."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import FieldProblem
from complaints.domain.forms import InvestigationForm
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import OPEN, SEVERITIES, Audience
from complaints.services import personnel
from complaints.services.contact import Way
from complaints.services.inbox import Query
from web.console import charts, fields
from web.console.case import SHOWN
from web.console.charts import PATTERNS, Series
from web.console.pages import ICONS, Screen
from web.console.panels import Tile
from web.console.route import PageRoute
from web.console.seat import Staff
from web.console.when import Span
from web.language import N_
from web.portal import files
from web.portal.pages import Screen as Leaf

router = APIRouter(route_class=PageRoute)
_REFERENCE = "C26-000042-7"
_SAID = N_("The acknowledgment could not be delivered.")


@router.get("/components")
def gallery(screen: Staff) -> Response:
    """All components of the console; lists, thread, files, letter and presence by the very templates of their pages."""
    now = screen.product.store.now()
    wrong = fields.faults([FieldProblem("summary", "Fill this in.", "missing")], screen.speech)
    given = {"remedies": [{"kind": "refund", "description": "50.00", "amount": "50.00"}]}
    return screen.page(
        "components.html",
        form=fields.build(InvestigationForm, screen.label, screen.choices, given, wrong),
        faults=wrong,
        icons=sorted(ICONS),
        message=screen.speech.say(_SAID),
        role_options=[(role.value, screen.label("role", role.value)) for role in personnel.STAFF],
        **_times(screen, now),
        **_list(screen, now),
        **_case(screen, now),
        **_figures(screen),
    )


def _times(screen: Screen, now: datetime) -> dict[str, Any]:
    span = Span(screen.speech, now)
    calm, late, done = span.due(now + timedelta(days=3)), span.due(now - timedelta(hours=2)), span.due(now, done=True)
    near, paused = span.due(now + timedelta(hours=5)), span.due(now + timedelta(days=1), paused=True)
    return {
        "dues": [calm, near, late, paused, done],
        "clocks": [("running", "regulatory", near), ("paused", "", paused), ("cancelled", "", None)],
        "events": [
            (now - timedelta(hours=2), screen.speech.say(N_("The complaint was received.")), False),
            (now, screen.speech.say(N_("Earlier complaints were compared.")), True),
        ],
    }


def _complaint(now: datetime, subject: str) -> SimpleNamespace:
    return SimpleNamespace(
        reference=_REFERENCE,
        subject=subject,
        status="investigating",
        severity="serious",
        category="",
        flags=["vulnerable"],
        confidential=True,
        received_at=now - timedelta(days=2),
        language="zh-CN",
    )


def _list(screen: Screen, now: datetime) -> dict[str, Any]:
    """One row of the inbox, and a card of the board."""
    complaint = _complaint(now, screen.speech.say(_SAID))
    step = SimpleNamespace(id=1, version=1, kind="investigation", state="claimed", due_at=now + timedelta(hours=5))
    line = SimpleNamespace(
        complaint=complaint,
        complainant="王芳",
        assignee="",
        holder="Li Na",
        step=step,
        due_at=step.due_at,
        paused=False,
    )
    return {
        "query": Query(),
        "found": SimpleNamespace(lines=[line], after=None),
        "newest": 0,
        "counts": {},
        "address": "",
        "titles": {},
        "total": screen.speech.say(N_("%(here)s in all"), here=1),
        "card": SimpleNamespace(step=step, complaint=complaint),
    }


def _case(screen: Screen, now: datetime) -> dict[str, Any]:
    """A thread in each direction, files, presence, the letter's checklist."""
    message = screen.speech.say(_SAID)
    thread = [
        SimpleNamespace(
            audience=audience,
            direction=direction,
            author="王芳" if direction == "in" else "Li Na",
            kind="message",
            at=now,
            subject="",
            body=message,
            delivered_at=now if direction == "out" else None,
        )
        for audience, direction in (
            (Audience.COMPLAINANT.value, "in"),
            (Audience.COMPLAINANT.value, "out"),
            (Audience.THIRD_PARTY.value, "out"),
            (Audience.INTERNAL.value, ""),
        )
    ]
    file = SimpleNamespace(
        id=1,
        name="invoice.pdf",
        content_type="application/pdf",
        size=48_000,
        uploaded_by="Li Na",
        at=now,
        audience=Audience.INTERNAL.value,
    )
    return {
        "case": SimpleNamespace(thread=thread, files=[file]),
        "one": _complaint(now, message),
        "deeds": ["add_note", "add_message"],
        "works": True,
        "machine": SYSTEM.name,
        "open_statuses": OPEN,
        "once": "",
        "latest": 0,
        "everything": True,
        "people": [(None, Way("email", "wang.fang@example.com"))],
        "shown": SHOWN,
        "file_faults": {},
        "largest": 20_000_000,
        "here_now": [SimpleNamespace(name=name, writing=writing) for name, writing in (("Bo", False), ("Li Na", True))],
        "elements": [("reference", True), ("appeal_right", False)],
        "subject": message,
        "body": message,
    }


def _figures(screen: Screen) -> dict[str, Any]:
    say = screen.speech.say
    names, title = ["1", "2", "3"], say(N_("Arrivals and closures by day"))
    series = [Series(screen.label("severity", code), [3, 1, 2]) for code in SEVERITIES]
    tiles = [
        Tile(say(N_("Arrived")), "20", "14", charts.spark(say(N_("Arrived")), [1, 4, 2])),
        Tile(say(N_("Open now")), "7"),
    ]
    pictures = [
        charts.stacked(screen.speech, title, names, series, "{:g}".format),
        charts.lines(screen.speech, title, names, series, "{:g}".format),
        charts.pareto(screen.speech, title, [("1", 5), ("2", 3)], 8, "{:g}".format, "{:.0%}".format),
    ]
    return {"patterns": PATTERNS, "tiles": tiles, "pictures": pictures}


@router.get("/components/portal")
def portal(screen: Staff) -> Response:
    """All components of the portal, on a page of the portal."""
    leaf = Leaf(screen.request, own=screen.speech.language)
    wrong = {"email": screen.speech.say(N_("Fill this in."))}
    about = files.about(screen.product, lost=True)
    return leaf.page("gallery.html", errors=wrong, given={"name": "王芳", "email": ""}, files=about)
