"""Disposal of dossiers: what is due, what somebody requested, what was erased. Two people: the forms are the case's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import NotFound
from complaints.services import retention
from complaints.services.retention import Dossier, Tombstone
from complaints.store.unit import Work
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Overseer
from web.console.sheet import paged, sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_HOME = "/console/disposals"
_VIEWS = {"due": N_("Due"), "requested": N_("Requested"), "erased": N_("Erased")}
_READ: Mapping[str, Callable[[Work, int, Any], tuple[list[Any], Any]]] = {
    "due": retention.due,
    "requested": retention.requested,
    "erased": retention.erased,
}
_DOSSIER = (
    N_("Reference"),
    N_("Subject"),
    N_("Team"),
    N_("Closed"),
    N_("Kept until"),
    N_("Legal hold"),
    N_("Requested by"),
    N_("Requested at"),
    N_("Reason"),
)
_TOMBSTONE = (
    N_("Reference"),
    N_("Team"),
    N_("Closed"),
    N_("Erased at"),
    N_("Erased by"),
    N_("Reason"),
    N_("Requested by"),
    N_("Request"),
    N_("Time for keeping it"),
    N_("Bag in the archive"),
    N_("Hash of the bag"),
)
#: Dossiers of a file that are read at once.
_PAGE = 500


@router.get("/disposals")
def show(screen: Overseer, view: str = "due", after: str = "") -> Response:
    """One of the lists."""
    key = _key(view, after)
    with screen.reading() as work:
        found, onward = _READ[view](work, retention.PAGE, key)
    tabs = [(f"{_HOME}?view={code}", screen.speech.say(name), None) for code, name in _VIEWS.items()]
    about = {"view": view, "tabs": tabs, "current": f"{_HOME}?view={view}", "onward": onward, "now": work.now}
    return screen.page("disposals.html", found=found, team=_teams(screen), **about)


def _key(view: str, after: str) -> UUID | int | None:
    """Where a page begins; a case where rows are cases, else the number of an entry."""
    if view not in _VIEWS:
        raise NotFound("page", view)
    try:
        return None if not after else UUID(after) if view == "due" else int(after)
    except ValueError:
        raise NotFound("page", after) from None


def _teams(screen: Screen) -> Callable[[str | None], str]:
    return lambda key: screen.choices.name("team", key)


@router.get("/disposals.csv")
def export(screen: Overseer, view: str = "due") -> Response:
    """The same as a file, all of it."""
    _key(view, "")

    def page(key: Any) -> tuple[list[Any], Any]:
        with screen.reading() as work:
            return _READ[view](work, _PAGE, key)

    team = _teams(screen)
    if view == "erased":
        return sheet(screen, "erased", _TOMBSTONE, (_of_tombstone(screen, team, one) for one in paged(page)))
    return sheet(screen, f"disposals-{view}", _DOSSIER, (_of_dossier(team, one) for one in paged(page)))


def _of_dossier(team: Callable[[str | None], str], one: Dossier) -> tuple[object, ...]:
    case, asked = one.complaint, one.request
    return (
        case.reference,
        case.subject,
        team(case.team),
        case.closed_at,
        case.retention_until,
        case.legal_hold,
        one.requested_by,
        asked.at if asked else None,
        asked.reason if asked else "",
    )


def _of_tombstone(screen: Screen, team: Callable[[str | None], str], one: Tombstone) -> tuple[object, ...]:
    case, entry = one.complaint, one.erased
    return (
        case.reference,
        team(case.team),
        case.closed_at,
        entry.at,
        screen.label("who", entry.actor_name),
        entry.data["reason"],
        entry.data["requested_by"],
        entry.data["request"],
        screen.label("retention", entry.data["retention"]),
        screen.label("bag", one.removed.data["bag"]) if one.removed else "",
        case.bag_hash,
    )
