"""What happens beside the straight way: remedies from offer to check, acknowledgments by hand and come back, answers
by a standard solution while somebody investigates; and what a refusal names instead."""

from __future__ import annotations

import html
import zipfile
from uuid import UUID

import pytest
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

from complaints.domain.errors import ActionNotAllowed, Conflict, Forbidden, InvalidInput
from complaints.domain.intake import NewComplainant
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, RemedyState, StepKind
from complaints.services import actions, decision, steps, view
from complaints.store.tables import Complaint, Message, Remedy
from tasks import complaint as tasks
from tests.integration.desk import CUSTOMER, FINDINGS, GATEWAY, Desk, remedy

BOB = "bob@customer.example"


def remedies(desk: Desk, case: UUID) -> list[Remedy]:
    with desk.store.reading(SYSTEM) as work:
        found = decision.remedies(work, work.session.get_one(Complaint, case))
    return sorted(found, key=lambda remedy: remedy.kind)


def states(desk: Desk, case: UUID) -> list[str]:
    return [r.state for r in remedies(desk, case)]


# -- remedies


def test_a_remedy_is_offered_accepted_done_and_verified_by_somebody_else(desk: Desk) -> None:
    case = desk.submit()
    wanted = [remedy("compensation", "99.00"), remedy("replacement", None)]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=wanted)
    assert states(desk, case) == [RemedyState.ACCEPTED, RemedyState.OFFERED], "money needs no acceptance, goods do"
    money, goods = (str(r.id) for r in remedies(desk, case))

    payment = next(s for s in desk.open_steps(case) if s.context["remedy_id"] == money)
    with desk.store.work(desk.actor(desk.agent)) as work:
        steps.complete(work, payment.id, {"result": "done", "evidence": "payment 4711"})
    with pytest.raises(Conflict, match="not accepted this remedy yet"):
        desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    with pytest.raises(Conflict, match="offered"):
        desk.act(case, desk.agent, "accept_remedy", remedy=money, evidence="on the telephone")
    desk.act(case, desk.agent, "accept_remedy", remedy=goods, evidence="on the telephone")
    assert states(desk, case) == [RemedyState.DONE, RemedyState.ACCEPTED]
    with pytest.raises(Conflict, match="carried out"):
        desk.act(case, desk.lead, "verify_remedy", remedy=goods, evidence="asked the depot")
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")

    with pytest.raises(Forbidden, match="four eyes"):
        desk.act(case, desk.agent, "verify_remedy", remedy=money, evidence="I paid it")
    desk.act(case, desk.lead, "verify_remedy", remedy=money, evidence="seen on the bank statement")
    assert states(desk, case) == [RemedyState.VERIFIED, RemedyState.DONE]
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.act(case, desk.lead, "verify_remedy", remedy=goods, evidence="they wrote so")
    desk.end_window(case)
    desk.sound(case, "archived", "monetary_relief")


def test_an_offer_that_is_declined_holds_nobody_up(desk: Desk) -> None:
    case = desk.submit()
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[remedy("points", "10.00")])
    desk.complete(case, desk.agent, StepKind.REMEDY, result="declined")
    assert desk.complaint(case).status == "confirming"


def test_a_remedy_of_another_complaint_is_none_of_this(desk: Desk) -> None:
    cases = [desk.submit(complainant=NewComplainant(name=n, email=f"{n}@customer.example")) for n in ("ann", "cem")]
    for case in cases:
        desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[remedy("points", "10.00")])
    with pytest.raises(InvalidInput, match="no such remedy"):
        desk.act(cases[0], desk.agent, "accept_remedy", remedy=str(remedies(desk, cases[1])[0].id), evidence="x")


# -- acknowledgments


def test_an_acknowledgment_that_came_back_is_given_by_telephone(desk: Desk) -> None:
    case = desk.submit()
    with pytest.raises(Conflict, match="already"):
        desk.act(case, desk.agent, "acknowledge", how="telephone", evidence="call 17")
    with pytest.raises(InvalidInput, match="this address"):
        desk.act(case, GATEWAY, "acknowledgment_bounced", address="else@customer.example", evidence="550")
    desk.act(case, GATEWAY, "acknowledgment_bounced", address=BOB.upper(), evidence="550 5.1.1 no such user")
    assert desk.complaint(case).acknowledged_at is None
    assert [c.state for c in desk.clocks(case).values() if c.name == "ack"] == ["running"]
    with pytest.raises(Conflict, match="No acknowledgment"):
        desk.act(case, desk.lead, "acknowledgment_bounced", evidence="told twice")
    desk.later(hours=1)
    desk.act(case, desk.agent, "acknowledge", how="telephone", evidence="call 17, spoke to Bob himself")
    assert desk.complaint(case).acknowledged_at == desk.now()
    kinds = desk.kinds(case)
    assert kinds[-3:] == ["acknowledgment_bounced", "acknowledge", "acknowledged"]
    assert desk.events(case)[-1].data["evidence"].startswith("call 17")


