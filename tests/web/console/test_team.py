"""The team board: everybody's load, tasks handed over and back, proposals that move nothing by themselves."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.store.tables import Complaint, Event, Person, Step
from tests.web.console.conftest import Browser, Office, text_of


@pytest.fixture
def reference(office: Office) -> str:
    """A complaint whose task nobody has."""
    return office.complain(subject="Broken heater")


@pytest.fixture
def team(office: Office, reference: str) -> str:
    return task(office, reference).team


@pytest.fixture
def lead(office: Office, team: str) -> Browser:
    return office.browser("lena", Role.LEAD, teams=(team,))


def task(office: Office, reference: str) -> Step:
    with office.product.store.reading(SYSTEM) as work:
        found = select(Step).join(Complaint).where(Complaint.reference == reference, Step.state != "done")
        return work.session.exec(found).one()


def lanes(html: str) -> dict[str, str]:
    """Each person's lane, by name."""
    found = re.findall(r'<section class="lane.*?</section>', html, flags=re.S)
    return {text_of(re.search(r"<h2>.*?</h2>", lane, flags=re.S)[0]): text_of(lane) for lane in found}  # type: ignore[index]  # each has one


def card(step: Step) -> str:
    return f"{step.id}.{step.version}"


def change(office: Office, login: str, **values: Any) -> None:
    with office.product.store.work(SYSTEM) as work:
        person = work.session.exec(select(Person).where(Person.login == login)).one()
        for name, value in values.items():
            setattr(person, name, value)


