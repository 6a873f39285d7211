"""Doing what is due: forms, drafts, two people at once, double clicks, the back button."""

from __future__ import annotations

import re

from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import actions, clocks, drafts, walk
from complaints.store.columns import new_id
from complaints.store.tables import Complaint, Link, Message
from tests.web.console.casework import TEAMS, UNSURE, Desk
from tests.web.console.conftest import text_of


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def test_completing_leads_to_what_is_next(desk: Desk) -> None:
    answer = desk.li.post(desk.at(StepKind.TRIAGE), decision="investigate", version="1")
    assert answer.status_code == 303
    page = desk.li.get(answer.headers["location"])
    assert "Done: Triage. Next here: Investigation." in text_of(page.text)
    assert desk.case().status == "investigating"


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(desk: Desk) -> None:
    answer = desk.li.post(desk.at(StepKind.TRIAGE), decision="reject", reason="", severity="minor")
    assert answer.status_code == 422
    assert 'id="reason-error"' in answer.text
    assert '<option value="minor" selected>' in answer.text
    assert 'value="reject" checked' in answer.text
    desk.to_investigation()
    row = {"remedies-0-kind": "refund", "remedies-0-description": "The price", "remedies-0-amount": "ten"}
    answer = desk.li.post(desk.at(StepKind.INVESTIGATION), finding="upheld", summary="It leaks.", **row)
    assert answer.status_code == 422
    assert 'id="remedies-0-amount-error"' in answer.text
    assert ">\nIt leaks.</textarea>" in answer.text
    assert 'value="The price"' in answer.text


def test_a_refusal_of_the_policy_is_told_in_the_readers_language(desk: Desk) -> None:
    desk.li.web.cookies.set("lang", "zh-CN")
    answer = desk.li.post(desk.at(StepKind.TRIAGE), decision="merge", merge_into="C26-000042-1", reason="x")
    assert answer.status_code == 422
    assert "merge_into-error" in answer.text


def test_sent_twice_it_is_done_once(desk: Desk) -> None:
    for _ in range(2):
        answer = desk.li.post(desk.at(StepKind.TRIAGE), decision="investigate", version="1")
        assert answer.status_code == 303
        assert answer.headers["location"] == desk.path
    assert desk.events("confirm_triage") == 1


def test_the_back_button_after_completing_shows_who_did_it_and_keeps_the_words(desk: Desk) -> None:
    old = desk.at(StepKind.TRIAGE)
    desk.li.post(old, decision="investigate", version="1")
    late = desk.bo.post(old, decision="reject", reason="Not ours: it is the neighbour's heater.", version="1", seen="3")
    assert late.status_code == 409
    said = text_of(late.text)
    assert "This was already done by Li Na on" in said
    assert "Not ours: it is the neighbour" in said
    assert "Triage done; the investigation begins." in said, "what happened since"
    assert desk.case().status == "investigating"
    note = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', late.text, re.S)
    assert note
    kept = desk.bo.post(f"{desk.path}/do/add_note", text=note[1], once=hidden(late.text, "once"))
    assert kept.status_code == 303
    assert "Not ours: it is the neighbour" in text_of(desk.bo.get(desk.path).text)


def test_a_draft_is_kept_shown_and_gone_with_the_step(desk: Desk) -> None:
    page = desk.li.get(desk.path).text
    seen = hidden(page, "draft_seen")
    answer = desk.li.post(f"{desk.at(StepKind.TRIAGE)}/draft", reason="Half a thought", draft_seen=seen)
    assert answer.status_code == 303
    page = desk.li.get(desk.path).text
    assert "Half a thought" in page
    assert "Draft of Li Na, kept at" in text_of(page)
    headers = {"x-csrf": desk.li.csrf, "accept": "application/json"}
    fields = {"reason": "A whole thought\x00", "draft_seen": hidden(page, "draft_seen")}
    told = desk.li.web.post(f"{desk.at(StepKind.TRIAGE)}/draft", data=fields, headers=headers).json()
    assert told["say"].startswith("Draft kept at ")
    step = desk.step(StepKind.TRIAGE)
    assert drafts.of(step).entries["reason"] == "A whole thought"
    assert drafts.of(step).mark == told["seen"]
    desk.to_investigation()
    assert desk.step(StepKind.TRIAGE).draft == {}


