"""The command palette: it reaches whatever one may open, and does what one may do from anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.store.tables import Complaint
from tests.web.console.conftest import Browser, Office
from tests.web.console.test_matrix import House, house
from web.console.places import PLACES
from web.console.seat import STAFF

__all__ = ["house"]


def asked(browser: Browser, words: str, **more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get("/console/palette", params={"q": words, **more}).json()
    return found


def hrefs(browser: Browser, words: str) -> list[str]:
    return [one["href"] for one in asked(browser, words)]


@pytest.mark.parametrize("role", sorted(STAFF))
def test_every_page_that_needs_no_name_is_in_the_palette(house: House, role: Role) -> None:
    """Computed from the route table: a page that is added later must be added there, too."""
    house.sit(f"palette.{role}", role)
    offered = {one["href"].partition("?")[0]: one for one in house.web.get("/console/palette").json()}
    for way in (w for w in house.ways if w.method == "GET" and w.needs and not w.parameters):
        answer = house.ask(way)
        if answer.status_code == 200 and answer.text.startswith("<!doctype html>"):
            assert way.path in offered, f"{role} cannot reach {way.path}"
            named = house.web.get("/console/palette", params={"q": offered[way.path]["title"]}).json()
            assert way.path in {one["href"].partition("?")[0] for one in named}, way.path


@pytest.mark.parametrize("role", sorted(STAFF))
def test_the_palette_offers_nothing_that_is_closed(house: House, role: Role) -> None:
    csrf = house.sit(f"offer.{role}", role)
    for one in house.web.get("/console/palette").json():
        if one["post"] is None:
            assert house.web.get(one["href"]).status_code == 200, one
        elif one["href"] != "/console/sign-out":
            assert house.web.post(one["href"], data={"csrf": csrf, **one["post"]}).status_code == 303, one


def test_places_are_found_in_both_languages(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    for words in ("outbox", "发件箱", "ADMINISTRATION outbox"):
        for language in ("en", "zh-CN"):
            known = [one["href"] for one in asked(admin, words, lang=language)]
            assert ("/console/admin/outbox" in known) is (language == "zh-CN" or words != "发件箱"), (words, language)


def test_commands_are_forms_of_our_own(office: Office) -> None:
    li = office.browser("li", Role.AGENT)
    [dark] = [one for one in asked(li, "dark") if one["post"]]
    assert li.post(dark["href"], back="/console/account", **dark["post"]).headers["location"] == "/console/account"
    assert 'data-theme="dark"' in li.get("/console/account").text
    [compact] = [one for one in asked(li, "compact") if one["post"]]
    li.post(compact["href"], **compact["post"])
    assert 'data-density="compact"' in li.get("/console/account").text
    [out] = [one for one in asked(li, "sign out") if one["post"] is not None]
    li.post(out["href"])
    assert li.get("/console/account").status_code == 303
    assert len({(p.path, str(p.post)) for p in PLACES}) == len(PLACES)


@pytest.mark.parametrize(
    "words",
    ["eve@example.com", "EVE@Example.com", "+86 138-0013 8000", "13800138000", "138 0013 8000", "+8613800138000"],
)
def test_a_complaint_is_found_by_how_its_complainant_is_reached(office: Office, words: str) -> None:
    eve = {"name": "Eve", "email": "Eve@example.com", "phone": "+86 138 0013 8000"}
    reference = office.complain(subject="Kettle", complainant=eve)
    with office.product.store.work(SYSTEM) as work:
        work.session.exec(select(Complaint)).one().team = "service"
    office.complain(subject="Other", complainant={"name": "Al", "email": "eve@example.com.cn", "phone": "1380013800"})
    path = f"/console/complaints/{reference}"
    assert hrefs(office.browser("max", Role.MANAGER, teams=()), words) == [path]
    assert hrefs(office.browser("li", Role.AGENT, teams=("compliance",)), words) == [], "not of their team"
    kin = office.browser("kin", Role.MANAGER, teams=(), email="eve@example.com")
    assert hrefs(kin, words) == [], "their own complaint"
