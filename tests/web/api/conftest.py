"""A real web application on a real database, and the people and keys that call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlmodel import func, select

from complaints.domain.ports import SYSTEM, Classifier
from complaints.domain.vocabulary import Role
from complaints.services import people, walk
from complaints.store.tables import Complaint
from config.settings import Settings
from config.wiring import App
from web.app import create_app

SUBMISSION: dict[str, Any] = {
    "subject": "Broken heater",
    "narrative": "The heater you delivered last week leaks, and nobody answers the phone. I want it repaired.",
    "language": "en",
    "complainant": {"name": "Wang Fang", "email": "wang.fang@example.com"},
}


@dataclass
class Recorder:
    """Stands where intents are acted on after commit; keeps what it was given."""

    intents: list[UUID] = field(default_factory=list)

    def submit(self, intents: list[UUID]) -> None:
        self.intents += intents

    def drain(self) -> None:
        """Nothing is under way."""


def make_product(url: str, home: Path, **settings: Any) -> App:
    """An `App` whose after-commit work is only recorded."""
    product = App(Settings(home=home, database_url=url, _env_file=None, **settings))
    product.__dict__["background"] = Recorder()
    return product


def make_key(
    product: App, *scopes: str, roles: tuple[Role, ...] = (), teams: tuple[str, ...] = (), **person: Any
) -> str:
    """The secret of a new key; with roles, of a new person."""
    with product.store.work(SYSTEM) as work:
        who = None
        if roles:
            login = person.pop("login", f"p{len(people.everybody(work))}")
            who = people.add_person(work, login, person.pop("name", login), roles=roles, teams=teams, **person)
        return people.create_key(work, "test", scopes, person=who)[1]


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[App]:
    made = make_product(database, tmp_path / "home", request_limit=500_000, attachment_limit=100_000)
    yield made
    made.engine.dispose()


@pytest.fixture
def web(product: App) -> Iterator[TestClient]:
    with TestClient(create_app(product)) as client:
        yield client


class Caller:
    """Calls the API with one key."""

    def __init__(self, web: TestClient, key: str) -> None:
        self.web, self.key = web, key

    def __call__(self, method: str, path: str, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"} | kwargs.pop("headers", {})
        return self.web.request(method, f"/api/v1{path}", headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> Any:
        return self("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        return self("POST", path, **({"json": body} if body is not None else {}), **kwargs)

    def submit(self, **changes: Any) -> str:
        """The reference of a new complaint."""
        answer = self.post("/complaints", SUBMISSION | changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["reference"])


@pytest.fixture
def caller(web: TestClient, product: App) -> Callable[..., Caller]:
    """Make a caller: scopes, and roles of the person behind the key."""

    def make(*scopes: str, **person: Any) -> Caller:
        return Caller(web, make_key(product, *scopes, **person))

    return make


@pytest.fixture
def integrator(caller: Callable[..., Caller]) -> Caller:
    return caller("complaints:submit", "complaints:read")


@pytest.fixture
def admin(caller: Callable[..., Caller]) -> Caller:
    return caller(*people.SCOPES)


@pytest.fixture
def agent(caller: Callable[..., Caller]) -> Caller:
    scopes = ("complaints:submit", "complaints:read", "complaints:act", "tasks")
    return caller(
        *scopes, roles=(Role.AGENT,), teams=("orders", "payments", "credit", "service"), login="li.na", name="李娜"
    )


@pytest.fixture
def lead(caller: Callable[..., Caller]) -> Caller:
    scopes = ("complaints:read", "complaints:act", "tasks")
    return caller(*scopes, roles=(Role.MANAGER,), login="boss", name="Boss")


@pytest.fixture
def routed(product: App, integrator: Caller) -> Callable[..., str]:
    """The reference of a complaint that the machine has screened and classified and a person has routed to work on."""

    def make(**changes: Any) -> str:
        reference = integrator.submit(**changes)
        walked(product, reference)
        return reference

    return make


_CLASSIFIERS: dict[str, Classifier] = {}


def classifier_of(product: App) -> Classifier:
    """One for all tests of a policy: it takes half a second to build, and is a pure function."""
    policy = product.policies.active(product.store.now()).hash
    if policy not in _CLASSIFIERS:
        _CLASSIFIERS[policy] = product.classifier
    return _CLASSIFIERS[policy]


def walked(product: App, reference: str) -> None:
    """Do what the flow run does until a person is needed."""
    for task in (
        lambda w, i: walk.screen(w, i, lambda *_: []),
        lambda w, i: walk.classify(w, i, classifier_of(product)),
        walk.acknowledge,
        walk.brief,
    ):
        with product.store.work(SYSTEM, in_flow=True) as work:
            complaint = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
            task(work, complaint.id)


def counted(product: App, table: type[Any]) -> int:
    """Rows of a table."""
    with product.store.reading(SYSTEM) as work:
        return int(work.session.exec(select(func.count()).select_from(table)).one())
