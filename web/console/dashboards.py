"""The dashboards: today, timeliness, causes, satisfaction; narrowed by period, team, category, severity."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import InvalidInput, NotFound
from complaints.domain.vocabulary import Severity
from complaints.services import board
from complaints.services.figures import Slice
from complaints.store.unit import Work
from web.console import fields
from web.console.charts import PATTERNS
from web.console.fields import Choices
from web.console.pages import Screen
from web.console.panels import TABS, Told
from web.console.route import PageRoute
from web.console.seat import Overseer
from web.console.sheet import sheet
from web.console.when import day_of
from web.language import N_

router = APIRouter(route_class=PageRoute)
_PERIODS = {
    7: N_("7 days"),
    30: N_("30 days"),
    90: N_("90 days"),
    365: N_("a year"),
}
_USUAL = 30
#: Longer periods answer no question of the day, and would read the whole table.
_LONGEST = timedelta(days=3 * 366)


def _period(screen: Screen) -> tuple[datetime, datetime]:
    """The period that the address asks for; `InvalidInput` names the day that makes it none."""
    given = screen.request.query_params
    zone = screen.console.zone
    midnight = datetime.combine(screen.product.store.now().astimezone(zone).date(), time(), zone)
    text = given.get("days", "")
    days = int(text) if text in {str(d) for d in _PERIODS} else _USUAL
    until = day_of(given.get("to", ""), zone, "to", later=1) or midnight + timedelta(days=1)
    since = day_of(given.get("from", ""), zone, "from") or until - timedelta(days=days)
    if since >= until:
        raise InvalidInput(N_("The period must not end before it begins."), "from")
    if until - since > _LONGEST:
        raise InvalidInput(N_("Look at three years at most."), "from")
    return since, until


def _told(screen: Screen, work: Work) -> Told:
    of, given = Choices(work.policy, screen.speech).of, screen.request.query_params
    names = {name: given.get(name, "")[:60] for name in ("team", "category", "severity")}
    since, until = _period(screen)
    part = Slice(since, until, str(screen.console.zone), **names)
    upheld = given.get("upheld") == "yes"
    return Told(work, part, screen.speech, screen.label, dict(of["category"]), dict(of["root_cause"]), upheld)


def _address(screen: Screen, tab: str) -> str:
    kept = [(k, v) for k, v in screen.request.query_params.multi_items() if k not in ("panel", "tab", "lang") and v]
    path = f"/console/dashboards/{tab}" if tab else "/console/dashboards"
    return f"{path}?{urlencode(kept)}" if kept else path


@router.get("/dashboards")
@router.get("/dashboards/timeliness")
@router.get("/dashboards/causes")
@router.get("/dashboards/satisfaction")
def show(screen: Overseer) -> Response:
    """One tab; no figures of another period than the one that was asked for."""
    tab = screen.request.url.path.rpartition("/")[2]
    tab = tab if tab in TABS else ""
    faults: dict[str, str] = {}
    shown: dict[str, Any] = {"tiles": [], "panels": []}
    with screen.reading() as work:
        teams = board.teams(work)
        try:
            told = _told(screen, work)
        except InvalidInput as error:
            faults = fields.faults(error.problems, screen.speech)
        else:
            tiles, panels = TABS[tab][1](told)
            shown = {"tiles": tiles, "panels": panels, "cell": told.cell}
    return screen.page(
        "dashboards.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        faults=faults,
        tab=tab,
        tabs=[(_address(screen, key), screen.speech.say(name), None) for key, (name, _) in TABS.items()],
        current=_address(screen, tab),
        patterns=PATTERNS,
        **_filters(screen, teams),
        **shown,
    )


def _filters(screen: Screen, teams: list[str]) -> dict[str, Any]:
    given = screen.request.query_params
    of = Choices(screen.product.policies.active(screen.product.store.now()), screen.speech).of
    names = dict(of["team"])
    return {
        "periods": [(str(days), screen.speech.say(name)) for days, name in _PERIODS.items()],
        "days": given.get("days", str(_USUAL)),
        "dates": (given.get("from", ""), given.get("to", "")),
        "filters": [
            ("team", screen.speech.say(N_("Team")), [(key, names.get(key, key)) for key in teams]),
            ("category", screen.speech.say(N_("Category")), of["category"]),
            ("severity", screen.speech.say(N_("Severity")), [(s.value, screen.label("severity", s)) for s in Severity]),
        ],
        "upheld": given.get("upheld") == "yes",
        "chosen": {name: given.get(name, "") for name in ("team", "category", "severity")},
        "kept": urlencode([(k, v) for k, v in given.multi_items() if k not in ("panel", "tab", "lang") and v]),
    }


@router.get("/dashboards/export.csv")
def export(screen: Overseer) -> Response:
    """The table of one panel; `tab` and `panel` name it, filters are those of the page."""
    given = screen.request.query_params
    tab = given.get("tab", "")
    if tab not in TABS:
        raise NotFound("page", tab)
    with screen.reading() as work:
        _, panels = TABS[tab][1](_told(screen, work))
    panel = next((p for p in panels if p.key == given.get("panel", panels[0].key)), None)
    if panel is None:
        raise NotFound("page", given["panel"])
    rows = [[round(v, 4) if isinstance(v, float) else v for v in row] for row in panel.rows]
    return sheet(screen, f"{tab or 'today'}-{panel.key}", panel.head, rows)
