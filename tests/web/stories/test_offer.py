"""A remedy is offered on a telephone and answered there; years later two colleagues dispose of the dossier."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlmodel import select, update

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentState
from complaints.store.tables import Complaint, Outbox
from tests.web.browsing import PHONE
from tests.web.stories.house import House
from tests.web.stories.people import Colleague, Customer

LANGUAGES = pytest.mark.parametrize("language", ["en", "zh-CN"])
WORDS = {
    "en": ("A new heater, mounted by our own people", "500 points for the trouble", "Keep the points, please call me."),
    "zh-CN": ("更换一台新热水器，由我公司人员上门安装", "赠送 500 积分作为补偿", "积分就不用了，请给我打电话。"),
}


def offered(house: House, language: str) -> str:
    """A complaint whose decision offers a replacement and points; its reference."""
    heater, points, _ = WORDS[language]
    house.hire("robin", "agent")
    house.hire("pat", "approver")
    reference = house.complain(language)
    house.do("robin", reference, "triage", decision="investigate")
    remedies = [
        {"kind": "replacement", "description": heater},
        {"kind": "points", "description": points, "amount": "500"},
    ]
    summary = "The valve was mounted the wrong way."
    house.do("robin", reference, "investigation", finding="upheld", summary=summary, remedies=remedies)
    house.do("pat", reference, "approval", decision="approve")
    return reference


@LANGUAGES
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_an_offer_is_answered_on_a_telephone(
    house: House, customer: Callable[..., Customer], language: str, scripts: bool
) -> None:
    _, points, reply = WORDS[language]
    reference = offered(house, language)
    one = customer(language, java_script_enabled=scripts)
    one.page.goto(house.link("remedy_offer", reference))
    cards = one.page.locator("section.card")
    expect(cards).to_have_count(2)
    one.look("offers", axe=scripts)
    card = cards.filter(has_text=points)
    card.locator("input[value=no]").check()
    card.locator("button").click()
    expect(one.page.locator(".summary a")).to_have_count(1)
    one.look("a-no-needs-words", refused=422, axe=scripts)
    again = one.page.locator("section.card").filter(has_text=points)
    again.locator("textarea").fill(reply)
    again.locator("button").click()
    expect(one.page.locator("section.card")).to_have_count(1)
    one.page.locator("section.card input[value=yes]").check()
    one.page.locator("section.card button").click()
    expect(one.page.locator("section.card")).to_have_count(0)
    expect(one.page.locator(".said.theirs")).to_contain_text(reply)
    one.look("answered", axe=scripts)
    assert (house.events(reference, "accept_remedy"), house.events(reference, "decline_remedy")) == (1, 1)


@LANGUAGES
def test_two_colleagues_dispose_of_a_dossier(house: House, colleague: Callable[..., Colleague], language: str) -> None:
    references = [offered(house, language), house.complain(language), house.complain(language)]
    with house.product.store.work(SYSTEM) as work:
        for number, row in enumerate(work.session.exec(select(Complaint)).all()):
            row.status, row.closed_at, row.bag_url = "archived", work.now - timedelta(days=2000), "memory://bag.zip"
            row.retention_until, row.bag_hash = work.now - timedelta(days=3 - number * 2), "ab" * 32
            work.session.add(row)
        work.session.execute(update(Outbox).values(state=IntentState.DONE, done_at=work.now))  # no run is started here
    lead = colleague("kim", "lead", language=language, name="Kim")
    manager = colleague("max", "manager", language=language, name="Max")
    lead.open("disposals")
    lead.look("due")
    reference = references[0]
    for name, view in (("two", "due"), ("three", "requested")):
        lead.page.set_viewport_size(PHONE)
        lead.open(f"disposals?view={view}")
        lead.look(f"phone-{name}")
    lead.page.goto(f"{house.address}/console/complaints/{reference}/do/request_disposal")
    lead.page.locator("#reason").fill("Kept as long as the rules say")
    lead.page.locator("form:has(#reason) button.primary").click()
    manager.open("disposals?view=requested")
    manager.look("requested")
    manager.page.locator(f"a[href$='{reference}/do/erase']").click()
    manager.look("what-goes")
    manager.page.locator("#reason").fill("Schedule, item 4")
    expect(manager.page.locator("dl.facts dt").first).to_be_visible()
    manager.page.locator("#sure").check()
    with manager.page.expect_navigation():
        manager.page.locator("button.danger").click()
    said = manager.page.locator("main")
    expect(said).to_be_visible()
    manager.look("after")
    for view in ("due", "requested", "erased"):
        manager.open(f"disposals?view={view}")
        manager.look(view)
    manager.page.set_viewport_size(PHONE)
    manager.open("disposals?view=erased")
    manager.look("phone-erased")


@LANGUAGES
def test_the_days_of_a_clock_and_a_likely_duplicate_are_looked_at(
    house: House, colleague: Callable[..., Colleague], language: str
) -> None:
    first, second = house.complain(language), house.complain(language)
    agent = colleague("li", "agent", "lead", language=language, name="Li Na")
    house.act("li", second, "link", to=first, kind="duplicate")
    agent.case(second)
    agent.look("case")
    places = [agent.page.locator(f".plain li .buttons {what}").first.bounding_box() for what in ("a", "button")]
    assert places[0] is not None
    assert places[1] is not None
    assert abs(places[0]["y"] - places[1]["y"]) < 2, "both ways to go on stand in one row"
    agent.open(f"complaints/{second}/clocks?clock=default.resolve")
    agent.look("clock")
    agent.page.set_viewport_size(PHONE)
    agent.case(second)
    agent.look("case-phone")
    agent.open(f"complaints/{second}/clocks?clock=default.resolve")
    agent.look("clock-phone")
