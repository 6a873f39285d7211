"""Disposal at the console: what is due, who asked, what would be erased, what was; by two people."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlmodel import col, select, update

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentState, Role, StepState
from complaints.services import administration
from complaints.store.tables import Complaint, Outbox, Step
from tests.web.console.conftest import Browser, Office, text_of

PAGE = "/console/disposals"


def archive(office: Office, days: int, **more: object) -> str:
    """A case in the archive whose retention time was over so many days ago; nothing of it is on its way."""
    reference = office.complain(narrative="Zaphod says: the heater leaks, and nobody answers the phone.")
    with office.product.store.work(SYSTEM) as work:
        row = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
        row.team, row.status, row.assignee_id = "service", "archived", None
        row.closed_at = work.now - timedelta(days=days + 2000)
        row.retention_until, row.bag_url, row.bag_hash = work.now - timedelta(days=days), "file:///bag.zip", "ab" * 32
        for name, value in more.items():
            setattr(row, name, value)
        work.session.add(row)
        work.session.execute(
            update(Step).where(col(Step.complaint_id) == row.id).values(state=StepState.CANCELLED, assignee_id=None)
        )
        work.session.execute(
            update(Outbox).where(col(Outbox.complaint_id) == row.id).values(state=IntentState.DONE, done_at=work.now)
        )
    return reference


@pytest.fixture
def zhao(office: Office) -> Browser:
    return office.browser("zhao", Role.LEAD, name="Zhao")


@pytest.fixture
def max_(office: Office) -> Browser:
    return office.browser("max", Role.MANAGER, name="Max")


def rows(browser: Browser, view: str) -> list[list[str]]:
    answer = browser.get(f"{PAGE}.csv?view={view}")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]


def do(browser: Browser, reference: str, action: str, **fields: str) -> int:
    return int(browser.post(f"/console/complaints/{reference}/do/{action}", **fields).status_code)


def test_two_people_dispose_of_a_dossier_and_its_tombstone_is_listed(
    office: Office, zhao: Browser, max_: Browser
) -> None:
    reference, kept = archive(office, 3), archive(office, -30)
    ask = f"/console/complaints/{reference}/do/request_disposal"
    shown = zhao.get(PAGE).text
    assert ask in shown
    assert kept not in shown, "its time is not over"
    erase, case = f"{reference}/do/erase", f"/console/complaints/{reference}"
    assert erase not in max_.get(case).text, "nobody has requested it"
    assert do(zhao, reference, "request_disposal", reason="Kept long enough") == 303
    assert (erase in zhao.get(case).text, erase in max_.get(case).text) == (False, True), "two people"
    refused = zhao.get(f"/console/complaints/{erase}")
    assert refused.status_code == 409
    assert "“Erase for good” is not possible now. Somebody else must request the disposal first" in text_of(
        refused.text
    )
    own, others = zhao.get(f"{PAGE}?view=requested").text, max_.get(f"{PAGE}?view=requested").text
    assert "Somebody else must erase it." in own
    assert erase not in own
    assert erase in others
    assert "Kept long enough" in others

    asked = text_of(max_.get(f"/console/complaints/{reference}/do/erase").text)
    for said in ("gone for good", "Entries of the history", "Customers 1", "Tasks 1"):
        assert said in asked, asked
    assert do(max_, reference, "erase", reason="Schedule, item 4") == 422, "it must be confirmed"
    assert do(max_, reference, "erase", reason="Schedule, item 4", sure="yes") == 303
    assert reference not in max_.get(PAGE).text
    erased = text_of(max_.get(f"{PAGE}?view=erased").text)
    for said in (reference, "Max", "Schedule, item 4", "Zhao", "Kept long enough", "being removed", "ab" * 6):
        assert said in erased
    with office.product.store.work(SYSTEM) as work:
        administration.note(work, "files_erased", reference, {"bag": "altered"})
    [row] = rows(zhao, "erased")
    assert [row[n] for n in (0, 4, 6, 8, 9, 10)] == [reference, "Max", "Zhao", "over", "altered", "ab" * 32]
    assert "Zaphod" not in max_.get(f"{PAGE}?view=erased").text


def test_a_request_before_its_time_is_seen_and_a_hold_ends_it(office: Office, zhao: Browser, max_: Browser) -> None:
    reference = archive(office, -300)
    assert do(zhao, reference, "request_disposal", reason="A right to erasure") == 303
    assert rows(zhao, "due") == []
    assert "not over yet" in max_.get(f"{PAGE}?view=requested").text
    assert [row[6:9:2] for row in rows(max_, "requested")] == [["Zhao", "A right to erasure"]]
    assert do(max_, reference, "legal_hold", hold="yes", reason="A court asks") == 303
    assert rows(max_, "requested") == []
    for action in ("erase", "request_disposal"):
        refused = max_.get(f"/console/complaints/{reference}/do/{action}?lang=zh-CN")
        assert refused.status_code == 409
        assert "请先解除法律保全。" in text_of(refused.text)


def test_a_hold_is_shown_where_the_dossier_is_due(office: Office, zhao: Browser) -> None:
    reference = archive(office, 3, legal_hold=True)
    page = zhao.get(PAGE).text
    assert reference in page
    assert "Legal hold" in page
    assert f"{reference}/do/" not in page


def test_the_lists_are_ones_own_teams_and_whoever_only_looks_is_offered_nothing(office: Office, zhao: Browser) -> None:
    reference, other = archive(office, 3), archive(office, 3, team="orders")
    assert [row[0] for row in rows(zhao, "due")] == [reference]
    auditor = office.browser("ada", Role.AUDITOR)
    assert {row[0] for row in rows(auditor, "due")} == {reference, other}
    assert "/do/" not in auditor.get(PAGE).text
    assert office.browser("li", Role.AGENT).get(PAGE).status_code == 403


@pytest.mark.parametrize("view", ["due", "requested", "erased"])
def test_long_lists_have_pages(office: Office, zhao: Browser, max_: Browser, view: str) -> None:
    references = [archive(office, days) for days in (3, 2, 1)]
    for reference in references if view != "due" else ():
        do(zhao, reference, "request_disposal", reason="Kept long enough")
    for reference in references if view == "erased" else ():
        do(max_, reference, "erase", reason="Schedule", sure="yes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("complaints.services.retention.PAGE", 2)
        first = max_.get(f"{PAGE}?view={view}").text
        found = first.split('rel="next"')[0].rpartition('href="')[2].rstrip('" ').replace("&amp;", "&")
        second = max_.get(found).text
        patch.setattr("web.console.disposals._PAGE", 2)
        assert {row[0] for row in rows(max_, view)} == set(references)
    assert sorted((r in first) + (r in second) for r in references) == [1, 1, 1]
    assert sum(r in first for r in references) == 2


@pytest.mark.parametrize("query", ["view=nothing", "after=x", "view=erased&after=x"])
def test_an_address_that_means_nothing_is_no_page(zhao: Browser, query: str) -> None:
    assert zhao.get(f"{PAGE}?{query}").status_code == 404
