"""What the field suffers from beside its clocks, each a test named after the report; the clocks' own pains are in
`test_clocks.py`, `test_ladder.py` and `tests/unit/test_ledger.py`.
"""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from complaints.domain.errors import Conflict
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import StepKind
from complaints.services import figures, intake, walk
from tests.integration.desk import CALM, CUSTOMER, FINDINGS, GATEWAY, Desk, bundle, classifier, remedy

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def catch_up(desk: Desk) -> None:
    """Hand over what waits, whenever it is due; what is put off again once more."""
    for _ in range(10):
        for intent in desk.outbox(state="pending"):
            desk.at = max(desk.at, intent.next_at)
            desk.dispatcher.act(intent.id)


def test_pain_11_a_mail_loop_is_braked_and_loses_nothing(desk: Desk) -> None:
    """freescout-helpdesk/freescout#4143: eight thousand mails"""
    case = desk.submit()
    most = bundle().notifications.per_recipient_per_hour
    for n in range(most + 10):  # their robot answers ours, and ours theirs
        desk.act(case, desk.agent, "add_message", text=f"Answer {n}")
    within_the_hour = [m for m in desk.sender.sent if m.to == "bob@customer.example"]
    assert len(within_the_hour) == most
    catch_up(desk)
    assert len(desk.letters(case, "progress")) == most + 10


def test_pain_11_a_letter_that_bounces_is_not_sent_again_and_again(desk: Desk) -> None:
    """freescout-helpdesk/freescout#4143"""
    case = desk.submit()
    for n in range(50):
        with nullcontext() if n == 0 else pytest.raises(Conflict, match="counts as delivered"):
            desk.act(case, GATEWAY, "acknowledgment_bounced", evidence="550 5.1.1 no such user")
        desk.drain()
        desk.go(case)
    assert desk.kinds(case).count("acknowledgment_bounced") == 1
    assert len(desk.letters(case, "acknowledgment")) == 1


def test_pain_12_one_mail_that_comes_twenty_five_times_is_one_complaint(desk: Desk) -> None:
    """freescout#3607"""
    mail = NewComplaint(
        narrative=CALM,
        complainant=NewComplainant(email="bob@customer.example"),
        external_source="mail",
        external_id="<1@customer.example>",
    )
    taken = []
    for _ in range(25):
        with desk.store.work(SYSTEM) as work:
            taken += intake.submit_many(work, [mail, mail], classifier())
    assert len({t.id for t in taken}) == 1
    assert [t.new for t in taken].count(True) == 1


