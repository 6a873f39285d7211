"""Acting on intents: back-off, dead letters, leases, the loop brake, runs that are away, two dispatchers at once."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session, select

from complaints.domain.errors import Conflict, NotFound, Permanent, Retryable
from complaints.domain.ports import SYSTEM
from complaints.domain.ports import Message as Sent
from complaints.domain.vocabulary import Language, StepKind
from complaints.services import actions, dispatch, notices, steps, tracking, walk
from complaints.store.tables import Complaint, Message, Outbox
from complaints.testing import PlainRenderer
from tests.integration.desk import CUSTOMER, FINDINGS, Desk, bundle
from tests.integration.test_clocks import begin_again
from tests.integration.test_promises import together

BOB = "bob@customer.example"


def recorded(desk: Desk, case: UUID, text: str = "We are at it.") -> UUID:
    """A letter to Bob that is recorded and nobody has acted on."""
    with desk.store.work(desk.actor(desk.agent)) as work:
        actions.act(work, desk.complaint(case).reference, "add_message", {"text": text})
    intent = desk.pending.pop()
    desk.pending.clear()
    assert row(desk, intent).kind == "notify"
    return intent


def row(desk: Desk, intent: UUID) -> Outbox:
    with Session(desk.engine) as session:
        return session.get_one(Outbox, intent)


def test_who_gets_a_task_is_told_when_it_is_due_not_the_acknowledgment(desk: Desk) -> None:
    desk.sender.failures = [Retryable("a mail server that is slow with the acknowledgment")]
    case = desk.submit()
    assert desk.clocks(case)["default.ack"].state == "running"
    (told,) = [i for i in desk.outbox(kind="notify") if i.payload["template"] == "step_assigned"]
    desk.at += timedelta(minutes=1)
    for intent in desk.dispatcher.sweep():
        desk.dispatcher.act(intent)
    due = desk.step(case, StepKind.INVESTIGATION).due_at
    assert desk.clocks(case)["default.ack"].state == "met"
    assert due is not None
    assert told.payload["context"]["due_at"] == due.isoformat()


# -- failing


def test_back_off_doubles_until_the_letter_is_dead_and_can_be_replayed(desk: Desk) -> None:
    case = desk.submit()
    intent = recorded(desk, case)
    limits = desk.policy.notifications
    desk.sender.failures = [Retryable(f"away {n}") for n in range(limits.attempts)]
    waits = []
    for _ in range(limits.attempts - 1):
        result = desk.dispatcher.act(intent)
        assert result.state == "retry"
        assert result.again_at == row(desk, intent).next_at
        assert desk.dispatcher.sweep() == []
        assert desk.dispatcher.act(intent).state == "elsewhere", "not before its time"
        waits.append(row(desk, intent).next_at - desk.now())
        desk.at = row(desk, intent).next_at
        assert desk.dispatcher.sweep() == [intent]
    assert waits == [min(limits.first_retry * 2**n, limits.longest_retry) for n in range(len(waits))]
    assert desk.dispatcher.act(intent).state == "dead"
    dead = row(desk, intent)
    assert (dead.state, dead.last_error) == ("dead", f"away {limits.attempts - 1}")
    assert desk.dispatcher.sweep() == []
    assert desk.dispatcher.act(intent).state == "elsewhere"

    with desk.store.work(SYSTEM) as work:
        dispatch.replay(work, intent)
    assert desk.pending == [intent]
    desk.drain()
    assert row(desk, intent).state == "done"
    assert len(desk.letters(case, "progress")) == 1


def test_the_longest_wait_is_bounded(desk: Desk) -> None:
    patient = desk.policy.notifications.model_copy(update={"longest_retry": timedelta(seconds=12)})
    desk.clear()
    desk.begin(bundle().model_copy(update={"notifications": patient, "hash": "patient"}))
    case = desk.submit()
    intent = recorded(desk, case)
    desk.sender.failures = [Retryable("away")] * 4
    waits = []
    for _ in range(4):
        desk.dispatcher.act(intent)
        waits.append((row(desk, intent).next_at - desk.now()).total_seconds())
        desk.at = row(desk, intent).next_at
    assert waits == [5, 10, 12, 12]


def test_a_bug_in_handing_over_is_told_and_ends_as_a_dead_letter(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A provider's plugin raises whatever it likes; the sweep that meets it goes on with the intents beside it."""
    case = desk.submit()
    intent = recorded(desk, case)
    monkeypatch.setattr(desk.sender, "send", lambda *_: 1 / 0)
    for _ in range(desk.policy.notifications.attempts - 1):
        assert desk.dispatcher.act(intent).state == "retry"
        assert row(desk, intent).last_error == "ZeroDivisionError('division by zero')"
        desk.at = row(desk, intent).next_at
    assert desk.dispatcher.act(intent).state == "dead"
    assert any(record.exc_info for record in caplog.records)