def test_what_was_refused_is_there_again_after_looking_elsewhere(desk: Desk) -> None:
    """The page of a refused form has an address without a page: every link on it leads away from the entries."""
    seen = hidden(desk.li.get(desk.path).text, "draft_seen")
    refused = desk.li.post(desk.at(StepKind.TRIAGE), decision="reject", severity="minor", draft_seen=seen)
    assert refused.status_code == 422
    assert "Draft of Li Na, kept at" in text_of(refused.text)
    page = desk.li.get(desk.path).text
    assert '<option value="minor" selected>' in page
    assert 'value="reject" checked' in page
    again = {"decision": "reject", "reason": "Not ours.", "draft_seen": hidden(refused.text, "draft_seen")}
    assert desk.li.post(desk.at(StepKind.TRIAGE), **again).status_code == 303


def test_what_is_too_much_for_a_draft_is_refused_all_the_same(desk: Desk) -> None:
    refused = desk.li.post(desk.at(StepKind.TRIAGE), decision="reject", reason="x" * 200_001)
    assert refused.status_code == 422
    assert 'id="reason-error"' in refused.text
    assert desk.step(StepKind.TRIAGE).draft == {}


def test_what_somebody_emptied_stays_empty(desk: Desk) -> None:
    """What the case knows already fills a new form, not one in which it was taken out."""
    desk.to_approval()
    desk.do("bo", StepKind.APPROVAL, decision="send_back", reason="Ask the carrier, too.")
    page = desk.li.get(desk.path).text
    assert ">\nIt leaks: no seal.</textarea>" in page
    kept = desk.li.post(f"{desk.at(StepKind.INVESTIGATION)}/draft", finding="upheld", summary="", draft_seen="")
    assert kept.status_code == 303
    page = desk.li.get(desk.path).text
    assert ">\nIt leaks: no seal.</textarea>" not in page
    assert 'value="upheld" checked' in page


def test_nobody_writes_over_a_colleagues_draft_unseen(desk: Desk) -> None:
    at = desk.at(StepKind.TRIAGE)
    desk.bo.post(f"{at}/draft", reason="Bo's thought", draft_seen="")
    mine = {"reason": "Li's thought", "draft_seen": ""}
    headers = {"x-csrf": desk.li.csrf, "accept": "application/json"}
    told = desk.li.web.post(f"{at}/draft", data=mine, headers=headers)
    assert told.status_code == 409
    assert "Bo has written in this form too" in told.json()["say"]
    both = desk.li.post(f"{at}/draft", **mine)
    assert both.status_code == 409
    assert "Bo's thought" in text_of(both.text)
    assert "Li's thought" in text_of(both.text)
    done = desk.li.post(at, decision="investigate", version="1", draft_seen="")
    assert done.status_code == 409, "completing would throw Bo's words away"
    anyway = desk.li.post(at, decision="investigate", version="1", draft_seen=hidden(done.text, "draft_seen"))
    assert anyway.status_code == 303
    assert desk.case().status == "investigating"


def test_a_task_that_changed_hands_meanwhile_shows_both_and_goes_on(desk: Desk) -> None:
    at = desk.at(StepKind.TRIAGE)
    desk.bo.post(f"{at}/claim")
    desk.bo.post(f"{at}/release")
    stale = desk.li.post(at, decision="investigate", reason="as discussed", version="1", seen="3")
    assert stale.status_code == 409
    assert "The task has changed since you opened it." in text_of(stale.text)
    assert 'name="reason" value="as discussed"' in stale.text
    fresh = desk.li.post(at, decision="investigate", reason="as discussed", version=hidden(stale.text, "version"))
    assert fresh.status_code == 303


