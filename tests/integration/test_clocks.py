"""SLA clocks driven by what really happens to a case: started, paused, extended, restarted, and never edited.

The pains that today's tools are known for are each a test named after the report (see also tests/unit/test_ledger.py).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from complaints.domain.backtest import LogEntry, replay
from complaints.domain.clocks import Case, backdated, extended
from complaints.domain.errors import Conflict, InvalidInput, Retryable
from complaints.domain.explain import Explanation
from complaints.domain.intake import NewComplainant
from complaints.domain.ledger import Ledger
from complaints.domain.policy import PolicyBundle
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import clocks, figures, ladders, notices, watch
from complaints.store.tables import Clock
from tests.integration.desk import CUSTOMER, FINDINGS, GATEWAY, START, Desk, bundle, remedy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


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
    assert ladders.tick(desk.store) == 0
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
    assert ladders.tick(desk.store) == 0


def test_a_case_that_ended_without_an_answer_owes_one_anew_when_it_is_reopened(desk: Desk) -> None:
    case = desk.submit(jurisdiction="uk")
    desk.act(case, desk.agent, "reject", reason="Not our contract.")
    desk.at += 20 * DAY
    desk.act(case, desk.lead, "reopen", reason="It is our contract after all.")
    final = desk.clocks(case)["fca.final"]
    assert (final.round, final.state, final.started_at) == (2, "running", desk.now())
    assert desk.complaint(case).due_at is not None
    assert ladders.tick(desk.store) == 0, "nothing is late at once"


def test_only_the_last_round_is_taken_up_again(desk: Desk) -> None:
    """A round from before the reopening would be overdue at once."""
    case = desk.closed()
    desk.at += 20 * DAY
    desk.act(case, desk.lead, "reopen", reason="It leaks again.")
    much = remedy("compensation", "99999.00")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[much])
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="send_back", reason="Too much.")
    assert states(desk, case, "investigate") == [(1, "met"), (2, "running")]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.act(case, CUSTOMER, "appeal", reason="It still leaks.")
    assert states(desk, case, "resolve") == [(1, "met"), (2, "running")]
    assert ladders.tick(desk.store) == 0


def states(desk: Desk, case: UUID, name: str) -> list[tuple[int, str]]:
    """The rounds of one of our own clocks."""
    return [(c.round, c.state) for c in rows(desk, case) if (c.profile, c.name) == ("default", name)]


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


def test_new_facts_do_not_undo_that_the_time_was_over(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    desk.at = due(desk, case, "cn_nfra.decision")
    desk.act(case, desk.agent, "new_facts", text="On the last moment.")
    assert [c.state for c in rows(desk, case) if c.profile == "cn_nfra"] == ["cancelled", "running"]
    desk.at = due(desk, case, "cn_nfra.decision") + HOUR
    desk.act(case, desk.agent, "new_facts", text="Too late.")
    assert [c.state for c in rows(desk, case) if c.profile == "cn_nfra"] == ["cancelled", "missed", "running"]
    assert explained(desk, case, "cn_nfra.decision").state == "running"


def rows(desk: Desk, case: UUID) -> list[Clock]:
    with desk.store.reading(SYSTEM) as work:
        return clocks.of(work, desk.complaint(case))


def referred(desk: Desk, body: str = "12315", **more: Any) -> UUID:
    """A closed complaint that went to an outside body on the day after."""
    case = desk.closed(**more)
    desk.at += DAY
    desk.act(case, desk.agent, "refer_externally", body=body, reason="The complainant went there.")
    return case


def samr(desk: Desk, case: UUID) -> dict[str, Clock]:
    return {name: clock for name, clock in desk.clocks(case).items() if clock.profile == "cn_samr"}


def test_the_clocks_of_an_external_body_begin_with_referral_and_acceptance(desk: Desk) -> None:
    desk.at = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)  # SAMR Order 121 is in force
    case = referred(desk)
    assert list(samr(desk, case)) == ["cn_samr.accept"]
    accept = samr(desk, case)["cn_samr.accept"]
    assert accept.started_at == desk.now()
    # Labour Day rest is 1 to 5 May 2026, and Saturday the 9th is worked for it: the 6, 7, 8, 9, 11, 12 and 13 May
    assert accept.due_at == datetime(2026, 5, 13, 16, 0, tzinfo=UTC)
    desk.at += 3 * DAY  # the 8th
    desk.act(case, desk.agent, "external_accepts", body_reference="SH-2026-1", reason="They took it up.")
    assert desk.complaint(case).status == "external"
    assert samr(desk, case)["cn_samr.accept"].state == "met"
    mediation = samr(desk, case)["cn_samr.mediation"]
    assert (mediation.started_at, mediation.due_at) == (desk.now(), datetime(2026, 7, 7, 16, 0, tzinfo=UTC))
    desk.complete(case, desk.agent, StepKind.EXTERNAL, decision="closes", summary="Settled.")
    assert {c.state for c in samr(desk, case).values()} == {"met"}


def test_an_external_bodys_lateness_is_shown_and_is_not_ours(desk: Desk) -> None:
    desk.at = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)
    case = referred(desk)
    assert desk.complaint(case).due_at is None, "nothing of ours is due"
    desk.at += 30 * DAY
    with desk.store.work(SYSTEM) as work:
        told = {c["clock"]: c for c in clocks.summary(work, desk.complaint(case))}
        since, until = desk.now() - 60 * DAY, desk.now() + 60 * DAY
    assert told["cn_samr.accept"]["kind"] == "external"
    desk.act(case, desk.agent, "external_accepts")
    assert samr(desk, case)["cn_samr.accept"].state == "missed"
    actor = desk.actor(desk.manager)
    with desk.store.reading(actor) as work:
        counted = figures.in_time(work, figures.Slice(since, until, "UTC"))
    assert {c.profile for c in counted} == {"default"}


@pytest.mark.parametrize(
    ("jurisdiction", "body", "theirs"),
    [
        ("uk", "Financial Ombudsman Service", False),
        ("", "The county court", False),
        ("cn_12315", "The local office", True),
        ("uk", "12315 platform", True),
        ("", "上海市市场监督管理局", True),
    ],
)
def test_a_regulators_clocks_need_its_jurisdiction_or_its_name(
    desk: Desk, jurisdiction: str, body: str, theirs: bool
) -> None:
    desk.at = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)
    case = referred(desk, body, jurisdiction=jurisdiction)
    assert bool(samr(desk, case)) is theirs
    desk.act(case, desk.lead, "reclassify", severity="serious", reason="Worse.")
    assert bool(samr(desk, case)) is theirs, "the body is remembered"
    row = desk.complaint(case)
    log = [LogEntry(e.kind, e.at, e.from_status, e.to_status, e.data) for e in desk.events(case)]
    _, replayed = replay(bundle(), Case(row.received_at, jurisdiction=jurisdiction), log)
    assert replayed.profiles == tuple(row.profiles)


def test_a_second_referral_starts_the_bodys_clock_again(desk: Desk) -> None:
    desk.at = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)
    case = referred(desk)
    desk.act(case, desk.agent, "external_accepts")
    desk.complete(case, desk.agent, StepKind.EXTERNAL, decision="closes", summary="Settled.")
    desk.at += 2 * DAY
    desk.act(case, desk.agent, "refer_externally", body="12315", reason="They went there again.")
    accepts = [c for c in rows(desk, case) if (c.profile, c.name) == ("cn_samr", "accept")]
    assert [(c.round, c.state) for c in accepts] == [(1, "met"), (2, "running")]
    assert accepts[1].started_at == desk.now()
    desk.act(case, desk.agent, "external_accepts")
    desk.act(case, desk.agent, "external_accepts", reason="Said twice.")
    mediations = [c for c in rows(desk, case) if (c.profile, c.name) == ("cn_samr", "mediation")]
    assert [(c.round, c.state) for c in mediations] == [(1, "met"), (2, "running")], "what runs is not begun again"
    row = desk.complaint(case)
    log = [LogEntry(e.kind, e.at, e.from_status, e.to_status, e.data) for e in desk.events(case)]
    _, replayed = replay(bundle(), Case(row.received_at, jurisdiction=row.jurisdiction), log)
    told = {(c.profile, c.name, c.round): c.ledger for c in replayed.running}
    assert told == {(c.profile, c.name, c.round): book(c) for c in rows(desk, case)}


def test_a_case_begun_when_the_bodys_clocks_were_called_regulatory(desk: Desk) -> None:
    """Versions of the policy from before kept them among our own duties: they are the body's all the same."""
    old = {"kind": "regulatory", "starts": "refer_externally", "stops": ["external_changes", "external_closes"]}
    samr_clocks = [
        {"name": name, "calendar": "cn_days", "budget": {"amount": amount, "unit": unit}, **old}
        for name, amount, unit in (("accept", 7, "business_days"), ("mediation", 60, "calendar_days"))
    ]
    begin_again(desk, variant(profiles=profile(bundle(), "cn_samr", clocks=samr_clocks)))
    desk.at = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)
    case = referred(desk)
    assert {name: c.kind for name, c in samr(desk, case).items()} == {
        "cn_samr.accept": "external", "cn_samr.mediation": "external",
    }  # fmt: skip
    assert desk.complaint(case).due_at is None
    with desk.engine.begin() as connection:  # as that version wrote it
        connection.execute(text("update clock set kind = 'regulatory' where profile = 'cn_samr'"))
    desk.act(case, desk.agent, "external_accepts")
    desk.complete(case, desk.agent, StepKind.EXTERNAL, decision="closes", summary="Settled.")
    assert {c.kind for c in samr(desk, case).values()} == {"external"}, "and the row says so from its next event"


