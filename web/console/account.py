"""One's own account: how the console looks, password, second factor, where one is signed in."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.vocabulary import Language
from complaints.store.tables import Person
from web.console.route import PageRoute
from web.console.seat import Entries, Staff
from web.language import COOKIE

router = APIRouter(route_class=PageRoute)
_LOOKS = {"theme": ("auto", "light", "dark"), "density": ("normal", "compact")}


@router.post("/account/look")
def look(screen: Staff, entries: Entries) -> Response:
    """Colours, density, language: kept with the person, so that they are the same on every device."""
    with screen.work() as work:
        person = work.session.get_one(Person, screen.seat.person.id)
        for name, known in _LOOKS.items():
            if (value := entries.get(name)) in known:
                person.preferences = {**person.preferences, name: value}
        if (language := entries.get("language")) in set(Language):
            person.language = Language(str(language)).value
        work.session.add(person)
    response = screen.go(str(entries.get("back", "")))
    if entries.get("language"):
        response.delete_cookie(COOKIE, path="/")
    return response