def test_taking_a_task_keeps_others_out_until_it_is_given_back(desk: Desk) -> None:
    at = desk.at(StepKind.TRIAGE)
    mo = desk.office.browser("mo", Role.AGENT, teams=TEAMS, name="Mo")
    assert desk.li.post(f"{at}/claim").status_code == 303
    page = mo.get(desk.path)
    assert "Li Na has taken this task." in text_of(page.text)
    assert 'id="due-form"' not in page.text
    refused = mo.post(f"{at}/claim")
    assert refused.status_code == 303
    assert "Li Na" in text_of(mo.get(desk.path).text)
    kept = mo.post(at, decision="investigate", reason="mine")
    assert kept.status_code == 409
    assert "mine" in text_of(kept.text), "what was written is still there"
    desk.li.post(f"{at}/release")
    assert 'id="due-form"' in mo.get(desk.path).text


def test_whoever_investigated_is_told_why_they_may_not_approve(desk: Desk) -> None:
    boss = desk.office.browser("boss", Role.LEAD, teams=TEAMS)
    desk.to_investigation()
    desk.do("boss", StepKind.INVESTIGATION, finding="upheld", summary="It leaks.")
    with desk.office.product.store.work(SYSTEM) as work:
        row = work.session.get_one(Complaint, desk.case().id)
        row.severity = "critical"
        work.session.add(row)
        work.session.flush()
        walk.decide(work, row.id)
    said = text_of(boss.get(desk.path).text)
    assert "Whoever investigated may not approve (four eyes)." in said
    assert "Waits for: Approver" in said
    assert "The severity is: Critical." in said


def test_a_step_of_another_complaint_is_not_there(desk: Desk) -> None:
    other = desk.office.complain(subject="Other")
    answer = desk.li.post(f"/console/complaints/{other}/steps/{desk.step(StepKind.TRIAGE).id}", decision="investigate")
    assert answer.status_code == 404


def test_the_letter_is_checked_shown_and_sent(desk: Desk) -> None:
    desk.to_response()
    page = desk.li.get(desk.path).text
    assert "The letter must have" in page
    at = desk.at(StepKind.RESPONSE)
    headers = {"x-csrf": desk.li.csrf}
    check = desk.li.web.post(f"{desk.path}/letter", data={"body": "<b>Dear</b> Wang Fang"}, headers=headers)
    assert check.status_code == 200
    assert 'class="lacks"' in check.text
    assert "&lt;b&gt;Dear" in check.text
    assert f"[{desk.reference}] Our response to your complaint" in check.text
    body = drafts.of(desk.step(StepKind.RESPONSE)).entries["body"] + "\nYours"
    short = desk.li.post(at, body="Too short.")
    assert short.status_code == 422
    assert "The letter still lacks: The reference" in text_of(short.text)
    assert ">\nToo short.</textarea>" in short.text
    assert desk.li.post(at, body=body).status_code == 303
    assert desk.case().status == "confirming"
    with desk.office.product.store.reading(SYSTEM) as work:
        sent = work.session.exec(select(Message).where(Message.kind == "response")).one()
    assert sent.body == body


def test_without_a_session_the_form_waits_until_one_has_signed_in_again(desk: Desk) -> None:
    at = desk.at(StepKind.TRIAGE)
    desk.li.web.cookies.clear()
    answer = desk.li.web.post(at, data={"csrf": "old", "decision": "investigate", "reason": "long words"})
    assert answer.status_code == 401
    assert "long words" in answer.text


def test_whatever_stands_beside_the_step_can_be_chosen(desk: Desk) -> None:
    desk.to_investigation()
    with desk.office.product.store.work(desk.actor("li")) as work:
        clock = next(c for c in clocks.of(work, desk.case()) if c.name == "resolve")
        ask = {"clock": f"{clock.profile}.{clock.name}", "days": 2, "reason": "the expert is away"}
        actions.act(work, desk.reference, "request_extension", ask)
    step = desk.step(StepKind.EXTENSION)
    page = desk.bo.get(f"{desk.path}?step={step.id}").text
    assert "2 working hours more for Resolution" in text_of(page)
    assert "More time was asked for on Resolution: 2 working hours." in text_of(page)
    assert "延长2个工作小时" in desk.bo.get(f"{desk.path}?step={step.id}&lang=zh-CN").text
    assert "the expert is away" in page
    assert "This task needs the role “Lead”." in text_of(desk.li.get(f"{desk.path}?step={step.id}").text)
    assert "此任务需要“组长”角色。" in text_of(desk.li.get(f"{desk.path}?step={step.id}&lang=zh-CN").text)


