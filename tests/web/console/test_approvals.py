"""The approvals queue: what waits for somebody with authority, decided where it is shown."""

from __future__ import annotations

import csv
import io

import pytest

from complaints.domain.vocabulary import Role, StepKind
from complaints.services import approvals
from tests.web.console.casework import TEAMS, Desk
from tests.web.console.conftest import text_of

HOME = "/console/approvals"


def decision(desk: Desk, kind: StepKind) -> str:
    return f"{HOME}/{desk.reference}/{desk.step(kind).id}"


def test_an_approver_sees_why_and_what_and_decides_in_place(desk: Desk) -> None:
    desk.to_approval()
    eve = desk.office.browser("eve", Role.APPROVER, teams=TEAMS)
    page = eve.get(HOME).text
    said = text_of(page)
    assert "It leaks: no seal." in said
    assert "90,000.00" in said
    assert "above" in said
    assert f'action="{decision(desk, StepKind.APPROVAL)}"' in page
    answer = eve.post(decision(desk, StepKind.APPROVAL), decision="approve", version="1")
    assert answer.status_code == 303
    assert "Nothing waits for approval." in text_of(eve.get(answer.headers["location"]).text)
    assert desk.events("approve") == 1


def test_sending_back_needs_a_reason_and_keeps_what_was_written(desk: Desk) -> None:
    desk.to_approval()
    wrong = desk.bo.post(decision(desk, StepKind.APPROVAL), decision="send_back", reason="")
    assert wrong.status_code == 422
    assert 'id="reason-error"' in wrong.text
    assert 'value="send_back" checked' in wrong.text
    desk.bo.post(decision(desk, StepKind.APPROVAL), decision="send_back", reason="Ask the maker first.")
    assert desk.case().status == "investigating"


def test_whoever_investigated_is_told_why_they_cannot(desk: Desk) -> None:
    own = desk.office.browser("max", Role.LEAD, teams=TEAMS)
    desk.to_approval(by="max")
    page = own.get(HOME).text
    assert "four eyes" in text_of(page)
    assert 'id="due-form"' not in page
    answer = own.post(decision(desk, StepKind.APPROVAL), decision="approve", version="1")
    assert answer.status_code == 409
    assert desk.case().status == "deciding"


def test_more_time_is_granted_here(desk: Desk) -> None:
    desk.to_investigation()
    desk.ask_for_time()
    said = text_of(desk.bo.get(f"{HOME}?kind=extension").text)
    assert "The maker's laboratory is closed until Monday." in said
    answer = desk.bo.post(f"{decision(desk, StepKind.EXTENSION)}?kind=extension", approve="true", version="1")
    assert answer.headers["location"] == f"{HOME}?kind=extension"
    assert desk.events("extend") == 1


def test_decided_twice_it_is_decided_once_and_a_second_one_sees_both(desk: Desk) -> None:
    desk.to_approval()
    at = decision(desk, StepKind.APPROVAL)
    for _ in range(2):
        assert desk.bo.post(at, decision="approve", version="1").status_code == 303
    eve = desk.office.browser("eve", Role.APPROVER, teams=TEAMS)
    late = eve.post(at, decision="send_back", reason="Too much money.", version="1")
    assert late.status_code == 409
    assert "This was already done by Bo on" in text_of(late.text)
    assert "Too much money." in text_of(late.text)
    assert desk.events("approve") == 1


def test_only_ones_own_teams_and_only_with_authority(desk: Desk) -> None:
    desk.to_approval()
    assert desk.li.get(HOME).status_code == 403
    stranger = desk.office.browser("sam", Role.APPROVER, teams=("compliance",))
    assert desk.reference not in stranger.get(HOME).text
    assert stranger.post(decision(desk, StepKind.APPROVAL), decision="approve").status_code == 404
    watcher = desk.office.browser("ada", Role.AUDITOR)
    page = watcher.get(HOME).text
    assert desk.reference in page
    assert 'id="due-form"' not in page


@pytest.mark.parametrize("kind", ["", "approval", "extension", "nonsense"])
def test_the_sheet_has_what_the_queue_shows(desk: Desk, kind: str) -> None:
    desk.to_approval()
    rows = list(csv.reader(io.StringIO(desk.bo.get(f"{HOME}.csv?kind={kind}").text.lstrip("\ufeff"))))
    assert [row[0] for row in rows[1:]] == ([] if kind == "extension" else [desk.reference])


def test_new_links_are_sent_and_the_old_ones_open_nothing(desk: Desk) -> None:
    answer = desk.li.post(f"{desk.path}/links")
    assert "New links sent: 1." in text_of(desk.li.get(answer.headers["location"]).text)
    asked = desk.li.post(f"{desk.path}/links/revoke")
    assert desk.events("links_revoked") == 0
    assert "open nothing any more" in text_of(asked.text)
    desk.li.post(f"{desk.path}/links/revoke", sure="yes")
    assert (desk.events("links_reissued"), desk.events("links_revoked")) == (1, 1)
    said = text_of(desk.li.get(desk.path).text)
    assert "Tracking links were revoked." in said


def test_what_is_beyond_the_list_keeps_its_form_and_no_other_task_is_decided_here(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.to_approval()
    monkeypatch.setattr(approvals.waiting, "__defaults__", (approvals.KINDS, 0, None))
    wrong = desk.bo.post(decision(desk, StepKind.APPROVAL), decision="send_back", reason="")
    assert 'id="reason-error"' in wrong.text
    assert f'action="{decision(desk, StepKind.APPROVAL)}"' in wrong.text
    assert desk.bo.post(decision(desk, StepKind.TRIAGE), decision="investigate").status_code == 404
    assert desk.bo.get(f"{HOME}?step=nonsense").status_code == 200