def test_a_regulators_rule_is_in_force_by_the_day_of_the_referral(desk: Desk) -> None:
    desk.at = datetime(2026, 4, 13, 2, 0, tzinfo=UTC)
    early = referred(desk)  # on the 14th, a day too early
    assert samr(desk, early) == {}
    late = referred(desk, complainant=NewComplainant(email="ann@customer.example"), text="The parcel was lost.")
    assert desk.complaint(late).received_at.day == 14
    assert list(samr(desk, late)) == ["cn_samr.accept"], "on the 15th, though it was received before"


def test_days_on_which_a_rule_begins_are_days_where_it_holds(desk: Desk) -> None:
    """RG 271 is for complaints from 5 October 2021, Sydney time: the 4th in UTC until 13 o'clock."""
    born = datetime(2021, 10, 4, 13, 0, tzinfo=UTC)  # midnight in Sydney, in summer time
    profiles = []
    for minutes in (-1, 0):
        row = desk.submit(
            f"The washing machine leaks {minutes}.", jurisdiction="au", received_at=born + timedelta(minutes=minutes)
        )
        profiles.append(desk.complaint(row).profiles)
    assert profiles == [["default"], ["asic", "default"]]


# -- what closing ends


def test_new_facts_after_the_response_restart_nothing_and_a_closed_case_never_escalates(desk: Desk) -> None:
    case = desk.investigated(jurisdiction="cn_fin")
    desk.act(case, desk.agent, "new_facts", text="A second transfer was found.")
    assert [c.round for c in rows(desk, case) if c.profile == "cn_nfra"] == [1]
    desk.later(days=15)
    assert desk.complaint(case).status == "closed"
    assert {c.state for c in rows(desk, case)} <= {"met", "missed", "cancelled"}
    desk.at += 60 * DAY
    assert ladders.tick(desk.store) == 0


