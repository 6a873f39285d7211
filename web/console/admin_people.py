"""Administration of people: who works here, what they may do, when they are away, how they get in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from complaints.domain.errors import Conflict, FieldProblem, InvalidInput
from complaints.domain.validation import problems_of
from complaints.services import personnel, routing, signin
from complaints.services.personnel import Particulars, TeamLoad
from complaints.store.tables import Person
from complaints.store.unit import Work
from web.console import fields
from web.console.pages import Screen
from web.console.route import PageRoute, said_of
from web.console.seat import Administrator, Entries
from web.console.sheet import sheet
from web.console.when import day_of
from web.language import N_

router = APIRouter(route_class=PageRoute)
_LIST = "/console/admin/people"
_LOOSE = ("skills", "related_to")


@router.get("/admin/people")
def people(screen: Administrator, q: str = "", team: str = "", role: str = "", gone: bool = False) -> Response:
    """Everybody, with what they have on their desk."""
    with screen.reading() as work:
        found = personnel.colleagues(work, words=q, team=team, role=role, gone=gone)
        choices = _choices(screen, work)
    chosen = {"q": q, "team": team, "role": role, "gone": gone}
    return screen.page("admin_people.html", found=found, chosen=chosen, **choices)


@router.get("/admin/people.csv")
def people_csv(screen: Administrator, q: str = "", team: str = "", role: str = "", gone: bool = False) -> Response:
    """The same as a file."""
    with screen.reading() as work:
        found = personnel.colleagues(work, words=q, team=team, role=role, gone=gone)
    columns = [N_("Login"), N_("Name"), N_("E-mail address"), N_("Roles"), N_("Teams"), N_("Open tasks"), N_("Present")]
    return sheet(
        screen,
        "people",
        columns,
        (
            (
                c.person.login,
                c.person.name,
                c.person.email,
                [screen.label("role", role) for role in c.person.roles],
                [screen.choices.name("team", team) for team in c.person.teams],
                c.load,
                c.present,
            )
            for c in found
        ),
    )


@router.get("/admin/teams")
def teams(screen: Administrator) -> Response:
    """The teams of the policy: who is in them, who is away, what waits."""
    with screen.reading() as work:
        return screen.page("admin_teams.html", teams=personnel.teams(work))


@router.get("/admin/teams.csv")
def teams_csv(screen: Administrator) -> Response:
    """The same as a file: one line for each member of each team, and one for a team without any."""
    with screen.reading() as work:
        found = personnel.teams(work)
    rows = [
        (screen.choices.name("team", one.team.key), one.team.email, one.open_tasks, *member)
        for one in found
        for member in _members(one)
    ]
    columns = [N_("Team"), N_("E-mail address"), N_("Open tasks of the team"), N_("Name"), N_("Open tasks")]
    return sheet(screen, "teams", [*columns, N_("Present")], rows)


def _members(team: TeamLoad) -> list[tuple[object, ...]]:
    nobody: list[tuple[object, ...]] = [("", "", "")]
    return [(m.person.name, m.load, m.present) for m in team.members] or nobody


@router.get("/admin/people/new")
def ask_new(screen: Administrator) -> Response:
    """The form for somebody new."""
    return _form(screen, None, {"language": screen.product.settings.language, "roles": ["agent"]}, {})


@router.post("/admin/people/new")
def add(screen: Administrator, entries: Entries) -> Response:
    """Add them, and show their temporary password once."""
    try:
        with screen.work() as work:
            person = personnel.add(work, str(entries.get("login", "")).strip(), _read(entries))
            password = personnel.new_password(work, person.id)
    except (InvalidInput, Conflict) as error:
        return _form(screen, None, _kept(entries), _faults(screen, error, "login"), _status(error))
    return screen.page("admin_password.html", person=person, password=password, days=signin.TEMPORARY.days)


@router.get("/admin/people/{person_id}")
def person(screen: Administrator, person_id: UUID) -> Response:
    """One person."""
    with screen.reading() as work:
        found = personnel.get(work, person_id)
    return _form(screen, found, _values(screen, found), {})


@router.post("/admin/people/{person_id}")
def change(screen: Administrator, person_id: UUID, entries: Entries) -> Response:
    """Save the particulars."""
    try:
        with screen.work() as work:
            personnel.get(work, person_id)
            personnel.change(work, person_id, _read(entries), str(entries.get("seen", "")))
    except (InvalidInput, Conflict) as error:
        with screen.reading() as work:
            found = personnel.get(work, person_id)
        saved, yours = _values(screen, found), _kept(entries)
        both = _both(screen, saved, yours) if isinstance(error, Conflict) else []
        return _form(screen, found, saved | yours, _faults(screen, error), _status(error), both)
    return screen.go(f"{_LIST}/{person_id}", screen.speech.say(N_("Saved.")))


def _both(screen: Screen, saved: Mapping[str, Any], yours: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What somebody else has saved beside what was entered, where they differ."""
    with screen.reading() as work:
        teams = _choices(screen, work)["team_names"]
    tables = {"language": dict(screen.label.options("language")), "roles": dict(screen.label.options("role"))}
    tables["teams"] = teams

    def told(name: str, value: Any) -> str:
        named = tables.get(name, {})
        parts = value if isinstance(value, list | tuple) else [value]
        return screen.speech.series(named.get(str(p), str(p)) for p in parts if p not in (None, ""))

    names = Particulars.model_fields
    rows = [(screen.label("particular", n), told(n, saved[n]), told(n, yours.get(n))) for n in names]
    return [row for row in rows if row[1] != row[2]]


