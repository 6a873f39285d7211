"""The inbox: whose work is where, what can be done to it, what may not be seen."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, StepKind
from complaints.services import actions, board, inbox, opening, routing, steps, walk
from complaints.store.tables import Complaint, SavedView
from tests.web.console.casework import TEAMS, Desk
from tests.web.console.conftest import Browser, Office, text_of


def refs(html: str) -> list[str]:
    return re.findall(r'data-ref="([^"]+)"', html)


@pytest.fixture
def team(office: Office) -> str:
    """The team that the samples are routed to."""
    reference = office.complain()
    with office.product.store.reading(SYSTEM) as work:
        return work.session.exec(select(Complaint.team).where(Complaint.reference == reference)).one()


def test_views_show_whose_work_it_is(office: Office, team: str) -> None:
    browser = office.browser("li", Role.AGENT, teams=(team,))
    [first] = refs(browser.get("/console/inbox?view=team").text)
    assert refs(browser.get("/console/inbox?view=mine").text) == []
    with office.product.store.work(SYSTEM) as work:
        actions.act(work, first, "assign", {"person": str(office.person("li").id)})
    assert refs(browser.get("/console/inbox?view=mine").text) == [first]
    assert refs(browser.get("/console/inbox").text) == [first]  # the day begins with one's own
    assert refs(browser.get("/console/inbox?view=unassigned").text) == []


def test_other_teams_and_ones_own_affairs_stay_hidden(office: Office, team: str) -> None:
    stranger = office.browser("wu", Role.AGENT, teams=("compliance",))
    assert refs(stranger.get("/console/inbox?view=all").text) == []
    involved = office.browser("wang", Role.AGENT, teams=(team,), email="wang.fang@example.com")
    assert refs(involved.get("/console/inbox?view=all").text) == []
    assert refs(office.browser("max", Role.MANAGER, teams=()).get("/console/inbox?view=all").text) != []


def test_search_finds_references_names_and_chinese_words(office: Office, team: str) -> None:
    browser = office.browser("li", Role.AGENT, teams=(team,))
    chinese = office.complain(
        subject="洗衣机漏水",
        narrative="洗衣机送到时外壳破损，要求退款。",
        complainant={"name": "李雷", "email": "l@example.com"},
    )
    with office.product.store.work(SYSTEM) as work:
        work.session.exec(select(Complaint).where(Complaint.reference == chinese)).one().team = team
    for words in ("退款", "退", "洗衣机漏", "李雷", chinese, chinese.lower().replace("-", ""), "漏水 退款"):
        assert refs(browser.get("/console/inbox", params={"view": "all", "q": words}).text) == [chinese], words
    for words in ("款退", "%", "heater 退款", "' or 1=1 --"):
        assert refs(browser.get("/console/inbox", params={"view": "all", "q": words}).text) == [], words


@pytest.mark.parametrize("sort", ["due", "received", "severity"])
def test_pages_lose_and_repeat_nothing_while_rows_are_added(
    office: Office, team: str, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox.page, "__kwdefaults__", {"after": "", "limit": 2})
    monkeypatch.setattr(inbox.listing, "__kwdefaults__", {"after": "", "limit": 2})
    known = {office.complain(complainant={"name": f"N{n}", "email": f"n{n}@example.com"}) for n in range(4)}
    browser = office.browser("max", Role.MANAGER, teams=())
    seen: list[str] = []
    path = f"/console/inbox?view=all&sort={sort}"
    while path:
        html = browser.get(path).text
        seen += refs(html)
        following = re.search(r'href="([^"]+)" rel="next"', html)
        path = following[1].replace("&amp;", "&") if following else ""
        office.complain(complainant={"name": "Late", "email": f"late{len(seen)}@example.com"})
    assert known <= set(seen)
    assert len(seen) == len(set(seen))


def test_filters_narrow_and_unknown_ones_do_not_break(office: Office, team: str) -> None:
    browser = office.browser("max", Role.MANAGER, teams=())
    assert refs(browser.get("/console/inbox?view=all&severity=critical").text) == []
    assert len(refs(browser.get("/console/inbox?view=all&status=&severity=").text)) == 1
    assert len(refs(browser.get("/console/inbox?view=all&from=2000-01-01&to=2999-01-01").text)) == 1
    assert refs(browser.get("/console/inbox?view=all&from=2999-01-01").text) == []
    for odd in (
        "view=x",
        "sort=x",
        "assignee=x",
        "from=x",
        "to=9999-12-31",
        "from=0001-01-01",
        "status=x",
        "severity=' or",
    ):
        assert browser.get(f"/console/inbox?{odd}").status_code == 200, odd
    assert browser.get("/console/inbox?after=garbage").status_code == 422


def test_many_at_once_and_what_cannot_be_done_is_named(office: Office, team: str) -> None:
    browser = office.browser("li", Role.AGENT, Role.LEAD, teams=(team,))
    mine = refs(browser.get("/console/inbox?view=team").text)
    answer = browser.post(
        "/console/inbox/bulk", ref=[*mine, "C26-999999-9"], do="assign", person="me", back="/console/inbox"
    )
    assert answer.status_code == 303
    said = text_of(browser.get("/console/inbox").text)
    assert "Assigned: 1." in said
    assert "C26-999999-9" in said
    assert refs(browser.get("/console/inbox?view=mine").text) == mine
    browser.post("/console/inbox/bulk", ref=mine, do="escalate", reason="", back="/console/inbox")
    assert f"Not possible for 1: {mine[0]}: Reason: Fill this in." in text_of(browser.get("/console/inbox").text)


def test_saved_views_are_private_unless_a_lead_shares_them(office: Office, team: str) -> None:
    agent = office.browser("li", Role.AGENT, teams=(team,))
    agent.post("/console/inbox/views", name="Worst", query="view=all&severity=critical", shared="yes")
    lead = office.browser("zhao", Role.LEAD, teams=(team,))
    assert "Worst" not in lead.get("/console/inbox").text
    lead.post("/console/inbox/views", name="Everybody's", query="view=all&sort=severity", shared="yes")
    page = agent.get("/console/inbox").text
    assert "Worst" in page
    assert "Everybody" in page
    with office.product.store.reading(SYSTEM) as work:
        views = {v.name: v for v in work.session.exec(select(SavedView))}
    assert agent.post(f"/console/inbox/views/{views['Everybody' + chr(39) + 's'].id}/delete").status_code == 404
    for nobodys in (views["Worst"], views["Everybody's"]):
        stranger = lead if nobodys.owner_id else agent
        assert stranger.post(f"/console/inbox/views/{nobodys.id}/rename", name="Mine now").status_code == 404
    agent.post(f"/console/inbox/views/{views['Worst'].id}/rename", name=" The  <b>worst</b> ")
    assert "The &lt;b&gt;worst&lt;/b&gt;" in agent.get("/console/inbox").text
    agent.post(f"/console/inbox/views/{views['Worst'].id}/rename", name="  ")
    assert "Give the view a name." in text_of(agent.get("/console/inbox").text)
    assert agent.post(f"/console/inbox/views/{views['Worst'].id}/delete").status_code == 303
    assert "worst" not in agent.get("/console/inbox").text


def test_confidential_complaints_are_for_those_who_lead_or_handle_them(office: Office, team: str) -> None:
    reference = office.complain(subject="Whispered", confidential=True)
    with office.product.store.work(SYSTEM) as work:
        case = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
        case.team = team
    agent, lead = (office.browser(f"a.{role}", role, teams=(team,)) for role in (Role.AGENT, Role.LEAD))
    for path in ("/console/inbox?view=all", f"/console/inbox?view=all&q={reference}", "/console/inbox/rows?view=team"):
        assert reference not in refs(agent.get(path).text), path
        assert reference in refs(lead.get(path).text), path
    assert reference not in agent.get("/console/inbox/export.csv?view=all").text
    answer = agent.post("/console/inbox/bulk", ref=reference, do="assign", person="me", back="/console/inbox")
    assert answer.status_code == 303
    assert "Assigned: 0." in text_of(agent.get("/console/inbox").text)


def test_each_filter_is_a_chip_that_takes_it_away(office: Office, team: str) -> None:
    html = (
        office.browser("max", Role.MANAGER, teams=())
        .get("/console/inbox?view=all&severity=critical&status=triage&status=closed&from=2026-01-02")
        .text
    )
    said = text_of(html)
    for words in ("Severity: Critical", "Status: Triage", "Status: Closed", "Received from 2026-01-02"):
        assert words in said
    assert 'href="/console/inbox?view=all&amp;severity=critical&amp;status=closed&amp;from=2026-01-02"' in html


def test_the_file_holds_the_list_and_no_formula(office: Office, team: str) -> None:
    office.complain(subject="=HYPERLINK(1)", complainant={"name": "+Eve", "email": "eve@example.com"})
    browser = office.browser("max", Role.MANAGER, teams=())
    answer = browser.get("/console/inbox/export.csv?view=all")
    assert answer.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(table) == 2
    assert "'=HYPERLINK(1)" in {row["Subject"] for row in table}
    assert "'+Eve" in {row["Complainant"] for row in table}


def test_a_script_in_a_text_field_stays_a_text(office: Office, team: str) -> None:
    office.complain(
        subject="<script>alert(1)</script>", complainant={"name": "<img src=x onerror=1>", "email": "x@example.com"}
    )
    html = office.browser("max", Role.MANAGER, teams=()).get("/console/inbox?view=all").text
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_new_work_is_noticed(office: Office, team: str, monkeypatch: Any) -> None:
    browser: Browser = office.browser("max", Role.MANAGER, teams=())
    newest = int(re.search(r'data-newest="(\d+)"', browser.get("/console/inbox").text)[1])  # type: ignore[index]  # it is there
    assert browser.get(f"/console/inbox/pulse?since={newest}").json()["changed"] is False
    office.complain(complainant={"name": "New", "email": "new@example.com"})
    later = office.product.store.now
    monkeypatch.setattr(office.product.store, "now", lambda: later() + timedelta(seconds=2))
    assert browser.get(f"/console/inbox/pulse?since={newest}").json()["changed"] is True
    assert len(refs(browser.get("/console/inbox/rows?view=all").text)) == 2


def test_the_number_at_a_view_is_that_of_its_list(office: Office, team: str) -> None:
    """Counts are kept for some seconds; a list beside them that says otherwise would make both doubtful."""
    browser = office.browser("li", Role.AGENT, teams=(team,))

    def counted(view: str) -> dict[str, str]:
        page = browser.get(f"/console/inbox?view={view}").text
        return dict(re.findall(r'data-count="(\w+)">(\d+)<', page))

    assert counted("all")["all"] == "1"
    reference = office.complain(complainant={"name": "New", "email": "new@example.com"})
    assert counted("all")["all"] == "2"
    assert counted("mine")["mine"] == "1"
    browser.post(f"/console/complaints/{reference}/do/assign", person=str(office.hire("bo", Role.AGENT).id))
    assert counted("all")["mine"] == "0", "one's own doings are counted at once, wherever they were done"


def test_taking_a_task_from_the_list(office: Office, team: str) -> None:
    browser = office.browser("li", Role.AGENT, teams=(team,))
    [reference] = refs(browser.get("/console/inbox?view=team").text)
    answer = browser.post(f"/console/inbox/claim/{reference}")
    assert answer.headers["location"] == f"/console/complaints/{reference}"
    assert refs(browser.get("/console/inbox?view=mine").text) == [reference]
    assert browser.post("/console/inbox/claim/C26-999999-9").status_code in (404, 422)


def test_taking_from_the_list_takes_the_task_that_the_list_shows(desk: Desk) -> None:
    """Not the one that was opened first: a request of more time may wait beside it for somebody else."""
    desk.to_investigation()
    desk.ask_for_time()
    remedies = [{"kind": "refund", "description": "The price of the flat", "amount": "90000"}]
    desk.do("li", StepKind.INVESTIGATION, finding="upheld", summary="It leaks: no seal.", remedies=remedies)
    with desk.office.product.store.work(SYSTEM) as work:
        walk.decide(work, desk.case().id)
    pat = desk.office.browser("pat", Role.APPROVER, teams=TEAMS, name="Pat")
    assert "Task: Approval" in text_of(pat.get("/console/inbox?view=team").text)
    answer = pat.post(f"/console/inbox/claim/{desk.reference}")
    assert (answer.status_code, answer.headers["location"]) == (303, desk.path)
    assert desk.step(StepKind.APPROVAL).assignee_id == desk.office.person("pat").id
    late = desk.office.browser("ron", Role.APPROVER, teams=TEAMS)
    answer = late.post(f"/console/inbox/claim/{desk.reference}")
    assert (answer.status_code, answer.headers["location"]) == (303, desk.path)
    assert "is already claimed by Pat" in text_of(late.get(desk.path).text)


def test_a_task_of_another_role_is_not_taken_and_that_is_said(desk: Desk) -> None:
    pat = desk.office.browser("pat", Role.APPROVER, teams=TEAMS)
    answer = pat.post(f"/console/inbox/claim/{desk.reference}")
    assert (answer.status_code, answer.headers["location"]) == (303, desk.path)
    assert "This step needs the role 'agent'." in text_of(pat.get(desk.path).text)
    assert desk.step(StepKind.TRIAGE).assignee_id != desk.office.person("pat").id


def test_giving_back_gives_ones_own_and_what_was_only_assigned(desk: Desk) -> None:
    desk.to_investigation()
    desk.ask_for_time()
    for login, kind in (("li", StepKind.INVESTIGATION), ("bo", StepKind.EXTENSION)):
        with desk.office.product.store.work(desk.actor(login)) as work:
            steps.claim(work, desk.step(kind).id)

    def give_back() -> str:
        desk.li.post("/console/inbox/bulk", ref=[desk.reference], do="release", back="/console/inbox")
        return text_of(desk.li.get("/console/inbox").text)

    assert "Given back to the team: 1." in give_back()
    assert desk.step(StepKind.INVESTIGATION).assignee_id is None
    assert desk.step(StepKind.EXTENSION).assignee_id == desk.office.person("bo").id
    with desk.office.product.store.work(desk.actor("bo")) as work:
        actions.act(work, desk.reference, "assign", {"person": str(desk.office.person("li").id)})
    assert "Given back to the team: 1." in give_back()
    with desk.office.product.store.work(desk.actor("bo")) as work:
        steps.release(work, desk.step(StepKind.EXTENSION).id)
    desk.li.web.cookies.set("lang", "zh-CN")
    assert "该投诉没有已分派或已领取的任务。" in give_back()


def test_how_many_there_are_is_said_and_nothing_is_counted_for_it(
    office: Office, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        office.complain(complainant={"name": f"No {n}", "email": f"n{n}@example.com"})
    browser = office.browser("max", Role.MANAGER, teams=())
    assert "3 in all" in text_of(browser.get("/console/inbox?view=all").text)
    whole = inbox.listing
    monkeypatch.setattr(inbox, "listing", lambda work, query, **more: whole(work, query, **more, limit=2))
    first = browser.get("/console/inbox?view=all").text
    assert "2 of 3" in text_of(first)
    assert "2 of 3" in text_of(browser.get("/console/inbox/rows?view=all").text)
    narrowed = browser.get("/console/inbox?view=all&channel=api").text
    assert "2 shown, more on the next page" in text_of(narrowed)
    onward = re.search(r'href="([^"]+)" rel="next"', narrowed)
    assert onward
    assert "1 on this page" in text_of(browser.get(onward[1].replace("&amp;", "&")).text)
    monkeypatch.setattr(office.app.state.console, "counts", {})
    monkeypatch.setattr(inbox, "counts", lambda work: dict.fromkeys(inbox.View, 100))
    assert "2 of 99+" in text_of(browser.get("/console/inbox?view=all").text)


def test_a_task_that_somebody_has_is_not_unassigned(office: Office, team: str) -> None:
    """The machine, the person themselves or a lead gives it: lists and filters say the same of it."""
    browser = office.browser("li", Role.AGENT, teams=(team,), name="Li Na")
    office.hire("bo", Role.LEAD, teams=(team,))
    [reference] = refs(browser.get("/console/inbox?view=unassigned").text)
    lead, li = (routing.as_actor(office.person(login)) for login in ("bo", "li"))
    mine = f"/console/inbox?view=all&assignee={office.person('li').id}"

    def task() -> Any:
        with office.product.store.reading(SYSTEM) as work:
            row = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
            return opening.open_steps(work, row)[0].id

    def with_li(there: bool) -> None:
        assert refs(browser.get("/console/inbox?view=unassigned").text) == ([] if there else [reference])
        assert refs(browser.get("/console/inbox?view=mine").text) == ([reference] if there else [])
        assert refs(browser.get(mine).text) == ([reference] if there else [])
        assert ("Li Na</td>" in browser.get("/console/inbox?view=all").text) is there

    for actor, given in (
        (lead, lambda work: board.move(work, task(), office.person("li").id)),
        (li, lambda work: steps.claim(work, task())),
    ):
        with office.product.store.work(actor) as work:
            given(work)
        with_li(True)
        with office.product.store.work(actor) as work:
            steps.release(work, task())
        with_li(False)


def test_the_handler_stays_while_an_approver_has_the_decision(desk: Desk) -> None:
    desk.to_investigation()
    with desk.office.product.store.work(desk.actor("li")) as work:
        steps.claim(work, desk.step(StepKind.INVESTIGATION).id)
    remedies = [{"kind": "refund", "description": "The price of the flat", "amount": "90000"}]
    desk.do("li", StepKind.INVESTIGATION, finding="upheld", summary="It leaks: no seal.", remedies=remedies)
    with desk.office.product.store.work(SYSTEM) as work:
        walk.decide(work, desk.case().id)
    with desk.office.product.store.work(desk.actor("bo")) as work:
        steps.claim(work, desk.step(StepKind.APPROVAL).id)
    assert desk.case().assignee_id == desk.office.person("li").id
    for who in (desk.li, desk.bo):
        assert refs(who.get("/console/inbox?view=mine").text) == [desk.reference]
    assert ">Bo</td>" in desk.bo.get("/console/inbox?view=all").text, "it is with the approver now"
    desk.do("bo", StepKind.APPROVAL, decision="send_back", reason="Ask the carrier, too.")
    assert desk.case().assignee_id == desk.office.person("li").id


def test_whoever_sorts_complaints_does_not_keep_them(desk: Desk) -> None:
    with desk.office.product.store.work(desk.actor("li")) as work:
        steps.claim(work, desk.step(StepKind.TRIAGE).id)
    assert desk.case().assignee_id == desk.office.person("li").id
    desk.to_investigation()
    assert desk.case().assignee_id is None


def test_a_complaint_given_to_somebody_as_a_whole_stays_theirs_after_triage(desk: Desk) -> None:
    with desk.office.product.store.work(desk.actor("bo")) as work:
        actions.act(work, desk.reference, "assign", {"person": str(desk.office.person("li").id)})
    desk.to_investigation()
    assert desk.case().assignee_id == desk.office.person("li").id