def test_an_appeal_that_goes_to_a_body_which_closes_leaves_no_clock_running(desk: Desk) -> None:
    case = desk.closed()
    desk.act(case, CUSTOMER, "appeal", reason="It still leaks.")
    assert desk.clocks(case)["default.resolve"].state == "running", "the appeal wants an answer"
    desk.complete(
        case, desk.approver, StepKind.REVIEW, decision="external", summary="A court decides.", body_name="The court"
    )
    assert desk.clocks(case)["default.resolve"].state == "paused"
    desk.at += 5 * DAY
    desk.complete(case, desk.agent, StepKind.EXTERNAL, decision="closes", summary="Settled.")
    assert {c.state for c in rows(desk, case)} == {"met"}
    assert desk.complaint(case).due_at is None
    desk.at += 60 * DAY
    assert ladders.tick(desk.store) == 0


def test_an_acknowledgment_that_comes_back_after_the_end_is_owed_all_the_same(desk: Desk) -> None:
    case = desk.closed()
    desk.at += HOUR
    desk.act(case, GATEWAY, "acknowledgment_bounced", evidence="550 5.1.1 no such user")
    assert desk.clocks(case)["default.ack"].state == "running"
    desk.act(case, desk.agent, "add_note", text="I will telephone.")
    assert desk.clocks(case)["default.ack"].state == "running", "no event of the closed case ends it"


