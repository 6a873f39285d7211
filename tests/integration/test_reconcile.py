"""What a crash or a lost Prefect database leaves is found, put right, and not found again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from complaints.domain.errors import Permanent
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Status, StepKind
from complaints.services import steps, walk
from complaints.services.reconcile import Report, reconcile
from complaints.store.tables import Step
from tests.integration.desk import FINDINGS, VAGUE, Desk
from tests.integration.test_lifecycle_walks import TO


def look(desk: Desk, **how: Any) -> Report:
    """Look, and act on what was put right."""
    report = reconcile(desk.store, desk.runs.states, repair=how.pop("repair", False), batch=2, **how)
    desk.drain()
    return report


def found(report: Report) -> dict[str, Any]:
    return {kind: names for kind, names in report.as_dict().items() if names and kind != "looked_at"}


def unlaunched(desk: Desk) -> UUID:
    """The process died after the commit, before it acted on the intents."""
    case = desk.submit(walked=False)
    with desk.store.work(SYSTEM) as work:
        work.session.get_one(type(desk.complaint(case)), case).run_id = None
        work.session.get_one(type(desk.complaint(case)), case).run_round = 0
    desk.runs.lose(case)
    (intent,) = [i for i in desk.outbox(kind="start_run") if i.complaint_id == case]
    with desk.store.work(SYSTEM) as work:
        row = work.session.get_one(type(intent), intent.id)
        row.state, row.done_at, row.next_at = "pending", None, desk.now() + timedelta(seconds=45)
    return case


def test_all_is_well(desk: Desk) -> None:
    for text in (VAGUE, "The fridge is warm."):
        desk.submit(text)
    desk.end_window(desk.closed())
    report = look(desk, repair=True)
    assert report.clean
    assert report.looked_at == 2, "what is archived is not looked at"


def test_a_complaint_that_was_never_launched(desk: Desk) -> None:
    case = unlaunched(desk)
    assert look(desk, repair=True).clean, "it is still on its way"
    desk.at += timedelta(seconds=21)
    assert found(look(desk)) == {"unlaunched": [desk.complaint(case).reference]}
    assert desk.complaint(case).run_id is None, "looking repairs nothing"
    assert not look(desk, repair=True).clean
    assert desk.complaint(case).run_id == desk.runs.live[case]
    assert look(desk).clean


def test_a_lost_run(desk: Desk) -> None:
    case = desk.submit()
    old = desk.complaint(case).run_id
    desk.runs.lose(case)
    assert found(look(desk)) == {"lost": [desk.complaint(case).reference]}
    look(desk, repair=True)
    assert desk.complaint(case).run_id not in (None, old)
    assert look(desk).clean


def test_a_lost_run_whose_replacement_died_too(desk: Desk) -> None:
    case = desk.submit()
    desk.runs.lose(case)
    desk.runs.failures = [Permanent("the deployment does not exist")]
    look(desk, repair=True)
    assert [i.key for i in desk.outbox(state="dead")] == [f"start:{case}:2"]
    look(desk, repair=True)
    assert desk.complaint(case).run_id == desk.runs.live[case]
    assert look(desk).clean


def test_repairing_twice_starts_one_run(desk: Desk) -> None:
    case = desk.submit()
    desk.runs.lose(case)
    for _ in range(2):
        reconcile(desk.store, desk.runs.states, repair=True)
    desk.drain()
    assert len(desk.runs.started) == 2, "the first and one more"
    assert desk.complaint(case).run_round == 2


def test_a_run_that_comes_while_we_look_stays_the_only_one(desk: Desk) -> None:
    """The outbox launches the complaint, or another reconciler replaces its run, between our look and our repair."""
    case = unlaunched(desk)
    desk.at += timedelta(seconds=46)

    def meanwhile(run_ids: Iterable[UUID]) -> dict[UUID, str]:
        states = desk.runs.states(run_ids)
        desk.drain()
        return states

    assert found(reconcile(desk.store, meanwhile, repair=True))["unlaunched"]
    desk.drain()
    assert (desk.complaint(case).run_round, len(desk.runs.started)) == (1, 2), "its first run, made anew"
    desk.runs.lose(case)

    def another_first(run_ids: Iterable[UUID]) -> dict[UUID, str]:
        states = desk.runs.states(run_ids)
        reconcile(desk.store, desk.runs.states, repair=True)
        desk.drain()
        return states

    assert found(reconcile(desk.store, another_first, repair=True))["lost"]
    desk.drain()
    assert (desk.complaint(case).run_round, len(desk.runs.started)) == (2, 3)
    assert look(desk).clean


@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "CANCELLED", "COMPLETED"])
def test_a_failed_run_is_left_to_a_person_unless_asked(desk: Desk, state: str) -> None:
    case = desk.submit()
    old = desk.complaint(case).run_id
    assert old is not None
    desk.runs.state[old] = state
    expected = {"failed": [desk.complaint(case).reference]}
    assert found(look(desk, repair=True)) == expected
    assert desk.complaint(case).run_id == old
    said = {"messages": lambda ids: dict.fromkeys(ids, f"the archive is full ({state})")}
    assert found(look(desk, **said)) == expected | {"why": {expected["failed"][0]: f"the archive is full ({state})"}}
    assert found(look(desk, repair=True, restart_failed=True)) == expected
    assert desk.complaint(case).run_id not in (None, old)
    assert look(desk).clean


def test_a_run_asleep_at_a_gate_that_is_done(desk: Desk) -> None:
    case = desk.submit()
    run = desk.complaint(case).run_id
    assert run is not None
    desk.runs.state[run] = "PAUSED"
    assert look(desk).clean, "it waits for the investigation, as it should"
    with desk.store.work(desk.actor(desk.agent)) as work:
        steps.complete(work, desk.step(case, StepKind.INVESTIGATION).id, FINDINGS)
    desk.pending.clear()  # the process died before it could wake the run
    assert found(look(desk)) == {"asleep": [desk.complaint(case).reference]}
    assert desk.runs.woken == []
    look(desk, repair=True)
    assert desk.runs.woken == [run]
    desk.go(case)
    assert look(desk).clean


def test_a_row_without_the_step_it_waits_for(desk: Desk) -> None:
    case = desk.submit()
    with desk.store.work(SYSTEM) as work:
        work.session.delete(work.session.get_one(Step, desk.step(case, StepKind.INVESTIGATION).id))
    reference = desk.complaint(case).reference
    assert found(look(desk, repair=True)) == {"stuck": [reference]}
    assert found(look(desk)) == {"stuck": [reference]}, "a machine cannot know what a person should have been asked"
    with desk.store.reading(SYSTEM) as work:
        assert [c.reference for c in walk.stuck(work)] == [reference]


def test_prefect_forgot_everything(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "find_duplicates", lambda *_: [])  # all of them are Bob's, in the same words
    cases = {}
    for status in sorted(set(TO) - {Status.RECEIVED}):
        cases[status] = TO[status](desk)
        desk.at += timedelta(hours=1)  # else the loop brake holds Bob's letters back
    gates = {case: [s.gate for s in desk.open_steps(case)] for case in cases.values()}
    statuses = {case: desk.complaint(case).status for case in cases.values()}
    for case in desk.runs.live.copy():
        desk.runs.lose(case)
    report = look(desk, repair=True)
    lost = {desk.complaint(case).reference for case in cases.values()}
    assert lost <= set(report.lost)
    for case in cases.values():
        assert desk.complaint(case).run_id == desk.runs.live[case]
        assert desk.go(case) == [], "nothing is done again"
        assert [s.gate for s in desk.open_steps(case)] == gates[case]
        assert desk.complaint(case).status == statuses[case]
        assert len(desk.letters(case, "acknowledgment")) == 1
    assert look(desk).clean


def test_cases_at_rest_are_only_counted_while_prefect_agrees(desk: Desk) -> None:
    resting, lost = desk.submit(), desk.submit()
    for each in (resting, lost):
        desk.go(each)
    desk.later(minutes=1)
    agreed = reconcile(desk.store, desk.runs.states, repair=True, waiting=lambda: 2)
    assert (agreed.looked_at, agreed.clean) == (0, True)
    desk.later(minutes=10 - desk.at.minute % 10)  # the minute in which small differences are looked into
    for each in (resting, lost):
        desk.runs.lose(each)
    found = reconcile(desk.store, desk.runs.states, repair=True, waiting=lambda: 0)
    assert found.looked_at == 2
    assert len(found.lost) == 2
