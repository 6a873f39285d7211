"""A list of the inbox as a file."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.services import inbox
from complaints.services.inbox import Line
from web.console.inbox import asked
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Staff
from web.console.sheet import paged, sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
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
    """The whole list, however long, filtered and ordered as it is shown."""
    query = asked(screen)

    def page(after: str) -> tuple[list[Sequence[object]], str | None]:
        with screen.reading() as work:
            found = inbox.listing(work, query, after=after, limit=_PAGE)
        return [_row(line, screen) for line in found.lines], found.after

    return sheet(screen, "complaints", _COLUMNS, paged(page, ""))


def _row(line: Line, screen: Screen) -> Sequence[object]:
    case, label, name = line.complaint, screen.label, screen.choices.name
    return (
        case.reference,
        case.received_at,
        case.subject,
        line.complainant,
        label("status", case.status),
        label("severity", case.severity),
        name("category", case.category),
        name("team", case.team),
        line.assignee,
        label("step", line.step.kind) if line.step else "",
        line.due_at,
        label("channel", case.channel),
        case.closed_at,
        label("closing", case.closing_category) if case.closing_category else "",
    )