def test_what_falls_away_with_an_end_is_the_policys_to_say(desk: Desk) -> None:
    case = desk.submit()
    desk.act(case, CUSTOMER, "withdraw")
    assert {c.state for c in rows(desk, case) if c.name != "ack"} == {"cancelled"}
    resolve = {
        "name": "resolve", "kind": "internal", "stops": ["send_response"], "cancels": [],
        "budget": {"amount": 1, "unit": "hours"},
    }  # fmt: skip
    begin_again(desk, variant(profiles=profile(bundle(), "default", clocks=[resolve])))
    case = desk.submit()
    desk.at += 2 * HOUR
    desk.act(case, CUSTOMER, "withdraw")
    assert desk.clocks(case)["default.resolve"].state == "missed", "here a late end is late, withdrawn or not"


def test_a_rule_selected_late_does_not_ask_for_what_was_done_before(desk: Desk) -> None:
    case = desk.submit()
    acknowledged = desk.complaint(case).acknowledged_at
    desk.at += 20 * DAY
    desk.act(case, desk.lead, "reclassify", jurisdiction="uk", reason="The contract is British.")
    ack = desk.clocks(case)["fca.ack"]
    assert (ack.state, ack.stopped_at) == ("met", acknowledged)
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.act(case, desk.lead, "reclassify", jurisdiction="au", reason="It is Australian.")
    assert "asic.final" not in desk.clocks(case), "the answer has been given"


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


def explained(desk: Desk, case: UUID, name: str) -> Explanation:
    with desk.store.reading(SYSTEM) as work:
        return clocks.explained(work, desk.complaint(case), SHANGHAI, name)[-1]


def test_the_duty_is_real_beyond_the_years_that_the_calendar_knows(desk: Desk) -> None:
    """The week goes on, without holidays; nothing is counted day and night."""
    desk.at = datetime(2027, 12, 30, 2, 0, tzinfo=UTC)  # Thursday, 10:00 in Shanghai
    case = desk.submit()
    assert due(desk, case, "default.resolve") == datetime(2028, 1, 13, 2, 0, tzinfo=UTC)
    assert desk.clocks(case)["default.resolve"].next_at is not None, "its ladder stands"
    with desk.store.reading(SYSTEM) as work:
        assert clocks.summary(work, desk.complaint(case))
    assert {row.day.year for row in explained(desk, case, "default.resolve").days if not row.known} == {2028}
    desk.at += 30 * DAY
    assert ladders.tick(desk.store) > 0
    late = desk.clocks(case)["default.resolve"]
    with desk.store.reading(SYSTEM) as work:
        used = next(c for c in clocks.summary(work, desk.complaint(case)) if c["clock"] == "default.resolve")
    assert used["share"] > 1.5, "the years beyond are counted for a clock that is late, too"
    assert late.next_at is None, "also the rung at 150% has fired"


