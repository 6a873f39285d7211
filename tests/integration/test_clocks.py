"""SLA clocks driven by what really happens to a case: started, paused, extended, restarted, and never edited.

The pains that today's tools are known for are each a test named after the report (see also tests/unit/test_ledger.py).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from complaints.domain.backtest import LogEntry, replay
from complaints.domain.clocks import Case, backdated, extended
from complaints.domain.errors import Conflict, InvalidInput
from complaints.domain.intake import NewComplainant
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import clocks, notices
from complaints.store.tables import Clock
from tests.integration.desk import FINDINGS, START, Desk, bundle

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def variant(**sla: Any) -> PolicyBundle:
    """The default policy with other SLA settings."""
    data = bundle().model_dump(mode="json")
    data["sla"] |= sla
    data["hash"] = f"{abs(hash(json.dumps(sla, sort_keys=True, default=str))):064x}"
    return PolicyBundle.model_validate(data)


def profile(policy: PolicyBundle, key: str, **changes: Any) -> list[dict[str, Any]]:
    """The policy's profiles, one of them changed."""
    found: list[dict[str, Any]] = policy.model_dump(mode="json")["sla"]["profiles"]
    return [p | changes if p["key"] == key else p for p in found]


def begin_again(desk: Desk, policy: PolicyBundle) -> None:
    """The desk under another policy."""
    desk.clear()
    desk.begin(policy)


def book(clock: Clock) -> Ledger:
    return Ledger.from_json(clock.ledger)


def due(desk: Desk, case: UUID, name: str) -> datetime:
    at = desk.clocks(case)[name].due_at
    assert at is not None
    return at


# -- started, stopped, paused


def test_a_life_starts_and_stops_the_clocks(desk: Desk) -> None:
    case = desk.submit()
    states = {name: c.state for name, c in desk.clocks(case).items()}
    assert states == {"default.ack": "met", "default.investigate": "running", "default.resolve": "running"}
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    assert {c.state for c in desk.clocks(case).values()} == {"met"}
    assert desk.complaint(case).due_at is None


def test_work_stopped_too_late_is_missed_and_not_met(desk: Desk) -> None:
    case = desk.submit()
    desk.at += 8 * DAY  # 40 working hours are five days
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    states = {name: c.state for name, c in desk.clocks(case).items()}
    assert (states["default.investigate"], states["default.resolve"]) == ("missed", "met")


def test_pain_01_and_04_the_wait_for_the_customer_is_not_counted(desk: Desk) -> None:
    """osTicket#3034, frappe/helpdesk#3776"""
    case = desk.submit()
    before = due(desk, case, "default.resolve")
    desk.act(case, desk.agent, "ask_customer", question="Which model?")
    assert desk.clocks(case)["default.resolve"].due_at is None
    desk.at += 7 * DAY
    desk.act(case, desk.agent, "customer_replied", answer="The big one.")
    clock = desk.clocks(case)["default.resolve"]
    assert clock.due_at == before + 7 * DAY
    assert [i.reason for i in book(clock).intervals] == ["", "awaiting_customer", ""]


def test_a_third_party_pauses_and_its_answer_resumes(desk: Desk) -> None:
    case = desk.submit()
    before = due(desk, case, "default.investigate")
    desk.act(case, desk.agent, "ask_third_party", party="Carrier", question="Where was it?")
    assert desk.clocks(case)["default.investigate"].state == "paused"
    desk.at += 7 * DAY
    desk.act(case, desk.agent, "third_party_replied", answer="In Wuhan.")
    assert due(desk, case, "default.investigate") == before + 7 * DAY


def test_pain_03_nothing_is_late_while_it_waits(desk: Desk) -> None:
    """glpi#24481"""
    case = desk.submit()
    desk.act(case, desk.agent, "ask_third_party", party="Carrier", question="Where was it?")
    desk.at += 90 * DAY
    assert clocks.tick(desk.store) == 0
    paused = desk.clocks(case)["default.resolve"]
    assert (paused.state, paused.due_at) == ("paused", None)
    with desk.store.reading(SYSTEM) as work:
        shares = {c["clock"]: c["share"] for c in clocks.summary(work, desk.complaint(case))}
    assert shares["default.resolve"] == 0


