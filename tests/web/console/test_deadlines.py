"""A task is due when the clocks of its complaint say so, wherever it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import actions, approvals, board, clocks
from complaints.services.transition import lock, record
from complaints.store.tables import Complaint
from tests.web.console.casework import Desk
from tests.web.console.conftest import Office


def agree(desk: Desk, kind: StepKind) -> Any:
    """When the task is due: the same for itself, its complaint, the clocks, the board and the queue of approvals."""
    with desk.office.product.store.reading(desk.actor("bo")) as work:
        complaint = work.session.exec(select(Complaint).where(Complaint.reference == desk.reference)).one()
        ahead = [c.due_at for c in clocks.of(work, complaint) if c.state in ("running", "paused") and c.due_at]
        shown = {desk.step(kind).due_at, complaint.due_at, min(ahead, default=None)}
        cards = [card for column in board.columns(work, complaint.team) for card in column.cards]
        shown |= {card.step.due_at for card in cards if card.step.kind == kind}
        shown |= {r.step.due_at for r in approvals.waiting(work) if r.step.kind == kind}
    assert len(shown) == 1, shown
    return shown.pop()


def acknowledged(desk: Desk) -> None:
    """The letter has arrived: the first of the clocks is met."""
    with desk.office.product.store.work(SYSTEM) as work:
        record(work, lock(work, desk.case().id), "acknowledged")


def test_a_clock_that_is_met_no_longer_presses_the_task(desk: Desk) -> None:
    desk.to_investigation()
    before = agree(desk, StepKind.INVESTIGATION)
    acknowledged(desk)
    assert agree(desk, StepKind.INVESTIGATION) > before


def test_more_time_is_more_time_for_the_task(desk: Desk) -> None:
    desk.to_investigation()
    acknowledged(desk)
    before = agree(desk, StepKind.INVESTIGATION)
    ask = {"clock": "default.investigate", "days": 5, "reason": "The maker's laboratory is closed until Monday."}
    with desk.office.product.store.work(desk.actor("li")) as work:
        actions.act(work, desk.reference, "request_extension", ask)
    own = desk.step(StepKind.EXTENSION).due_at
    desk.do("bo", StepKind.EXTENSION, approve=True)
    assert agree(desk, StepKind.INVESTIGATION) > before
    assert desk.step(StepKind.EXTENSION).due_at == own, "the request had a time of its own"


def test_a_severity_that_changes_the_clocks_changes_the_task(desk: Desk) -> None:
    desk.to_investigation()
    acknowledged(desk)
    before = agree(desk, StepKind.INVESTIGATION)
    with desk.office.product.store.work(desk.actor("bo")) as work:
        actions.act(work, desk.reference, "reclassify", {"severity": "critical", "reason": "Somebody was hurt."})
    assert agree(desk, StepKind.INVESTIGATION) != before


def test_a_question_to_the_customer_holds_the_task_as_it_holds_the_clocks(desk: Desk) -> None:
    desk.to_investigation()
    agree(desk, StepKind.INVESTIGATION)
    with desk.office.product.store.work(desk.actor("li")) as work:
        actions.act(work, desk.reference, "ask_customer", {"question": "Which heater is it?"})
    agree(desk, StepKind.INVESTIGATION)
    with desk.office.product.store.work(desk.actor("li")) as work:
        actions.act(work, desk.reference, "customer_replied", {"answer": "The small one."})
    agree(desk, StepKind.INVESTIGATION)


@pytest.fixture
def desk(office: Office) -> Desk:
    made = Desk(office)
    office.hire("max", Role.MANAGER)
    return made