def test_a_receipt_before_the_years_that_the_calendar_knows_is_not_moved_into_them(desk: Desk) -> None:
    case = desk.submit(received_at=datetime(2015, 6, 8, 1, 0, tzinfo=UTC))  # Monday, 09:00 in Shanghai
    assert due(desk, case, "default.resolve") == datetime(2015, 6, 19, 10, 0, tzinfo=UTC)


def test_a_cancelled_clock_says_why(desk: Desk) -> None:
    """Withdrawn, begun anew, or of a rule that no longer applies."""
    case = desk.submit(jurisdiction="cn_fin")
    desk.at += 3 * HOUR
    desk.act(case, desk.agent, "new_facts", text="A second transfer was found.")
    with desk.store.reading(SYSTEM) as work:
        first, second = clocks.explained(work, desk.complaint(case), SHANGHAI, "cn_nfra.decision")
    assert (first.state, first.cancelled_because, second.cancelled_because) == ("cancelled", "restarted", "")
    desk.at += HOUR
    desk.act(case, desk.agent, "withdraw", reason="Solved.")
    told = explained(desk, case, "default.resolve")
    assert (told.state, told.cancelled_because) == ("cancelled", "withdrawn")
    assert told.days[-1].day == desk.at.astimezone(SHANGHAI).date()
    assert explained(desk, case, "default.ack").cancelled_because == ""


def test_a_clock_whose_rule_no_longer_applies_says_so(desk: Desk) -> None:
    case = desk.submit()
    category = desk.complaint(case).category
    begin_again(desk, variant(profiles=profile(bundle(), "asic", applies={"categories": [category]})))
    case = desk.submit()
    desk.at += HOUR
    desk.act(case, desk.lead, "reclassify", category="other", reason="Misread.")
    assert explained(desk, case, "asic.final").cancelled_because == "inapplicable"


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


@pytest.mark.parametrize(("clock", "decides"), [("cn_nfra.decision", "max"), ("default.resolve", "zhao")])
def test_whoever_may_grant_more_time_is_told_that_it_is_asked_for(desk: Desk, clock: str, decides: str) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    requested(desk, case, clock=clock)
    told = [m.to for m in desk.sender.sent if m.kind == "step_assigned" and "延期" in m.letter.text]
    assert told == [f"{decides}@desk.example"]
    person = desk.manager if decides == "max" else desk.lead
    assert desk.step(case, StepKind.EXTENSION).assignee_id == person.id
    assert desk.complaint(case).assignee_id != person.id, "the handler stays"


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


def granted(desk: Desk, case: UUID, clock: str = "cn_nfra.decision") -> datetime:
    """An extension is asked for and granted; the old due time."""
    old = due(desk, case, clock)
    requested(desk, case, clock=clock)
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    return old


def untold(desk: Desk) -> int:
    with desk.store.work(SYSTEM) as work:
        return watch.extensions_untold(work)