@router.post("/admin/people/{person_id}/absence")
def absence(screen: Administrator, person_id: UUID, entries: Entries) -> Response:
    """From the first to the last day away; without days, present."""
    first, last = str(entries.get("absent_from", "")), str(entries.get("absent_until", ""))
    try:
        with screen.work() as work:
            personnel.get(work, person_id)
            start = day_of(first, screen.console.zone, "absent_from")
            personnel.set_absence(work, person_id, start, day_of(last, screen.console.zone, "absent_until", later=1))
    except InvalidInput as error:
        with screen.reading() as work:
            found = personnel.get(work, person_id)
        given = _values(screen, found) | {"absent_from": first, "absent_until": last}
        return _form(screen, found, given, _faults(screen, error), HTTPStatus.UNPROCESSABLE_ENTITY)
    return screen.go(f"{_LIST}/{person_id}", screen.speech.say(N_("Saved.")))


_DEEDS: Mapping[str, str] = {
    "deactivate": N_("Their sessions end and their password becomes void. Their open tasks stay where they are."),
    "password": N_("Their present password becomes void and their sessions end. You see the new one once."),
    "second_factor": N_("Signing in will ask for the password alone. Do this only when you know who asks."),
    "sign_out": N_("All their sessions end; what they have not saved stays in their browser."),
    "activate": N_("They can work here again, and need a new password."),
}


@router.post("/admin/people/{person_id}/act")
def act(screen: Administrator, person_id: UUID, entries: Entries) -> Response:
    """Leave, come back, new password, sign out: asked back first, then done."""
    deed = str(entries.get("deed", ""))
    with screen.reading() as work:
        found = personnel.get(work, person_id)
    here, seen = f"{_LIST}/{person_id}", personnel.password_mark(found)
    if deed not in _DEEDS:
        return screen.go(here, screen.speech.say(N_("Choose what to do.")), tone="note")
    if entries.get("sure") != "yes":
        about = {"path": f"{here}/act", "back": here, "kept": {"deed": deed, "seen": seen}, "object": found.name}
        return screen.page("confirm.html", title=_title(screen, deed), why=screen.speech.say(_DEEDS[deed]), to=about)
    if deed == "password" and entries.get("seen") != seen:  # the page with the password was loaded again
        said = N_("A temporary password was given already, and is shown only once. If it was lost, give another.")
        return screen.go(here, screen.speech.say(said), tone="note")
    with screen.work() as work:
        password = _do(work, person_id, deed)
    if password:
        return screen.page("admin_password.html", person=found, password=password, days=signin.TEMPORARY.days)
    return screen.go(here, screen.speech.say(N_("Done.")))