def over(desk: Desk) -> str:
    """A complaint that is over, and that the machine took for the same matter as the desk's."""
    other = desk.office.complain(**UNSURE)
    with desk.office.product.store.work(SYSTEM) as work:
        row = work.session.exec(select(Complaint).where(Complaint.reference == other)).one()
        row.status = "archived"
        work.session.add(row)
        link = {"from_id": desk.case().id, "to_id": row.id, "kind": "duplicate", "note": "text", "at": work.now}
        work.session.add(Link(id=new_id(work.now), **link))
    return other


def test_what_is_not_possible_is_said_beside_its_field_and_the_entries_stay(desk: Desk) -> None:
    archived = over(desk)
    page = desk.li.get(desk.path)
    assert hidden(page.text, "merge_into") == "", "what is over is not proposed"
    assert f"merge?into={archived}" not in page.text
    sent = {"decision": "merge", "merge_into": archived, "reason": "The very same heater."}
    answer = desk.li.post(desk.at(StepKind.TRIAGE), version=str(desk.step(StepKind.TRIAGE).version), **sent)
    assert answer.status_code == 422
    assert re.search(r'id="merge_into-error">[^<]*(<svg.*?</svg>)?[^<]*“Archived”', answer.text, flags=re.S), (
        answer.text
    )
    assert "The very same heater." in answer.text
    assert "Both versions" not in answer.text
    act = desk.li.post(f"{desk.path}/do/merge", into=archived, sure="yes")
    assert act.status_code == 409
    assert re.search(r'id="into-error">[^<]*(<svg.*?</svg>)?[^<]*“Archived”', act.text, flags=re.S)
    desk.li.web.headers["accept-language"] = "zh"
    desk.li.web.cookies.set("lang", "zh-CN")
    assert "“已归档”" in desk.li.post(desk.at(StepKind.TRIAGE), **sent).text


def test_nothing_goes_out_while_a_placeholder_is_unfilled(desk: Desk) -> None:
    """A message, a question, a rejection, and the findings that stand in letters."""
    desk.to_investigation()
    for action, field in (("ask_customer", "question"), ("add_message", "text"), ("reject", "reason")):
        answer = desk.li.post(f"{desk.path}/do/{action}", **{field: "We offer {remedies}. {remedies}", "sure": "yes"})
        assert answer.status_code == 422, action
        assert f'id="{field}-error"' in answer.text
        assert "not filled in: {remedies}; write" in answer.text
    note = desk.li.post(f"{desk.path}/do/add_message", text="Ask about {remedies}", audience="internal")
    assert note.status_code == 303, "colleagues may write what they like"
    answer = desk.li.post(desk.at(StepKind.INVESTIGATION), finding="upheld", summary="We found: {summary}")
    assert 'id="summary-error"' in answer.text


def test_a_letter_with_an_unfilled_placeholder_is_not_sent(desk: Desk) -> None:
    desk.to_response()
    body = str(desk.step(StepKind.RESPONSE).draft["body"])
    whole = desk.li.post(f"{desk.path}/letter", body=body).text
    assert "lacks" not in whole
    checked = desk.li.post(f"{desk.path}/letter", body=f"{body} {{remedies}}").text
    assert re.search(r'class="lacks">.*Every placeholder filled in', checked)
    answer = desk.bo.post(desk.at(StepKind.RESPONSE), body=f"{body} {{remedies}}")
    assert "The letter still lacks: Every placeholder filled in." in text_of(answer.text)
    assert desk.case().status == "responding"


def test_what_a_canned_text_left_unfilled_is_marked(desk: Desk) -> None:
    row = {"title": "Offer", "language": "en", "body": "{reference}: we offer {remedies} <b>", "active": "yes"}
    desk.bo.post("/console/admin/texts/new", **row)
    page = desk.li.get(f"{desk.path}/texts").text
    assert f"{desk.reference}: we offer <mark" in page
    assert ">{remedies}</mark> &lt;b&gt;</div>" in page
    desk.bo.web.cookies.set("lang", "zh-CN")
    assert "我方承诺的各项措施" in desk.bo.get("/console/admin/texts/new").text