def test_pain_02_severity_team_and_assignee_change_and_the_books_stay(desk: Desk) -> None:
    """glpi#15605"""
    case = desk.submit()
    desk.at += 4 * HOUR
    desk.act(case, desk.agent, "ask_customer", question="Which model?")
    desk.at += 2 * DAY
    before = book(desk.clocks(case)["default.resolve"])
    desk.act(case, desk.lead, "reclassify", severity="serious", team="service", reason="Worse than it looked.")
    desk.act(case, desk.lead, "assign", person=desk.colleague.id)
    after = desk.clocks(case)["default.resolve"]
    assert after.state == "paused"
    assert book(after).intervals == before.intervals
    assert (before.budget_now.amount, book(after).budget_now.amount) == (80, 56)
    desk.act(case, desk.agent, "customer_replied", answer="The big one.")
    # Monday 10 to 14 less lunch: 3 of 56 hours; Wednesday 14 to 18: 4; six days of 8; Friday 9 to 10 the last one
    assert due(desk, case, "default.resolve") == datetime(2026, 3, 13, 2, 0, tzinfo=UTC)


# -- regulatory and internal side by side


def test_the_regulatory_clock_runs_while_the_internal_one_stands(desk: Desk) -> None:
    case = desk.submit(jurisdiction="uk")
    assert desk.complaint(case).profiles == ["default", "fca"]
    legal = due(desk, case, "fca.final")
    desk.act(case, desk.agent, "ask_customer", question="Which model?")
    desk.at += 5 * DAY
    states = {name: c.state for name, c in desk.clocks(case).items()}
    assert (states["default.resolve"], states["fca.final"]) == ("paused", "running")
    desk.act(case, desk.agent, "customer_replied", answer="The big one.")
    assert due(desk, case, "fca.final") == legal
    # eight weeks after Monday 2 March: the end of Monday 27 April, British summer time
    assert legal == datetime(2026, 4, 27, 23, 0, tzinfo=UTC)


def test_pain_06_the_earliest_running_clock_is_the_one_shown(desk: Desk) -> None:
    """zammad#5177, #5624"""
    case = desk.submit(jurisdiction="uk")

    def earliest() -> datetime | None:
        live = [c for c in desk.clocks(case).values() if c.state == "running" and c.due_at]
        return min((c.due_at for c in live if c.due_at), default=None)

    assert desk.complaint(case).due_at == earliest() == due(desk, case, "fca.summary")
    desk.act(case, desk.agent, "ask_customer", question="Which model?")
    assert desk.complaint(case).due_at == earliest()
    desk.act(case, desk.agent, "customer_replied", answer="The big one.")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    assert desk.complaint(case).due_at is None


def test_pain_06_a_rule_that_no_longer_applies_has_no_clock(desk: Desk) -> None:
    """zammad#5624"""
    policy = variant(profiles=profile(bundle(), "fca", applies={"categories": ["debt_collection"]}))
    begin_again(desk, policy)
    case = desk.submit()
    desk.at += DAY
    desk.act(case, desk.lead, "reclassify", category="debt_collection", reason="It is about a debt.")
    assert desk.clocks(case)["fca.final"].started_at == START, "selected late, it counts from the receipt"
    desk.at += DAY
    desk.act(case, desk.lead, "reclassify", category="delivery", reason="It is not.")
    assert desk.clocks(case)["fca.final"].state == "cancelled"
    assert desk.complaint(case).profiles == ["default"]
    desk.act(case, desk.lead, "reclassify", category="debt_collection", reason="It is all the same.")
    again = desk.clocks(case)["fca.final"]
    assert (again.round, again.state, again.started_at) == (2, "running", START)


# -- receipt


def test_a_letter_keyed_on_monday_counts_from_friday(desk: Desk) -> None:
    friday = START - 3 * DAY
    case = desk.submit(jurisdiction="uk", received_at=friday)
    row = desk.complaint(case)
    assert (row.received_at, row.created_at) == (friday, START)
    started = {name: c.started_at for name, c in desk.clocks(case).items()}
    assert started["default.resolve"] == started["fca.final"] == friday
    assert started["default.investigate"] == START, "an investigation begins when the case is routed"
    assert desk.clocks(case)["default.ack"].state == "missed", "it had waited for three days"