def _do(work: Work, person_id: UUID, deed: str) -> str:
    if deed == "password":
        return personnel.new_password(work, person_id)
    if deed in ("activate", "deactivate"):
        personnel.set_active(work, person_id, deed == "activate")
    elif deed == "second_factor":
        personnel.remove_second_factor(work, person_id)
    else:
        personnel.sign_out(work, person_id)
    return ""


def _title(screen: Screen, deed: str) -> str:
    titles = {
        "deactivate": N_("Deactivate"),
        "activate": N_("Make active again"),
        "password": N_("Give a temporary password"),
        "second_factor": N_("Remove the second factor"),
        "sign_out": N_("Sign out everywhere"),
    }
    return screen.speech.say(titles[deed])


# -- the form


def _form(
    screen: Screen,
    found: Person | None,
    values: Mapping[str, Any],
    faults: dict[str, str],
    status: int = HTTPStatus.OK,
    both: Sequence[tuple[str, str, str]] = (),
) -> Response:
    with screen.reading() as work:
        choices = _choices(screen, work)
        load = routing.load_of(work, [found.id]).get(found.id, 0) if found else 0
    seen = personnel.mark(found) if found else ""
    about = {"person": found, "values": values, "faults": faults, "seen": seen, "load": load, "both": both}
    return screen.page("admin_person.html", status, **about, **choices)


def _choices(screen: Screen, work: Work) -> dict[str, Any]:
    teams = [(t.key, t.label.in_(screen.speech.language)) for t in work.policy.routing.teams]
    roles = [(role.value, screen.label("role", role.value)) for role in personnel.STAFF]
    return {"team_options": teams, "role_options": roles, "team_names": dict(teams)}


def _values(screen: Screen, person: Person) -> dict[str, Any]:
    """The present particulars; an absence as its first and last day here."""
    zone, first, last = screen.console.zone, person.absent_from, routing.away_until(person)
    days = {
        "absent_from": first.astimezone(zone).date().isoformat() if first else "",
        "absent_until": last.astimezone(zone).date().isoformat() if last else "",
    }
    return person.model_dump() | days


def _kept(entries: FormData) -> dict[str, Any]:
    """What was entered, to be shown again."""
    kept: dict[str, Any] = {k: str(v) for k, v in entries.items()}
    return (
        kept
        | {name: [str(v) for v in entries.getlist(name)] for name in ("roles", "teams")}
        | {name: _lines(entries, name) for name in _LOOSE}
    )


def _lines(entries: FormData, name: str) -> list[str]:
    return [line.strip() for line in str(entries.get(name, "")).splitlines() if line.strip()]


def _read(entries: FormData) -> Particulars:
    """The form as particulars; `InvalidInput` names each wrong field."""
    given = _kept(entries)
    taken = {name: given[name] for name in Particulars.model_fields if given.get(name) not in (None, "")}
    try:
        return Particulars.model_validate(taken)
    except ValidationError as error:
        raise InvalidInput([_of_field(p) for p in problems_of(error)]) from None


def _of_field(problem: FieldProblem) -> FieldProblem:
    """A list is one field on the screen."""
    return FieldProblem(problem.field.split(".")[0], problem.message, problem.code)


def _faults(screen: Screen, error: InvalidInput | Conflict, otherwise: str = "") -> dict[str, str]:
    if isinstance(error, InvalidInput):
        return fields.faults(error.problems, screen.speech)
    return {otherwise: said_of(screen.speech, error)}


def _status(error: InvalidInput | Conflict) -> int:
    return HTTPStatus.CONFLICT if isinstance(error, Conflict) else HTTPStatus.UNPROCESSABLE_ENTITY
