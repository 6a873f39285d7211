"""A remedy that must be accepted: the tracking page asks, and what the complainant says is recorded as theirs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlmodel import Session, col, select

from complaints.domain.errors import Forbidden
from complaints.domain.ports import SYSTEM, Actor
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import actions, opening, routing, walk
from complaints.store.tables import Event, Message, Outbox, Remedy, Step
from config.wiring import App
from tests.web.portal.conftest import Desk, Visitor, slip

NEW_HEATER = {"kind": "replacement", "description": "A new heater, brought to your door"}
SOME_POINTS = {"kind": "points", "description": "Points for the trouble", "amount": "500"}


def offer(visitor: Visitor, desk: Desk, *remedies: dict[str, Any]) -> str:
    """The link of a complaint whose decision offers these; each waits for the complainant."""
    token = visitor.send()
    reference = desk.newest()
    desk.take_up(reference)
    found = {"finding": "upheld", "summary": "The valve was damaged in transport.", "remedies": list(remedies)}
    desk.complete(reference, desk.agent, StepKind.INVESTIGATION, **found)
    with desk.product.store.work(SYSTEM, in_flow=True) as work:
        walk.decide(work, desk.complaint(reference).id)
    if desk.complaint(reference).status == "deciding":
        desk.complete(reference, desk.approver, StepKind.APPROVAL, decision="approve")
    assert desk.complaint(reference).status == "remedying"
    return token


@pytest.fixture
def token(visitor: Visitor, desk: Desk) -> str:
    return offer(visitor, desk, NEW_HEATER)


def remedies(product: App) -> list[Remedy]:
    with Session(product.engine) as session:
        return list(session.exec(select(Remedy).order_by(col(Remedy.proposed_at), col(Remedy.id))).all())


def last_event(product: App, kind: str) -> Event:
    with Session(product.engine) as session:
        return session.exec(select(Event).where(Event.kind == kind)).one()


def test_an_offer_is_written_and_shown_and_nothing_is_asked_that_needs_no_answer(
    visitor: Visitor, desk: Desk, product: App
) -> None:
    token = offer(visitor, desk, NEW_HEATER, {"kind": "apology", "description": "A letter of apology"})
    with Session(product.engine) as session:
        [letter] = session.exec(select(Outbox).where(Outbox.payload["template"].as_string() == "remedy_offer")).all()
    assert letter.payload["to"] == "wang.fang@example.com"
    assert [r["kind"] for r in letter.payload["context"]["remedies"]] == ["replacement"]
    page = visitor.page(token).text
    assert "We have an offer for you." in page
    assert "A new heater, brought to your door" in page
    assert "A letter of apology" not in page
    chinese = visitor.web.get(f"/track/{token}?lang=zh-CN").text
    assert "我们为您提供" in chinese
    assert "更换" in chinese


def test_accepting_is_recorded_as_the_complainants_word_and_twice_is_once(
    visitor: Visitor, desk: Desk, token: str, product: App
) -> None:
    [remedy] = remedies(product)
    opened = slip(visitor.page(token).text)
    for done in ("accepted", "before"):
        answer = visitor.post(f"/track/{token}", "remedy", opened, remedy=str(remedy.id), accepted="yes")
        assert answer.headers["location"] == f"/track/{token}?done={done}"
    assert [r.state for r in remedies(product)] == ["accepted"]
    event = last_event(product, "accept_remedy")
    assert (event.actor_kind, event.actor_name, event.audience) == ("complainant", "Wang Fang", "complainant")
    after = visitor.page(token).text
    assert "We offer you" not in after
    assert "You accepted what we offered." in after
    told = visitor.post(f"/track/{token}", "remedy", slip(after), remedy=str(remedy.id), accepted="no", text="Not now")
    assert told.status_code == 409, "another tab is too late"
    assert "Not now" in told.text
    desk.complete(desk.newest(), desk.agent, StepKind.REMEDY, result="done")
    assert desk.complaint(desk.newest()).status == "responding"


def test_saying_no_needs_words_ends_the_task_and_the_answer_is_due(
    visitor: Visitor, desk: Desk, token: str, product: App
) -> None:
    [remedy] = remedies(product)
    for missing in ({}, {"accepted": "no", "text": " "}):
        refused = visitor.do(token, "remedy", remedy=str(remedy.id), **missing)
        assert refused.status_code == 422
        assert f'href="#remedy-{remedy.id}-' in refused.text
        named = re.findall(r'<li><a href="#([^"]+)"', refused.text)
        assert all(f'id="{name}"' in refused.text for name in named)
    visitor.do(token, "remedy", remedy=str(remedy.id), accepted="no", text="I want my money back instead.")
    assert [(r.state, r.evidence) for r in remedies(product)] == [("declined", "I want my money back instead.")]
    assert desk.complaint(desk.newest()).status == "responding"
    with Session(product.engine) as session:
        assert session.exec(select(Step.state).where(Step.kind == "remedy")).all() == ["cancelled"]
        said = session.exec(select(Message).where(Message.direction == "in", Message.kind == "message")).one()
    assert (said.body, said.author) == ("I want my money back instead.", "Wang Fang")
    assert last_event(product, "decline_remedy").actor_kind == "complainant"
    assert last_event(product, "finish_remedies").actor_kind == "system"
    assert "You did not want what we offered." in visitor.page(token).text


def test_of_two_offers_each_has_its_own_answer(visitor: Visitor, desk: Desk, product: App) -> None:
    token = offer(visitor, desk, NEW_HEATER, SOME_POINTS)
    heater, points = sorted(remedies(product), key=lambda r: r.kind == "points")
    assert visitor.page(token).text.count("Do you accept this?") == 2
    visitor.do(token, "remedy", remedy=str(points.id), accepted="no", text="Keep them.")
    assert desk.complaint(desk.newest()).status == "remedying"
    visitor.do(token, "remedy", remedy=str(heater.id), accepted="yes", text="In the evening, please.")
    assert {r.kind: r.state for r in remedies(product)} == {"replacement": "accepted", "points": "declined"}
    with desk.product.store.reading(SYSTEM) as work:
        [left] = opening.open_steps(work, desk.complaint(desk.newest()))
    assert left.context["remedy_id"] == str(heater.id)
    assert "In the evening, please." in visitor.page(token).text


def test_the_api_behind_the_link_offers_and_takes_the_same(visitor: Visitor, desk: Desk, token: str) -> None:
    told = visitor.web.get(f"/api/v1/track/{token}").json()
    [offered] = told["offers"]
    assert offered["kind"] == "replacement"
    assert {"accept_remedy", "decline_remedy"} <= set(told["allowed_actions"])
    body = {"remedy": offered["id"], "evidence": "I say so."}
    done = visitor.web.post(f"/api/v1/track/{token}/actions/accept_remedy", json=body)
    assert done.status_code == 200, done.text
    assert not {"accept_remedy", "decline_remedy"} & set(done.json()["actions"])
    assert visitor.web.get(f"/api/v1/track/{token}").json()["offers"] == []


def test_an_offer_is_for_whoever_it_was_made_to(desk: Desk, token: str, product: App) -> None:
    [remedy] = remedies(product)
    other = Actor("complainant", "somebody-else", "Ann", frozenset({Role.COMPLAINANT}))
    with pytest.raises(Forbidden, match="somebody else"), desk.product.store.work(other) as work:
        actions.act(work, desk.newest(), "accept_remedy", {"remedy": str(remedy.id), "evidence": "x"})


def test_staff_record_it_without_showing_where_they_heard_it(desk: Desk, token: str, product: App) -> None:
    [remedy] = remedies(product)
    desk.act(desk.newest(), "accept_remedy", remedy=str(remedy.id), evidence="told me at the counter")
    assert last_event(product, "accept_remedy").audience == "internal"
    with desk.product.store.reading(SYSTEM) as work:
        can = actions.allowed_for(work, desk.complaint(desk.newest()), routing.as_actor(desk.agent))
    assert not {"accept_remedy", "decline_remedy", "verify_remedy"} & set(can), "nothing is offered that is impossible"
