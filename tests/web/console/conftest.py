"""The console on a real database: people who sign in, and complaints that wait for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.services import intake, people, signin
from complaints.store.tables import Person
from config.wiring import App
from tests.web.api.conftest import SUBMISSION, make_product, walked
from tests.web.forms import sign_in
from web.app import create_app

if TYPE_CHECKING:
    from tests.web.console.casework import Desk

PASSWORD = "correct horse battery"


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[App]:
    made = make_product(database, tmp_path / "home", language="en", company="Example Company")
    yield made
    made.engine.dispose()


@pytest.fixture
def app(product: App) -> Any:
    return create_app(product)


class Browser:
    """One person's browser at the console."""

    def __init__(self, app: Any, login: str = "") -> None:
        self.web = TestClient(app, follow_redirects=False)
        self.web.headers["accept-language"] = "en"
        self.login = login
        if login:
            answer = sign_in(self.web, login, PASSWORD)
            assert answer.status_code == 303, answer.text

    def get(self, path: str, **more: Any) -> Any:
        return self.web.get(path, **more)

    def post(self, path: str, files: Any = None, **fields: Any) -> Any:
        """As a form of our own page would send it."""
        return self.web.post(path, data={"csrf": self.csrf, **fields}, files=files)

    @property
    def csrf(self) -> str:
        found = re.search(r'<meta name="csrf" content="([^"]*)"', self.get("/console/components").text)
        assert found
        return found[1]


class Office:
    """People with passwords, and complaints at their desks."""

    def __init__(self, product: App, app: Any) -> None:
        self.product, self.app = product, app

    def hire(self, login: str, *roles: Role, teams: tuple[str, ...] = ("service",), **more: Any) -> Person:
        """Somebody new, who can sign in with `PASSWORD`."""
        with self.product.store.work(SYSTEM) as work:
            person = people.add_person(work, login, more.pop("name", login.title()), roles=roles, teams=teams, **more)
            person.language = "en"
            signin.set_password(work, person, PASSWORD)
            return person

    def browser(self, login: str, *roles: Role, **more: Any) -> Browser:
        """Somebody signed in; hired first where roles are given."""
        if roles:
            self.hire(login, *roles, **more)
        return Browser(self.app, login)

    def person(self, login: str) -> Person:
        with self.product.store.reading(SYSTEM) as work:
            return work.session.exec(select(Person).where(Person.login == login)).one()

    def complain(self, **changes: Any) -> str:
        """A new complaint, screened, classified and acknowledged; its reference."""
        with self.product.store.work(SYSTEM) as work:
            new = intake.NewComplaint.model_validate(SUBMISSION | changes)
            reference = intake.submit(work, new, self.product.classifier).reference
        walked(self.product, reference)
        return reference


@pytest.fixture
def office(product: App, app: Any) -> Office:
    return Office(product, app)


@pytest.fixture
def desk(office: Office) -> Desk:
    """A complaint in triage, an agent and a lead before it."""
    from tests.web.console.casework import Desk

    return Desk(office)


def text_of(html: str) -> str:
    """What a reader sees of a page, roughly."""
    plain = re.sub(r"<(script|style|template).*?</\1>", " ", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", plain)).split())
