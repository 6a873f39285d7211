"""A whole complaints desk on one fresh database, without Prefect: its clock is set by the test, its people are four.

Real: PostgreSQL, policy, classifier, letters, bags. Doubles: mail and flow runs (`complaints.testing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from complaints.archive.bag import write_bag
from complaints.archive.disposal import CaseFiles
from complaints.archive.dossier import Dossier
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.lifecycle import TABLE
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import SYSTEM, Actor, Candidate, Renderer
from complaints.domain.vocabulary import Language, Role, Status, StepKind
from complaints.domain.walk import Move, Next
from complaints.notify.render import TemplateRenderer
from complaints.services import actions, closing, intake, opening, people, response, routing, steps, walk
from complaints.services.clocks import of as clocks_of
from complaints.services.dispatch import Dispatcher
from complaints.services.timers import end_waiting
from complaints.services.tracking import Tracking
from complaints.services.webhooks import HttpHook
from complaints.store import chain
from complaints.store.blobs import Blobs
from complaints.store.engine import make_engine
from complaints.store.similar import earlier
from complaints.store.tables import Clock, Complainant, Complaint, Event, Outbox, Person, Step
from complaints.store.unit import Store, Work
from complaints.testing import RecordingRuns, RecordingSender
from complaints.triage.duplicates import Known, rank
from complaints.triage.rules import RuleClassifier
from config.lexicons import load_lexicon
from config.policy import load
from config.policybook import StoredPolicies
from tests.databases import empty_tables

POLICY = Path(__file__).parents[2] / "config" / "policies" / "default"
#: A Monday, ten o'clock in Shanghai.
START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
GATEWAY = Actor("key", "gateway", "mail gateway", frozenset({Role.INTEGRATOR}))
CUSTOMER = Actor("complainant", "complainant", "Bob", frozenset({Role.COMPLAINANT}))
#: More moves than the longest life needs; beyond it the walk goes round in circles.
_MOST_MOVES = 60

CALM = "The washing machine arrived broken and leaks water all over the kitchen floor, I want a refund."
FAST = "I never received the invoice for my kettle. I need a VAT invoice, please send me the invoice."
VAGUE = "Hello, I am writing about what happened."
ALARMING = "The gas heater you installed exploded, caught fire and my daughter is in hospital with burns."
FINDINGS: dict[str, Any] = {"finding": "upheld", "summary": "The pump was damaged in transport."}


@cache
def bundle() -> PolicyBundle:
    """The default policy."""
    return load(POLICY)


@cache
def classifier() -> RuleClassifier:
    """The classifier of the default policy."""
    return RuleClassifier(load_lexicon(POLICY), bundle().taxonomy, bundle().lifecycle)


@cache
def letters() -> TemplateRenderer:
    """The product's own letters."""
    return TemplateRenderer("Example Ltd", "Asia/Shanghai")


def remedy(kind: str = "refund", amount: str | None = "99.00") -> dict[str, Any]:
    """A proposal as forms take it."""
    return {"kind": kind, "description": f"{kind} for the trouble", "amount": amount}


