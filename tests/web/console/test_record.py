"""Writing down a complaint that did not come by itself; finding anything by a few letters."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.store.columns import new_id
from complaints.store.tables import Article, Complainant, Complaint, Event, Person, SavedView
from tests.web.console.conftest import Browser, Office, text_of

CALL = {
    "narrative": "The heater leaks since Monday.\r\nNobody calls back.",
    "channel": "phone",
    "complainant-name": "Zhou Min",
    "complainant-phone": "+86 138 0000 1111",
    "complainant-needs": ["vulnerable", "safe_contact_only"],
    "complainant-safe_contact": "sister: +86 138 0000 2222",
    "order_ref": "A-77",
    "desired_remedy": "Repair this week",
    "once": "one-form",
}


@pytest.fixture
def browser(office: Office) -> Browser:
    return office.browser("li", Role.AGENT)


def stored(office: Office) -> list[tuple[Complaint, Complainant]]:
    with office.product.store.reading(SYSTEM) as work:
        query = select(Complaint, Complainant).join(Complainant, Complainant.id == Complaint.complainant_id)  # type: ignore[arg-type]  # a join condition
        return [(c, p) for c, p in work.session.exec(query.order_by(Complaint.reference))]


def test_what_a_caller_says_is_recorded_with_who_wrote_it_down(office: Office, browser: Browser) -> None:
    answer = browser.post("/console/record", **CALL, received_on="2026-03-02", received_time="09:30")
    [(case, who)] = stored(office)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/complaints/{case.reference}"
    assert case.narrative == "The heater leaks since Monday.\nNobody calls back."
    assert (case.channel, case.order_ref, case.desired_remedy) == ("phone", "A-77", "Repair this week")
    zone = ZoneInfo(office.product.settings.time_zone)
    assert case.received_at == datetime(2026, 3, 2, 9, 30, tzinfo=zone)
    assert (who.name, who.needs) == ("Zhou Min", ["vulnerable", "safe_contact_only"])
    assert who.safe_contact == "sister: +86 138 0000 2222"
    with office.product.store.reading(SYSTEM) as work:
        first = work.session.exec(select(Event).where(Event.kind == "received")).one()
    assert (first.actor_name, first.actor_kind) == ("Li", "person")


def test_a_day_without_a_time_counts_from_its_beginning_and_today_is_now(office: Office, browser: Browser) -> None:
    before = office.product.store.now()
    browser.post("/console/record", **CALL, received_on="2026-03-02")
    browser.post("/console/record", narrative="Just now", channel="phone", once="2")
    zone = ZoneInfo(office.product.settings.time_zone)
    first, second = (case for case, _ in stored(office))
    assert first.received_at == datetime(2026, 3, 2, tzinfo=zone)
    assert before <= second.received_at <= office.product.store.now()


def test_a_double_click_records_once(office: Office, browser: Browser) -> None:
    first = browser.post("/console/record", **CALL)
    second = browser.post("/console/record", **CALL)
    assert first.headers["location"] == second.headers["location"]
    assert len(stored(office)) == 1


def test_going_back_and_writing_another_complaint_is_asked_about(office: Office, browser: Browser) -> None:
    browser.post("/console/record", **CALL)
    [(case, _)] = stored(office)
    other = CALL | {"narrative": "Something else entirely", "seen": case.reference}
    answer = browser.post("/console/record", **other)
    assert answer.status_code == 409
    assert f"This form has recorded {case.reference} already" in text_of(answer.text)
    assert "Something else entirely" in answer.text
    once = re.search(r'name="once" value="([^"]+)"', answer.text)
    assert once
    assert browser.post("/console/record", **other | {"once": once[1]}).status_code == 303
    assert len(stored(office)) == 2


def test_the_same_person_or_order_is_shown_before_it_is_recorded_again(office: Office, browser: Browser) -> None:
    browser.post("/console/record", **CALL)
    [(case, _)] = stored(office)
    for same in ({"complainant-phone": "+86 138 0000 1111"}, {"order_ref": "A-77"}):
        again = {"narrative": "It still leaks.", "channel": "phone", "once": "other", **same}
        answer = browser.post("/console/record", **again)
        assert answer.status_code == 409
        assert case.reference in answer.text
        assert "It still leaks." in answer.text
        assert case.reference in browser.post("/console/record/likely", **same).text
    assert browser.post("/console/record", **again, seen=case.reference).status_code == 303
    assert len(stored(office)) == 2


def test_the_hint_tells_nobody_of_complaints_they_may_not_see(office: Office, browser: Browser) -> None:
    browser.post("/console/record", **CALL)
    [(case, _)] = stored(office)
    with office.product.store.work(SYSTEM) as work:
        work.session.exec(select(Complaint)).one().team = "compliance"
    asked = {"order_ref": "A-77", "complainant-phone": "+86 138 0000 1111"}
    assert case.reference not in browser.post("/console/record/likely", **asked).text
    kin = office.hire("kin", Role.MANAGER, teams=())
    with office.product.store.work(SYSTEM) as work:
        work.session.get_one(Person, kin.id).related_to = ["Zhou Min"]
    assert case.reference not in office.browser("kin").post("/console/record/likely", **asked).text
    boss = office.browser("max", Role.MANAGER, teams=())
    assert case.reference in boss.post("/console/record/likely", **asked).text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("narrative", "  ", "Fill this in."),
        ("narrative", "x" * 100_001, "This is too long: at most 100000 characters."),
        ("narrative", "a\x00b", "must not contain NUL characters"),
        ("subject", "x" * 301, "This is too long: at most 300 characters."),
        ("complainant-email", "nobody", "This is not an e-mail address."),
        ("complainant-phone", "call me", "Write a telephone number in digits"),
        ("complainant-needs", "a pony", "Choose one of these."),
        ("channel", "portal", "Choose one of these."),
        ("channel", "pigeon", "Choose one of these."),
        ("language", "fr", "Choose one of these."),
        ("received_on", "2999-01-01", "This lies in the future."),
        ("received_on", "yesterday", "Write a date"),
        ("received_on", "0001-01-01", "lies before 1970"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_written_stays(
    office: Office, browser: Browser, field: str, value: str, said: str
) -> None:
    answer = browser.post("/console/record", **CALL | {"received_on": "2026-03-02", field: value})
    assert answer.status_code == 422
    name = field.replace("complainant-needs-0", "complainant-needs")
    assert said in text_of(answer.text)
    assert f'href="#{name}"' in answer.text
    assert 'value="Zhou Min"' in answer.text
    assert 'value="safe_contact_only" checked' in answer.text or field == "complainant-needs"
    assert stored(office) == []


def test_a_script_in_any_field_stays_a_text(office: Office, browser: Browser) -> None:
    evil = "</textarea><script>alert(1)</script>\"'"
    texts = ("narrative", "subject", "product", "order_ref", "desired_remedy", "complainant-name", "complainant-email")
    more = ("complainant-phone", "complainant-safe_contact", "received_on", "received_time", "once", "seen", "channel")
    answer = browser.post("/console/record", **dict.fromkeys((*texts, *more), evil))
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_whoever_may_not_see_it_afterwards_is_told_so(office: Office, browser: Browser) -> None:
    answer = browser.post("/console/record", **CALL, confidential="yes")
    assert answer.headers["location"] == "/console/inbox"
    [(case, _)] = stored(office)
    assert case.confidential
    said = text_of(browser.get("/console/inbox").text)
    assert f"Recorded as {case.reference}" in said
    assert "you cannot open it" in said
    lead = office.browser("zhao", Role.LEAD)
    answer = lead.post("/console/record", **CALL | {"once": "x", "confidential": "yes", "seen": case.reference})
    assert answer.headers["location"].startswith("/console/complaints/")


# -- the palette


def titles(browser: Browser, words: str) -> list[str]:
    return [one["title"] for one in browser.get("/console/palette", params={"q": words}).json()]


def test_the_palette_finds_complaints_people_articles_and_views(office: Office, browser: Browser) -> None:
    reference = office.complain(subject="Kettle explodes")
    with office.product.store.work(SYSTEM) as work:
        for published in (True, False):
            title = f"Kettles {'now' if published else 'soon'}"
            work.session.add(
                Article(
                    id=new_id(work.now),
                    title=title,
                    language="en",
                    body="Descale.",
                    published=published,
                    changed_at=work.now,
                    changed_by="x",
                )
            )
        for name, owner in (("Kettle shared", None), ("Kettle private", office.hire("wu", Role.AGENT).id)):
            view = SavedView(id=new_id(work.now), owner_id=owner, name=name, query="view=all", created_at=work.now)
            work.session.add(view)
        work.session.exec(select(Complaint)).one().team = "service"
    assert titles(browser, "kettle") == ["Kettle explodes", "Kettle shared", "Kettles now"]
    [found] = browser.get("/console/palette", params={"q": reference}).json()
    assert found["href"] == f"/console/complaints/{reference}"
    assert titles(browser, reference.lower().replace("-", "")) == ["Kettle explodes"]
    assert titles(browser, "wu") == ["Wu"]
    assert titles(browser, "k") == titles(browser, "100%") == []


def test_the_palette_shows_only_what_one_may_see(office: Office) -> None:
    reference = office.complain(subject="Kettle explodes")
    browser = office.browser("li", Role.AGENT, teams=("compliance",))
    assert titles(browser, "kettle") == titles(browser, reference) == []
    kin = office.browser("kin", Role.MANAGER, teams=(), email="wang.fang@example.com")
    assert titles(kin, "kettle") == titles(kin, reference) == []
    assert titles(office.browser("max", Role.MANAGER, teams=()), "kettle") == ["Kettle explodes"]


def test_the_jurisdiction_is_chosen_from_the_rules_we_have(office: Office, browser: Browser) -> None:
    page = browser.get("/console/record").text
    assert '<option value="uk"' in page
    browser.post("/console/record", **CALL, received_on="2026-03-02", jurisdiction="uk")
    [(case, _)] = stored(office)
    assert (case.jurisdiction, "fca" in case.profiles) == ("uk", True)