def test_what_will_not_get_better_is_dead_at_once(desk: Desk) -> None:
    case = desk.submit()
    intent = recorded(desk, case)
    desk.sender.failures = [Permanent("no such mailbox")]
    assert desk.dispatcher.act(intent).state == "dead"
    assert row(desk, intent).last_error == "no such mailbox"
    assert row(desk, intent).attempts == 1


def test_the_thread_keeps_letters_without_the_keys_that_only_the_complainant_may_have(desk: Desk) -> None:
    case = desk.submit()
    with desk.store.work(SYSTEM) as work:
        assert tracking.send_anew(work, desk.complaint(case).reference, "bob@customer.example")
    desk.drain()
    letter = desk.sender.to("bob@customer.example", "new_link")[-1].letter.text
    link = re.search(r"https://desk.example/track/\S+", letter)
    code = re.search(r"^\d{6}$", letter, re.M)
    assert link
    assert code
    with desk.store.reading(SYSTEM) as work:
        kept = [m.body for m in work.session.exec(select(Message).where(Message.complaint_id == case)).all()]
    assert any("https://desk.example/track/…" in body and "30 minutes" in body for body in kept)
    assert not [body for body in kept if link[0] in body or code[0] in body]


def test_a_living_letter_is_not_replayed(desk: Desk) -> None:
    intent = recorded(desk, desk.submit())
    before = row(desk, intent)
    with pytest.raises(Conflict, match="is pending, not dead"), desk.store.work(SYSTEM) as work:
        dispatch.replay(work, intent)
    with pytest.raises(NotFound), desk.store.work(SYSTEM) as work:
        dispatch.replay(work, uuid4())
    assert row(desk, intent) == before
    assert desk.pending == []


def test_saving_does_not_wait_for_the_post(desk: Desk) -> None:
    desk.sender.failures = [Retryable("away")] * 2
    case = desk.submit()
    assert desk.complaint(case).status == "investigating"
    assert desk.complaint(case).acknowledged_at is None
    desk.at += timedelta(seconds=10)
    for intent in desk.dispatcher.sweep():
        desk.dispatcher.act(intent)
    assert desk.complaint(case).acknowledged_at == desk.now(), "acknowledged when handed over, not when recorded"


# -- crashing


class _Killed(BaseException):
    pass