def test_the_board_shows_load_absence_and_what_nobody_has(
    office: Office, lead: Browser, team: str, reference: str
) -> None:
    office.hire("ann", Role.AGENT, teams=(team,))
    office.hire("bob", Role.AGENT, teams=(team,))
    office.hire("zoe", Role.AGENT, teams=("compliance",))
    now = office.product.store.now()
    change(office, "bob", absent_from=now - timedelta(days=1), absent_until=now + timedelta(days=3))
    shown = lanes(lead.get("/console/team").text)
    assert list(shown) == ["Nobody yet", "Ann", "Bob", "Lena"]
    assert reference in shown["Nobody yet"]
    assert "1 tasks" in shown["Nobody yet"]
    assert "away until" in shown["Bob"]
    zone = ZoneInfo(office.product.settings.time_zone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    change(office, "bob", absent_until=midnight)
    last = midnight - timedelta(days=1)
    assert f"away until {last.day} {last:%B %Y}" in lanes(lead.get("/console/team").text)["Bob"], "the last day away"
    root = office.browser("root", Role.ADMIN)
    assert f"away until {last.day} {last:%B %Y}" in text_of(root.get("/console/admin/people").text)
    assert "away" not in shown["Ann"]


def test_a_task_is_handed_over_and_put_back(office: Office, lead: Browser, team: str, reference: str) -> None:
    ann = office.hire("ann", Role.AGENT, teams=(team,))
    answer = lead.post("/console/team/move", card=card(task(office, reference)), to=str(ann.id), team=team)
    assert answer.status_code == 303
    assert task(office, reference).assignee_id == ann.id
    page = lead.get(answer.headers["location"]).text
    assert reference in lanes(page)["Ann"]
    with office.product.store.reading(SYSTEM) as work:
        last = work.session.exec(select(Event).where(Event.kind == "assign").order_by(Event.id.desc())).first()  # type: ignore[union-attr]  # a column here
        assert last is not None
        assert last.data["to"] == "Ann"
    [order] = re.findall(r'name="order" value="([^"]+)"', page)
    assert lead.post("/console/team/undo", order=order, team=team).status_code == 303
    assert task(office, reference).assignee_id is None


def test_what_changed_meanwhile_is_not_moved(office: Office, lead: Browser, team: str, reference: str) -> None:
    ann = office.hire("ann", Role.AGENT, teams=(team,))
    old = card(task(office, reference))
    lead.post("/console/team/move", card=old, to=str(ann.id), team=team)
    answer = lead.post("/console/team/move", card=old, to="", team=team)
    assert "Not possible for 1" in text_of(lead.get(answer.headers["location"]).text)
    assert task(office, reference).assignee_id == ann.id


@pytest.mark.parametrize("trouble", ["away", "conflict", "role", "gone"])
def test_nobody_gets_what_they_may_not_do(
    office: Office, lead: Browser, team: str, reference: str, trouble: str
) -> None:
    ann = office.hire("ann", Role.AUDITOR if trouble == "role" else Role.AGENT, teams=(team,))
    now = office.product.store.now()
    if trouble == "away":
        change(office, "ann", absent_from=now - timedelta(days=1))
    elif trouble == "conflict":
        change(office, "ann", related_to=[reference])
    elif trouble == "gone":
        change(office, "ann", active=False)
    answer = lead.post("/console/team/move", card=card(task(office, reference)), to=str(ann.id), team=team)
    assert "Not possible for 1" in text_of(lead.get(answer.headers["location"]).text)
    assert task(office, reference).assignee_id is None


def test_other_teams_are_not_there_for_a_lead_but_for_a_manager(office: Office, team: str, reference: str) -> None:
    other = office.browser("olga", Role.LEAD, teams=("compliance",))
    assert reference not in other.get(f"/console/team?team={team}").text
    olga = office.person("olga")
    answer = other.post("/console/team/move", card=card(task(office, reference)), to=str(olga.id), team=team)
    assert "Not possible for 1" in text_of(other.get(answer.headers["location"]).text)
    manager = office.browser("max", Role.MANAGER, teams=())
    assert reference in manager.get(f"/console/team?team={team}").text
    auditor = office.browser("ada", Role.AUDITOR, teams=()).get(f"/console/team?team={team}").text
    assert reference in auditor
    assert 'name="card"' not in auditor


def test_proposals_move_nothing_until_they_are_accepted(
    office: Office, lead: Browser, team: str, reference: str
) -> None:
    ann = office.hire("ann", Role.AGENT, teams=(team,))
    bob = office.hire("bob", Role.AGENT, teams=(team,))
    second = office.complain(subject="Another heater")
    for one in (reference, second):
        lead.post("/console/team/move", card=card(task(office, one)), to=str(ann.id), team=team)
    change(office, "ann", absent_from=office.product.store.now() - timedelta(days=1))
    change(office, "bob", skills=[_category(office, reference)])
    page = lead.get(f"/console/team/rebalance?team={team}").text
    assert "Ann is away" in text_of(page)
    assert task(office, reference).assignee_id == ann.id, "nothing is moved yet"
    orders = re.findall(r'name="order" value="([^"]+)"', page)
    assert len(orders) == 2
    assert orders[0].endswith(str(bob.id)), "the skill decides between equals"
    lead.post("/console/team/rebalance", order=orders, team=team)
    assert {task(office, one).assignee_id for one in (reference, second)} <= {bob.id, office.person("lena").id}


def _category(office: Office, reference: str) -> str:
    with office.product.store.reading(SYSTEM) as work:
        return work.session.exec(select(Complaint.category).where(Complaint.reference == reference)).one()


@pytest.mark.parametrize("sent", [{}, {"card": "x", "to": ""}, {"card": "\x00", "to": "1"}])
def test_a_wrong_form_is_answered_on_the_board(lead: Browser, sent: dict[str, str]) -> None:
    assert lead.post("/console/team/move", **sent).status_code == 303
    assert lead.post("/console/team/undo", order="a.b.c").status_code == 303


def test_whoever_has_most_comes_first_and_empty_lanes_are_folded(office: Office, lead: Browser, team: str) -> None:
    for login in ("ann", "bob", "cat"):
        office.hire(login, Role.AGENT, teams=(team,))
    cases = [office.complain(complainant={"name": f"No {n}", "email": f"{n}@example.com"}) for n in range(3)]
    for reference, login in zip(cases, ("cat", "cat", "bob"), strict=True):
        with office.product.store.work(SYSTEM) as work:
            step = work.session.get_one(Step, task(office, reference).id)
            step.assignee_id, step.team = office.person(login).id, team
    html = lead.get(f"/console/team?team={team}").text
    assert list(lanes(html)) == ["Nobody yet", "Cat", "Bob", "Ann", "Lena"]
    folded = re.findall(r'<section class="lane folded[^>]*data-to="([^"]+)"', html)
    assert folded == [str(office.person(login).id) for login in ("ann", "lena")], "work can be dropped there"