class Desk:
    """Store, people and machine of one installation."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.bags, self.blobs = url, folder, Blobs(folder / "attachments")
        self.engine = make_engine(url, application="complaints desk")
        self.begin(bundle())

    def begin(self, policy: PolicyBundle, renderer: Renderer | None = None) -> None:
        """Open the desk under a policy: nothing has happened yet, it is Monday morning."""
        self.at = START
        self.language = Language.ZH
        self.policy = policy
        self.policies = StoredPolicies(self.engine, self.now)
        self.policies.activate(policy)
        self.pending: list[UUID] = []
        self.store = Store(self.engine, self.policies, self.now, self.pending.extend)
        self.sender, self.runs = RecordingSender(), RecordingRuns()
        self.renderer: Renderer = renderer or letters()
        self.tracking = Tracking("a secret of this test", "https://desk.example", self.now)
        self.dispatcher = self.another_dispatcher()
        self.agent = self.person("li", [Role.AGENT], teams=["orders", "service"])
        self.colleague = self.person("wu", [Role.AGENT], teams=["orders", "service"])
        self.approver = self.person("ann", [Role.APPROVER], teams=["orders"])
        self.lead = self.person("zhao", [Role.LEAD], teams=["orders"])
        self.manager = self.person("max", [Role.MANAGER])

    def clear(self) -> None:
        """Empty the database, so that the next test finds it as new."""
        empty_tables(self.engine)

    def now(self) -> datetime:
        """The desk's clock."""
        return self.at

    def later(self, **span: float) -> None:
        """Let time pass (as `timedelta`), and let the waits end that are over."""
        self.at += timedelta(**span)
        end_waiting(self.store)
        self.drain()

    def another_dispatcher(self, store: Store | None = None) -> Dispatcher:
        """A dispatcher as another process would have it."""
        files = CaseFiles(self.blobs, self.bags.as_uri())
        at, tracked = store or self.store, self.tracking.url
        return Dispatcher(at, self.renderer, self.sender, self.runs, HttpHook(), tracked, files, self.language)

    def person(self, login: str, roles: list[Role], teams: list[str] | None = None, **more: Any) -> Person:
        """A colleague."""
        with self.store.work(SYSTEM) as work:
            made = people.add_person(
                work, login, login.title(), roles=roles, teams=teams or [], email=f"{login}@desk.example"
            )
            for name, value in more.items():
                setattr(made, name, value)
            work.session.add(made)
        return made

    # -- taking in and walking

    def submit(self, text: str = CALM, *, walked: bool = True, key: str | None = None, **more: Any) -> UUID:
        """Take a complaint of Bob's; `walked` lets the machine take it to its first wait."""
        more.setdefault("complainant", NewComplainant(name="Bob", email="bob@customer.example"))
        with self.store.work(SYSTEM) as work:
            taken = intake.submit(work, NewComplaint(narrative=text, **more), classifier(), owner="test", key=key)
        self.drain()
        if walked:
            self.go(taken.id)
        return taken.id

    def next(self, case: UUID) -> Next:
        """The next move."""
        with self.store.reading(SYSTEM) as work:
            return walk.where(work, case)

    def move(self, case: UUID, move: Move) -> None:
        """One machine step, as the flow's tasks do it."""
        with self.store.work(SYSTEM, in_flow=True) as work:
            if move is Move.ARCHIVE:
                self._archive(work, case)
            else:
                self._moves[move](self, work, case)
        self.drain()

    def go(self, case: UUID) -> list[str]:
        """Let the machine act until it waits; the moves it made."""
        made: list[str] = []
        while (at := self.next(case)).move not in (Move.WAIT, Move.END):
            made.append(at.move.value)
            assert len(made) < _MOST_MOVES, f"the walk goes round in circles: {made[-6:]}"
            self.move(case, at.move)
        return made

    def drain(self) -> None:
        """Act on what was recorded."""
        while self.pending:
            self.dispatcher.act(self.pending.pop(0))

    def _archive(self, work: Work, case: UUID) -> None:
        head = work.session.get_one(Complaint, case).chain_head
        receipt = write_bag(Dossier(**closing.collect(work, case)), [], self.bags.as_uri())
        assert closing.archived(work, case, receipt.url, receipt.sha256, head)

    _moves: Mapping[Move, Callable[[Desk, Work, UUID], Any]] = {
        Move.INTAKE: lambda desk, w, c: walk.screen(w, c, desk.find_duplicates),
        Move.CLASSIFICATION: lambda desk, w, c: walk.classify(w, c, classifier()),
        Move.ACKNOWLEDGMENT: lambda desk, w, c: walk.acknowledge(w, c),
        Move.BRIEFING: lambda desk, w, c: walk.brief(w, c),
        Move.DECISION: lambda desk, w, c: walk.decide(w, c),
        Move.RESPONSE: lambda desk, w, c: response.respond(w, c, desk.renderer),
        Move.SURVEY: lambda desk, w, c: walk.survey(w, c),
    }

    def find_duplicates(self, work: Work, complaint: Complaint) -> list[Candidate]:
        """The same matter among earlier complaints."""

        def known(row: Complaint) -> Known:
            who = work.session.get_one(Complainant, row.complainant_id)
            return Known(row.id, row.reference, row.subject, row.narrative, who.email or who.phone, row.order_ref)

        others = earlier(work.session, complaint)
        return rank(known(complaint), [known(other) for other in others]) if others else []

    # -- what people do

    def complete(self, case: UUID, who: Person | Actor, kind: StepKind | str, **answer: Any) -> Step:
        """Somebody completes the (first) open step of that kind; then the machine goes on."""
        step = self.step(case, kind)
        with self.store.work(self.actor(who)) as work:
            done = steps.complete(work, step.id, answer)
        self.drain()
        self.go(case)
        return done

    def act(self, case: UUID, who: Person | Actor, action: str, **body: Any) -> None:
        """Somebody does something to the case; then the machine goes on."""
        with self.store.work(self.actor(who)) as work:
            actions.act(work, self.complaint(case).reference, action, body)
        self.drain()
        self.go(case)

    @staticmethod
    def actor(who: Person | Actor) -> Actor:
        """The actor that somebody is."""
        return who if isinstance(who, Actor) else routing.as_actor(who)

    def investigated(self, **more: Any) -> UUID:
        """A calm complaint, investigated: it waits for the complainant's verdict."""
        case = self.submit(**more)
        self.complete(case, self.agent, StepKind.INVESTIGATION, **FINDINGS)
        return case

    def closed(self, **more: Any) -> UUID:
        """A calm complaint, answered and accepted: the appeal window is open."""
        case = self.investigated(**more)
        self.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True, rating=5)
        return case

    def end_window(self, case: UUID) -> None:
        """Let the appeal window pass and the machine archive the case."""
        self.later(days=31)
        self.go(case)

    # -- looking

    def complaint(self, case: UUID) -> Complaint:
        """The row as it is stored now."""
        with Session(self.engine) as session:
            return session.get_one(Complaint, case)

    def step(self, case: UUID, kind: StepKind | str) -> Step:
        """The first open step of a kind."""
        found = [s for s in self.open_steps(case) if s.kind == kind]
        assert found, f"no open {kind} step, only {[s.gate for s in self.open_steps(case)]}"
        return found[0]

    def open_steps(self, case: UUID) -> list[Step]:
        """Open steps, oldest first."""
        with self.store.reading(SYSTEM) as work:
            return opening.open_steps(work, work.session.get_one(Complaint, case))

    def events(self, case: UUID) -> list[Event]:
        """The case log."""
        with Session(self.engine) as session:
            return list(session.exec(select(Event).where(Event.complaint_id == case).order_by(col(Event.seq))).all())

    def kinds(self, case: UUID) -> list[str]:
        """Kinds of the events, in order."""
        return [e.kind for e in self.events(case)]

    def clocks(self, case: UUID) -> dict[str, Clock]:
        """The case's clocks by `profile.name`."""
        with self.store.reading(SYSTEM) as work:
            rows = clocks_of(work, work.session.get_one(Complaint, case))
        return {f"{c.profile}.{c.name}": c for c in rows}

    def outbox(self, **where: Any) -> list[Outbox]:
        """Intents, oldest first, with these values in their columns."""
        query = select(Outbox).order_by(col(Outbox.created_at), col(Outbox.id))
        for name, value in where.items():
            query = query.where(getattr(Outbox, name) == value)
        with Session(self.engine) as session:
            return list(session.exec(query).all())

    def letters(self, case: UUID, kind: str) -> list[str]:
        """To whom letters of a kind went for this case."""
        reference = self.complaint(case).reference
        return [m.to for m in self.sender.sent if m.kind == kind and m.reference == reference]

    def breaks(self, case: UUID) -> list[chain.Break]:
        """What is wrong with the hash chain of the case."""
        row = self.complaint(case)
        return chain.verify(self.events(case), row.chain_head, row.event_count)

    def sound(self, case: UUID, status: str, category: str | None, *, acknowledgments: int = 1) -> None:
        """What must hold at the end of any life."""
        row = self.complaint(case)
        assert (row.status, row.closing_category) == (status, category)
        assert self.breaks(case) == []
        assert row.event_count == len(self.events(case))
        assert len(self.letters(case, "acknowledgment")) == acknowledgments
        assert self.open_steps(case) == []
        self.lawful(case)
        assert [(i.key, i.last_error) for i in self.outbox(state="dead")] == []
        assert [i.key for i in self.outbox(state="pending")] == []
        if status == "archived":
            assert row.bag_url
            assert row.retention_until

    def lawful(self, case: UUID) -> None:
        """Every change of status in the log is a row of the transition table, and together they lead to the row's."""
        status = Status.RECEIVED
        for event in self.events(case):
            if event.from_status is None:
                assert event.to_status is None
                continue
            row = TABLE[event.kind]
            assert event.from_status == status
            assert status in row.sources
            status = Status(event.to_status or "")
            assert status in row.targets
        assert self.complaint(case).status == status