def test_a_lease_runs_out_after_a_crash(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case = desk.submit()
    intent = recorded(desk, case)

    def dies(*_: object) -> None:
        raise _Killed

    with monkeypatch.context() as broken:
        broken.setattr(desk.sender, "send", dies)
        with pytest.raises(_Killed):
            desk.dispatcher.act(intent)
    other = desk.another_dispatcher()
    assert other.act(intent).state == "elsewhere", "the dead process holds the lease"
    assert other.sweep() == []
    desk.at += dispatch.LEASE
    assert other.sweep() == [intent]
    assert other.act(intent).state == "done"
    assert len(desk.letters(case, "progress")) == 1


def test_a_crash_between_sending_and_noting_it_repeats_the_same_message(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = desk.submit()
    intent = recorded(desk, case)

    def dies(point: str) -> None:
        assert point == "after_send"
        raise _Killed

    with monkeypatch.context() as broken:
        broken.setattr(dispatch, "reach", dies)
        with pytest.raises(_Killed):
            desk.dispatcher.act(intent)
    desk.at += dispatch.LEASE
    assert desk.dispatcher.act(intent).state == "done"
    first, second = [m for m in desk.sender.sent if m.kind == "progress"]
    assert first.key == second.key == row(desk, intent).key, "the receiver recognises it by its Message-ID"
    with Session(desk.engine) as session:
        kept = session.exec(select(Message).where(Message.complaint_id == case, Message.kind == "message")).all()
    assert len(kept) == 1
    assert kept[0].delivered_at == desk.now()


def test_two_dispatchers_at_once_act_once(desk: Desk) -> None:
    case = desk.submit()
    intents = [recorded(desk, case, f"Letter {n}") for n in range(4)]

    def acting() -> list[str]:
        mine = desk.another_dispatcher()
        return [mine.act(i).state for i in intents]

    outcome = together(*[acting] * 4)
    for states in zip(*outcome, strict=True):
        assert sorted(states) == ["done", "elsewhere", "elsewhere", "elsewhere"]
    assert len(desk.letters(case, "progress")) == len(intents)
    assert desk.breaks(case) == []


# -- the loop brake


def test_too_many_letters_to_one_address_wait_and_are_not_lost(desk: Desk) -> None:
    braked = bundle().notifications.model_copy(update={"per_recipient_per_hour": 3})
    desk.clear()
    desk.begin(bundle().model_copy(update={"notifications": braked, "hash": "braked"}), PlainRenderer())
    case = desk.submit()
    for n in range(5):
        desk.act(case, desk.agent, "add_message", text=f"Letter {n}")
    assert len(desk.sender.to(BOB)) == 3
    assert desk.sender.to(desk.agent.email or "") != [], "colleagues are not braked"
    waiting = desk.outbox(state="pending")
    assert len(waiting) == 3
    assert all("within an hour" in w.last_error and w.attempts == 0 for w in waiting)
    for _ in range(9):
        desk.at += timedelta(minutes=15, seconds=1)
        for intent in desk.dispatcher.sweep():
            desk.dispatcher.act(intent)
    assert len(desk.sender.to(BOB)) == 6
    assert desk.outbox(state="pending") == []


# -- flow runs


def completed(desk: Desk, case: UUID) -> UUID:
    """An investigation is completed; the wake intent, not acted on."""
    with desk.store.work(desk.actor(desk.agent)) as work:
        steps.complete(work, desk.step(case, StepKind.INVESTIGATION).id, FINDINGS)
    (wake,) = [i for i in desk.pending if row(desk, i).kind == "wake_run"]
    desk.pending.clear()
    return wake


def test_a_run_that_is_about_to_suspend_is_woken_a_little_later(desk: Desk) -> None:
    case = desk.submit()
    wake = completed(desk, case)
    desk.runs.answers = ["running", "running"]
    for n in (1, 2):
        assert desk.dispatcher.act(wake).state == "retry"
        assert row(desk, wake).next_at == desk.now() + dispatch.SOON * n
        desk.at = row(desk, wake).next_at
    assert desk.dispatcher.act(wake).state == "done"
    assert row(desk, wake).receipt == {"outcome": "woken"}
    assert len(desk.runs.woken) == 3


def test_a_run_that_never_rests_is_not_asked_for_ever(desk: Desk) -> None:
    wake = completed(desk, desk.submit())
    desk.runs.answers = ["running"] * 30
    while row(desk, wake).state == "pending":
        desk.dispatcher.act(wake)
        desk.at = max(desk.at, row(desk, wake).next_at)
    assert row(desk, wake).attempts == 30


def test_a_run_that_is_gone_is_replaced(desk: Desk) -> None:
    case = desk.submit()
    old = desk.complaint(case).run_id
    wake = completed(desk, case)
    desk.runs.lose(case)
    assert desk.dispatcher.act(wake).state == "done"
    assert row(desk, wake).receipt == {"outcome": "gone"}
    desk.drain()
    now = desk.complaint(case)
    assert now.run_id not in (None, old)
    assert now.run_round == 2
    assert [name for _, name, _, _ in desk.runs.started] == [now.reference, f"{now.reference} (2)"]


def test_of_two_runs_of_a_complaint_only_its_own_goes_on(desk: Desk) -> None:
    case = desk.submit()
    first, name = desk.complaint(case).run_id, desk.complaint(case).reference
    second, by_hand = uuid4(), uuid4()
    assert first is not None

    def goes_on(run: UUID, name: str) -> bool:
        with desk.store.reading(SYSTEM) as work:
            return walk.take_up(work, case, run, name) is not None

    assert goes_on(first, name)
    assert not goes_on(by_hand, "brave-otter")
    assert goes_on(second, f"{name} (2)"), "it may begin before the row has its id"
    desk.runs.lose(case)
    with desk.store.work(SYSTEM) as work:
        dispatch.restart(work, desk.complaint(case))
    desk.drain()
    second = desk.complaint(case).run_id or second
    assert goes_on(second, f"{name} (2)")
    assert not goes_on(first, name), "retried in Prefect, although it was replaced"


@pytest.mark.parametrize(
    ("language", "says"), [(Language.ZH, "您有一项新任务"), (Language.EN, "There is a task for you")]
)
def test_whom_it_may_concern_is_written_to_in_the_installations_language(
    desk: Desk, language: Language, says: str
) -> None:
    desk.dispatcher.language = language
    assert says in told_the_team(desk).letter.text


@pytest.mark.parametrize("mailbox", [None, "orders@desk.example"])
def test_a_teams_own_address_stands_in_for_a_provider(desk: Desk, mailbox: str | None) -> None:
    data = bundle().model_dump(mode="json") | {"hash": "7" * 64}
    data["routing"]["teams"] = [team | {"email": mailbox} for team in data["routing"]["teams"]]
    begin_again(desk, type(bundle()).model_validate(data))
    told = told_the_team(desk)
    assert (told.to, told.otherwise) == ("", mailbox or "")


def told_the_team(desk: Desk) -> Sent:
    """What is told to a team in which nobody is known."""
    case = desk.submit()
    with desk.store.work(SYSTEM) as work:
        row, about = work.session.get_one(Complaint, case), {"step": "triage", "due_at": None}
        notices.tell_staff(work, row, "step_assigned", "t", tags=["team", "orders"], context=about)
    desk.drain()
    (told,) = [m for m in desk.sender.sent if m.kind == "step_assigned" and m.tags == ("team", "orders")]
    return told


def test_a_start_that_is_repeated_gives_the_same_run(desk: Desk) -> None:
    case = desk.submit(walked=False)
    (start,) = desk.outbox(kind="start_run")
    run = desk.complaint(case).run_id
    with desk.store.work(SYSTEM) as work:
        again = work.session.get_one(Outbox, start.id)
        again.state = "pending"
        work.session.add(again)
    desk.at += dispatch.LEASE
    assert desk.dispatcher.act(start.id).state == "done"
    assert row(desk, start.id).receipt == {"skipped": "the complaint needs no run"}
    assert desk.complaint(case).run_id == run
    assert len(desk.runs.started) == 1


def test_a_start_waits_until_the_server_is_there_however_long(desk: Desk) -> None:
    desk.runs.failures = [Retryable("connection refused")] * 12
    case = desk.submit(walked=False)
    while desk.complaint(case).run_id is None:
        (start,) = desk.outbox(kind="start_run")
        assert start.state == "pending", "a complaint's run is never given up"
        desk.at = max(desk.at, start.next_at)
        desk.dispatcher.act(start.id)
    assert desk.outbox(kind="start_run")[0].attempts == 13


def test_an_archived_complaint_is_not_woken(desk: Desk) -> None:
    case = desk.submit()
    with desk.store.work(CUSTOMER) as work:
        actions.act(work, desk.complaint(case).reference, "withdraw", {})
    (wake,) = [i for i in desk.pending if row(desk, i).kind == "wake_run"]
    desk.pending.clear()
    desk.go(case)
    asked = len(desk.runs.woken)
    assert desk.dispatcher.act(wake).state == "done"
    assert len(desk.runs.woken) == asked