def test_the_earliest_receipt_survives_a_chain_of_merges_and_a_late_profile(desk: Desk) -> None:
    begin_again(desk, variant(profiles=profile(bundle(), "fca", applies={"categories": ["debt_collection"]})))

    def one(who: str, text: str, days: int) -> UUID:
        person = NewComplainant(name=who, email=f"{who}@customer.example")
        return desk.submit(text, complainant=person, received_at=START - days * DAY)

    first = one("dan", "The parcel is lost and the courier does not answer.", 5)
    second = one("carol", "My order was never delivered to the door.", 2)
    third = one("bob", "The washing machine arrived broken and leaks.", 0)
    for source, target in ((first, second), (second, third)):
        desk.act(source, desk.agent, "merge", into=desk.complaint(target).reference)
    assert desk.clocks(third)["default.resolve"].started_at == START - 5 * DAY
    desk.act(third, desk.lead, "reclassify", category="debt_collection", reason="It is about a debt.")
    assert desk.clocks(third)["fca.final"].started_at == START - 5 * DAY
    assert desk.complaint(third).received_at == START, "the receipt itself is never changed"


# -- reopening, new facts, external bodies


def test_pain_09_a_reopened_case_is_not_overdue_at_once(desk: Desk) -> None:
    """osTicket#5955"""
    case = desk.closed(jurisdiction="uk")
    desk.at += 20 * DAY
    desk.act(case, desk.lead, "reopen", reason="It leaks again.")
    running = {name: c for name, c in desk.clocks(case).items() if c.state == "running"}
    assert set(running) == {"default.investigate", "default.resolve"}
    assert all(c.round == 2 and c.due_at and c.due_at > desk.now() + 4 * DAY for c in running.values())
    assert clocks.tick(desk.store) == 0


def test_new_facts_restart_the_clock_whose_rule_says_so(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    first = due(desk, case, "cn_nfra.decision")
    own = due(desk, case, "default.resolve")
    desk.at += 3 * DAY
    desk.act(case, desk.agent, "new_facts", text="A second transfer was found.")
    rounds = [c for c in rows(desk, case) if (c.profile, c.name) == ("cn_nfra", "decision")]
    assert [(c.round, c.state) for c in rounds] == [(1, "cancelled"), (2, "running")]
    assert rounds[1].due_at == first + 3 * DAY
    assert due(desk, case, "default.resolve") == own


def rows(desk: Desk, case: UUID) -> list[Clock]:
    with desk.store.reading(SYSTEM) as work:
        return clocks.of(work, desk.complaint(case))


def test_the_clocks_of_an_external_body_begin_with_the_referral(desk: Desk) -> None:
    desk.at = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)  # SAMR Order 121 is in force
    case = desk.closed()
    desk.at += DAY
    desk.act(case, desk.agent, "refer_externally", body="12315", reason="The complainant went there.")
    there = desk.clocks(case)
    assert {n for n, c in there.items() if c.profile == "cn_samr"} == {"cn_samr.accept", "cn_samr.mediation"}
    assert there["cn_samr.accept"].started_at == desk.now()
    # Labour Day rest is 1 to 5 May 2026, and Saturday the 9th is worked for it: the 6, 7, 8, 9, 11, 12 and 13 May
    assert there["cn_samr.accept"].due_at == datetime(2026, 5, 13, 16, 0, tzinfo=UTC)
    desk.complete(case, desk.agent, StepKind.EXTERNAL, decision="closes", summary="Settled.")
    assert {c.state for c in rows(desk, case) if c.profile == "cn_samr"} == {"met"}


def test_an_acknowledgment_that_comes_back_is_owed_again(desk: Desk) -> None:
    case = desk.submit()
    desk.at += 2 * HOUR
    desk.act(case, desk.lead, "acknowledgment_bounced", evidence="550 5.1.1 no such user")
    assert [(c.round, c.state) for c in rows(desk, case) if c.name == "ack"] == [(1, "met"), (2, "running")]
    assert due(desk, case, "default.ack") == desk.now() + DAY
    with desk.store.work(SYSTEM) as work:
        complaint = work.session.get_one(type(desk.complaint(case)), case)
        notices.tell_complainants(work, complaint, "acknowledgment", "again")
    desk.drain()
    assert desk.clocks(case)["default.ack"].state == "met"
    assert desk.complaint(case).acknowledged_at == desk.now()


