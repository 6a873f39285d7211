"""Everybody against every route of the console, computed from the route table: a new route cannot be forgotten.

Each route says by one `Needs` who may use it, or stands in `PUBLIC`. Complaints are asked for by their own team, by
another team, and by somebody with a conflict of interest. A route with a parameter this file cannot fill is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, not_, select

from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Audience, IntentKind, Role, StepState
from complaints.services import actions, approvals, attachments, canned, knowledge, outbox, people, signin
from complaints.store.columns import new_id
from complaints.store.tables import Attachment, Complaint, Outbox, Person, SavedView, Step
from config.wiring import App
from tests.databases import Databases
from tests.web.api.conftest import make_product
from tests.web.console.conftest import Office
from tests.web.routes import Way, ways
from web.app import create_app
from web.console.seat import STAFF

#: Routes for people who are not signed in.
PUBLIC = {
    ("GET", "/console"),
    ("GET", "/console/sign-in"),
    ("POST", "/console/sign-in"),
    ("POST", "/console/sign-in/code"),
    ("GET", "/console/sign-in/oidc"),
    ("GET", "/console/sign-in/oidc/back"),
}
#: What an answer to somebody who may may be: done, elsewhere, wrong input, the case is elsewhere by now.
FINE = {200, 204, 303, 409, 422}
#: Parameters that name a complaint, or a part of one: row-level rules hold.
OF_A_COMPLAINT = {"reference", "step_id", "attachment_id"}
CLERK = Actor("system", "clerk", "Clerk", frozenset({Role.AGENT}))
EVIL = {"origin": "https://evil.example"}


class House:
    """An office with a complaint of the team `service`, and a way to sit at any desk without typing a password."""

    def __init__(self, product: App) -> None:
        self.product = product
        self.app = create_app(product)
        self.office = Office(product, self.app)
        self.web = TestClient(self.app, follow_redirects=False, headers={"accept-language": "en"})
        self.ways = [w for w in ways(self.app) if w.path == "/console" or w.path.startswith("/console/")]
        with product.blobs.upload(100) as upload:
            upload.write(b"what was said on the telephone")
            self.file = upload.keep()
        self.complaint = self.a_complaint()
        victim, _ = self.person("victim", Role.AGENT)
        with product.store.work(SYSTEM) as work:
            key, _ = people.create_key(work, "a key", ["complaints:read"])
            article = knowledge.create(work, {"title": "An article", "language": "en", "body": "x", "published": True})
            canned_text = canned.create(work, {"title": "A text", "language": "en", "body": "x"})
            outbox.add(work, IntentKind.NOTIFY, "a letter", complaint_id=self.complaint.id, payload={"template": "x"})
            intent = work.session.exec(select(Outbox.id).where(Outbox.key == "a letter")).one()
        policy = product.policies.active(product.store.now()).hash
        self.fill: dict[str, str] = {
            "person_id": str(victim),
            "key_id": str(key.id),
            "intent_id": str(intent),
            "article_id": str(article.id),
            "text_id": str(canned_text.id),
            "hash": policy,
            "action": "add_note",
            "view_id": str(victim),
        }

    def a_complaint(self) -> Complaint:
        reference = self.office.complain()
        with self.product.store.work(SYSTEM) as work:
            row = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
            row.team = "service"
            row.responsible_unit = "the works of Acme"
            work.session.add(row)
        with self.product.store.work(CLERK) as work:
            file = attachments.NewFile("note.txt", self.file.sha256, self.file.size, "text/plain")
            attachments.attach(work, reference, file, Audience.INTERNAL)
            more_time = {"clock": "default.resolve", "days": 5, "reason": "The laboratory is closed until Monday."}
            actions.act(work, reference, "request_extension", more_time)
        with self.product.store.reading(SYSTEM) as work:
            self.events = work.session.get_one(Complaint, row.id).event_count
        return row

    def renew(self) -> None:
        """Another complaint, where somebody did something to this one."""
        with self.product.store.reading(SYSTEM) as work:
            now = work.session.get_one(Complaint, self.complaint.id)
            states = work.session.exec(select(Step.state).where(Step.complaint_id == now.id)).all()
        if now.event_count > self.events or set(states) != {StepState.OPEN}:
            self.complaint = self.a_complaint()

    def values(self, path: str = "") -> dict[str, str]:
        """A value for each parameter; those of a complaint are of the one that is looked at, and of the task that
        the path is about: what is to be approved, or what an agent does."""
        asked = col(Step.kind).in_(approvals.KINDS)
        own = asked if "/approvals/" in path else not_(asked)
        with self.product.store.reading(SYSTEM) as work:
            step = work.session.exec(select(Step.id).where(Step.complaint_id == self.complaint.id, own)).one()
            file = work.session.exec(select(Attachment.id).where(Attachment.complaint_id == self.complaint.id)).first()
        of_it = {"reference": self.complaint.reference, "step_id": str(step), "attachment_id": str(file)}
        return self.fill | of_it

    def person(self, login: str, *roles: Role, teams: tuple[str, ...] = ("service",), **more: Any) -> tuple[UUID, str]:
        """Somebody, and their login; the same again for the same login."""
        with self.product.store.work(SYSTEM) as work:
            found = work.session.exec(select(Person).where(Person.login == login)).first()
            made = found or people.add_person(work, login, login.title(), roles=roles, teams=teams)
            made.related_to = more.get("related_to", [])
            made.active, made.roles, made.teams = True, [r.value for r in roles], list(teams)
            made.language = "en"
            work.session.add(made)
            return made.id, login

    def sit(self, login: str, *roles: Role, **more: Any) -> str:
        """Open a session of this person in the browser; its CSRF token."""
        person_id, _ = self.person(login, *roles, **more)
        with self.product.store.work(SYSTEM) as work:
            person = work.session.get_one(Person, person_id)
            token, session = signin.open_session(work, person, address="", agent="", via="password")
            view = SavedView(id=new_id(work.now), owner_id=person.id, name="own", query="", created_at=work.now)
            work.session.add(view)
        self.fill["view_id"] = str(view.id)
        self.web.cookies.clear()
        self.web.cookies.set("console", token)
        return session.csrf

    def ask(self, way: Way, csrf: str = "", **more: Any) -> Any:
        """Use the route; a POST sends nothing but the token."""
        data = {"data": {"csrf": csrf}} if way.method == "POST" else {}
        return self.web.request(way.method, way.address(self.values(way.path)), **data, **more)


@pytest.fixture(scope="module")
def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    url = databases.fresh()
    product = make_product(url, Path(tmp_path_factory.mktemp("matrix")), language="en")
    yield House(product)
    product.engine.dispose()
    databases.drop(url)


def wrong(house: House, expected: Any, *asked: tuple[Way, int]) -> list[str]:
    return [f"{way} → {status}" for way, status in asked if not expected(way, status)]


def test_every_route_says_once_who_may_use_it_or_is_public(house: House) -> None:
    found = {(w.method, w.path) for w in house.ways}
    assert found >= PUBLIC, "a public route is gone: take it off the list"
    assert [str(w) for w in house.ways if (len(w.needs) != 1) is not ((w.method, w.path) in PUBLIC)] == []
    assert [str(w) for w in house.ways if w.method not in ("GET", "POST")] == []
    assert len([w for w in house.ways if w.needs]) > 5


def test_every_parameter_of_every_route_can_be_filled_here(house: House) -> None:
    unknown = {p: str(w) for w in house.ways for p in w.parameters - set(house.values())}
    assert unknown == {}, "say in `House.fill` or `House.values` what these stand for"


def test_whoever_is_not_signed_in_is_sent_to_the_door(house: House) -> None:
    house.web.cookies.clear()
    for way in (w for w in house.ways if w.needs):
        answer = house.ask(way)
        if way.method == "GET":
            assert answer.status_code == 303, str(way)
            assert answer.headers["location"].startswith("/console/sign-in?"), str(way)
        else:
            assert answer.status_code == 401, str(way)


def test_no_post_does_anything_without_the_sessions_token(house: House) -> None:
    for way in (w for w in house.ways if w.method == "POST" and w.needs):
        role = sorted(way.needs[0].roles)[0]
        house.sit(f"csrf.{role}", role)
        for token in ("", "guess"):
            stale = house.ask(way, token)
            assert stale.status_code == 200, f"{way} with an old token"
            assert "Go on where you were" in stale.text, f"{way} with an old token must ask again"


def test_no_post_takes_anything_from_another_site(house: House) -> None:
    """Neither from whoever is signed in, with the right token even, nor to be kept until somebody is."""
    for way in (w for w in house.ways if w.method == "POST"):
        roles = sorted(way.needs[0].roles) if way.needs else [Role.AGENT]
        csrf = house.sit(f"lured.{roles[0]}", roles[0])
        signed_in = house.ask(way, csrf, headers=EVIL)
        house.web.cookies.clear()
        signed_out = house.ask(way, csrf, headers=EVIL)
        for answer in (signed_in, signed_out):
            assert answer.status_code == 403, str(way)
            assert "not sent from a page of ours" in answer.text, str(way)
            assert "<form" not in answer.text, f"{way}: what another site sent must not be kept"
        assert "console" not in house.web.cookies


@pytest.mark.parametrize("role", sorted(STAFF))
def test_a_role_that_a_route_does_not_name_is_refused(house: House, role: Role) -> None:
    for way in (w for w in house.ways if w.needs and role not in w.needs[0].roles):
        answer = house.ask(way, house.sit(f"none.{role}", role))
        assert answer.status_code == 403, f"{role}: {way}"


@pytest.mark.parametrize("role", sorted(STAFF))
def test_a_role_that_a_route_names_is_let_in(house: House, role: Role) -> None:
    for way in (w for w in house.ways if w.needs and role in w.needs[0].roles):
        house.renew()
        answer = house.ask(way, house.sit(f"own.{role}", role))
        assert answer.status_code in FINE, f"{role}: {way} → {answer.status_code}"


SEES_OTHER_TEAMS = {Role.MANAGER, Role.AUDITOR, Role.ADMIN}


@pytest.mark.parametrize("role", sorted(STAFF))
def test_complaints_of_another_team_are_not_there(house: House, role: Role) -> None:
    house.complaint = house.a_complaint()
    for way in (w for w in house.ways if w.needs and role in w.needs[0].roles and w.parameters & OF_A_COMPLAINT):
        answer = house.ask(way, house.sit(f"other.{role}", role, teams=("orders",)))
        if role not in SEES_OTHER_TEAMS:
            assert answer.status_code == 404, f"{role}: {way}"
        else:
            assert answer.status_code in FINE, f"{role}: {way} → {answer.status_code}"


@pytest.mark.parametrize("role", sorted(STAFF))
def test_a_complaint_in_which_somebody_has_an_interest_is_not_there(house: House, role: Role) -> None:
    house.complaint = house.a_complaint()
    sit = partial(house.sit, f"kin.{role}", role, related_to=["The Works of ACME"])
    for way in (w for w in house.ways if w.needs and role in w.needs[0].roles and w.parameters & OF_A_COMPLAINT):
        assert house.ask(way, sit()).status_code == 404, f"{role}: {way}"
