"""Ladders: each rung once, whoever ticks and whoever dies; in time, after downtime, and never while a clock stands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session, col, select

from complaints.domain.businesstime import ALWAYS, Budget, Unit
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.ledger import Ledger
from complaints.domain.ports import SYSTEM
from complaints.domain.sla_policy import QuietHours
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import escalation, intake, ladders, marks, watch
from complaints.services.escalation import after_quiet
from complaints.services.timers import end_waiting
from complaints.store.tables import Outbox, Rung
from complaints.store.unit import Work
from tests.integration.desk import CALM, START, Desk, bundle, classifier
from tests.integration.test_clocks import begin_again, profile, variant

ROOT = Path(__file__).resolve().parents[2]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def ladder(desk: Desk, *rungs: dict[str, Any], amount: int = 100, unit: str = "minutes", **sla: Any) -> None:
    """Open the desk under one clock, `default.resolve`, with these rungs and no quiet hours."""
    clock = {
        "name": "resolve",
        "kind": "internal",
        "stops": ["send_response"],
        "continues": ["appeal"],
        "pauses": ["awaiting_customer", "awaiting_third_party"],
        "budget": {"amount": amount, "unit": unit},
        "extension": {"roles": ["lead", "manager"], "most": 1000},
        "rungs": [*rungs],
    }
    begin_again(desk, variant(**({"quiet": None} | sla), profiles=profile(bundle(), "default", clocks=[clock])))


def at(share: float, *actions: str, **more: Any) -> dict[str, Any]:
    return {"share": share, "actions": [*actions], **more}


def rungs(desk: Desk) -> list[Rung]:
    with Session(desk.engine) as session:
        return list(session.exec(select(Rung).order_by(col(Rung.at), col(Rung.due_at))).all())


def told(desk: Desk, kind: str) -> list[Outbox]:
    return [i for i in desk.outbox(kind="notify") if i.payload["template"] == kind]


def tick(desk: Desk) -> int:
    fired = ladders.tick(desk.store)
    desk.drain()
    return fired


def many(desk: Desk, count: int, **more: Any) -> list[UUID]:
    """So many complaints at once, taken in without being walked."""
    news = [
        NewComplaint(narrative=f"{CALM} {n}", complainant=NewComplainant(email=f"c{n}@customer.example"), **more)
        for n in range(count)
    ]
    with desk.store.work(SYSTEM) as work:
        return [t.id for t in intake.submit_many(work, news, classifier())]


# -- once, and in time


def test_pain_07_a_ladder_has_many_rungs_and_warns_before_the_time_is_over(desk: Desk) -> None:
    """zammad#2532: one escalation step only; osTicket#4658: no warning at 50 or 75 percent"""
    shares = [0.5, 0.75, 0.9, 1.0, 1.5]
    ladder(desk, *(at(s, "remind_assignee") for s in shares))
    case = desk.submit()
    fired = []
    for _ in range(32):
        desk.at += 5 * MINUTE
        if tick(desk):
            fired.append((desk.at - START) / (100 * MINUTE))
    assert fired == shares
    events = [e.data for e in desk.events(case) if e.kind == "rung_fired"]
    assert [e["share"] for e in events] == shares
    assert [r.lateness for r in rungs(desk)] == [0.0] * 5
    assert tick(desk) == 0


def test_rungs_by_offset_before_and_after_the_due_time(desk: Desk) -> None:
    ladder(
        desk,
        {"offset": "-PT30M", "actions": ["remind_assignee"]},
        {"offset": "PT0S", "actions": ["notify_lead"]},
        {"offset": "PT45M", "actions": ["notify_manager"]},
    )
    desk.submit()
    due = START + 100 * MINUTE
    for moment, expected in ((-31, 0), (-30, 1), (-1, 0), (0, 1), (44, 0), (45, 1), (600, 0)):
        desk.at = due + moment * MINUTE
        assert tick(desk) == expected, moment


def test_downtime_is_caught_up_once_and_says_how_late(desk: Desk) -> None:
    ladder(desk, at(0.5, "remind_assignee"), at(1.0, "notify_lead"), at(1.5, "open_management_review"))
    case = desk.submit()
    desk.at += 2 * DAY
    assert tick(desk) == 3
    assert tick(desk) == 0
    assert [round(r.lateness / 60) for r in rungs(desk)] == [2880 - 50, 2880 - 100, 2880 - 150]
    assert desk.step(case, StepKind.MANAGEMENT_REVIEW).role == Role.MANAGER


