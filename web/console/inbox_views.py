"""Saved views of the inbox: kept, renamed, deleted."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import InvalidInput, LimitExceeded
from complaints.services import savedviews
from web.console.route import PageRoute, said_of
from web.console.seat import Entries, Staff
from web.language import N_

router = APIRouter(route_class=PageRoute)


@router.post("/inbox/views")
def save(screen: Staff, entries: Entries) -> Response:
    """Keep this list under a name, for oneself or (leads and managers) for everybody."""
    query = urlencode(parse_qsl(str(entries.get("query", ""))[:1000]))
    back = f"/console/inbox?{query}"
    try:
        with screen.work() as work:
            savedviews.add(work, str(entries.get("name", "")), query, shared=bool(entries.get("shared")))
    except InvalidInput:
        return screen.go(back, screen.speech.say(N_("Give the view a name.")), tone="bad")
    except LimitExceeded as error:
        return screen.go(back, said_of(screen.speech, error), tone="bad")
    return screen.go(back, screen.speech.say(N_("The view is saved.")))


@router.post("/inbox/views/{view_id}/rename")
def rename(screen: Staff, view_id: UUID, entries: Entries) -> Response:
    """Another name for a view of one's own, or for one of everybody."""
    back = str(entries.get("back", "/console/inbox"))
    try:
        with screen.work() as work:
            savedviews.rename(work, view_id, str(entries.get("name", "")))
    except InvalidInput:
        return screen.go(back, screen.speech.say(N_("Give the view a name.")), tone="bad")
    return screen.go(back, screen.speech.say(N_("The view has its new name.")))


@router.post("/inbox/views/{view_id}/delete")
def delete(screen: Staff, view_id: UUID) -> Response:
    """Forget a view of one's own; those of everybody only leads and managers."""
    with screen.work() as work:
        savedviews.drop(work, view_id)
    return screen.go("/console/inbox", screen.speech.say(N_("The view is deleted.")))
