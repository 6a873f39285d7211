"""Merging: the earliest receipt wins, every complainant is acknowledged and answered once, nothing goes in circles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from complaints.domain.errors import ActionNotAllowed, Conflict, InvalidInput, NotFound
from complaints.domain.intake import NewComplainant
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Status, StepKind
from complaints.services import access, actions
from complaints.services.routing import as_actor
from complaints.store.tables import Complaint, Person, Step
from tests.integration.desk import CUSTOMER, FINDINGS, Desk
from tests.integration.test_promises import together

LEAK = "The washing machine leaks and the whole cellar is under water, please repair it."


def bobs(desk: Desk, **more: Any) -> UUID:
    return desk.submit(complainant=NewComplainant(name="Bob", email="bob@customer.example"), **more)


def carols(desk: Desk, **more: Any) -> UUID:
    return desk.submit(LEAK, complainant=NewComplainant(name="Carol", email="carol@customer.example"), **more)


def merge(desk: Desk, one: UUID, into: UUID) -> None:
    desk.act(one, desk.agent, "merge", into=desk.complaint(into).reference, reason="Same pump.")


def answer(desk: Desk, case: UUID) -> None:
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)


def test_the_earliest_receipt_wins(desk: Desk) -> None:
    into = bobs(desk)
    before = desk.clocks(into)["default.resolve"]
    earlier = desk.now() - timedelta(days=3)
    merge(desk, carols(desk, received_at=earlier), into)
    after = desk.clocks(into)["default.resolve"]
    assert after.started_at == earlier < before.started_at
    assert after.due_at is not None
    assert before.due_at is not None
    assert after.due_at < before.due_at
    assert desk.breaks(into) == []


def test_a_later_receipt_changes_no_clock(desk: Desk) -> None:
    into = bobs(desk)
    before = {name: (c.started_at, c.due_at) for name, c in desk.clocks(into).items()}
    desk.at += timedelta(days=2)
    merge(desk, carols(desk), into)
    assert {name: (c.started_at, c.due_at) for name, c in desk.clocks(into).items()} == before


def test_everybody_is_acknowledged_and_answered_once(desk: Desk) -> None:
    into, one = bobs(desk), carols(desk)
    merge(desk, one, into)
    desk.sound(one, "archived", "merged")
    assert desk.letters(one, "merged_notice") == ["carol@customer.example"]
    answer(desk, into)
    assert sorted(desk.letters(into, "response")) == ["bob@customer.example", "carol@customer.example"]
    assert sorted(desk.letters(into, "acknowledgment")) == ["bob@customer.example", "carol@customer.example"]
    assert desk.letters(one, "response") == []
    desk.complete(into, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(into)
    desk.sound(into, "archived", "explanation", acknowledgments=2)


def test_nobody_gets_the_answer_before_everybodys_has_passed_the_gate(desk: Desk) -> None:
    into = bobs(desk)
    odd = NewComplainant(name="Carol {Lane}", email="carol@customer.example")
    merge(desk, desk.submit(LEAK, complainant=odd), into)
    answer(desk, into)
    assert "placeholders" in desk.step(into, StepKind.RESPONSE).context["why"]
    assert desk.letters(into, "response") == []
    body = desk.step(into, StepKind.RESPONSE).draft["body"]
    desk.complete(into, desk.agent, StepKind.RESPONSE, body=body)
    assert sorted(desk.letters(into, "response")) == ["bob@customer.example", "carol@customer.example"]


def test_merged_before_the_machine_looked(desk: Desk) -> None:
    into = bobs(desk)
    one = carols(desk, walked=False)
    merge(desk, one, into)
    desk.sound(one, "archived", "merged", acknowledgments=0)
    assert len(desk.sender.to("carol@customer.example", "acknowledgment")) == 1, "by the case that goes on"


def test_who_complained_twice_gets_each_letter_once(desk: Desk) -> None:
    into, again = bobs(desk), bobs(desk)
    assert desk.complaint(again).status == Status.TRIAGE
    merge(desk, again, into)
    answer(desk, into)
    assert desk.letters(into, "acknowledgment") == ["bob@customer.example"]
    assert desk.letters(into, "response") == ["bob@customer.example"]
    assert desk.letters(into, "survey") == ["bob@customer.example"]


def test_a_chain_of_merges_keeps_everybody(desk: Desk) -> None:
    first = desk.submit(LEAK, complainant=NewComplainant(name="Dan", email="dan@customer.example"))
    second, third = carols(desk), bobs(desk)
    merge(desk, first, second)
    merge(desk, second, third)
    answer(desk, third)
    assert sorted(desk.letters(third, "response")) == [
        "bob@customer.example", "carol@customer.example", "dan@customer.example"
    ]  # fmt: skip


def test_nothing_is_merged_into_what_is_over(desk: Desk) -> None:
    into = desk.closed()
    one = carols(desk)
    before = desk.complaint(one)
    with pytest.raises(Conflict, match="reopen"):
        merge(desk, one, into)
    desk.end_window(into)
    with pytest.raises(Conflict, match="archived"):
        merge(desk, one, into)
    assert desk.complaint(one) == before


def test_nobody_joins_a_case_that_has_been_answered_unless_they_have_the_answer(desk: Desk) -> None:
    into = bobs(desk)
    one, again = carols(desk), bobs(desk)
    answer(desk, into)
    assert desk.complaint(into).status == Status.CONFIRMING
    with pytest.raises(Conflict, match="would get no answer"):
        merge(desk, one, into)
    assert desk.complaint(one).status == Status.INVESTIGATING
    merge(desk, again, into)
    assert desk.complaint(again).status == Status.ARCHIVED
    desk.complete(into, CUSTOMER, StepKind.CONFIRMATION, accepted=False, words="It still leaks.")
    merge(desk, one, into)
    assert desk.complaint(into).status == Status.REVIEWING, "an answer is to come again"


def test_a_legal_duty_does_not_end_with_the_merger(desk: Desk) -> None:
    into = bobs(desk)
    desk.at += timedelta(days=1)
    one = carols(desk, jurisdiction="uk", received_at=desk.now() - timedelta(days=3))
    legal = desk.clocks(one)["fca.final"].due_at
    merge(desk, one, into)
    assert desk.complaint(into).jurisdiction == "uk"
    assert (desk.clocks(into)["fca.final"].state, desk.clocks(into)["fca.final"].due_at) == ("running", legal)
    (told,) = [e for e in desk.events(into) if e.kind == "reclassify"]
    assert (told.data["jurisdiction"], told.reason) == (["", "uk"], "Same pump.")


def test_complaints_under_the_rules_of_two_places_are_not_one(desk: Desk) -> None:
    into, one = bobs(desk, jurisdiction="us"), carols(desk, jurisdiction="uk")
    with pytest.raises(Conflict, match="under the rules for 'us'"):
        merge(desk, one, into)
    desk.act(into, desk.lead, "reclassify", jurisdiction="uk", reason="A British account.")
    merge(desk, one, into)
    assert desk.complaint(one).status == Status.ARCHIVED


def test_a_jurisdiction_that_no_rule_hangs_on_is_no_hindrance(desk: Desk) -> None:
    into, one = bobs(desk, jurisdiction="uk"), carols(desk, jurisdiction="atlantis")
    merge(desk, one, into)
    assert desk.complaint(into).jurisdiction == "uk"


def test_not_into_itself_and_not_in_a_circle(desk: Desk) -> None:
    one, other = bobs(desk), carols(desk)
    with pytest.raises(InvalidInput, match="itself"):
        merge(desk, one, one)
    merge(desk, one, other)
    with pytest.raises(Conflict):
        merge(desk, other, one)
    with pytest.raises(ActionNotAllowed):
        merge(desk, one, other)


def test_two_who_merge_crosswise_at_once(desk: Desk) -> None:
    one, other = bobs(desk), carols(desk)
    names = desk.complaint(one).reference, desk.complaint(other).reference

    def merging(source: str, target: str) -> None:
        with desk.store.work(as_actor(desk.agent)) as work:
            actions.act(work, source, "merge", {"into": target})

    outcome = together(lambda: merging(*names), lambda: merging(names[1], names[0]))
    assert outcome.count(None) == 1, outcome
    assert any(isinstance(o, Conflict) for o in outcome), outcome
    open_ones = [c for c in (one, other) if desk.complaint(c).status != Status.CLOSED]
    assert len(open_ones) == 1


def test_nothing_is_merged_into_what_the_actor_does_not_see(desk: Desk) -> None:
    one, secret = bobs(desk), carols(desk, confidential=True)
    unrelated = desk.colleague if desk.complaint(secret).assignee_id == desk.agent.id else desk.agent
    with pytest.raises(NotFound):
        desk.act(one, unrelated, "merge", into=desk.complaint(secret).reference)
    with pytest.raises(InvalidInput) as refused:
        desk.act(one, unrelated, "merge", into="C26-000001-1")
    assert refused.value.problems[0].field == "into"


def test_who_is_related_to_somebody_who_joins_the_case_gives_it_away(desk: Desk) -> None:
    into, other = bobs(desk), carols(desk)
    with desk.store.work(SYSTEM) as work:
        work.session.get_one(Person, desk.agent.id).related_to = ["carol@customer.example"]
        work.session.get_one(Complaint, into).assignee_id = desk.agent.id
        work.session.get_one(Step, desk.step(into, StepKind.INVESTIGATION).id).assignee_id = desk.agent.id
    desk.act(other, desk.colleague, "merge", into=desk.complaint(into).reference, reason="Same pump.")
    assert desk.step(into, StepKind.INVESTIGATION).assignee_id == desk.colleague.id
    assert desk.complaint(into).assignee_id == desk.colleague.id
    with desk.store.reading(as_actor(desk.agent)) as work, pytest.raises(NotFound):
        access.see(work, desk.complaint(into).reference)
