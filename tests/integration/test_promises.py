"""The promises of the core, each tried to be broken on real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col, func, select, text

from complaints.domain.errors import AlreadyDone, Conflict, NotFound, StaleVersion
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Role, Status, StepKind
from complaints.domain.walk import Move
from complaints.services import access, actions, closing, intake, steps, tracking, walk
from complaints.services.routing import as_actor
from complaints.store import chain
from complaints.store.columns import new_id
from complaints.store.tables import Complainant, Complaint, Event, Outbox, Person, Step
from complaints.store.unit import Work
from tests.integration.desk import CUSTOMER, FINDINGS, VAGUE, Desk, classifier, remedy

TRIED = 6  #: how many threads rush at the same thing


def counts(desk: Desk) -> dict[str, int]:
    """Rows of every table."""
    with Session(desk.engine) as session:
        return {
            t.name: session.execute(select(func.count()).select_from(t)).scalar_one()
            for t in SQLModel.metadata.sorted_tables
        }


def everything(desk: Desk, case: UUID) -> object:
    """What may not change when nothing happened."""
    return counts(desk), desk.complaint(case).model_dump(), [s.model_dump() for s in desk.open_steps(case)]


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run the jobs in threads that start at one moment; results or exceptions, in the order of the jobs."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        gate.wait(10)
        try:
            return job()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


# -- all or nothing


class _Crash(Exception):
    pass


def _submitting(work: Work, desk: Desk, case: UUID) -> None:
    intake.submit(work, NewComplaint(narrative="Another one."), classifier(), owner="test", key="k")


def _completing(work: Work, desk: Desk, case: UUID) -> None:
    steps.complete(work, desk.step(case, StepKind.INVESTIGATION).id, {**FINDINGS, "remedies": [remedy()]})


def _withdrawing(work: Work, desk: Desk, case: UUID) -> None:
    actions.act(work, desk.complaint(case).reference, "withdraw", {})


def _asking(work: Work, desk: Desk, case: UUID) -> None:
    actions.act(work, desk.complaint(case).reference, "ask_customer", {"question": "Which?"})


@pytest.mark.parametrize("verb", [_submitting, _completing, _withdrawing, _asking])
def test_a_transaction_that_fails_leaves_nothing(desk: Desk, verb: Callable[[Work, Desk, UUID], None]) -> None:
    case = desk.submit()
    before = everything(desk, case)

    def doomed() -> None:
        with desk.store.work(desk.actor(desk.agent)) as work:
            verb(work, desk, case)
            work.session.flush()
            assert work.intents, "the verb must have recorded something to lose"
            raise _Crash

    with pytest.raises(_Crash):
        doomed()
    assert everything(desk, case) == before
    assert desk.pending == [], "intents of a transaction that failed are not acted on"


# -- once


def test_every_machine_step_may_be_repeated(desk: Desk) -> None:
    case = desk.submit(walked=False)
    seen: set[Move] = set()
    verdicts: Iterator[tuple[Person | Actor, StepKind, dict[str, Any]]] = iter(
        [(desk.agent, StepKind.INVESTIGATION, FINDINGS), (CUSTOMER, StepKind.CONFIRMATION, {"accepted": True})]
    )
    while (at := desk.next(case).move) is not Move.END:
        if at is Move.WAIT:
            _repeat_all(desk, case)
            step = next(verdicts, None)
            if step is None:
                desk.later(days=31)
                continue
            with desk.store.work(desk.actor(step[0])) as work:
                steps.complete(work, desk.step(case, step[1]).id, step[2])
            desk.drain()
            continue
        seen.add(at)
        if at is Move.ARCHIVE:
            _archive_twice(desk, case)
            continue
        desk.move(case, at)
        once = everything(desk, case)
        desk.move(case, at)
        assert everything(desk, case) == once, f"{at} recorded something twice"
    assert seen == set(Move) - {Move.WAIT, Move.END}
    desk.sound(case, "archived", "explanation")


def _repeat_all(desk: Desk, case: UUID) -> None:
    """A task that comes late, from a run that was thought dead, finds nothing to do."""
    before = everything(desk, case)
    for move in set(Move) - {Move.WAIT, Move.END, Move.ARCHIVE}:
        desk.move(case, move)
        assert everything(desk, case) == before, f"a late {move} changed something"


def _archive_twice(desk: Desk, case: UUID) -> None:
    with desk.store.work(SYSTEM, in_flow=True) as work:
        assert not closing.archived(work, case, "file:///stale", "0", "f" * 64), "a bag without the last events"
    desk.move(case, Move.ARCHIVE)
    once = everything(desk, case)
    with desk.store.work(SYSTEM, in_flow=True) as work:
        assert closing.archived(work, case, "file:///other", "0", "f" * 64)
    assert everything(desk, case) == once


def test_the_same_key_is_one_intent_also_for_threads(desk: Desk) -> None:
    case = desk.submit(walked=False)
    desk.move(case, Move.INTAKE)
    desk.move(case, Move.CLASSIFICATION)

    def acknowledge() -> None:
        with desk.store.work(SYSTEM, in_flow=True) as work:
            walk.acknowledge(work, case)

    assert together(*[acknowledge] * TRIED) == [None] * TRIED
    desk.drain()
    assert desk.letters(case, "acknowledgment") == ["bob@customer.example"]
    assert desk.kinds(case).count("acknowledged") == 1


# -- the log


@pytest.mark.parametrize(
    "statement",
    [
        "update event set reason = 'nothing happened'",
        "update event set reason = reason where false",
        "delete from event",
        "delete from event where seq = 1",
        "truncate event",
        "truncate complaint cascade",
    ],
)
def test_the_log_is_append_only(desk: Desk, statement: str) -> None:
    case = desk.submit()
    with pytest.raises(DBAPIError, match="append-only"), desk.engine.begin() as connection:
        connection.execute(text(statement))
    assert desk.breaks(case) == []


_OTHER = UUID(int=7)
ALTERED: dict[str, Any] = {
    "complaint_id": None,  # to another complaint
    "seq": 99,
    "at": datetime(2020, 1, 1, tzinfo=UTC),
    "kind": "withdraw",
    "actor_kind": "key",
    "actor_id": "somebody",
    "actor_name": "Somebody Else",
    "audience": "third_party",
    "reason": "because",
    "from_status": "external",
    "to_status": "external",
    "data": {"team": "none"},
    "previous": "e" * 64,
    "hash": "e" * 64,
}


def test_every_column_is_tried() -> None:
    assert set(ALTERED) == set(Event.model_fields) - {"id"}


def test_the_audit_finds_an_edit_of_any_column_in_any_event(desk: Desk) -> None:
    case, other = desk.closed(), desk.submit(walked=False)
    unnoticed = []
    for column, value in (ALTERED | {"complaint_id": other}).items():
        for seq in range(2, desk.complaint(case).event_count + 1):
            if not _tampered(desk, case, lambda s, n=seq, c=column, v=value: setattr(_event(s, case, n), c, v)):  # type: ignore[misc]
                unnoticed.append((column, seq))
    assert unnoticed == []


def _event(session: Session, case: UUID, seq: int) -> Event:
    return session.exec(select(Event).where(Event.complaint_id == case, Event.seq == seq)).one()


def _tampered(desk: Desk, case: UUID, tamper: Callable[[Session], object]) -> list[chain.Break]:
    """What the audit says after somebody with all rights tampered; undone afterwards."""
    with desk.engine.connect() as connection, connection.begin() as transaction, Session(bind=connection) as session:
        connection.execute(text("alter table event disable trigger user"))
        tamper(session)
        session.flush()
        session.expire_all()
        row = session.get_one(Complaint, case)
        events = session.exec(select(Event).where(Event.complaint_id == case).order_by(col(Event.seq))).all()
        found = chain.verify(events, row.chain_head, row.event_count)
        transaction.rollback()
    return found


def test_the_audit_finds_removals_insertions_and_a_rewritten_history(desk: Desk) -> None:
    case = desk.closed()
    last = desk.complaint(case).event_count
    for seq in range(1, last + 1):
        assert _tampered(desk, case, lambda s, n=seq: s.delete(_event(s, case, n)))  # type: ignore[misc]
    assert _tampered(desk, case, lambda s: _rewrite(s, case))
    assert _tampered(desk, case, lambda s: s.execute(text("delete from event")))
    (added,) = _tampered(desk, case, lambda s: s.add(_forged(_event(s, case, last))))
    assert (added.seq, added.what) == (last + 1, "1 events were added at the end")
    assert desk.breaks(case) == []


def _rewrite(session: Session, case: UUID) -> None:
    """Change one event and make every hash after it fit again."""
    previous = chain.GENESIS
    for event in session.exec(select(Event).where(Event.complaint_id == case).order_by(col(Event.seq))).all():
        if event.seq == 4:
            event.reason = "it was never so"
        event.previous = previous
        previous = event.hash = chain.digest(event)


def _forged(last: Event) -> Event:
    forged = Event(**last.model_dump(exclude={"id"}) | {"seq": last.seq + 1, "previous": last.hash})
    forged.hash = chain.digest(forged)
    return forged


# -- one actor


def test_of_two_who_complete_a_step_one_wins_and_the_other_learns_who_and_when(desk: Desk) -> None:
    case = desk.submit()
    step = desk.step(case, StepKind.INVESTIGATION)

    def completing(who: Person) -> Callable[[], str]:
        def job() -> str:
            with desk.store.work(as_actor(who)) as work:
                return str(steps.complete(work, step.id, FINDINGS).completed_by)

        return job

    outcome = together(completing(desk.agent), completing(desk.colleague))
    (winner,) = [o for o in outcome if isinstance(o, str)]
    (refused,) = [o for o in outcome if isinstance(o, AlreadyDone)]
    assert winner in ("Li", "Wu")
    assert (refused.by, refused.at) == (winner, desk.now())
    assert winner in str(refused)
    assert desk.kinds(case).count("submit_findings") == 1
    assert desk.breaks(case) == []


def test_of_many_who_claim_a_step_one_gets_it(desk: Desk) -> None:
    case = desk.submit(VAGUE)
    step = desk.step(case, StepKind.TRIAGE)
    people = [desk.person(f"agent{n}", [Role.AGENT]) for n in range(TRIED)]

    def claiming(who: Person) -> Callable[[], UUID | None]:
        def job() -> UUID | None:
            with desk.store.work(as_actor(who)) as work:
                return steps.claim(work, step.id).assignee_id

        return job

    outcome = together(*[claiming(p) for p in people])
    winners = [o for o in outcome if isinstance(o, UUID)]
    assert len(winners) == 1
    name = next(p.name for p in people if p.id == winners[0])
    refused = [o for o in outcome if not isinstance(o, UUID)]
    assert all(isinstance(o, Conflict) and name in str(o) for o in refused)
    assert desk.kinds(case).count("step_claimed") == 1


def test_a_claimed_step_is_completed_by_its_holder_or_a_lead(desk: Desk) -> None:
    case = desk.submit()
    step = desk.step(case, StepKind.INVESTIGATION)
    with desk.store.work(as_actor(desk.agent)) as work:
        assert steps.claim(work, step.id).version == step.version + 1
        assert steps.claim(work, step.id).version == step.version + 1
    with pytest.raises(StaleVersion), desk.store.work(as_actor(desk.agent)) as work:
        steps.complete(work, step.id, FINDINGS, version=step.version)
    with pytest.raises(Conflict, match="claimed by Li"):
        desk.complete(case, desk.colleague, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, desk.lead, StepKind.INVESTIGATION, **FINDINGS)
    assert desk.complaint(case).status == Status.CONFIRMING
    with pytest.raises(AlreadyDone, match="Zhao"), desk.store.work(as_actor(desk.agent)) as work:
        steps.complete(work, step.id, FINDINGS)


def test_a_step_the_case_has_left_behind_is_refused(desk: Desk) -> None:
    case = desk.submit()
    step = desk.step(case, StepKind.INVESTIGATION)
    desk.act(case, CUSTOMER, "withdraw")
    with pytest.raises(Conflict, match="no longer needed"), desk.store.work(as_actor(desk.agent)) as work:
        steps.complete(work, step.id, FINDINGS)


def test_one_idempotency_key_is_one_complaint(desk: Desk) -> None:
    new = NewComplaint(narrative="The same request, sent by an impatient client.")

    def submit(what: NewComplaint = new, owner: str = "shop") -> intake.Taken:
        with desk.store.work(SYSTEM) as work:
            return intake.submit(work, what, classifier(), owner=owner, key="k-1")

    taken = together(*[submit] * TRIED)
    assert len({t.id for t in taken}) == 1
    assert [t.new for t in taken].count(True) == 1
    assert counts(desk)["complaint"] == 1
    with pytest.raises(Conflict, match="different request"):
        submit(NewComplaint(narrative="Something else."))
    assert submit(owner="another shop").new


def test_one_external_id_is_one_complaint(desk: Desk) -> None:
    rows = [NewComplaint(narrative=f"Row {n}", external_source="cfpb", external_id=str(n)) for n in range(20)]

    def load() -> int:
        with desk.store.work(SYSTEM) as work:
            return sum(t.new for t in intake.submit_many(work, rows, classifier()))

    assert sorted(together(load, load, load)) == [0, 0, 20]
    assert counts(desk)["complaint"] == 20


def test_concurrent_actions_never_fork_the_log(desk: Desk) -> None:
    case = desk.submit()
    reference = desk.complaint(case).reference
    before = desk.complaint(case).event_count

    def noting() -> None:
        for n in range(4):
            with desk.store.work(as_actor(desk.agent)) as work:
                actions.act(work, reference, "add_note", {"text": f"Note {n}"})

    assert together(*[noting] * TRIED) == [None] * TRIED
    assert desk.complaint(case).event_count == before + 4 * TRIED
    assert desk.breaks(case) == []


def test_a_stale_version_is_refused(desk: Desk) -> None:
    case = desk.submit()
    row = desk.complaint(case)

    def noting() -> None:
        with desk.store.work(as_actor(desk.agent)) as work:
            actions.act(work, row.reference, "add_note", {"text": "I read it."}, version=row.version)

    outcome = together(*[noting] * TRIED)
    assert outcome.count(None) == 1
    assert sum(isinstance(o, StaleVersion) for o in outcome) == TRIED - 1


# -- who sees what

SEES_EVERYTHING = {Role.MANAGER, Role.AUDITOR, Role.ADMIN}
PEOPLE = [Role.AGENT, Role.LEAD, Role.APPROVER, *sorted(SEES_EVERYTHING)]
CASES = list(product(("orders", "credit", ""), (False, True), (False, True), (False, True)))


def _expected(role: Role, team: str, confidential: bool, mine: bool, related: bool) -> bool:
    if related:
        return False
    if role in SEES_EVERYTHING or mine:
        return True
    near = team in ("orders", "")
    return near if role is Role.LEAD else near and not confidential


def test_who_sees_which_complaint(desk: Desk) -> None:
    people = {role: desk.person(f"the-{role}", [role], teams=["orders"]) for role in PEOPLE}
    with desk.store.work(SYSTEM) as work:
        taken = intake.submit_many(work, [NewComplaint(narrative="Something.")] * len(CASES), classifier())
        for (team, confidential, mine, related), one in zip(CASES, taken, strict=True):
            row = work.session.get_one(Complaint, one.id)
            row.team, row.confidential = team, confidential
            for role, person in people.items():
                if mine:
                    work.session.add(_held(work, row.id, person.id, str(role)))
                if related:
                    person.related_to = [*person.related_to, row.reference.lower()]
                work.session.add(work.session.merge(person))
    for role, person in people.items():
        with desk.store.reading(as_actor(person)) as work:
            listed = set(work.session.exec(select(Complaint.reference).where(access.visible(work))).all())
            for case, one in zip(CASES, taken, strict=True):
                expected = _expected(role, *case)
                assert (one.reference in listed) is expected, f"{role} {case}"
                assert _sees(work, one.reference) is expected


def _held(work: Work, case: UUID, person: UUID, gate: str) -> Step:
    return Step(
        id=new_id(work.now), complaint_id=case, kind="investigation", number=1, gate=gate, state="open",
        assignee_id=person, opened_at=work.now,
    )  # fmt: skip


def _sees(work: Work, reference: str) -> bool:
    try:
        return access.see(work, reference).reference == reference
    except NotFound:
        return False


@pytest.mark.parametrize("mark", ["bob@customer.example", "BOB", "Warehouse North", "reference"])
def test_a_person_named_in_a_complaint_neither_sees_nor_does_it(desk: Desk, mark: str) -> None:
    case = desk.submit()
    with desk.store.work(SYSTEM) as work:
        work.session.get_one(Complaint, case).responsible_unit = "warehouse north"
        work.session.get_one(Person, desk.agent.id).related_to = [
            desk.complaint(case).reference if mark == "reference" else mark
        ]
    with desk.store.reading(as_actor(desk.agent)) as work:
        assert not _sees(work, desk.complaint(case).reference)
    with pytest.raises(Exception, match="conflict of interest"):
        desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    with pytest.raises(Exception, match="conflict of interest"):
        desk.act(case, desk.agent, "add_note", text="Nothing to see here.")


def test_a_colleague_does_not_see_their_own_complaint(desk: Desk) -> None:
    case = desk.submit(complainant=NewComplainant(name="Li at home", email="LI@desk.example"))
    with desk.store.reading(as_actor(desk.agent)) as work:
        assert not _sees(work, desk.complaint(case).reference)
    assert desk.step(case, StepKind.INVESTIGATION).assignee_id == desk.colleague.id


def test_keys_see_what_is_not_confidential_and_strangers_nothing(desk: Desk) -> None:
    with desk.store.work(SYSTEM) as work:
        news = [NewComplaint(narrative="Something.", confidential=secret) for secret in (False, True)]
        plain, secret = (t.reference for t in intake.submit_many(work, news, classifier()))
    for actor, expected in [
        (Actor("key", "k", "shop", frozenset({Role.INTEGRATOR})), {plain}),
        (Actor("key", "k", "root", frozenset({Role.INTEGRATOR, Role.ADMIN})), {plain, secret}),
        (SYSTEM, {plain, secret}),
        (CUSTOMER, set()),
    ]:
        with desk.store.reading(actor) as work:
            assert set(work.session.exec(select(Complaint.reference).where(access.visible(work))).all()) == expected


# -- the complainant's link


def test_a_link_opens_one_complaint_and_no_other(desk: Desk) -> None:
    mine, other = desk.submit(), desk.submit(VAGUE)
    key = desk.complaint(mine).complainant_id
    with desk.store.reading(SYSTEM) as work:
        visitor = desk.tracking.open(work, desk.tracking.token(mine, key, 1))
        assert (visitor.complaint.id, visitor.complainant.id) == (mine, key)
        assert visitor.actor.roles == {Role.COMPLAINANT}
        for forged in (desk.tracking.token(other, key, 1), desk.tracking.token(mine, _OTHER, 1)):
            with pytest.raises(NotFound):
                desk.tracking.open(work, forged)
        stranger = tracking.Tracking("another secret", "https://desk.example", desk.now).token(mine, key, 1)
        for nonsense in (stranger, "", ".", "a.b", "\x00", "密"):
            with pytest.raises(NotFound):
                desk.tracking.open(work, nonsense)


def test_a_link_altered_by_any_one_character_opens_nothing(desk: Desk) -> None:
    case = desk.submit(walked=False)
    token = desk.tracking.token(case, desk.complaint(case).complainant_id, 1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    with desk.store.reading(SYSTEM) as work:
        assert desk.tracking.open(work, token).complaint.id == case
        for at, true in enumerate(token):
            for wrong in set(alphabet) - {true} if at == len(token) - 1 else {"A" if true != "A" else "B"}:
                with pytest.raises(NotFound):
                    desk.tracking.open(work, token[:at] + wrong + token[at + 1 :])


def test_a_revoked_link_opens_nothing_and_the_next_letter_brings_a_new_one(desk: Desk) -> None:
    case = desk.submit()
    key = desk.complaint(case).complainant_id
    with desk.store.work(SYSTEM) as work:
        tracking.revoke(work, work.session.get_one(Complaint, case))
    with desk.store.reading(SYSTEM) as work:
        with pytest.raises(NotFound):
            desk.tracking.open(work, desk.tracking.token(case, key, 1))
        assert desk.tracking.open(work, desk.tracking.token(case, key, 2)).complaint.id == case
    desk.act(case, desk.agent, "add_message", text="We are at it.")
    assert desk.tracking.url(case, key, 2) in desk.sender.sent[-1].letter.text


def test_nothing_was_left_undone_by_these_tests(desk: Desk) -> None:
    with Session(desk.engine) as session:
        assert session.exec(select(Outbox)).all() == []
        assert session.exec(select(Complainant)).all() == []
