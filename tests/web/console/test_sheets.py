"""Every list is a file, too: in the reader's words, of the office's time, whole, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, Role
from complaints.services import knowledge, outbox
from complaints.store.tables import Complaint, Outbox
from tests.web.console.casework import Desk
from tests.web.console.conftest import Browser, Office, text_of
from tests.web.console.test_matrix import House, Way, house
from web.console import inbox_export, sheet
from web.console.seat import STAFF
from web.language import Speech

__all__ = ["house"]
#: What a list is made of on a page: a table, or one of these.
LIST = re.compile(r"<table|class=\"(?:board|timeline|requests)[ \"]")
LINK = re.compile(r"href=\"([^\"]*\\.csv[^\"]*)\"".replace("\\\\", "\\"))
#: Pages whose tables are no lists: the gallery; what placeholders mean, beside the text that is being written.
NO_LIST = {"/console/components", "/console/admin/texts/new", "/console/admin/texts/{text_id}"}


def table(answer: Any) -> list[list[str]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf"), "Excel needs the mark to read Chinese"
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_every_page_with_a_list_has_its_file(house: House) -> None:
    """Computed from the route table, so that no list that is added later can be forgotten."""
    pages = {}
    for way in (w for w in house.ways if w.method == "GET" and w.needs and w.path not in NO_LIST):
        house.sit("everything", *STAFF)
        html = house.ask(way).text
        if html.startswith("<!doctype html>") and LIST.search(html):
            pages[way.path] = [link.replace("&amp;", "&") for link in LINK.findall(html)]
    assert {path for path, links in pages.items() if not links} == set()
    assert {p.removeprefix("/console/") for p in pages} >= {
        "approvals", "team", "team/rebalance", "dashboards", "account",
        "complaints/{reference}", "complaints/{reference}/clocks",
        "admin/people", "admin/keys", "admin/policy", "admin/audit", "admin/texts",
    }  # fmt: skip
    for link in {link for links in pages.values() for link in links}:
        table(house.web.get(link))


def test_cards_have_files_as_tables_have(house: House) -> None:
    house.sit("everything", *STAFF)
    for path in ("/console/inbox", "/console/knowledge", "/console/admin/teams", "/console/admin/outbox"):
        assert LINK.search(house.ask(Way("GET", path, ())).text), path


def test_a_cell_says_what_the_screen_says() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    chinese, english = (Speech(language, zone, "console") for language in (Language.ZH, Language.EN))
    at = datetime(2026, 11, 27, 20, 30, tzinfo=UTC)
    assert sheet._cell(english, at) == "2026-11-28 04:30:00"
    assert sheet._cell(english, date(2026, 11, 27)) == "2026-11-27"
    assert (sheet._cell(english, True), sheet._cell(chinese, False)) == ("Yes", "否")
    assert sheet._cell(english, ["Lead", "Approver"]) == "Lead; Approver"
    assert (sheet._cell(english, None), sheet._cell(english, 0), sheet._cell(english, -1.5)) == ("", 0, -1.5)


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@sum", "\tx", "  =1", "＝1+1", "　＋1", ["=1", "x"]])
def test_no_cell_is_a_formula(evil: Any) -> None:
    assert str(sheet._cell(Speech(Language.EN, ZoneInfo("UTC")), evil)).startswith("'")


def test_every_column_has_a_head(office: Office) -> None:
    chief = office.browser("max", Role.MANAGER)
    head = table(chief.get("/console/dashboards/export.csv?tab=timeliness&panel=lengths&lang=zh-CN"))[0]
    assert head[:2] == ["事项", "数量"]


def test_the_inbox_is_told_in_words_and_whole(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_export, "_PAGE", 2)
    references = {office.complain(narrative=f"My parcel number {n} never came, where is it?") for n in range(5)}
    with office.product.store.work(SYSTEM) as work:
        for row in work.session.exec(select(Complaint)).all():
            row.category, row.team, row.received_at = "delivery", "orders", datetime(2026, 11, 27, 20, tzinfo=UTC)
            work.session.add(row)
    chief = office.browser("max", Role.MANAGER, teams=())
    for language, category, team in (("en", "Delivery", "Orders and products"), ("zh-CN", "物流配送", "订单与产品组")):
        head, *rows = table(chief.get(f"/console/inbox/export.csv?view=all&lang={language}"))
        assert {row[0] for row in rows} == references
        assert len(rows) == 5
        assert {(row[6], row[7]) for row in rows} == {(category, team)}
        assert {row[1] for row in rows} == {"2026-11-28 04:00:00"}
        assert head[0] == {"en": "Reference", "zh-CN": "编号"}[language]


def test_the_history_of_a_case_is_a_file(desk: Desk) -> None:
    head, *rows = table(desk.li.get(f"{desk.path}/timeline.csv"))
    assert head == ["Number", "When", "Who", "What", "Status", "Reason", "Who may read it"]
    assert rows[0][0] == "1"
    assert rows[0][3] == "The complaint was received."
    assert "Triage" in {row[4] for row in rows}
    shown = len(re.findall(r"<time", desk.li.get(desk.path).text.split('class="timeline"')[1].split("</ol>")[0]))
    assert len(rows) == shown


def test_the_days_of_a_clock_are_a_file(desk: Desk) -> None:
    page = desk.li.get(f"{desk.path}/clocks?clock=default.resolve").text
    [link] = {link.replace("&amp;", "&") for link in LINK.findall(page)}
    head, *rows = table(desk.li.get(link))
    assert head == ["Clock", "Rule", "Round", "Day", "Counted", "Together", "Why"]
    assert len(rows) == page.split("<tbody>")[1].split("</tbody>")[0].count("<tr")
    assert {row[2] for row in rows} == {"1"}
    assert rows[-1][3] in page
    assert "due" in rows[-1][6]
    chinese = table(desk.li.get(f"{link}&lang=zh-CN"))
    assert chinese[0][3:] == ["日期", "计入", "累计", "说明"]
    names = {row[0] for row in table(desk.li.get(f"{desk.path}/clocks.csv"))[1:]}
    assert len(names) > 1, "without a clock: all of them"


def test_the_board_is_a_file_with_all_tasks(desk: Desk) -> None:
    desk.li.post(f"{desk.at('triage')}/claim")  # type: ignore[arg-type]  # the kind's own word
    team = desk.case().team
    [row] = table(desk.bo.get(f"/console/team.csv?team={team}"))[1:]
    assert row[:2] == ["Li Na", desk.reference]
    assert row[5:7] == ["Triage", "Taken"]


def test_keys_articles_and_outbox_are_told_in_words(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    admin.post("/console/admin/keys", name="shop", scopes=["complaints:submit", "tasks"], valid_days="3")
    [key] = table(admin.get("/console/admin/keys.csv"))[1:]
    assert key[2:4] == ["Submit complaints; Do tasks", "Integration"]
    with office.product.store.work(SYSTEM) as work:
        about = {"title": "Parcels", "language": "en", "category": "delivery", "body": "x", "published": True}
        knowledge.create(work, about | {"solution": "late_parcel"})
    [article] = table(admin.get("/console/knowledge.csv"))[1:]
    assert article[1:5] == ["English", "Delivery", "Parcel is late but on its way", "Yes"]
    office.complain()
    rows = table(admin.get("/console/admin/outbox.csv?state=pending"))[1:]
    assert ["Letter", "Acknowledgment"] in [row[1:3] for row in rows]
    with office.product.store.work(SYSTEM) as work:
        kind = work.session.exec(select(Outbox.kind).order_by(col(Outbox.id))).first()
        for number in range(120):
            outbox.add(work, kind, f"many-{number}", payload={"template": "progress"})  # type: ignore[arg-type]  # there is one
    assert len(table(admin.get("/console/admin/outbox.csv?state=pending"))) == len(rows) + 121, "more than a page"


def test_a_change_of_a_person_is_told_field_by_field(office: Office) -> None:
    admin: Browser = office.browser("ruth", Role.ADMIN)
    li = office.hire("li", Role.AGENT)
    seen = re.search(r'name="seen" value="([^"]*)"', admin.get(f"/console/admin/people/{li.id}").text)
    assert seen
    changed = {"name": "Li Na", "language": "en", "roles": ["agent"], "teams": ["service"]}
    answer = admin.post(f"/console/admin/people/{li.id}", seen=seen[1], **changed)
    assert answer.status_code == 303, text_of(answer.text)
    told = table(admin.get("/console/admin/audit.csv?log=admin&kind=person_changed"))[1]
    assert "Li → Li Na" in told[4]
    assert "{" not in told[4]
