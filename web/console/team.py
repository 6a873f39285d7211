"""The team board: everybody's load side by side, tasks handed from one to another, proposals for an even load."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import ComplaintsError, InvalidInput
from complaints.domain.vocabulary import SEVERITIES
from complaints.services import board
from complaints.services.board import Move
from complaints.store.tables import Complaint, Step
from web.console.fields import Choices
from web.console.pages import Screen
from web.console.route import PageRoute, said_of
from web.console.seat import Entries, Leader, Overseer
from web.console.sheet import sheet
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: So many tasks are moved at once; the way back must fit into an address.
_MOST_AT_ONCE = 20
_OLD = N_("This page is out of date. Load it again.")
_COLUMNS = (N_("Reference"), N_("Subject"), N_("Category"), N_("Severity"), N_("Task"))
_WHY = {
    "away": N_("%(name)s is away"),
    "unassigned": N_("nobody has it"),
    "load": N_("%(name)s has more"),
}


@dataclass(frozen=True)
class Order:
    """One task to move: `step.version.person` in forms; without a person it goes back to the team."""

    step: UUID
    version: int | None
    to: UUID | None

    @classmethod
    def parse(cls, text: str) -> Order:
        """What a form sent; `InvalidInput` where it is not of ours."""
        try:
            step, version, to = text.split(".")
            return cls(UUID(step), int(version) if version else None, UUID(to) if to else None)
        except ValueError:
            raise InvalidInput(_OLD, "card") from None

    def __str__(self) -> str:
        return f"{self.step}.{'' if self.version is None else self.version}.{self.to or ''}"


@router.get("/team")
def show(screen: Overseer) -> Response:
    """The board of one team."""
    with screen.reading() as work:
        teams = board.teams(work)
        team = _chosen(screen, teams)
        columns = board.columns(work, team) if team else []
    policy = screen.product.policies.active(screen.product.store.now())
    titles = Choices(policy, screen.speech).of
    return screen.page(
        "team.html",
        team=team,
        teams=[(key, dict(titles["team"]).get(key, key)) for key in teams],
        columns=columns,
        idle=[c for c in columns if c.person and not c.tasks],
        severities=[s.value for s in SEVERITIES],
        categories=dict(titles["category"]),
        most=board.CARDS,
        undo=screen.request.query_params.getlist("undo")[:_MOST_AT_ONCE],
    )


@router.get("/team.csv")
def tasks(screen: Overseer) -> Response:
    """All open tasks of the team as a file, with who has them."""
    with screen.reading() as work:
        team = _chosen(screen, board.teams(work))
        found = board.tasks(work, team) if team else []
    label = screen.label
    rows = [
        (
            holder,
            *_about(screen, card.step, card.complaint),
            label("step_state", card.step.state),
            card.step.opened_at,
            card.step.due_at,
        )
        for card, holder in found
    ]
    columns = [N_("With"), *_COLUMNS, N_("State"), N_("Since"), N_("Deadline")]
    return sheet(screen, f"team-{team}", columns, rows)


def _about(screen: Screen, step: Step, complaint: Complaint) -> tuple[str, ...]:
    """What files tell of a task: `_COLUMNS`."""
    return (
        complaint.reference,
        complaint.subject,
        screen.choices.name("category", complaint.category),
        screen.label("severity", complaint.severity),
        screen.label("step", step.kind),
    )


def _chosen(screen: Screen, teams: list[str]) -> str:
    asked = screen.request.query_params.get("team", "")
    return asked if asked in teams else next(iter(teams), "")


@router.post("/team/move")
def move(screen: Leader, entries: Entries) -> Response:
    """Hand the chosen tasks to `to`; empty means back to the team."""
    to, chosen = str(entries.get("to", "-")), [str(c) for c in entries.getlist("card")]
    team = str(entries.get("team", ""))[:60]
    if not chosen or to == "-":
        said = screen.speech.say(N_("Choose tasks, and to whom they go."))
        return screen.go(_address(team), said, tone="note")
    try:
        orders = [Order.parse(f"{card}.{to}") for card in chosen[:_MOST_AT_ONCE]]
    except InvalidInput:
        return screen.go(_address(team), screen.speech.say(_OLD), tone="bad")
    return _carry_out(screen, team, orders, N_("Moved: %(count)s."))


@router.post("/team/undo")
def undo(screen: Leader, entries: Entries) -> Response:
    """Put back what was moved just now, where nobody has touched it since."""
    return _those(screen, entries, N_("Put back: %(count)s."), again=False)


@router.get("/team/rebalance")
def propose(screen: Leader) -> Response:
    """What would be moved for an even load, and why; nothing is moved yet."""
    with screen.reading() as work:
        team = _chosen(screen, board.teams(work))
        moves = board.rebalance(work, team) if team else []
    rows = [(m, Order(m.step.id, m.step.version, m.to.id if m.to else None), _why(screen, m)) for m in moves]
    return screen.page("team_rebalance.html", team=team, rows=rows)


@router.get("/team/rebalance.csv")
def proposals(screen: Leader) -> Response:
    """The proposals as a file."""
    with screen.reading() as work:
        team = _chosen(screen, board.teams(work))
        moves = board.rebalance(work, team) if team else []
    rows = [
        (
            *_about(screen, m.step, m.complaint),
            m.origin.name if m.origin else "",
            m.to.name if m.to else "",
            _why(screen, m),
        )
        for m in moves
    ]
    return sheet(screen, f"rebalance-{team}", [*_COLUMNS, N_("From"), N_("To"), N_("Because")], rows)


def _why(screen: Screen, one: Move) -> str:
    return screen.speech.say(_WHY[one.why], name=one.origin.name if one.origin else "")


@router.post("/team/rebalance")
def rebalance(screen: Leader, entries: Entries) -> Response:
    """Move what was chosen of the proposals."""
    return _those(screen, entries, N_("Moved: %(count)s."), again=True)


def _those(screen: Screen, entries: Entries, done: str, *, again: bool) -> Response:
    team = str(entries.get("team", ""))[:60]
    try:
        orders = [Order.parse(str(o)) for o in entries.getlist("order")[:_MOST_AT_ONCE]]
    except InvalidInput:
        return screen.go(_address(team), screen.speech.say(_OLD), tone="bad")
    if not orders:
        return screen.go(_address(team), screen.speech.say(N_("Nothing was chosen.")), tone="note")
    return _carry_out(screen, team, orders, done, undoable=again)


def _carry_out(screen: Screen, team: str, orders: list[Order], done: str, *, undoable: bool = True) -> Response:
    """Each move by itself, so that one refusal stops no other."""
    back, refused = [], []
    for order in orders:
        try:
            with screen.work() as work:
                moved = board.move(work, order.step, order.to, order.version)
            back.append(Order(moved.step.id, moved.step.version, moved.origin.id if moved.origin else None))
        except ComplaintsError as error:
            refused.append(said_of(screen.speech, error))
    said = [screen.speech.say(done, count=len(back))]
    if refused:
        said += [screen.speech.say(N_("Not possible for %(count)s:"), count=len(refused)), *dict.fromkeys(refused)]
    address = _address(team, back if undoable else [])
    return screen.go(address, screen.speech.sentences(*said), tone="note" if refused else "good")


def _address(team: str, back: list[Order] | None = None) -> str:
    query = urlencode([("team", team), *(("undo", str(order)) for order in back or [])])
    return f"/console/team?{query}"