def test_an_extension_moves_the_rungs_that_have_not_fired(desk: Desk) -> None:
    ladder(desk, at(0.5, "remind_assignee"), at(1.0, "notify_lead"))
    case = desk.submit()
    desk.at += 50 * MINUTE
    assert tick(desk) == 1
    desk.act(case, desk.agent, "request_extension", clock="default.resolve", days=100, reason="More to read.")
    desk.complete(case, desk.lead, StepKind.EXTENSION, approve=True)
    desk.at = START + 100 * MINUTE
    assert tick(desk) == 0, "half of 200 minutes again: the rung at 50 % has fired"
    desk.at = START + 200 * MINUTE
    assert tick(desk) == 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["ask", "reply", "tick", "severity", "extend", "crash"]), st.integers(0, 90)),
        min_size=3,
        max_size=12,
    )
)
def test_whatever_happens_no_rung_fires_twice_early_or_while_paused(desk: Desk, steps: list[tuple[str, int]]) -> None:
    shares = (0.25, 0.5, 0.75, 1.0, 1.5)
    ladder(desk, *(at(s, "remind_assignee") for s in shares))
    case = desk.submit()
    severities = iter(["serious", "minor", "critical", "moderate"] * 5)
    for verb, minutes in steps:
        desk.at += minutes * MINUTE
        status = desk.complaint(case).status
        if verb == "ask" and status == "investigating":
            desk.act(case, desk.agent, "ask_customer", question="Which model?")
        elif verb == "reply" and status == "awaiting_customer":
            desk.act(case, desk.agent, "customer_replied", answer="That one.")
        elif verb == "severity":
            desk.act(case, desk.lead, "reclassify", severity=next(severities), reason="Looked again.")
        elif verb == "extend":
            _extend(desk, case)
        elif verb == "crash":
            _roll_back(desk)
        before = {(r.clock_id, r.rung) for r in rungs(desk)}
        paused = desk.clocks(case)["default.resolve"].state == "paused"
        fired = tick(desk)
        after = {(r.clock_id, r.rung) for r in rungs(desk)}
        assert fired == len(after - before)
        assert not (paused and fired)
    clock = desk.clocks(case)["default.resolve"]
    counted = Ledger.from_json(clock.ledger).counted(ALWAYS, desk.at) / 60
    assert all(r.at >= r.due_at for r in rungs(desk))
    logged = [e.data["rung"] for e in desk.events(case) if e.kind == "rung_fired"]
    assert len(logged) == len(set(logged)) == len(rungs(desk))
    allowed = Ledger.from_json(clock.ledger).allowed.amount
    if clock.state == "running":  # all that is due has fired
        assert {s for s in shares if s * allowed <= counted} <= {float(r.removesuffix("%")) / 100 for r in logged}


def _extend(desk: Desk, case: UUID) -> None:
    due = desk.clocks(case)["default.resolve"].due_at
    if due is None or due <= desk.at or desk.complaint(case).status != "investigating":
        return
    desk.act(case, desk.agent, "request_extension", clock="default.resolve", days=20, reason="More to read.")
    desk.complete(case, desk.lead, StepKind.EXTENSION, approve=True)


