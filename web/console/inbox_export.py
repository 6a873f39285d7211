"""A list of the inbox as a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.services import inbox
from complaints.services.inbox import Line, Query
from web.console.inbox import asked
from web.console.labels import Labels
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Staff
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
_MOST = 50_000
_PAGE = 500
_COLUMNS = (
    N_("Reference"),
    N_("Received"),
    N_("Subject"),
    N_("Complainant"),
    N_("Status"),
    N_("Severity"),
    N_("Category"),
    N_("Team"),
    N_("Assigned to"),
    N_("Task"),
    N_("Due"),
    N_("Channel"),
    N_("Closed"),
    N_("Closed as"),
)


@router.get("/inbox/export.csv")
def export(screen: Staff) -> Response:
    """The whole list, filtered and ordered as it is shown."""
    return sheet(screen, "complaints", _COLUMNS, _rows(screen, asked(screen)))


def _rows(screen: Screen, query: Query) -> Iterator[Sequence[object]]:
    after: str | None = ""
    left = _MOST
    while after is not None and left > 0:
        with screen.reading() as work:
            found = inbox.listing(work, query, after=after, limit=_PAGE)
        yield from (_row(line, screen.label) for line in found.lines[:left])
        left, after = left - len(found.lines), found.after


def _row(line: Line, label: Labels) -> Sequence[object]:
    case = line.complaint
    return (
        case.reference,
        case.received_at,
        case.subject,
        line.complainant,
        label("status", case.status),
        label("severity", case.severity),
        case.category,
        case.team,
        line.assignee,
        label("step", line.step.kind) if line.step else "",
        line.due_at,
        label("channel", case.channel),
        case.closed_at,
        label("closing", case.closing_category) if case.closing_category else "",
    )
