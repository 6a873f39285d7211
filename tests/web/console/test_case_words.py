"""The complaint page tells who wrote to whom, what a task is about, and repeats nothing."""

from __future__ import annotations

import re

from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Audience, Role, StepKind
from complaints.services import actions, attachments, casefile, thread
from complaints.services.attachments import NewFile
from complaints.services.transition import lock
from tests.web.console.casework import Desk
from tests.web.console.conftest import text_of


def test_who_wrote_to_whom_is_told_and_letters_of_the_machine_are_folded(desk: Desk) -> None:
    desk.to_investigation()
    with desk.office.product.store.work(desk.actor("li")) as work:
        actions.act(work, desk.reference, "ask_customer", {"question": "Which heater is it?"})
        actions.act(work, desk.reference, "customer_replied", {"answer": "The small one."})
    with desk.office.product.store.work(SYSTEM) as work:
        letter = {"direction": "out", "audience": Audience.COMPLAINANT, "subject": "We have your complaint"}
        thread.post(work, desk.case(), "Dear customer, …", kind="acknowledgment", **letter)
    page = desk.li.get(desk.path).text
    shown = re.search(r'<ol class="thread">(.*?)</ol>', page, flags=re.S)
    assert shown
    said = [text_of(one) for one in re.findall(r"<li class=.*?</li>", shown[1], flags=re.S)]
    assert any(one.startswith("To the customer → Li Na Question") and "Which heater is it?" in one for one in said)
    assert any(one.startswith("From the customer Li Na Answer") and "The small one." in one for one in said)
    [letter_of_the_house] = [one for one in said if "Dear customer" in one]
    assert letter_of_the_house.startswith("To the customer → Example Company Acknowledgment")
    assert '<details><summary class="soft">We have your complaint</summary>' in shown[1]
    desk.li.web.cookies.set("lang", "zh-CN")
    assert "发给客户 →" in text_of(desk.li.get(desk.path).text)


def test_whoever_gave_no_name_is_called_in_the_readers_language_on_pages_and_in_files(desk: Desk) -> None:
    product = desk.office.product
    nobody = Actor("complainant", str(desk.case().complainant_id), "Complainant", frozenset({Role.COMPLAINANT}))
    with product.store.work(nobody) as work:
        actions.act(work, desk.reference, "add_message", {"text": "Hello"})
        file = NewFile("a.txt", "0" * 64, 1, "text/plain")
        attachments.add(work, lock(work, desk.case().id), file, Audience.COMPLAINANT)
    auditor = desk.office.browser("ruth", Role.AUDITOR)
    pages = (
        (desk.li, desk.path),
        (desk.li, f"{desk.path}/timeline.csv"),
        (auditor, f"/console/admin/audit?object={desk.reference}"),
        (auditor, f"/console/admin/audit.csv?object={desk.reference}"),
    )
    for browser, path in pages:
        browser.web.cookies.set("lang", "zh-CN")
        told = text_of(browser.get(path).text)
        assert "投诉人" in told
        assert "系统" in told
        assert not re.search(r"\b(Complainant|Complaints)\b", told), path


def test_a_long_narrative_is_cut_visibly(desk: Desk) -> None:
    reference = desk.office.complain(subject="", narrative="Nobody answers the telephone. " * 10)
    title = re.search(r"<h2>(Nobody[^<]*)</h2>", desk.li.get(f"/console/complaints/{reference}").text)
    assert title
    assert len(title[1]) <= 80
    assert title[1].endswith("…")


def test_hints_say_more_than_their_labels(desk: Desk) -> None:
    page = desk.li.get(f"{desk.path}/do/ask_customer").text
    assert "The question, as they will read it." in page
    for language in ("en", "zh-CN"):
        desk.li.web.cookies.set("lang", language)
        for action in ("escalate", "reclassify", "request_extension"):
            form = desk.li.get(f"{desk.path}/do/{action}").text
            for label, hint in re.findall(
                r'<label for="[^"]+">([^<]+).*?</label>\s*<p class="hint"[^>]*>(.*?)</p>', form
            ):
                assert hint.rstrip(".。").casefold() != label.strip().casefold()
    assert 'id="reason-hint"' not in desk.li.get(f"{desk.path}/do/escalate").text, "理由：理由。"


def test_a_remedy_says_how_much_and_a_request_what_it_changes(desk: Desk) -> None:
    desk.to_approval()
    desk.ask_for_time()
    page = text_of(desk.bo.get(f"{desk.path}?step={desk.step(StepKind.EXTENSION).id}").text)
    with desk.office.product.store.reading(desk.actor("bo")) as work:
        times = casefile.more_time(work, desk.case(), desk.step(StepKind.EXTENSION))
    assert times
    old, new = times
    assert old
    assert new
    assert new > old
    zone = desk.office.app.state.console.zone
    for words, at in (("Due now", old), ("Due if granted", new)):
        assert re.search(rf"{words} {at.astimezone(zone).day} \w+ {at.year}", page), page
    desk.do("bo", StepKind.APPROVAL, decision="approve")
    assert "90,000.00 CNY" in text_of(desk.li.get(f"{desk.path}?step={desk.step(StepKind.REMEDY).id}").text)
    choose = desk.li.get(f"{desk.path}/do/request_extension").text
    assert "default.resolve" not in text_of(choose), "a clock is told in words"


def test_marks_are_chosen_and_a_customer_without_address_is_sent_no_link(desk: Desk) -> None:
    desk.to_response()
    assert "Send a new tracking link" in desk.li.get(desk.path).text
    desk.do("bo", StepKind.RESPONSE, body=str(desk.step(StepKind.RESPONSE).draft["body"]))
    eva = desk.office.browser("eva", Role.MANAGER, teams=())  # who had no part in the outcome
    page = eva.get(desk.path).text
    assert page.count('type="radio" name="rating"') == 6, "five marks, and none"
    other = desk.office.complain(complainant={"name": "Wang Fang", "phone": "13800000000"})
    assert "Send a new tracking link" not in desk.bo.get(f"/console/complaints/{other}").text