def _roll_back(desk: Desk) -> None:
    """A tick that fails before it commits leaves nothing."""
    before = len(rungs(desk))

    def doomed() -> None:
        with desk.store.work(SYSTEM) as work:
            ladders._tick(work, 10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        doomed()
    assert len(rungs(desk)) == before


# -- several processes, one of them killed

_TICKER = """
import sys, time
from datetime import datetime
from complaints import crashpoints
from complaints.services import ladders
from complaints.store.engine import make_engine
from complaints.store.unit import Store
from config.policybook import StoredPolicies

url, now, point, batch = sys.argv[1], datetime.fromisoformat(sys.argv[2]), sys.argv[3], int(sys.argv[4])
engine = make_engine(url)
store = Store(engine, StoredPolicies(engine, lambda: now), lambda: now)
with store.reading(ladders.SYSTEM) as work:
    work.policy
print("ready", flush=True)
sys.stdin.readline()
crashpoints.arm(point or None)
total = 0
for _ in range(50):
    total += ladders.tick(store, batch=batch)
    time.sleep(0.02)
print(total, flush=True)
"""


def ticker(desk: Desk, point: str = "", batch: int = 5) -> subprocess.Popen[str]:
    """A process of its own that ticks for a second or more, once told to begin."""
    return subprocess.Popen(
        [sys.executable, "-c", _TICKER, desk.url, desk.at.isoformat(), point, str(batch)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(processes: list[subprocess.Popen[str]]) -> None:
    """Wait until all are ready, then let them run at one moment."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def test_three_tick_at_once_one_is_killed_and_each_rung_fires_once(desk: Desk) -> None:
    ladder(desk, at(0.5, "remind_assignee"), at(1.0, "notify_lead", "open_management_review"))
    cases = many(desk, 150)
    desk.at += 2 * HOUR
    processes = [ticker(desk, "in_tick"), ticker(desk), ticker(desk)]
    begin(processes)
    totals = [int(p.communicate(timeout=60)[0] or 0) for p in processes]
    assert processes[0].returncode == -signal.SIGKILL, "it died with rungs fired and not committed"
    assert [p.returncode for p in processes[1:]] == [0, 0]
    assert sum(totals) == 300
    assert len(rungs(desk)) == 300
    for case in cases:
        assert [e.data["rung"] for e in desk.events(case) if e.kind == "rung_fired"] == ["50%", "100%"]
        assert len(desk.open_steps(case)) == 1
        assert desk.breaks(case) == []
    listed = [i for row in told(desk, "digest") for i in row.payload["context"]["items"]]
    assert len(listed) == len({(i["reference"], i["rung"], i["action"]) for i in listed}) == 300


def test_ticks_share_the_work_instead_of_waiting_for_each_other(desk: Desk) -> None:
    ladder(desk, at(0.5, "change_queue", queue="urgent"))
    many(desk, 40)
    desk.at += HOUR
    with desk.store.work(SYSTEM) as work:
        seen, _ = ladders._tick(work, 10)
        assert seen == 10
        assert ladders.tick(desk.store) == 30, "what another tick holds is skipped, the rest is not"
    assert len(rungs(desk)) == 40


# -- messages


def test_pain_08_a_burst_for_one_person_is_one_message(desk: Desk) -> None:
    """glpi#2408: a storm of notifications"""
    ladder(desk, at(0.5, "notify_lead"))
    many(desk, 60)
    desk.at += HOUR
    assert ladders.tick(desk.store, batch=7) == 60, "many batches"
    desk.drain()
    assert desk.sender.to("zhao@desk.example") == [], "the digest waits for what else the burst brings"
    (digest,) = told(desk, "digest")
    assert len({i["reference"] for i in digest.payload["context"]["items"]}) == 60
    desk.at = digest.next_at
    desk.dispatcher.act(digest.id)
    (message,) = desk.sender.to("zhao@desk.example")
    references = [i["reference"] for i in digest.payload["context"]["items"]]
    assert all(r in message.letter.text for r in references), "nothing is dropped"


def test_pain_08_nothing_is_dropped_when_nobody_holds_the_role(desk: Desk) -> None:
    """zammad#4885: silent drops"""
    ladder(desk, at(0.5, "notify_lead", "notify_manager"))
    for person in (desk.lead, desk.manager):
        with desk.store.work(SYSTEM) as work:
            row = work.session.get_one(type(person), person.id)
            row.active = False
            work.session.add(row)
    desk.submit()
    desk.at += HOUR
    assert tick(desk) == 1
    tags = sorted(tuple(i.payload["tags"]) for i in told(desk, "escalation"))
    assert tags == [("lead", "orders"), ("manager", "orders")]


def test_few_messages_are_sent_one_by_one_and_name_the_case(desk: Desk) -> None:
    ladder(desk, at(0.5, "remind_assignee", "notify_lead", "notify_manager"))
    case = desk.submit()
    desk.at += HOUR
    tick(desk)
    reference = desk.complaint(case).reference
    for login, kind in (("li", "reminder"), ("zhao", "escalation"), ("max", "escalation")):
        found = desk.sender.to(f"{login}@desk.example", kind)
        assert [m.reference for m in found] == [reference], login


def test_the_quiet_hours_hold_reminders_back_and_the_morning_brings_one_message(desk: Desk) -> None:
    quiet = {"start": "20:00", "end": "08:00", "zone": "Asia/Shanghai"}
    ladder(desk, at(0.5, "notify_lead"), at(0.75, "notify_lead"), amount=24, unit="hours", quiet=quiet)
    desk.submit()
    desk.at += 12 * HOUR  # 22:00 in Shanghai
    assert tick(desk) == 1
    desk.at += 6 * HOUR
    assert tick(desk) == 1, "the rung fires in time; only the message waits"
    (digest,) = told(desk, "digest")
    assert digest.next_at == datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
    assert [i["rung"] for i in digest.payload["context"]["items"]] == ["50%", "75%"]
    desk.dispatcher.act(digest.id)
    assert desk.sender.to("zhao@desk.example") == []
    desk.at = digest.next_at
    desk.dispatcher.act(digest.id)
    assert len(desk.sender.to("zhao@desk.example", "digest")) == 1


@pytest.mark.parametrize(
    ("local", "leaves"),
    [("19:59", None), ("20:00", "03 08:00"), ("23:30", "03 08:00"), ("00:30", "02 08:00"), ("08:00", None)],
)
def test_quiet_hours_over_midnight(local: str, leaves: str | None) -> None:
    quiet = QuietHours.model_validate({"start": "20:00", "end": "08:00", "zone": "Asia/Shanghai"})
    now = datetime.fromisoformat(f"2026-03-02T{local}:00+08:00")
    found = after_quiet(quiet, now)
    assert (found.strftime("%d %H:%M") if found else None) == leaves


# -- what else rungs do


def test_reassign_hands_the_work_to_a_colleague_and_tells_them(desk: Desk) -> None:
    ladder(desk, at(0.5, "reassign"))
    case = desk.submit()
    before = desk.complaint(case).assignee_id
    other = next(p for p in (desk.agent, desk.colleague) if p.id != before)
    desk.at += HOUR
    tick(desk)
    assert desk.complaint(case).assignee_id == other.id
    assert desk.step(case, StepKind.INVESTIGATION).assignee_id == other.id
    assert other.email
    assert len(desk.sender.to(other.email, "step_assigned")) == 1
    assigned = [e for e in desk.events(case) if e.kind == "assign"][-1]
    assert assigned.data["to"] == other.name


def test_raise_severity_is_a_logged_change_of_class_and_stops_at_critical(desk: Desk) -> None:
    ladder(desk, *(at(s, "raise_severity") for s in (0.25, 0.5, 0.75)))
    case = desk.submit()
    desk.at += 80 * MINUTE
    assert tick(desk) == 3
    row = desk.complaint(case)
    assert (row.severity, row.queue) == ("critical", "urgent")
    changes = [e.data["severity"] for e in desk.events(case) if e.kind == "reclassify"]
    assert changes == [["moderate", "serious"], ["serious", "critical"]]


def test_a_raised_severity_shortens_the_budgets_at_once(desk: Desk) -> None:
    case = desk.submit()
    desk.at += 24 * DAY
    tick(desk)  # default.investigate stands at 150 % and more: critical in the end
    assert desk.complaint(case).severity != "moderate"
    budget = Ledger.from_json(desk.clocks(case)["default.resolve"].ledger).budget_now
    assert budget.amount < 80
    assert tick(desk) == 0


def test_a_management_review_is_opened_once(desk: Desk) -> None:
    ladder(desk, at(0.5, "open_management_review"), at(1.0, "open_management_review"))
    case = desk.submit()
    for _ in range(2):
        desk.at += HOUR
        tick(desk)
    assert [s.kind for s in desk.open_steps(case)].count("management_review") == 1
    desk.complete(case, desk.manager, StepKind.MANAGEMENT_REVIEW, measures="Wu helps.", assignee=str(desk.colleague.id))
    assert desk.complaint(case).assignee_id == desk.colleague.id


def test_change_queue_moves_future_work(desk: Desk) -> None:
    ladder(desk, at(0.5, "change_queue", queue="urgent"))
    case = desk.submit()
    desk.at += HOUR
    tick(desk)
    assert desk.complaint(case).queue == "urgent"


@contextmanager
def listening(answers: list[int]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A real HTTP server; what it was sent, as (idempotency key, body)."""
    calls: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((self.headers["Idempotency-Key"], body))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", calls
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_is_called_and_a_repeat_can_be_recognised(desk: Desk) -> None:
    with listening([503]) as (url, calls):
        ladder(desk, at(0.5, "webhook", webhook=url))
        case = desk.submit()
        desk.at += HOUR
        assert tick(desk) == 1
        (intent,) = desk.outbox(kind="webhook")
        assert (intent.state, intent.attempts) == ("pending", 1), "the server was busy"
        desk.at = intent.next_at
        desk.dispatcher.act(intent.id)
        desk.dispatcher.act(intent.id)
    assert [key for key, _ in calls] == [intent.key, intent.key]
    assert desk.complaint(case).reference.encode() in calls[1][1]
    assert desk.outbox(kind="webhook")[0].state == "done"


# -- one bad row


def test_a_complaint_that_cannot_be_calculated_holds_up_no_other(desk: Desk) -> None:
    ladder(desk, at(0.5, "remind_assignee"), at(1.0, "notify_lead"))
    cases = many(desk, 3)
    bad = cases[0]
    with desk.engine.begin() as connection:
        connection.execute(text("update clock set ledger = '{}' where complaint_id = :id"), {"id": bad})
    desk.at += 60 * MINUTE
    assert ladders.tick(desk.store) == 2
    assert {r.clock_id for r in rungs(desk)}.isdisjoint({c.id for c in desk.clocks(bad).values()})
    assert ladders.tick(desk.store) == 0, "it is not tried again at once"
    reference = desk.complaint(bad).reference
    with desk.store.work(SYSTEM) as work:
        assert list(marks.faults(work)) == [reference]
        assert watch.clocks_fail(work)
    (alarm,) = told(desk, "operations_alert")
    assert reference in alarm.payload["context"]["detail"]["en"]
    desk.at += ladders.RETRY
    assert ladders.tick(desk.store) == 0
    with desk.engine.begin() as connection:
        healthy = Ledger.start(START, Budget(100, Unit.MINUTES)).to_json()
        connection.execute(
            text("update clock set ledger = cast(:book as jsonb) where complaint_id = :id"),
            {"id": bad, "book": json.dumps(healthy)},
        )
    desk.at += ladders.RETRY
    assert ladders.tick(desk.store) == 1, "mended, it climbs"
    desk.at += 3 * ladders.RETRY
    with desk.store.work(SYSTEM) as work:
        assert marks.faults(work) == {}
        assert not watch.clocks_fail(work)


def test_a_wait_that_cannot_be_ended_holds_up_no_other(desk: Desk) -> None:
    bad, good = (
        desk.submit(f"{CALM} {n}", complainant=NewComplainant(email=f"c{n}@customer.example")) for n in range(2)
    )
    for case in (bad, good):
        desk.act(case, desk.agent, "ask_customer", question="Which model?")
        desk.at += MINUTE
    with desk.engine.begin() as connection:
        connection.execute(text("update clock set ledger = '{}' where complaint_id = :id"), {"id": bad})
    desk.at += 90 * DAY
    assert end_waiting(desk.store) == 1
    assert [desk.complaint(c).status for c in (bad, good)] == ["awaiting_customer", "investigating"]
    with desk.store.reading(SYSTEM) as work:
        assert list(marks.faults(work)) == [desk.complaint(bad).reference]
    assert end_waiting(desk.store) == 0
    assert desk.breaks(bad) == []


def test_a_rung_whose_action_fails_holds_up_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ladder(desk, at(0.5, "raise_severity"))
    cases = many(desk, 3)
    real = escalation._raise_severity

    def fails(work: Work, one: ladders.Fired) -> None:
        if one.complaint.id == cases[1]:
            raise ValueError("no such team")
        real(work, one)

    monkeypatch.setattr(escalation, "_raise_severity", fails)
    desk.at += 60 * MINUTE
    assert ladders.tick(desk.store) == 2
    assert [desk.complaint(c).severity for c in cases] == ["serious", "moderate", "serious"]
    assert desk.breaks(cases[1]) == []


def test_a_clock_that_has_never_ticked_is_an_alarm(desk: Desk) -> None:
    def stands_still() -> bool:
        with desk.store.work(SYSTEM) as work:
            return watch.clock_stands_still(work)

    assert not stands_still(), "the watch has just begun"
    desk.at += 4 * MINUTE
    assert not stands_still()
    desk.at += MINUTE
    assert stands_still()
    (alarm,) = told(desk, "operations_alert")
    assert "no tick ever" in alarm.payload["context"]["detail"]["en"]
    with desk.store.work(SYSTEM) as work:
        marks.set_mark(work, "sla_clock", {})
    assert not stands_still()
