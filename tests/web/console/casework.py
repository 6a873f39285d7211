"""A complaint that nobody is sure about, an agent and a lead before it."""

from __future__ import annotations

from typing import Any

from sqlmodel import col, select

from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import actions, response, routing, steps, walk
from complaints.store.tables import Complaint, Event, Step
from tests.web.console.conftest import Office

TEAMS = ("service", "orders", "payments", "credit")
UNSURE = {"narrative": "Hello, something about the thing we spoke about, you know, and I will call my lawyer."}


class Desk:
    """A complaint in triage, an agent and a lead before it."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.li = office.browser("li", Role.AGENT, teams=TEAMS, name="Li Na")
        self.bo = office.browser("bo", Role.LEAD, Role.APPROVER, teams=TEAMS, name="Bo")
        self.reference = office.complain(**UNSURE)
        self.path = f"/console/complaints/{self.reference}"

    def case(self) -> Complaint:
        with self.office.product.store.reading(SYSTEM) as work:
            return work.session.exec(select(Complaint).where(Complaint.reference == self.reference)).one()

    def step(self, kind: StepKind) -> Step:
        with self.office.product.store.reading(SYSTEM) as work:
            rows = select(Step).where(Step.complaint_id == self.case().id, Step.kind == kind)
            return work.session.exec(rows.order_by(col(Step.number).desc())).first()  # type: ignore[return-value]  # it is there

    def at(self, kind: StepKind) -> str:
        return f"{self.path}/steps/{self.step(kind).id}"

    def actor(self, login: str) -> Actor:
        return routing.as_actor(self.office.person(login))

    def do(self, login: str, kind: StepKind, **answer: Any) -> None:
        with self.office.product.store.work(self.actor(login)) as work:
            steps.complete(work, self.step(kind).id, answer)

    def to_investigation(self) -> None:
        self.do("li", StepKind.TRIAGE, decision="investigate")

    def to_approval(self, by: str = "li") -> None:
        """Findings with a remedy beyond anybody's own authority."""
        self.to_investigation()
        remedies = [{"kind": "refund", "description": "The price of the flat", "amount": "90000"}]
        self.do(by, StepKind.INVESTIGATION, finding="upheld", summary="It leaks: no seal.", remedies=remedies)
        with self.office.product.store.work(SYSTEM) as work:
            walk.decide(work, self.case().id)

    def ask_for_time(self) -> None:
        ask = {"clock": "default.resolve", "days": 5, "reason": "The maker's laboratory is closed until Monday."}
        with self.office.product.store.work(self.actor("li")) as work:
            actions.act(work, self.reference, "request_extension", ask)

    def to_response(self) -> None:
        self.to_investigation()
        self.do("li", StepKind.INVESTIGATION, finding="upheld", summary="It leaks: the seal was missing.")
        for task in (walk.decide, lambda w, i: response.respond(w, i, self.office.product.renderer)):
            with self.office.product.store.work(SYSTEM) as work:
                row = work.session.get_one(Complaint, self.case().id)
                row.severity = "critical" if row.status == "responding" else row.severity
                work.session.add(row)
                work.session.flush()
                task(work, row.id)
            if self.case().status == "deciding":
                self.do("bo", StepKind.APPROVAL, decision="approve")

    def events(self, kind: str) -> int:
        with self.office.product.store.reading(SYSTEM) as work:
            rows = select(Event).where(Event.complaint_id == self.case().id, Event.kind == kind)
            return len(work.session.exec(rows).all())
