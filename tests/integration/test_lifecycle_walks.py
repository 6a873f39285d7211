"""Whole lives of a complaint, from intake to archive: real PostgreSQL, services, letters and bags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, select

from complaints.archive.verify import verify
from complaints.domain.errors import ActionNotAllowed, ContentGateFailed, Forbidden, InvalidInput
from complaints.domain.intake import NewComplainant
from complaints.domain.ports import Actor, Letter
from complaints.domain.vocabulary import OPEN, Channel, Language, Need, Role, Status, StepKind
from complaints.notify.render import TemplateRenderer
from complaints.services import actions
from complaints.store.tables import Message, Survey
from tests.integration.desk import (
    ALARMING,
    CUSTOMER,
    FAST,
    FINDINGS,
    VAGUE,
    Desk,
    remedy,
)

TAKEN = ["received", "screened", "classified"]
ROUTED = [*TAKEN, "route", "acknowledged", "assign"]
ANSWERED = [*ROUTED, "submit_findings", "decide", "send_response"]
END = ["window_ended", "archive"]
PHONE_ONLY = NewComplainant(name="Bob", phone="+86 10 1234 5678")
MUCH = remedy("compensation", "99999.00")


def test_straight(desk: Desk) -> None:
    case = desk.closed()
    assert desk.complaint(case).status == Status.CLOSED
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case) == [*ANSWERED, "confirm", *END]
    for kind in ("acknowledgment", "response", "survey", "closure"):
        assert desk.letters(case, kind) == ["bob@customer.example"]
    assert [m.letter.text.splitlines()[0] for m in desk.sender.sent if m.kind == "response"] == ["Dear Bob,"]
    row = desk.complaint(case)
    assert row.acknowledged_at == row.received_at
    assert row.archived_at == desk.now()
    assert [v.ok for v in verify(desk.bags.as_uri(), {row.bag_url or "": row.bag_hash or ""})] == [True]


def test_not_upheld(desk: Desk) -> None:
    case = desk.submit()
    desk.complete(
        case, desk.agent, StepKind.INVESTIGATION, finding="not_upheld", summary="The pump works as it should."
    )
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "not_upheld")


def test_remedies_in_parallel_and_in_any_order(desk: Desk) -> None:
    case = desk.submit()
    wanted = [remedy("refund", "99.00"), remedy("apology", None), remedy("repair", None)]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=wanted)
    assert [s.gate for s in desk.open_steps(case)] == ["remedy-1", "remedy-2", "remedy-3"]
    assert desk.complaint(case).status == Status.REMEDYING
    middle = desk.open_steps(case)[1]
    for result in ("failed", "done"):
        desk.complete(case, desk.agent, StepKind.REMEDY, result=result, evidence="no. 1")
        assert desk.complaint(case).status == Status.REMEDYING
    assert desk.complaint(case).status == Status.REMEDYING
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    assert desk.complaint(case).status == Status.CONFIRMING
    assert middle.gate == "remedy-2"
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "non_monetary_relief")
    assert desk.kinds(case)[6:-3] == [
        "submit_findings", "decide", "update_remedy", "update_remedy", "update_remedy", "finish_remedies",
        "send_response",
    ]  # fmt: skip


def test_gates_are_numbered_as_the_measures_were_proposed(desk: Desk) -> None:
    case = desk.submit()
    wanted = [remedy("apology", None) | {"description": f"Measure {n}"} for n in range(12)]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=wanted)
    told = {s.gate: s.context["description"] for s in desk.open_steps(case)}
    assert told == {f"remedy-{n + 1}": f"Measure {n}" for n in range(12)}


def test_money_back_is_monetary_relief(desk: Desk) -> None:
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[remedy()])
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done", evidence="payment 4711")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "monetary_relief")
    assert "decide" in desk.kinds(case), "99.00 lies within an agent's authority"


def test_approval_above_authority_sent_back_once(desk: Desk) -> None:
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[MUCH])
    step = desk.step(case, StepKind.APPROVAL)
    assert "99999.00" in step.context["why"]
    assert step.assignee_id == desk.approver.id
    with pytest.raises(Forbidden, match="role"):
        desk.complete(case, desk.agent, StepKind.APPROVAL, decision="approve")
    with pytest.raises(InvalidInput, match="reason"):
        desk.complete(case, desk.approver, StepKind.APPROVAL, decision="send_back")
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="send_back", reason="Far too much.")
    assert [s.gate for s in desk.open_steps(case)] == ["investigation-2"]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[remedy(amount="600.00")])
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="approve")
    assert [s.context["description"] for s in desk.open_steps(case)] == ["refund for the trouble"]
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "monetary_relief")
    assert [k for k in desk.kinds(case) if k in ("send_back", "approve", "decide")] == ["send_back", "approve"]


def test_whoever_investigated_does_not_approve(desk: Desk) -> None:
    case = desk.submit()
    desk.complete(case, desk.lead, StepKind.INVESTIGATION, **FINDINGS, remedies=[MUCH])
    with pytest.raises(Forbidden, match="four eyes"):
        desk.complete(case, desk.lead, StepKind.APPROVAL, decision="approve")
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="approve")
    assert desk.complaint(case).status == Status.REMEDYING


# -- triage and fast track


def test_fast_track_by_the_machine(desk: Desk) -> None:
    case = desk.submit(FAST)
    assert desk.kinds(case) == [*TAKEN, "fast_track", "acknowledged", "send_response"]
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


def test_fast_track_by_triage(desk: Desk) -> None:
    case = desk.submit(VAGUE)
    assert desk.complaint(case).status == Status.TRIAGE
    with pytest.raises(InvalidInput, match="invoice_copy"):
        desk.complete(case, desk.agent, StepKind.TRIAGE, decision="fast_track", solution="no_such")
    desk.complete(case, desk.agent, StepKind.TRIAGE, decision="fast_track", solution="invoice_copy")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case) == [
        *TAKEN, "refer_to_triage", "acknowledged", "fast_track", "send_response", "confirm", *END
    ]  # fmt: skip


def test_triage_corrects_and_investigates(desk: Desk) -> None:
    case = desk.submit(VAGUE)
    desk.complete(case, desk.agent, StepKind.TRIAGE, decision="investigate", category="delivery", severity="serious")
    row = desk.complaint(case)
    assert (row.status, row.category, row.severity, row.team) == ("investigating", "delivery", "serious", "orders")
    assert row.queue == "urgent"
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


def test_triage_rejects(desk: Desk) -> None:
    case = desk.submit(VAGUE)
    desk.complete(case, desk.agent, StepKind.TRIAGE, decision="reject", reason="This is praise, not a complaint.")
    assert desk.letters(case, "rejection") == ["bob@customer.example"]
    desk.end_window(case)
    desk.sound(case, "archived", "rejected")


def test_triage_merges(desk: Desk) -> None:
    first, case = desk.submit(), desk.submit(VAGUE)
    into = desk.complaint(first).reference
    desk.complete(case, desk.agent, StepKind.TRIAGE, decision="merge", merge_into=into, reason="Same matter.")
    desk.sound(case, "archived", "merged")
    assert desk.complaint(case).merged_into_id == first
    assert desk.kinds(first)[-1] == "merged"


def test_the_same_words_again_are_a_duplicate_for_a_person_to_judge(desk: Desk) -> None:
    first, second = desk.submit(), desk.submit()
    assert desk.complaint(first).status == Status.INVESTIGATING
    assert desk.complaint(second).flags == ["duplicate"]
    assert desk.complaint(second).status == Status.TRIAGE


# -- waiting for somebody outside


def test_asking_the_complainant(desk: Desk) -> None:
    case = desk.submit()
    desk.act(case, desk.agent, "ask_customer", question="Which model is it?")
    assert desk.letters(case, "question") == ["bob@customer.example"]
    assert [s.gate for s in desk.open_steps(case)] == ["investigation-1"]
    with pytest.raises(ActionNotAllowed):
        desk.act(case, desk.agent, "ask_customer", question="And which colour?")
    desk.act(case, CUSTOMER, "customer_replied", answer="The W3.")
    assert desk.complaint(case).status == Status.INVESTIGATING
    assert desk.complaint(case).waiting_until is None
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case)[6:9] == ["ask_customer", "customer_replied", "submit_findings"]


def test_a_silent_complainant_does_not_stop_the_work(desk: Desk) -> None:
    case = desk.submit()
    desk.act(case, desk.agent, "ask_customer", question="Which model is it?")
    desk.later(days=9)
    assert desk.complaint(case).status == Status.AWAITING_CUSTOMER
    desk.later(days=2)
    assert desk.complaint(case).status == Status.INVESTIGATING
    desk.later(days=30)
    assert desk.kinds(case).count("customer_silent") == 1
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


def test_findings_end_the_waiting(desk: Desk) -> None:
    case = desk.submit()
    desk.act(case, desk.agent, "ask_customer", question="Which model is it?")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    assert desk.complaint(case).status == Status.CONFIRMING
    assert desk.kinds(case)[6:9] == ["ask_customer", "customer_replied", "submit_findings"]


def test_a_third_party(desk: Desk) -> None:
    case = desk.submit()
    asked = {"party": "Carrier Ltd", "question": "Was the parcel dropped?", "email": "claims@carrier.example"}
    desk.act(case, desk.agent, "ask_third_party", **asked)
    assert desk.letters(case, "third_party_question") == ["claims@carrier.example"]
    (letter,) = desk.sender.to("claims@carrier.example")
    assert "Bob" not in letter.letter.text + letter.letter.subject
    desk.act(case, desk.agent, "third_party_replied", answer="It was.")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case)[6:9] == ["ask_third_party", "third_party_replied", "submit_findings"]


# -- appeal and external body


def appealed(desk: Desk) -> UUID:
    case = desk.investigated()
    with pytest.raises(InvalidInput, match="words"):
        desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=False)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=False, rating=1, words="It still leaks!")
    assert desk.complaint(case).status == Status.REVIEWING
    assert desk.letters(case, "appeal_acknowledgment") == ["bob@customer.example"]
    return case


def test_an_appeal_that_stands(desk: Desk) -> None:
    case = appealed(desk)
    with pytest.raises(Forbidden):
        desk.complete(case, desk.agent, StepKind.REVIEW, decision="stands", summary="It stands.")
    desk.complete(case, desk.manager, StepKind.REVIEW, decision="stands", summary="We looked again and it stands.")
    assert len(desk.letters(case, "response")) == 2
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case) == [*ANSWERED, "appeal", "uphold_outcome", "send_response", "confirm", *END]


def test_an_appeal_is_reviewed_by_somebody_without_a_part_in_the_case(desk: Desk) -> None:
    case = desk.submit()
    desk.act(case, desk.lead, "add_note", text="I know this customer.")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=False, words="No!")
    with pytest.raises(Forbidden, match="no part"):
        desk.complete(case, desk.lead, StepKind.REVIEW, decision="stands", summary="It stands.")
    assert desk.step(case, StepKind.REVIEW).assignee_id == desk.approver.id


def test_an_appeal_that_changes_the_outcome(desk: Desk) -> None:
    case = appealed(desk)
    answer = {"decision": "change", "summary": "The pump must be replaced.", "remedies": [remedy("replacement", None)]}
    with pytest.raises(InvalidInput, match="finding"):
        desk.complete(case, desk.manager, StepKind.REVIEW, **answer)
    desk.complete(case, desk.manager, StepKind.REVIEW, **answer, finding="partly_upheld")
    offered = desk.step(case, StepKind.REMEDY).context["remedy_id"]
    desk.act(case, desk.agent, "accept_remedy", remedy=offered, evidence="wants the new one")
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    assert desk.complaint(case).finding == "partly_upheld"
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "non_monetary_relief")
    assert desk.kinds(case)[9:-3] == [
        "appeal", "change_outcome", "decide", "accept_remedy", "update_remedy", "finish_remedies", "send_response"
    ]  # fmt: skip


def test_an_appeal_in_the_window_after_closing(desk: Desk) -> None:
    case = desk.closed()
    desk.later(days=20)
    desk.act(case, CUSTOMER, "appeal", reason="Now it leaks again.")
    row = desk.complaint(case)
    assert (row.status, row.round, row.closed_at, row.closing_category) == ("reviewing", 2, None, None)
    desk.complete(case, desk.manager, StepKind.REVIEW, decision="stands", summary="It stands.")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


def test_no_appeal_after_the_window(desk: Desk) -> None:
    case = desk.closed()
    desk.end_window(case)
    with pytest.raises(ActionNotAllowed):
        desk.act(case, CUSTOMER, "appeal", reason="Too late?")


def test_an_external_body_closes(desk: Desk) -> None:
    case = appealed(desk)
    desk.complete(
        case, desk.manager, StepKind.REVIEW, decision="external", summary="They insist.", body_name="Ombudsman"
    )
    assert desk.step(case, StepKind.EXTERNAL).context["body"] == "Ombudsman"
    desk.complete(case, desk.agent, StepKind.EXTERNAL, decision="closes", summary="No case.", body_reference="O-1")
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case) == [*ANSWERED, "appeal", "refer_externally", "external_closes", *END]


def test_an_external_body_changes(desk: Desk) -> None:
    case = desk.closed()
    desk.act(case, desk.agent, "refer_externally", body="12315", reason="The customer went there.")
    answer = {"decision": "changes", "summary": "Pay.", "remedies": [remedy()]}
    with pytest.raises(InvalidInput, match="finding"):
        desk.complete(case, desk.agent, StepKind.EXTERNAL, **answer)
    desk.complete(case, desk.agent, StepKind.EXTERNAL, **answer, finding="upheld")
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "monetary_relief")


# -- other ends


def test_a_reopened_complaint(desk: Desk) -> None:
    case = desk.closed()
    desk.act(case, desk.lead, "reopen", reason="The repair did not hold.")
    assert [s.gate for s in desk.open_steps(case)] == ["investigation-2"]
    assert desk.complaint(case).round == 2
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


def test_rejected_before_the_machine_looked_and_reopened(desk: Desk) -> None:
    case = desk.submit(walked=False)
    desk.act(case, desk.agent, "reject", reason="Spam.")
    assert desk.letters(case, "acknowledgment") == []
    desk.act(case, desk.lead, "reopen", reason="It was none.")
    assert desk.complaint(case).category == "product_quality"
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


def test_no_answer_to_the_response(desk: Desk) -> None:
    case = desk.investigated()
    desk.later(days=13)
    assert desk.complaint(case).status == Status.CONFIRMING
    desk.later(days=2)
    desk.go(case)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.kinds(case) == [*ANSWERED, "confirmation_timeout", *END]


def test_closed_early_by_the_lead(desk: Desk) -> None:
    case = desk.closed()
    with pytest.raises(Forbidden):
        desk.complete(case, desk.agent, StepKind.CLOSURE, decision="archive", reason="Done with it.")
    desk.complete(case, desk.lead, StepKind.CLOSURE, decision="archive", reason="The customer asked for it.")
    desk.sound(case, "archived", "explanation")
    assert desk.complaint(case).archived_at == desk.now()


@pytest.mark.parametrize("verdict", [{"accepted": True, "rating": 5}, {"accepted": False, "words": "It leaks."}])
def test_who_made_the_outcome_does_not_give_the_verdict_on_it(desk: Desk, verdict: dict[str, Any]) -> None:
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[MUCH])
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="approve")
    desk.complete(case, desk.colleague, StepKind.REMEDY, result="done")
    with pytest.raises(Forbidden, match="may not give the complainant's verdict"):
        desk.complete(case, desk.agent, StepKind.CONFIRMATION, **verdict)
    desk.complete(case, desk.colleague, StepKind.CONFIRMATION, **verdict)  # who only paid may write down what they say
    with Session(desk.engine) as session:
        assert session.exec(select(Survey)).one().via == "staff"


def test_who_decided_or_reviewed_does_not_give_the_verdict_either(desk: Desk) -> None:
    case = desk.submit()
    lead = desk.person("lee", [Role.LEAD], teams=["orders"])
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[MUCH])
    desk.complete(case, lead, StepKind.APPROVAL, decision="approve")
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    with pytest.raises(Forbidden, match="may not give the complainant's verdict"):
        desk.complete(case, lead, StepKind.CONFIRMATION, accepted=True)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=False, words="It leaks.")
    desk.complete(case, desk.manager, StepKind.REVIEW, decision="stands", summary="It is as we said.")
    with pytest.raises(Forbidden, match="may not give the complainant's verdict"):
        desk.complete(case, desk.manager, StepKind.CONFIRMATION, accepted=True)


def test_reopened_at_the_closure_step(desk: Desk) -> None:
    case = desk.closed()
    desk.complete(case, desk.lead, StepKind.CLOSURE, decision="reopen", reason="Look again.")
    assert [s.gate for s in desk.open_steps(case)] == ["investigation-2"]
    desk.later(days=60)
    assert desk.complaint(case).status == Status.INVESTIGATING, "the old window must not end the new round"


# -- people who can be reached by telephone only, or not at all


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        ({"reached": True, "satisfied": True}, "confirm"),
        ({"reached": False}, "confirm"),
    ],
)
def test_called_back(desk: Desk, answer: Mapping[str, bool], event: str) -> None:
    case = desk.investigated(complainant=PHONE_ONLY)
    assert [s.gate for s in desk.open_steps(case)] == ["call_back-1"]
    (request,) = [m for m in desk.sender.sent if m.kind == "call_back_request"]
    assert "desk.example" in request.to
    desk.complete(case, desk.agent, StepKind.CALL_BACK, **answer)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation", acknowledgments=0)
    assert desk.kinds(case) == [*ANSWERED, event, *END]
    assert [m.to for m in desk.sender.sent if "desk.example" not in m.to] == []


def test_not_satisfied_on_the_telephone_is_an_appeal(desk: Desk) -> None:
    case = desk.investigated(complainant=PHONE_ONLY)
    with pytest.raises(InvalidInput, match="satisfied"):
        desk.complete(case, desk.agent, StepKind.CALL_BACK, reached=True)
    desk.complete(case, desk.agent, StepKind.CALL_BACK, reached=True, satisfied=False, words="It leaks.")
    assert [s.gate for s in desk.open_steps(case)] == ["review-1"]


@pytest.mark.parametrize(
    "who",
    [
        NewComplainant(),
        NewComplainant(name="Bob", email="bob@customer.example", needs=(Need.NO_EMAIL,)),
        NewComplainant(name="Bob", email="bob@customer.example", needs=(Need.SAFE_CONTACT_ONLY,)),
    ],
)
def test_nobody_to_write_to(desk: Desk, who: NewComplainant) -> None:
    case = desk.investigated(complainant=who)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation", acknowledgments=0)
    assert desk.kinds(case) == [*ANSWERED, *END]
    assert desk.complaint(case).acknowledged_at is not None, "the reference given at intake is the acknowledgment"
    assert desk.sender.to("bob@customer.example") == []


@pytest.mark.parametrize("way", ["@anna on WeChat", "only to anna@customer.example, after six"])
def test_a_safe_way_that_no_mail_can_take_is_a_persons_task(desk: Desk, way: str) -> None:
    who = NewComplainant(name="Anna", email="home@customer.example", needs=(Need.SAFE_CONTACT_ONLY,), safe_contact=way)
    case = desk.investigated(complainant=who)
    desk.complete(case, desk.agent, StepKind.CALL_BACK, reached=True, satisfied=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation", acknowledgments=0)
    assert desk.sender.to("home@customer.example") == []


def test_only_the_safe_address_is_ever_used(desk: Desk) -> None:
    who = NewComplainant(
        name="Bob", email="home@customer.example", needs=(Need.SAFE_CONTACT_ONLY,), safe_contact="safe@customer.example"
    )
    case = desk.closed(complainant=who)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")
    assert desk.sender.to("home@customer.example") == []
    assert len(desk.sender.to("safe@customer.example")) == 4


# -- the response letter


def test_a_critical_complaint_has_two_pairs_of_eyes_and_a_letter_read_by_a_person(desk: Desk) -> None:
    case = desk.submit(ALARMING)
    assert desk.complaint(case).severity == "critical"
    desk.complete(case, desk.agent, StepKind.TRIAGE, decision="investigate")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="approve")
    step = desk.step(case, StepKind.RESPONSE)
    assert desk.letters(case, "response") == []
    assert FINDINGS["summary"] in step.draft["body"]
    desk.complete(case, desk.agent, StepKind.RESPONSE, body=step.draft["body"] + "\nWith our deep regret.")
    (letter,) = desk.sender.to("bob@customer.example", "response")
    assert "deep regret" in letter.letter.text
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


class _Curt(TemplateRenderer):
    """Templates of a company that spoilt its response letter."""

    def render(self, kind: str, language: Language, context: Mapping[str, object]) -> Letter:
        letter = super().render(kind, language, context)
        return Letter(letter.subject, "Thank you for writing.") if kind == "response" else letter


def test_a_letter_that_lacks_what_it_must_say_is_not_sent(desk: Desk) -> None:
    desk.renderer = _Curt("Example Ltd", "UTC")
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    assert desk.letters(case, "response") == []
    step = desk.step(case, StepKind.RESPONSE)
    assert "reasons" in step.context["why"]
    assert "appeal_right" in step.context["why"]
    with pytest.raises(ContentGateFailed) as refused:
        desk.complete(case, desk.agent, StepKind.RESPONSE, body="Thank you.")
    assert {"reference", "outcome", "appeal_right"} <= set(refused.value.missing)
    assert desk.step(case, StepKind.RESPONSE).state == "open", "a refused letter leaves the step open"
    reference = desk.complaint(case).reference
    body = f"{reference}: you are right. {FINDINGS['summary']} You may ask for a review within 30 days."
    desk.complete(case, desk.agent, StepKind.RESPONSE, body=body)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


# -- withdrawing


def _investigating(desk: Desk) -> UUID:
    return desk.submit()


def _awaiting_customer(desk: Desk) -> UUID:
    case = desk.submit()
    desk.act(case, desk.agent, "ask_customer", question="Which model?")
    return case


def _awaiting_third_party(desk: Desk) -> UUID:
    case = desk.submit()
    desk.act(case, desk.agent, "ask_third_party", party="Carrier", question="Dropped?")
    return case


def _deciding(desk: Desk) -> UUID:
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[MUCH])
    return case


def _remedying(desk: Desk) -> UUID:
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[remedy(), remedy("apology", None)])
    return case


def _responding(desk: Desk) -> UUID:
    case = desk.submit(ALARMING)
    desk.complete(case, desk.agent, StepKind.TRIAGE, decision="investigate")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="approve")
    return case


def _external(desk: Desk) -> UUID:
    case = desk.investigated()
    desk.act(case, desk.agent, "refer_externally", body="Ombudsman", reason="The customer went there.")
    return case


TO: Mapping[Status, Callable[[Desk], UUID]] = {
    Status.RECEIVED: lambda desk: desk.submit(walked=False),
    Status.TRIAGE: lambda desk: desk.submit(VAGUE),
    Status.INVESTIGATING: _investigating,
    Status.AWAITING_CUSTOMER: _awaiting_customer,
    Status.AWAITING_THIRD_PARTY: _awaiting_third_party,
    Status.DECIDING: _deciding,
    Status.REMEDYING: _remedying,
    Status.RESPONDING: _responding,
    Status.CONFIRMING: lambda desk: desk.investigated(),
    Status.REVIEWING: appealed,
    Status.EXTERNAL: _external,
}


@pytest.mark.parametrize("status", TO)
def test_withdrawn(desk: Desk, status: Status) -> None:
    case = TO[status](desk)
    before = desk.complaint(case)
    assert before.status == status
    with pytest.raises(Forbidden, match="role"):
        desk.act(case, desk.person("aud", [Role.AUDITOR]), "withdraw")
    assert desk.complaint(case) == before
    desk.act(case, CUSTOMER, "withdraw", reason="Never mind.")
    desk.sound(case, "archived", "withdrawn", acknowledgments=0 if status is Status.RECEIVED else 1)
    assert desk.letters(case, "withdrawal_confirmation") == ["bob@customer.example"]
    assert desk.kinds(case)[-2:] == ["withdraw", "archive"]
    told = next(m.letter.text for m in desk.sender.sent if m.kind == "withdrawal_confirmation")
    assert "30 days" not in told, "it is archived: nobody can take it up again"
    assert "as a new complaint" in told
    assert all(c.state in ("cancelled", "met") for c in desk.clocks(case).values())


def test_every_open_status_is_covered() -> None:
    assert set(TO) == OPEN


def test_a_mail_in_html_is_kept_as_its_words(desk: Desk) -> None:
    mail = "<html><body><p>The heater leaks.</p><script>alert(1)</script><p>Bob</p></body></html>"
    row = desk.complaint(desk.submit(mail, channel=Channel.EMAIL))
    assert (row.narrative, row.extra["html"]) == ("The heater leaks.\nBob", mail)
    typed = desk.complaint(desk.submit(mail, channel=Channel.PORTAL))
    assert typed.narrative == mail


@pytest.mark.parametrize(("kind", "kept"), [("key", "Model 5\nBob"), ("complainant", "<p>Model 5</p><p>Bob</p>")])
def test_a_mail_that_is_passed_on_is_its_words_and_what_somebody_typed_stays(desk: Desk, kind: str, kept: str) -> None:
    case = desk.submit()
    desk.act(case, desk.agent, "ask_customer", question="Which model?")
    someone = Actor(kind, str(desk.complaint(case).complainant_id), "Bob", frozenset({Role.AGENT, Role.COMPLAINANT}))
    with desk.store.work(someone) as work:
        answer = {"answer": "<p>Model 5</p><p>Bob</p>"}
        actions.act(work, desk.complaint(case).reference, "customer_replied", answer)
        rows = work.session.exec(select(Message.body).where(Message.complaint_id == case, Message.kind == "answer"))
        assert rows.all() == [kept]