def test_a_case_keeps_the_policy_that_it_began_under(desk: Desk) -> None:
    case = desk.submit()
    shorter = variant(
        profiles=profile(
            bundle(),
            "default",
            clocks=[
                {
                    "name": "resolve",
                    "kind": "internal",
                    "stops": ["send_response"],
                    "budget": {"amount": 1, "unit": "hours"},
                }
            ],
        )
    )
    desk.at += HOUR
    desk.policies.activate(shorter)
    other = desk.submit("Another parcel, lost by the courier.", complainant=NewComplainant(email="x@customer.example"))
    desk.act(case, desk.lead, "reclassify", severity="serious", reason="Worse.")
    assert desk.complaint(case).policy_hash == bundle().hash
    assert book(desk.clocks(case)["default.resolve"]).budget_now.amount == 56
    assert desk.complaint(other).policy_hash == shorter.hash
    assert set(desk.clocks(other)) == {"default.resolve"}
    assert due(desk, other, "default.resolve") == START + 2 * HOUR


def test_the_duty_is_real_beyond_the_years_that_the_calendar_knows(desk: Desk) -> None:
    desk.at = datetime(2027, 12, 30, 2, 0, tzinfo=UTC)
    case = desk.submit()
    assert due(desk, case, "default.resolve") > desk.now()
    assert desk.clocks(case)["default.resolve"].next_at is not None, "its ladder stands"
    with desk.store.reading(SYSTEM) as work:
        assert clocks.summary(work, desk.complaint(case))
        assert clocks.explained(work, desk.complaint(case))
    desk.at += 30 * DAY
    assert clocks.tick(desk.store) > 0


# -- extension


def requested(desk: Desk, case: UUID, days: int = 15, clock: str = "cn_nfra.decision") -> None:
    desk.act(case, desk.agent, "request_extension", clock=clock, days=days, reason="The bank's records are in Urumqi.")


