"""The portal on a real database, and what our people do to a complaint while its complainant waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import actions, opening, people, response, routing, steps, walk
from complaints.store.tables import Complaint, Person
from config.wiring import App
from tests.web.api.conftest import make_product, walked
from tests.web.forms import slip
from web.app import create_app

FILLED: dict[str, Any] = {
    "narrative": "The heater you delivered last week leaks, and nobody answers the phone. I want it repaired.",
    "product": "Heater",
    "order_ref": "A-1",
    "desired_remedy": "Repair it",
    "who": "named",
    "name": "Wang Fang",
    "email": "wang.fang@example.com",
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[App]:
    made = make_product(
        database,
        tmp_path / "home",
        attachment_limit=100_000,
        form_seconds=0,
        language="en",
        embed_origins=("https://shop.example",),
    )
    yield made
    made.engine.dispose()


@pytest.fixture
def web(product: App) -> Iterator[TestClient]:
    with TestClient(create_app(product), follow_redirects=False) as client:
        client.headers["accept-language"] = "en"
        yield client


@pytest.fixture
def desk(product: App) -> Desk:
    return Desk(product)


class Visitor:
    """Somebody who fills in forms."""

    def __init__(self, web: TestClient) -> None:
        self.web = web

    def post(self, path: str, do: str, slip: str, files: Any = None, **fields: Any) -> Any:
        return self.web.post(path, data={"slip": slip, "do": do, **fields}, files=files)

    def send(self, files: Any = None, **changes: Any) -> str:
        """Complain; the token of the link."""
        opened = slip(self.web.get("/complain").text)
        answer = self.post("/complain", "send", opened, files, **(FILLED | changes))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).rpartition("/")[2]

    def page(self, token: str) -> Any:
        return self.web.get(f"/track/{token}")

    def do(self, token: str, action: str, files: Any = None, **fields: Any) -> Any:
        return self.post(f"/track/{token}", action, slip(self.page(token).text), files, **fields)


@pytest.fixture
def visitor(web: TestClient) -> Visitor:
    return Visitor(web)


class Desk:
    """Our side: the flow's steps and the people, without Prefect."""

    def __init__(self, product: App) -> None:
        self.product = product
        with product.store.work(SYSTEM) as work:
            teams = [t.key for t in work.policy.routing.teams]
            self.agent = people.add_person(work, "li", "Li Na", roles=[Role.AGENT], teams=teams)
            self.approver = people.add_person(work, "ann", "Ann", roles=[Role.APPROVER, Role.LEAD], teams=teams)

    def newest(self) -> str:
        """Reference of the last complaint."""
        with self.product.store.reading(SYSTEM) as work:
            return (
                work.session.exec(select(Complaint.reference).order_by(col(Complaint.created_at).desc())).first() or ""
            )

    def take_up(self, reference: str) -> None:
        """Screen, classify, acknowledge; a person routes what the machine is unsure about."""
        walked(self.product, reference)
        if self.complaint(reference).status == "triage":
            self.complete(reference, self.agent, StepKind.TRIAGE, decision="investigate")

    def complaint(self, reference: str) -> Complaint:
        with self.product.store.reading(SYSTEM) as work:
            return work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()

    def act(self, reference: str, action: str, **body: Any) -> None:
        with self.product.store.work(routing.as_actor(self.agent)) as work:
            actions.act(work, reference, action, body)

    def complete(self, reference: str, who: Person, kind: StepKind, **answer: Any) -> None:
        with self.product.store.work(routing.as_actor(who)) as work:
            complaint = self.complaint(reference)
            step = next(s for s in opening.open_steps(work, complaint) if s.kind == kind)
            steps.complete(work, step.id, answer)

    def answer(self, reference: str) -> None:
        """Findings, decision, letter: the complainant can say what they think."""
        self.complete(
            reference,
            self.agent,
            StepKind.INVESTIGATION,
            finding="upheld",
            summary="The valve was damaged in transport.",
        )
        case = self.complaint(reference).id
        with self.product.store.work(SYSTEM, in_flow=True) as work:
            walk.decide(work, case)
        if self.complaint(reference).status == "deciding":
            self.complete(reference, self.approver, StepKind.APPROVAL, decision="approve")
        with self.product.store.work(SYSTEM, in_flow=True) as work:
            response.respond(work, case, self.product.renderer)
        assert self.complaint(reference).status == "confirming"