def test_who_has_no_address_is_told_of_an_extension_by_a_person_before_the_old_time_is_over(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin", complainant=NewComplainant(name="Bob", phone="+86 21 5555 0100"))
    old = granted(desk, case)
    assert desk.letters(case, "extension_notice") == []
    step = desk.step(case, StepKind.INFORM)
    assert (step.due_at, step.context["way"], step.context["letter"]) == (old, "phone", "extension_notice")
    assert step.assignee_id == desk.complaint(case).assignee_id
    handed = [m.to for m in desk.sender.sent if m.kind == "step_assigned" and "电话或信函告知" in m.letter.text]
    assert handed == ["li@desk.example"]
    desk.complete(case, desk.agent, StepKind.INFORM, told=True, words="Called at ten.")
    (told,) = [e for e in desk.events(case) if e.kind == "informed"]
    assert (told.data["told"], told.reason) == (True, "Called at ten.")
    desk.at = old + HOUR
    assert untold(desk) == 0


def test_a_person_who_does_not_tell_in_time_is_an_alarm(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin", complainant=NewComplainant(name="Bob", phone="+86 21 5555 0100"))
    old = granted(desk, case)
    desk.at = old - timedelta(seconds=1)
    assert untold(desk) == 0
    desk.at = old
    assert untold(desk) == 1


def test_a_notice_that_has_not_left_when_the_old_time_is_over_is_an_alarm_and_the_ledger_stays(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    desk.at = old - timedelta(seconds=1)
    desk.sender.failures = [Retryable("connection refused")] * 50
    granted(desk, case)
    assert untold(desk) == 0
    desk.at = old
    assert untold(desk) == 1
    desk.sender.failures = []
    assert untold(desk) == 0, "told once"
    alarms = [i for i in desk.outbox(kind="notify") if i.payload["template"] in ("escalation", "operations_alert")]
    assert {(i.payload["to"] or "/".join(i.payload["tags"])) for i in alarms} == {
        "zhao@desk.example", "max@desk.example", "operations",
    }  # fmt: skip
    for intent in alarms:
        assert desk.dispatcher.act(intent.id).state == "done"
    assert due(desk, case, "cn_nfra.decision") == old + 15 * DAY


def test_a_company_that_silences_the_notice_grants_no_extension_that_demands_one(desk: Desk) -> None:
    data = bundle().model_dump(mode="json")
    data["notifications"]["silent_kinds"] = ["extension_notice"]
    begin_again(desk, PolicyBundle.model_validate(data | {"hash": "5" * 64}))
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    requested(desk, case)
    with pytest.raises(Conflict, match="silent_kinds"):
        desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    assert due(desk, case, "cn_nfra.decision") == old


def test_more_time_to_investigate_is_no_matter_of_the_complainant(desk: Desk) -> None:
    case = desk.submit()
    old = granted(desk, case, "default.investigate")
    assert due(desk, case, "default.investigate") > old
    assert desk.letters(case, "extension_notice") == []


def test_a_notice_promises_the_day_of_the_answer_and_names_the_body(desk: Desk) -> None:
    case = desk.submit(jurisdiction="au", language="en")
    requested(desk, case, clock="asic.final", days=10)
    desk.complete(case, desk.lead, StepKind.EXTENSION, approve=True)
    (notice,) = [m.letter.text for m in desk.sender.sent if m.kind == "extension_notice"]
    assert "AFCA" in notice
    with desk.store.reading(SYSTEM) as work:
        day = clocks.answer_due(work, desk.complaint(case))
    assert day is not None
    assert f"You will have our answer by {day.day} {day:%B %Y}." in notice


# -- what letters promise


def test_an_acknowledgment_promises_no_clock_that_may_be_missed_and_says_days_of_its_zone(desk: Desk) -> None:
    case = desk.submit(jurisdiction="uk", language="en")
    (text,) = [m.letter.text for m in desk.sender.sent if m.kind == "acknowledgment"]
    assert "You will have our answer by 16 March 2026." in text, "ours; never the third business day of fca.summary"
    assert "(FCA complaints handling (United Kingdom)) we must answer you by 27 April 2026" in text, "not the 28th"
    assert "China Standard Time" not in text.split("reference")[1]
    assert "the Financial Ombudsman Service (Exchange Tower" in text
    with desk.store.reading(SYSTEM) as work:
        days = [(p.clock.profile, p.day.isoformat()) for p in clocks.promises(work, desk.complaint(case))]
    assert days == [("default", "2026-03-16"), ("fca", "2026-04-27")]


@pytest.mark.parametrize(
    ("jurisdiction", "done", "still"),
    [
        ("uk", "fca.final", "fca.summary"),
        ("us", "cfpb.response", "cfpb.final"),
        ("ie", "ie_cpc.update", "ie_cpc.final"),
    ],
)
def test_a_holding_response_is_enough_where_the_rule_says_so(
    desk: Desk, jurisdiction: str, done: str, still: str
) -> None:
    case = desk.submit(jurisdiction=jurisdiction, language="en")
    desk.at += DAY
    desk.act(case, desk.agent, "holding_response", text="The bank's records are in Urumqi.")
    states = {name: c.state for name, c in desk.clocks(case).items()}
    assert (states[done], states[still], states["default.resolve"]) == ("met", "running", "running")
    (letter,) = [m.letter.text for m in desk.sender.sent if m.kind == "holding_response"]
    assert "Urumqi" in letter


def test_only_an_appraisal_stops_the_legal_clock_and_the_complainant_is_told(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    desk.act(case, desk.agent, "ask_third_party", party="Carrier", question="Where was it?")
    assert {n: c.state for n, c in desk.clocks(case).items() if n != "default.ack"} == {
        "cn_nfra.decision": "running", "default.investigate": "paused", "default.resolve": "paused",
    }  # fmt: skip
    desk.act(case, desk.agent, "third_party_replied", answer="In Wuhan.")
    desk.at += DAY
    desk.act(case, desk.agent, "ask_third_party", party="Ruth", question="Its value?", purpose="appraisal")
    desk.act(case, desk.lead, "reclassify", severity="serious", reason="Worse.")
    assert desk.clocks(case)["cn_nfra.decision"].state == "paused"
    assert desk.letters(case, "appraisal_notice") == ["bob@customer.example"]
    desk.at += 4 * DAY
    desk.act(case, desk.agent, "third_party_replied", answer="Nothing.")
    assert due(desk, case, "cn_nfra.decision") == old + 4 * DAY


def test_a_simple_matter_that_turns_out_complex_has_the_longer_time_from_the_receipt(desk: Desk) -> None:
    case = desk.submit(jurisdiction="cn_fin")
    old = due(desk, case, "cn_nfra.decision")
    desk.at += 5 * DAY
    with pytest.raises(InvalidInput, match="known are"):
        desk.act(case, desk.lead, "reclassify", jurisdiction="atlantis", reason="?")
    desk.act(case, desk.lead, "reclassify", jurisdiction="cn_fin_complex", reason="Three banks are involved.")
    assert desk.clocks(case)["cn_nfra.decision"].state == "cancelled"
    assert due(desk, case, "cn_nfra_complex.decision") == old + 15 * DAY
    requested(desk, case, 30, "cn_nfra_complex.decision")
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    assert due(desk, case, "cn_nfra_complex.decision") == old + 45 * DAY


def test_the_policy_names_the_jurisdiction_of_what_comes_without_one(desk: Desk) -> None:
    begin_again(desk, variant(jurisdiction="cn_fin"))
    assert desk.complaint(desk.submit()).profiles == ["cn_nfra", "default"]
    other = desk.submit("The parcel was lost.", complainant=NewComplainant(email="a@b.example"), jurisdiction="uk")
    assert desk.complaint(other).profiles == ["default", "fca"]


def test_a_category_may_name_the_rules_that_hold_for_it(desk: Desk) -> None:
    data = bundle().model_dump(mode="json")
    for category in data["taxonomy"]["categories"]:
        category["profiles"] = ["psd2"] if category["key"] == "product_quality" else []
    begin_again(desk, PolicyBundle.model_validate(data | {"hash": "7" * 64}))
    case = desk.submit()
    assert (desk.complaint(case).category, desk.complaint(case).profiles) == ("product_quality", ["default", "psd2"])
    desk.act(case, desk.lead, "reclassify", category="delivery", reason="It never came.")
    assert desk.complaint(case).profiles == ["default"]


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
    desk.act(case, desk.agent, "ask_third_party", party="Ruth", question="What is it worth?", purpose="appraisal")
    desk.at += 3 * DAY
    requested(desk, case)
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True)
    desk.act(case, desk.agent, "third_party_replied", answer="Nothing.")
    desk.act(case, desk.lead, "reclassify", severity="serious", reason="Worse.")
    desk.at += 9 * DAY
    ladders.tick(desk.store)
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
    desk.sender.failures = [Retryable("connection refused")] * 50
    case = desk.submit()
    assert desk.complaint(case).status == "investigating"
    assert desk.clocks(case)["default.ack"].state == "running", "not handed over, not acknowledged"
    desk.at += 30 * HOUR
    assert ladders.tick(desk.store) == 2, "and the lead is told"
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