def test_pain_12_a_merge_writes_to_each_customer_once(desk: Desk) -> None:
    """glpi#20620, zammad#4203"""
    first = desk.submit()
    others = [desk.submit(f"The parcel was lost {n}.", complainant=NewComplainant(email="ann@a.example")) for n in "ab"]
    for other in others:
        desk.act(other, desk.agent, "merge", into=desk.complaint(first).reference)
    assert [desk.letters(other, "merged_notice") for other in others] == [["ann@a.example"]] * 2
    desk.complete(first, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    answered = [m.to for m in desk.sender.sent if m.kind == "response"]
    assert sorted(answered) == ["ann@a.example", "bob@customer.example"], "two complaints of hers are one answer"


def test_pain_13_the_survey_is_asked_once_of_whom_it_concerns_and_never_after_the_end(desk: Desk) -> None:
    """chatwoot#4526, #8726, #11637"""
    case = desk.submit()
    desk.act(case, desk.agent, "add_message", text="We are looking into it.")
    assert desk.letters(case, "survey") == []
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    for _ in range(3):  # the machine repeats itself
        with desk.store.work(SYSTEM, in_flow=True) as work:
            walk.survey(work, case)
        desk.drain()
    assert desk.letters(case, "survey") == ["bob@customer.example"]
    desk.later(days=15)
    assert desk.complaint(case).status == "closed"
    desk.go(case)
    desk.end_window(case)
    assert desk.letters(case, "survey") == ["bob@customer.example"], "closing by itself asks nobody"
    gone = desk.submit("The parcel was lost.", complainant=NewComplainant(email="ann@a.example"))
    desk.act(gone, CUSTOMER, "withdraw")
    assert desk.letters(gone, "survey") == []


def test_pain_14_reports_are_right_after_a_reopening_and_count_what_is_open(desk: Desk) -> None:
    """chatwoot#12058, glpi#23359"""
    case = desk.closed()
    desk.submit("The parcel was lost.", complainant=NewComplainant(email="ann@a.example"))
    part = figures.Slice(desk.now() - 90 * DAY, desk.now() + 90 * DAY, "UTC")

    def counts() -> tuple[int, int, int]:
        """Arrived, closed, open."""
        with desk.store.reading(desk.actor(desk.manager)) as work:
            backlog = sum(figures.today(work, part).ages.values())
            return figures.count(work, part, closed=False), figures.count(work, part, closed=True), backlog

    assert counts() == (2, 1, 1)
    desk.at += DAY
    desk.act(case, desk.lead, "reopen", reason="It leaks again.")
    assert counts() == (2, 0, 2), "it is open, and so it is not closed"
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    assert counts() == (2, 1, 1), "closed once, though it ended twice"


def test_pain_15_work_goes_to_the_least_loaded_who_are_here(desk: Desk) -> None:
    """zammad#854, chatwoot#5672"""

    def assigned(n: int) -> str:
        case = desk.submit(f"{CALM} {n}", complainant=NewComplainant(email=f"c{n}@customer.example"))
        holder = desk.complaint(case).assignee_id
        return next(p.login for p in (desk.agent, desk.colleague) if p.id == holder)

    assert sorted(assigned(n) for n in range(4)) == ["li", "li", "wu", "wu"]
    with desk.store.work(SYSTEM) as work:
        wu = work.session.get_one(type(desk.colleague), desk.colleague.id)
        wu.absent_from = desk.now() - HOUR
        work.session.add(wu)
    assert [assigned(n) for n in range(4, 7)] == ["li"] * 3
    with desk.store.work(SYSTEM) as work:
        wu = work.session.get_one(type(desk.colleague), desk.colleague.id)
        wu.absent_from = None
        work.session.add(wu)
    assert [assigned(n) for n in range(7, 10)] == ["wu"] * 3, "back, and with the least to do"


#: Every panel of the dashboards that counts, with what else it is asked.
PANELS: dict[str, list[dict[str, bool]]] = {
    "today": [{}],
    "count": [{"closed": True}, {"closed": False}],
    "in_time": [{}],
    "took": [{"answered": True}, {"answered": False}],
    "causes": [{"root": root, "upheld": upheld} for root in (True, False) for upheld in (True, False)],
    "contentment": [{}],
}


def test_pain_16_an_erased_case_still_counts(desk: Desk) -> None:
    """zammad/zammad#4838"""
    shown = {name for name, one in vars(figures).items() if inspect.isfunction(one) and name[0] != "_"}
    ours = {name for name in shown if getattr(figures, name).__module__ == figures.__name__}
    assert ours == {*PANELS, "overseen", "verbatim"}, "a panel that this test does not compare"
    case = desk.submit()
    found = FINDINGS | {"root_cause": bundle().taxonomy.root_causes[0].key}
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **found, remedies=[remedy()])
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True, rating=4, effort=2, resolved=True, words="Fine")
    desk.end_window(case)
    desk.act(case, desk.lead, "request_disposal", reason="Kept long enough")
    part = figures.Slice(desk.now() - 90 * DAY, desk.now() + 90 * DAY, "UTC")
    desk.at = desk.complaint(case).retention_until or desk.at

    def panels() -> dict[str, Any]:
        with desk.store.reading(desk.actor(desk.manager)) as work:
            return {
                f"{name} {more}": getattr(figures, name)(work, part, **more) for name in PANELS for more in PANELS[name]
            }

    def words() -> list[str]:
        with desk.store.reading(desk.actor(desk.manager)) as work:
            return [said.words for said in figures.verbatim(work, part)]

    before = panels()
    assert before["count {'closed': True}"] == 1
    assert before["in_time {}"]
    assert before["contentment {}"].ratings == {4: 1}
    assert words() == ["Fine"]
    desk.act(case, desk.manager, "erase", reason="Retention schedule, item 4")
    assert desk.complaint(case).status == "erased"
    assert panels() == before
    assert words() == [], "what they said is theirs, and gone"
