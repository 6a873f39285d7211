"""The command palette's answers: anything in the house that a few letters name."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.vocabulary import Role
from complaints.services import finding
from complaints.store.unit import Work
from web.console import places
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Staff
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: Shorter words name too much.
_SHORTEST = 2
_MOST_PLACES, _MOST_COMPLAINTS, _MOST_OTHERS = 6, 6, 3


@router.get("/palette")
def palette(screen: Staff, q: str = "") -> Response:
    """What the letters name: places and commands first, then complaints, saved views, articles, colleagues.

    Each has `href`, `title`, and what kind of thing it is (`about`); commands have `post`, the fields of the form that
    is sent to `href`. Without letters: every place.
    """
    words = q.replace("\x00", "").strip()[:100]
    if not words:
        return screen.json(places.open_to(screen.seat.actor.roles, screen.speech))
    if len(words) < _SHORTEST:
        return screen.json([])
    known = places.open_to(screen.seat.actor.roles, screen.speech, words)[:_MOST_PLACES]
    with screen.reading() as work:
        found = list(_found(screen, work, words))
    return screen.json([*known, *({"href": href, "title": title, "about": about} for href, title, about in found)])


def _found(screen: Screen, work: Work, words: str) -> Iterator[tuple[str, str, str]]:
    say = screen.speech.say
    for case in finding.complaints(work, words, _MOST_COMPLAINTS):
        about = f"{case.reference} · {screen.label('status', case.status)}"
        yield f"/console/complaints/{case.reference}", case.subject or case.reference, about
    for view in finding.saved_views(work, words, _MOST_OTHERS):
        yield f"/console/inbox?{view.query}", view.name, say(N_("Saved view"))
    for article in finding.articles(work, words, _MOST_OTHERS):
        yield f"/console/knowledge/{article.id}", article.title, say(N_("Knowledge base"))
    for person in finding.people(work, words, _MOST_OTHERS):
        yield _desk(work, person.id), person.name, say(N_("Colleague"))


def _desk(work: Work, person_id: object) -> str:
    """Administrators go to the person's page, everybody else to what is on their desk."""
    if work.actor.has(Role.ADMIN):
        return f"/console/admin/people/{person_id}"
    return "/console/inbox?" + urlencode({"view": "all", "assignee": str(person_id)})
