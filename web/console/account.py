"""One's own account: how the console looks, the password, where one is signed in."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain.errors import InvalidInput
from complaints.domain.vocabulary import Language
from complaints.services import signin, totp
from complaints.store.tables import Person
from web.console import fields
from web.console.route import PageRoute
from web.console.seat import SESSION, Entries, Staff
from web.console.sheet import sheet
from web.console.signing_in import too_many_guesses
from web.language import COOKIE, N_

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


@router.get("/account")
def account(screen: Staff) -> Response:
    """Who one is here, and how one signs in."""
    with screen.reading() as work:
        sessions = signin.sessions(work, screen.seat.person.id)
        left = totp.recovery_codes_left(work, screen.seat.person)
        teams = {t.key: t.label.in_(screen.speech.language) for t in work.policy.routing.teams}
    own = screen.seat.session.id
    return screen.page("account.html", sessions=sessions, left=left, teams=teams, own=own, browser=_browser)


@router.get("/account/sessions.csv")
def sessions_csv(screen: Staff) -> Response:
    """Where one is signed in, as a file."""
    with screen.reading() as work:
        found = signin.sessions(work, screen.seat.person.id)
    own = screen.seat.session.id
    rows = [(_browser(s.agent), s.address, s.created_at, s.seen_at, s.expires_at, s.id == own) for s in found]
    columns = [N_("Browser"), N_("Network address"), N_("Signed in"), N_("Last used"), N_("Ends"), N_("This one")]
    return sheet(screen, "sessions", columns, rows)


#: As they name themselves; who pretends to be another comes first.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
)


def _browser(agent: str) -> str:
    """`Firefox, Windows` of what a browser says of itself."""
    known = [next((name for mark, name in marks if mark in agent), "") for marks in (_BROWSERS, _SYSTEMS)]
    known[1] = known[1] or ("Linux" if "Linux" in agent else "")
    return ", ".join(k for k in known if k) or agent[:60] or "–"


@router.get("/account/password")
def ask_password(screen: Staff) -> Response:
    """The form for a new password."""
    return screen.page("account_password.html", faults={})


@router.post("/account/password")
def change_password(screen: Staff, entries: Entries) -> Response:
    """Change it; every other session ends, and this one has a new token: an old one may be known to others."""
    old, new, repeat = (str(entries.get(f"password_{name}", "")) for name in ("old", "new", "repeat"))
    if said := too_many_guesses(screen, old):
        return screen.page("account_password.html", HTTPStatus.TOO_MANY_REQUESTS, faults={"password_old": said})
    try:
        with screen.work() as work:
            person = work.session.get_one(Person, screen.seat.person.id, with_for_update=True)
            signin.change_password(work, person, old, new, repeat, keep=screen.seat.session.id)
            token = signin.renew(work, screen.seat.session.id)
    except InvalidInput as error:
        wrong = fields.faults(error.problems, screen.speech)
        return screen.page("account_password.html", HTTPStatus.UNPROCESSABLE_ENTITY, faults=wrong)
    said = N_("Your password is changed. You were signed out everywhere else.")
    response = screen.go("/console/account", screen.speech.say(said))
    screen.browser.jar.put(response, SESSION, token)
    return response


@router.post("/account/sessions/end")
def end_session(screen: Staff, entries: Entries) -> Response:
    """End one of one's own sessions, or all others."""
    chosen = str(entries.get("session", ""))
    with screen.work() as work:
        if chosen == "others":
            signin.end_sessions(work, screen.seat.person.id, but=screen.seat.session.id)
        elif chosen in {s.id for s in signin.sessions(work, screen.seat.person.id)}:
            signin.end_session(work, chosen)
    return screen.go("/console/account", screen.speech.say(N_("Signed out there.")))
