"""The inbox: lists of work with deadlines, filters, saved views, bulk actions; new work appears by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from sqlmodel import col, select

from complaints.domain.errors import ComplaintsError, InvalidInput, NotFound
from complaints.domain.vocabulary import Channel, Flag, Role, Severity, Status
from complaints.services import access, actions, casefile, inbox, opening, savedviews, steps
from complaints.services.inbox import MOST_COUNTED, Listing, Query, Sort, View
from complaints.store.tables import Person
from complaints.store.unit import Work
from web.console import case, case_steps
from web.console.fields import Choices
from web.console.pages import Screen
from web.console.route import PageRoute, said_of
from web.console.seat import Caseworker, Entries, Staff
from web.console.when import day_of
from web.language import N_

router = APIRouter(route_class=PageRoute)
_MOST_AT_ONCE = 200
_COUNTS_LAST = timedelta(seconds=45)
VIEWS = {
    View.MINE: N_("Mine"),
    View.TEAM: N_("My teams"),
    View.UNASSIGNED: N_("Unassigned"),
    View.NEAR: N_("Near breach"),
    View.WAITING: N_("Waiting"),
    View.ALL: N_("Everything"),
}
_SORTS = {Sort.DUE: N_("Deadline"), Sort.RECEIVED: N_("Newest"), Sort.SEVERITY: N_("Severity")}
#: Filters of the address, in the order they are shown.
_FILTERS = ("status", "severity", "category", "team", "channel", "flag")
_DATES = {"from": N_("Received from"), "to": N_("Received until")}
_BULK = {
    "assign": N_("Assigned: %(count)s."),
    "release": N_("Given back to the team: %(count)s."),
    "escalate": N_("Escalated: %(count)s."),
}


def asked(screen: Screen) -> Query:
    """The list that the address names; what cannot be understood narrows nothing."""
    given = screen.request.query_params
    known: dict[str, Any] = {name: tuple(v for v in given.getlist(name) if v) for name in _FILTERS}
    return Query(
        view=_one(View, given.get("view", ""), View.MINE),
        words=given.get("q", "").replace("\x00", "").strip()[:200],
        assignee=_person(given.get("assignee", "")),
        received_from=_day(screen, given.get("from", ""), 0),
        received_before=_day(screen, given.get("to", ""), 1),
        sort=_one(Sort, given.get("sort", ""), Sort.DUE),
        **known,
    )


def _one(kind: Any, text: str, otherwise: Any) -> Any:
    return kind(text) if text in set(kind) else otherwise


def _person(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _day(screen: Screen, text: str, later: int) -> datetime | None:
    try:
        return day_of(text, screen.console.zone, "", later=later)
    except InvalidInput:
        return None


@router.get("/inbox")
def show(screen: Staff) -> Response:
    """One list."""
    query, after = asked(screen), screen.request.query_params.get("after", "")
    with screen.reading() as work:
        newest = inbox.newest(work)
        found = inbox.listing(work, query, after=after)
        counts = _counts(screen, work, query, found)
        people = _colleagues(work)
        views = savedviews.seen(work)
    filters = _choices(screen, people)
    return screen.page(
        "inbox.html",
        query=query,
        found=found,
        counts=counts,
        views=[(view.value, screen.speech.say(name)) for view, name in VIEWS.items()],
        sorts=[(sort.value, screen.speech.say(name)) for sort, name in _SORTS.items()],
        filters=filters,
        chips=_chips(screen, filters),
        people=people,
        saved=views,
        newest=newest,
        address=_address(screen),
        titles=_titles(screen),
        total=_total(screen, query, found, counts),
        **_given(screen),
    )


def _given(screen: Screen) -> dict[str, Any]:
    given = screen.request.query_params
    chosen = {name: [v for v in given.getlist(name) if v] for name in (*_FILTERS, "assignee")}
    chosen = {name: values for name, values in chosen.items() if values}
    return {"chosen": chosen, "dates": (given.get("from", ""), given.get("to", "")), "paged": "after" in given}


def _choices(screen: Screen, people: list[Any]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Filters with their words: name in the address, title, options."""
    say, label = screen.speech.say, screen.label
    choices = Choices(screen.product.policies.active(screen.product.store.now()), screen.speech, people)
    return [
        ("status", say(N_("Status")), [(s.value, label("status", s)) for s in Status]),
        ("severity", say(N_("Severity")), [(s.value, label("severity", s)) for s in Severity]),
        ("category", say(N_("Category")), choices.of["category"]),
        ("team", say(N_("Team")), choices.of["team"]),
        ("assignee", say(N_("Assigned to")), choices.of["person"]),
        ("channel", say(N_("Channel")), [(c.value, label("channel", c)) for c in Channel]),
        ("flag", say(N_("Flag")), [(f.value, label("flag", f)) for f in Flag]),
    ]


def _chips(screen: Screen, filters: list[tuple[str, str, list[tuple[str, str]]]]) -> list[tuple[str, str]]:
    """What narrows the list, in words, each with the address of the list without it."""
    given = [(k, v) for k, v in screen.request.query_params.multi_items() if k not in ("after", "lang") and v]
    words = {
        (name, code): screen.speech.pair(title, text) for name, title, options in filters for code, text in options
    }
    words |= {(k, v): f"{screen.speech.say(_DATES[k])} {v}" for k, v in given if k in _DATES}
    return [(words[one], urlencode([o for o in given if o != one])) for one in given if one in words]


def _titles(screen: Screen) -> dict[str, str]:
    """Categories with their names."""
    policy = screen.product.policies.active(screen.product.store.now())
    return dict(Choices(policy, screen.speech).of["category"])


