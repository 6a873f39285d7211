"""The house seen from inside: its people, its post, and the machine that the flow run would be."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlmodel import col, func, select

from complaints.domain.intake import NewComplaint
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentKind, IntentState, Role
from complaints.domain.walk import Move
from complaints.services import actions, closing, intake, people, response, routing, signin, steps, walk
from complaints.store.tables import Complaint, Event, Outbox, Person, Step, Survey
from complaints.store.unit import Work
from config.wiring import App
from tests.web.api.conftest import classifier_of

PASSWORD = "correct horse battery"
TEAMS = ("orders", "payments", "credit", "service")
ALARMING = {
    "en": "The gas heater you installed exploded, caught fire and my daughter is in hospital with burns.",
    "zh-CN": "你们安装的燃气热水器爆炸起火，我女儿被烧伤住院，请尽快处理。",
}
#: More moves than the machine can need at once; beyond it goes round in circles.
_MOST_MOVES = 20


class House:
    """One installation, at `address`."""

    def __init__(self, product: App, address: str) -> None:
        self.product, self.address = product, address

    def hire(
        self, login: str, *roles: str, language: str = "en", name: str = "", teams: tuple[str, ...] = TEAMS
    ) -> None:
        """Somebody new."""
        with self.product.store.work(SYSTEM) as work:
            title = name or login.title()
            person = people.add_person(work, login, title, roles=[Role(r) for r in roles], teams=list(teams))
            person.language = language

    def give_password(self, login: str) -> None:
        """Somebody can sign in with `PASSWORD`."""
        with self.product.store.work(SYSTEM) as work:
            signin.set_password(work, self.person(login), PASSWORD)

    def session(self, login: str) -> str:
        """The token of a new session, as signing in puts it into a cookie."""
        with self.product.store.work(SYSTEM) as work:
            return signin.open_session(work, self.person(login), address="127.0.0.1", agent="", via="password")[0]

    def complain(self, language: str = "en", **changes: Any) -> str:
        """A new complaint, of the kind that is looked at by a person first; its reference."""
        story = {
            "subject": "Heater",
            "narrative": ALARMING[language],
            "language": language,
            "complainant": {"name": "Wang Fang", "email": "wang.fang@example.com"},
        }
        with self.product.store.work(SYSTEM) as work:
            reference = intake.submit(
                work, NewComplaint.model_validate(story | changes), self.product.classifier
            ).reference
        self.go(reference)
        return reference

    def answered(self, language: str = "en") -> str:
        """A complaint whose complainant has our answer; its reference."""
        self.hire("robin", "agent")
        reference = self.complain(language)
        self.do("robin", reference, "triage", decision="investigate")
        self.investigated(reference)
        return reference

    def investigated(self, reference: str) -> None:
        """Robin's findings, another's approval, the letter."""
        self.hire("pat", "approver")
        self.do("robin", reference, "investigation", finding="upheld", summary="The valve was mounted the wrong way.")
        self.do("pat", reference, "approval", decision="approve")
        self.do("robin", reference, "response", body=self.step(reference, "response").draft["body"])

    def do(self, login: str, reference: str, kind: str, **answer: Any) -> None:
        """Somebody completes the open step of that kind without a browser; then the machine goes on."""
        with self.product.store.work(routing.as_actor(self.person(login))) as work:
            steps.complete(work, self.step(reference, kind).id, answer)
        self.go(reference)

    def act(self, login: str, reference: str, action: str, **body: Any) -> None:
        """Somebody does something to the complaint without a browser."""
        with self.product.store.work(routing.as_actor(self.person(login))) as work:
            actions.act(work, reference, action, body)
        self.go(reference)

    def end_session(self, login: str) -> None:
        """The night comes: whoever comes back must sign in again."""
        with self.product.store.work(SYSTEM) as work:
            signin.end_sessions(work, self.person(login).id)

    def person(self, login: str) -> Person:
        """One of our people."""
        with self.product.store.reading(SYSTEM) as work:
            return work.session.exec(select(Person).where(Person.login == login)).one()

    # -- looking

    def case(self, reference: str) -> Complaint:
        """The row as it is stored now."""
        with self.product.store.reading(SYSTEM) as work:
            return work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()

    def references(self) -> list[str]:
        """All complaints there are."""
        with self.product.store.reading(SYSTEM) as work:
            return list(work.session.exec(select(Complaint.reference)).all())

    def events(self, reference: str, kind: str) -> int:
        """How often something happened to a complaint."""
        case = self.case(reference).id
        with self.product.store.reading(SYSTEM) as work:
            rows = select(func.count()).select_from(Event).where(Event.complaint_id == case, Event.kind == kind)
            return int(work.session.exec(rows).one())

    def step(self, reference: str, kind: str) -> Step:
        """The newest step of that kind, done or not."""
        case = self.case(reference).id
        with self.product.store.reading(SYSTEM) as work:
            rows = select(Step).where(Step.complaint_id == case, Step.kind == kind).order_by(col(Step.number).desc())
            found = work.session.exec(rows).first()
            assert found is not None, f"{reference} never had a step {kind}"
            return found

    def rating(self, reference: str) -> int | None:
        """What the survey says."""
        case = self.case(reference).id
        with self.product.store.reading(SYSTEM) as work:
            return work.session.exec(select(Survey.rating).where(Survey.complaint_id == case)).one()

    def link(self, kind: str, reference: str) -> str:
        """The signed link in the newest letter of one kind about a complaint, as it lies in the folder of the post."""
        letters = (self.product.settings.home / "outgoing").glob(f"{kind}-{reference}-*.eml")
        newest = max(letters, key=lambda path: path.stat().st_mtime_ns)
        letter = email.message_from_bytes(newest.read_bytes(), policy=email.policy.default)
        body = letter.get_body(("plain",))
        assert body is not None
        found = re.search(rf"{re.escape(self.address)}/track/[\w.~-]+", body.get_content())
        assert found, body.get_content()
        return found[0]

    # -- the machine

    def go(self, reference: str) -> None:
        """What the flow run does until a person is needed; then the post goes out."""
        case = self.case(reference).id
        for _ in range(_MOST_MOVES):
            with self.product.store.reading(SYSTEM) as work:
                move = walk.where(work, case).move
            if move in (Move.WAIT, Move.END):
                self._post()
                return
            with self.product.store.work(SYSTEM, in_flow=True) as work:
                self._moves[move](self, work, case)
        raise AssertionError(f"the machine goes round in circles, last with {move}")

    _moves: Mapping[Move, Callable[[House, Work, UUID], Any]] = {
        Move.INTAKE: lambda house, w, c: walk.screen(w, c, house.product.find_duplicates),
        Move.CLASSIFICATION: lambda house, w, c: walk.classify(w, c, classifier_of(house.product)),
        Move.ACKNOWLEDGMENT: lambda house, w, c: walk.acknowledge(w, c),
        Move.BRIEFING: lambda house, w, c: walk.brief(w, c),
        Move.DECISION: lambda house, w, c: walk.decide(w, c),
        Move.RESPONSE: lambda house, w, c: response.respond(w, c, house.product.renderer),
        Move.SURVEY: lambda house, w, c: walk.survey(w, c),
        Move.ARCHIVE: lambda house, w, c: house._archive(w, c),
    }

    def _archive(self, work: Work, case: UUID) -> None:
        dossier = closing.collect(work, case)
        bag = self.product.write_bag(dossier)
        closing.archived(work, case, bag.url, bag.sha256, dossier["complaint"]["chain_head"])

    def _post(self) -> None:
        """Hand over the letters that are due; flow runs are not started here."""
        with self.product.store.reading(SYSTEM) as work:
            due = select(Outbox.id).where(Outbox.kind == IntentKind.NOTIFY, Outbox.state == IntentState.PENDING)
            letters = list(work.session.exec(due.order_by(col(Outbox.created_at))).all())
        for letter in letters:
            self.product.dispatcher.act(letter, leased=True)