def test_an_extension_is_asked_for_decided_and_told_before_the_old_time_is_over(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    requested(desk, case)
    assert due(desk, case, "cn_nfra.decision") == old, "asking moves nothing"
    step = desk.step(case, StepKind.EXTENSION)
    assert step.due_at == old, "who decides late decides nothing"
    desk.at += 5 * DAY
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    clock = desk.clocks(case)["cn_nfra.decision"]
    assert clock.due_at == old + 15 * DAY
    assert [(c.extra, c.reason) for c in book(clock).changes] == [(15, "The bank's records are in Urumqi.")]
    assert desk.letters(case, "extension_notice") == ["bob@customer.example"]
    (letter,) = [m for m in desk.sender.sent if m.kind == "extension_notice"]
    assert "Urumqi" in letter.letter.text
    assert desk.now() < old
    event = next(e for e in desk.events(case) if e.kind == "extend")
    assert datetime.fromisoformat(event.data["new"]) == old + 15 * DAY


def test_an_extension_is_refused_with_a_reason_and_nothing_moves(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    requested(desk, case)
    with pytest.raises(InvalidInput, match="reason"):
        desk.complete(case, desk.manager, StepKind.EXTENSION, approve=False)
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=False, reason="Take the night train.")
    assert due(desk, case, "cn_nfra.decision") == old
    assert desk.letters(case, "extension_notice") == []
    assert "refuse_extension" in desk.kinds(case)


def test_an_extension_is_granted_only_by_the_role_that_the_rule_names(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    requested(desk, case)
    with pytest.raises(Conflict, match="manager"):
        desk.complete(case, desk.lead, StepKind.EXTENSION, approve=True)
    assert due(desk, case, "cn_nfra.decision") == old
    assert desk.step(case, StepKind.EXTENSION).state == "open", "the manager can still decide"


def test_the_cap_holds_whoever_asks_how_often(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    with pytest.raises(InvalidInput, match="at most 15"):
        requested(desk, case, days=16)
    old = due(desk, case, "cn_nfra.decision")
    requested(desk, case, days=10)
    requested(desk, case, days=10)  # nothing is granted yet
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    with pytest.raises(InvalidInput, match="10 are granted already"):
        desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    assert due(desk, case, "cn_nfra.decision") == old + 10 * DAY


def test_it_is_too_late_to_extend_what_is_over(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    requested(desk, case)
    desk.at = due(desk, case, "cn_nfra.decision")
    with pytest.raises(Conflict, match="Refuse"):
        desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    with pytest.raises(Conflict, match="too late"):
        requested(desk, case)
    assert desk.letters(case, "extension_notice") == []


@pytest.mark.parametrize(("jurisdiction", "clock"), [("uk", "fca.final"), ("us", "cfpb.final"), ("in", "in_rbi.final")])
def test_a_rule_without_extension_allows_none(desk: Desk, jurisdiction: str, clock: str) -> None:
    case = desk.submit(jurisdiction=jurisdiction)
    with pytest.raises(Conflict, match="allows none"):
        requested(desk, case, clock=clock)
    with pytest.raises(InvalidInput, match="running are"):
        requested(desk, case, clock="no.such")


# -- a life replayed says what happened


def test_clocks_are_functions_of_events(desk: Desk) -> None:
    """The case log alone, replayed, gives the clocks that the running system has: that is what a back-test rests on."""
    other = desk.submit(
        "The parcel is lost.",
        complainant=NewComplainant(email="dan@customer.example"),
        received_at=START - 2 * DAY,
    )
    case = desk.submit(jurisdiction="cn_fin")
    desk.act(other, desk.agent, "merge", into=desk.complaint(case).reference)
    desk.at += DAY
    desk.act(case, desk.agent, "ask_third_party", party="Appraiser", question="What is it worth?")
    desk.at += 3 * DAY
    requested(desk, case)
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    desk.act(case, desk.agent, "third_party_replied", answer="Nothing.")
    desk.act(case, desk.lead, "reclassify", severity="serious", reason="Worse.")
    desk.at += 9 * DAY
    clocks.tick(desk.store)
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    row = desk.complaint(case)
    log = [LogEntry(e.kind, e.at, e.from_status, e.to_status, e.data) for e in desk.events(case)]
    _, replayed = replay(bundle(), Case(row.received_at, jurisdiction=row.jurisdiction), log)
    assert replayed.profiles == tuple(row.profiles)
    real = {(c.profile, c.name, c.round): book(c) for c in rows(desk, case)}
    told = {(c.profile, c.name, c.round): c.ledger for c in replayed.running}
    assert told.keys() == real.keys()
    for key, ledger in told.items():
        assert (ledger.started_at, ledger.intervals, ledger.stopped_at) == (
            real[key].started_at, real[key].intervals, real[key].stopped_at
        )  # fmt: skip
        assert (ledger.budget_now, ledger.extra) == (real[key].budget_now, real[key].extra)


def test_another_policy_grants_no_more_than_its_own_cap() -> None:
    policy = bundle()
    log = [LogEntry("received", START, None, None, {})]
    _, begun = replay(policy, Case(START, jurisdiction="cn_fin"), log)
    (longer,) = [c for c in extended(policy, begun, "cn_nfra.decision", 40, START, "").running if c.name == "decision"]
    assert longer.ledger.extra == 15
    assert extended(policy, begun, "default.ack", 5, START, "") == begun
    assert backdated(policy, begun, START + DAY) == begun


# -- messages and mail servers


def test_pain_17_a_failing_mail_server_never_blocks_the_case(desk: Desk) -> None:
    """frappe/helpdesk: saving failed with the mail; FreeScout: a hang killed the queue"""
    from complaints.domain.errors import Retryable

    desk.sender.failures = [Retryable("connection refused")] * 50
    case = desk.submit()
    assert desk.complaint(case).status == "investigating"
    assert desk.clocks(case)["default.ack"].state == "running", "not handed over, not acknowledged"
    desk.at += 30 * HOUR
    assert clocks.tick(desk.store) == 2, "and the lead is told"
    desk.sender.failures = []
    for intent in desk.outbox(state="pending"):
        desk.at = max(desk.at, intent.next_at)
        desk.dispatcher.act(intent.id)
    assert desk.clocks(case)["default.ack"].state == "missed"
    assert desk.letters(case, "acknowledgment") == ["bob@customer.example"]


def test_the_roles_of_the_desk_cover_the_rules() -> None:
    """Every extension names a role that may decide one."""
    allowed = {Role.LEAD, Role.MANAGER}
    rules = [c.extension for p in bundle().sla.profiles for c in p.clocks if c.extension]
    assert rules
    assert all(set(r.roles) & allowed for r in rules)