def _address(screen: Screen) -> str:
    """The list's own address without its page."""
    return urlencode([(k, v) for k, v in screen.request.query_params.multi_items() if k not in ("after", "lang") and v])


def _colleagues(work: Work) -> list[Any]:
    """Id and name of everybody who works here."""
    people = select(Person.id, Person.name).where(col(Person.active).is_(True)).order_by(Person.name)
    return list(work.session.exec(people).all())


def _counts(screen: Screen, work: Work, query: Query, found: Listing) -> dict[View, int]:
    """How much each view holds, counted anew after some seconds, or when this person did something (`Screen.go`)."""
    known, me, now = screen.console.counts, screen.seat.person.id, work.now
    at: datetime | None
    counts: dict[View, int]
    at, counts = known.get(me, (None, {}))
    if at is None or now - at > _COUNTS_LAST:
        counts = inbox.counts(work)
        known[me] = (now, counts)
    if _whole(query) and not screen.request.query_params.get("after"):  # the list itself is newer than the count
        here = len(found.lines)
        counts = {**counts, query.view: max(counts[query.view], here + 1) if found.after else here}
    return counts


def _whole(query: Query) -> bool:
    """Nothing narrows the view."""
    return query == Query(view=query.view, sort=query.sort)


def _total(screen: Screen, query: Query, found: Listing, counts: dict[View, int]) -> str:
    """How many there are, from what is known already: nothing is counted for it."""
    say, here = screen.speech.say, len(found.lines)
    if not found.after and not screen.request.query_params.get("after"):
        return say(N_("%(here)s in all"), here=here)
    if _whole(query):
        many = counts[query.view]
        return say(N_("%(here)s of %(many)s"), here=here, many=many if many <= MOST_COUNTED else f"{MOST_COUNTED}+")
    return (
        say(N_("%(here)s shown, more on the next page"), here=here)
        if found.after
        else say(N_("%(here)s on this page"), here=here)
    )


# -- new work appears by itself


@router.get("/inbox/pulse")
def pulse(screen: Staff, since: int = 0) -> Response:
    """Whether anything happened since; the list asks every few seconds."""
    with screen.reading() as work:
        return screen.json({"newest": _newest(screen, work), "changed": _newest(screen, work) > since})


def _newest(screen: Screen, work: Work) -> int:
    """Asked of the database at most once a second by all who look."""
    console, now = screen.console, screen.product.store.now()
    at, known = console.newest
    if now - at > timedelta(seconds=1):
        known = inbox.newest(work)
        console.newest = (now, known)
    return known


@router.get("/inbox/rows")
def rows(screen: Staff) -> Response:
    """The rows alone, for the script."""
    query, after = asked(screen), screen.request.query_params.get("after", "")
    with screen.reading() as work:
        newest = inbox.newest(work)
        found = inbox.listing(work, query, after=after)
        counts = _counts(screen, work, query, found)
    return screen.fragment(
        "inbox_rows.html",
        query=query,
        found=found,
        newest=newest,
        counts=counts,
        address=_address(screen),
        titles=_titles(screen),
        total=_total(screen, query, found, counts),
    )


# -- taking and handing over


@router.post("/inbox/claim/{reference}")
def claim(screen: Caseworker, reference: str) -> Response:
    """Take the task that is due, and go there."""
    with screen.reading() as work:
        complaint = access.see(work, reference)
        ours = [s for s in opening.open_steps(work, complaint) if s.role != Role.COMPLAINANT]
        due = casefile.tasks(work, complaint, ours)
        if not due:
            raise NotFound("task", reference)
    said, tone = case_steps.handed(screen, due[0].step.id, take=True)
    return case.onward(screen, reference, said, tone=tone)


@router.post("/inbox/bulk")
def bulk(screen: Caseworker, entries: Entries) -> Response:
    """One action on many complaints; each by itself, so that one refusal stops no other."""
    action = str(entries.get("do", ""))
    references = [str(r) for r in entries.getlist("ref")][:_MOST_AT_ONCE]
    back = str(entries.get("back", "/console/inbox"))
    if action not in _BULK or not references:
        return screen.go(back, screen.speech.say(N_("Choose complaints first.")), tone="note")
    done, refused = 0, []
    for reference in references:
        try:
            with screen.work() as work:
                _one_of_many(work, reference, action, entries)
            done += 1
        except ComplaintsError as error:
            refused.append(f"{reference}: {said_of(screen.speech, error)}")
    said = screen.speech.say(_BULK[action], count=done)
    if refused:
        said += " " + screen.speech.say(N_("Not possible for %(count)s:"), count=len(refused))
        said += " " + " ".join(refused[:5]) + (" …" if len(refused) > 5 else "")
    return screen.go(back, said, tone="note" if refused else "good")


def _one_of_many(work: Work, reference: str, action: str, entries: Any) -> None:
    complaint = access.see(work, reference)
    reason = str(entries.get("reason", "")).strip()
    if action == "assign":
        person = str(entries.get("person", "")).replace("me", work.actor.id)
        actions.act(work, complaint.reference, "assign", {"person": person, "reason": reason})
    elif action == "escalate":
        actions.act(work, complaint.reference, "escalate", {"reason": reason})
    else:
        held = [s for s in opening.open_steps(work, complaint) if s.assignee_id is not None]
        if not held:
            raise InvalidInput(N_("Nobody has a task of this complaint."), "ref")
        mine = [s for s in held if str(s.assignee_id) == work.actor.id]
        for step in mine or held:  # what a colleague has stands in nobody's way; a lead may give back for others
            steps.release(work, step.id)