def test_of_several_complainants_it_is_said_whose_letter_came_back(desk: Desk) -> None:
    first = desk.submit()
    second = desk.submit(complainant=NewComplainant(name="Ann", email="ann@customer.example"))
    desk.act(second, desk.lead, "merge", into=desk.complaint(first).reference)
    with pytest.raises(InvalidInput, match="several people"):
        desk.act(first, desk.lead, "acknowledgment_bounced", evidence="550")
    desk.act(first, desk.lead, "acknowledgment_bounced", address="ann@customer.example", evidence="550")
    assert desk.kinds(first)[-1] == "acknowledgment_bounced"


# -- fast track


def test_an_investigator_answers_with_a_standard_solution(desk: Desk) -> None:
    case = desk.submit()
    assert desk.complaint(case).status == "investigating"
    with pytest.raises(InvalidInput, match="invoice_copy"):
        desk.act(case, desk.agent, "fast_track", solution="no_such")
    desk.act(case, desk.agent, "fast_track", solution="late_parcel")
    assert desk.complaint(case).status == "confirming"
    assert len(desk.letters(case, "response")) == 1
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    desk.sound(case, "archived", "explanation")


# -- refusals


@pytest.mark.parametrize("who", ["agent", "lead", "approver", "manager"])
def test_a_refusal_names_what_this_person_may_ask_for(desk: Desk, who: str) -> None:
    case, person = desk.submit(), getattr(desk, who)
    with pytest.raises(ActionNotAllowed) as refused:
        desk.act(case, person, "reopen", reason="again")
    with desk.store.reading(desk.actor(person)) as work:
        assert refused.value.allowed == actions.allowed_for(work, work.session.get_one(Complaint, case))
    assert not {"decide", "submit_findings", "archive"} & set(refused.value.allowed)


def test_the_complainant_is_not_named_what_only_staff_may(desk: Desk) -> None:
    case = desk.submit()
    with pytest.raises(ActionNotAllowed) as refused:
        desk.act(case, CUSTOMER, "customer_replied", answer="Yes.")
    assert set(refused.value.allowed) == {"withdraw", "add_message", "new_facts"}


# -- the thread


def thread(desk: Desk, case: UUID, kind: str) -> list[Message]:
    with desk.store.reading(SYSTEM) as work:
        found = view.thread(work, work.session.get_one(Complaint, case), view.EVERYTHING)
    return [m for m in found if m.kind == kind or kind in m.body]


def test_what_staff_write_stands_in_the_thread_once_with_its_evidence(desk: Desk) -> None:
    case = desk.submit()
    second = desk.submit(complainant=NewComplainant(name="Ann", email="ann@customer.example"))
    desk.act(second, desk.lead, "merge", into=desk.complaint(case).reference)
    desk.act(case, desk.agent, "add_message", text="We are looking for it.")
    (said,) = thread(desk, case, "We are looking for it.")
    letters = [m for m in desk.sender.sent if m.kind == "progress"]
    assert {m.to for m in letters} == {BOB, "ann@customer.example"}
    assert said.author == desk.agent.name
    assert said.delivered_at is not None
    assert all(m.key in said.delivery["detail"] for m in letters)

    desk.act(case, desk.agent, "ask_customer", question="Which pump is it?")
    (question,) = thread(desk, case, "Which pump is it?")
    assert question.delivered_at is not None
    desk.act(case, CUSTOMER, "customer_replied", answer="The small one.")
    desk.act(case, desk.agent, "ask_third_party", party="Carrier", question="Was it wet?", email="c@carrier.example")
    (asked,) = thread(desk, case, "Was it wet?")
    assert asked.delivery["detail"] == desk.sender.sent[-1].key


# -- Prefect's own form


def test_an_answer_that_is_taken_twice_is_no_refusal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case = desk.submit()
    monkeypatch.setattr(tasks, "app", lambda: desk)
    wrong = tasks.take_answer.fn(case, "investigation-1", {**FINDINGS, "root_cause": "gremlins"})
    assert wrong is not None
    assert "unknown root cause" in wrong
    for _ in range(2):
        assert tasks.take_answer.fn(case, "investigation-1", FINDINGS) is None
    assert desk.kinds(case).count("submit_findings") == 1


def test_a_task_is_tried_as_often_as_policy_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "app", lambda: desk)
    again = tasks.take_answer.retry_condition_fn
    assert again is not None
    runs = [TaskRun(task_key="t", dynamic_key="0", run_count=count) for count in range(1, 11)]
    tried_again = [run.run_count for run in runs if again(tasks.take_answer, run, Failed())]
    attempts = desk.policy.lifecycle.timings.task_attempts
    assert tried_again == list(range(1, attempts))
    assert tasks.take_answer.retries == 9, "policy may ask for ten"


# -- the archived dossier


@pytest.mark.parametrize("language", list(Language))
def test_the_archived_page_says_the_policys_codes_in_words(desk: Desk, language: Language) -> None:
    case = desk.submit(language=language)
    cause = desk.policy.taxonomy.root_causes[0]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, root_cause=cause.key)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    row = desk.complaint(case)
    category = desk.policy.taxonomy.category(row.category)
    assert category is not None
    assert row.bag_url
    with zipfile.ZipFile(row.bag_url.removeprefix("file://")) as bag:
        page = bag.read(f"{row.reference}/data/complaint.html").decode()
    for code, label in ((category.key, category.label), (cause.key, cause.label)):
        assert f"<td>{html.escape(label.in_(language))}</td>" in page
        assert f"<td>{code}</td>" not in page
