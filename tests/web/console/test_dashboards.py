"""The dashboards: what is counted, for whom, as picture, table and file."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, Role
from complaints.services import routing
from complaints.services.figures import Slice
from complaints.store.columns import new_id
from complaints.store.tables import Clock, Complaint, Survey
from tests.web.console.conftest import Browser, Office, text_of
from web.console import charts
from web.console.charts import Series
from web.console.labels import Labels
from web.console.panels import Told
from web.language import Speech

ENGLISH = Speech(Language.EN, ZoneInfo("Asia/Shanghai"), "console")
TABS = ["", "/timeliness", "/causes", "/satisfaction"]


@pytest.fixture
def chief(office: Office) -> Browser:
    return office.browser("max", Role.MANAGER, teams=())


def change(office: Office, reference: str, **values: Any) -> Complaint:
    """Set columns of a complaint as if the days had gone by."""
    with office.product.store.work(SYSTEM) as work:
        row = work.session.exec(select(Complaint).where(Complaint.reference == reference)).one()
        for name, value in values.items():
            setattr(row, name, value)
        return row


def table(browser: Browser, tab: str, panel: str, **more: str) -> list[list[str]]:
    """The rows of a panel's file, without its head."""
    answer = browser.get("/console/dashboards/export.csv", params={"tab": tab, "panel": panel, **more})
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]


def now(office: Office) -> datetime:
    return office.product.store.now()


@pytest.fixture
def cases(office: Office) -> list[str]:
    """Three in `service`: one late and open, one closed as upheld, one closed as not upheld; and one of `orders`."""
    at = now(office)
    made = [office.complain(subject=f"Case {n}") for n in range(4)]
    old = at - timedelta(days=10)
    change(office, made[0], team="service", severity="critical", received_at=old, due_at=at - timedelta(hours=1))
    ended = {"status": "closed", "received_at": old, "closed_at": at, "responded_at": old + timedelta(days=4)}
    change(office, made[1], team="service", category="billing", finding="upheld", root_cause="process", **ended)
    change(office, made[2], team="service", category="delivery", finding="not_upheld", **ended)
    change(office, made[3], team="orders", severity="minor", due_at=at + timedelta(hours=60))
    return made


def test_today_counts_arrivals_closures_ages_and_breaches(chief: Browser, cases: list[str]) -> None:
    flow = table(chief, "", "flow")
    assert len(flow) == 30
    assert sum(int(row[1]) for row in flow) == 4
    assert sum(int(row[2]) for row in flow) == 2
    ages = {row[0]: row[-1] for row in table(chief, "", "backlog")}
    assert ages["8–15 days"] == "1"
    assert ages["0–2 days"] == "1"
    ahead = {row[0]: row[-1] for row in table(chief, "", "ahead")}
    assert ahead == {"late": "1", "next 24 hours": "0", "next 3 days": "1", "next 7 days": "0"}


def test_a_lead_counts_their_own_teams_and_filters_narrow(office: Office, chief: Browser, cases: list[str]) -> None:
    def arrived(who: Browser, **more: str) -> int:
        return sum(int(row[1]) for row in table(who, "", "flow", **more))

    lead = office.browser("lena", Role.LEAD, teams=("service",))
    assert arrived(lead) == 3
    assert arrived(lead, team="orders") == 0, "another team's figures are not theirs"
    assert arrived(chief, team="orders") == 1
    assert arrived(chief, severity="critical") == 1
    assert arrived(chief, category="billing") == 1
    assert arrived(chief, days="7") == 1
    assert arrived(office.browser("ada", Role.AUDITOR, teams=())) == 4


def test_what_somebody_has_an_interest_in_is_not_counted(office: Office, cases: list[str]) -> None:
    office.hire("kim", Role.MANAGER, teams=(), email="WANG.FANG@example.com")
    assert sum(int(row[1]) for row in table(office.browser("kim"), "", "flow")) == 0


def test_causes_can_be_narrowed_to_what_was_upheld(chief: Browser, cases: list[str]) -> None:
    both = table(chief, "causes", "categories")
    assert sorted(row[1] for row in both) == ["1", "1"]
    assert both[-1][3] == "1.0"
    [upheld] = table(chief, "causes", "categories", upheld="yes")
    assert upheld[1:] == ["1", "1.0", "1.0"]
    assert len(table(chief, "causes", "roots", upheld="yes")) == 1


def test_timeliness_counts_clocks_by_their_deadline(office: Office, chief: Browser, cases: list[str]) -> None:
    at = now(office)
    with office.product.store.work(SYSTEM) as work:
        clocks = work.session.exec(select(Clock).order_by(col(Clock.id))).all()
        names = {(c.profile, c.name) for c in clocks}
        profile, name = next(iter(sorted(names)))
        for n, clock in enumerate(c for c in clocks if (c.profile, c.name) == (profile, name)):
            clock.state, clock.stopped_at = ("met" if n else "missed"), at
        for clock in clocks:
            if (clock.profile, clock.name) != (profile, name):
                clock.state = "cancelled"
    [row] = table(chief, "timeliness", "clocks")
    assert row[2:] == ["4", "3", "0.75"]
    lengths = table(chief, "timeliness", "lengths")
    assert lengths[1][1] == "2"
    assert lengths[1][2:] == ["4.0", "4.0"]


def test_satisfaction_counts_answers_and_shows_words(office: Office, chief: Browser, cases: list[str]) -> None:
    at = now(office)
    with office.product.store.work(SYSTEM) as work:
        row = work.session.exec(select(Complaint).where(Complaint.reference == cases[1])).one()
        about = {"at": at, "round": 1, "via": "portal", "complaint_id": row.id}
        work.session.add(
            Survey(id=new_id(at), accepted=True, rating=4, resolved=True, effort=2, words="<b>kind</b>", **about)
        )
    page = chief.get("/console/dashboards/satisfaction").text
    assert "<b>kind</b>" not in page
    assert "&lt;b&gt;kind" in page
    assert "Response rate 50%" in text_of(page)
    assert table(chief, "satisfaction", "ratings")[3][1:] == ["1", "1.0"]
    other = office.browser("otto", Role.LEAD, teams=("orders",))
    assert "kind" not in text_of(other.get("/console/dashboards/satisfaction").text)


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_has_named_pictures_tables_and_files(chief: Browser, cases: list[str], tab: str, lang: str) -> None:
    page = chief.get(f"/console/dashboards{tab}?lang={lang}").text
    for picture in re.findall(r'<svg class="chart".*?</svg>', page, flags=re.S):
        root = ElementTree.fromstring(picture)
        assert root.attrib["aria-label"]
        assert "nan" not in picture.lower().replace("aria-", "")
    assert "style=" not in page
    for href in re.findall(r'href="(/console/dashboards/export[^"]+)"', page):
        assert chief.get(href.replace("&amp;", "&")).headers["content-type"].startswith("text/csv")
    assert ("Dashboards" in page) is (lang == "en")


@pytest.mark.parametrize("query", ["days=x", "severity=' or 1=1 --", "from=&to="])
def test_odd_addresses_narrow_nothing_or_everything(chief: Browser, query: str) -> None:
    for tab in TABS:
        assert chief.get(f"/console/dashboards{tab}?{query}").status_code == 200
    assert chief.get("/console/dashboards/export.csv?tab=nothing").status_code == 404
    assert chief.get("/console/dashboards/export.csv?panel=nothing").status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-13-45", "Write a date, such as 2026-11-30."),
        ("to=9999-12-31", "Write a date, such as 2026-11-30."),
        ("from=2030-01-02&to=2030-01-01", "The period must not end before it begins."),
        ("from=2020-01-01&to=2023-12-31", "Look at three years at most."),
    ],
)
def test_no_figures_are_shown_of_another_period_than_was_asked_for(chief: Browser, query: str, said: str) -> None:
    for path in ("/console/dashboards", "/console/dashboards/satisfaction", "/console/dashboards/export.csv"):
        answer = chief.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert said in text_of(answer.text)
        assert 'class="tiles"' not in answer.text or "<strong>" not in answer.text.partition('class="tiles"')[2]
    assert chief.get("/console/dashboards?from=2030-01-01&to=2030-01-01").status_code == 200


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    ("days", "english", "chinese"), [(2.5, "days", "天"), (0.2, "hours", "小时"), (0.01, "minutes", "分钟")]
)
def test_lengths_are_said_in_the_readers_language(
    office: Office, chief: Browser, language: Language, days: float, english: str, chinese: str
) -> None:
    speech = Speech(language, ZoneInfo("Asia/Shanghai"), "console")
    with office.product.store.reading(routing.as_actor(office.person("max"))) as work:
        part = Slice(now(office) - timedelta(days=1), now(office), "Asia/Shanghai")
        said = Told(work, part, speech, Labels(speech), {}, {}).length(days)
    assert said.endswith(english if language is Language.EN else chinese)
    assert "duration" not in said


def test_days_of_more_than_a_year_are_told_with_their_year(chief: Browser) -> None:
    page = text_of(chief.get("/console/dashboards?from=2025-01-01&to=2026-11-30").text)
    assert "1 Mar 2025" in page
    assert "1 Mar 2026" in page
    assert "1 Mar 2026" not in text_of(chief.get("/console/dashboards?from=2026-01-01&to=2026-11-30").text)


def test_more_lines_than_colours_are_told_apart_by_their_marks() -> None:
    drawn = charts.lines(ENGLISH, "l", ["a"], [Series(str(n), [n]) for n in range(9)], str)
    marks = re.findall(r'class="mark (m\d)" d="([^"]+)"', drawn)
    shapes = {(colour, re.sub(r"[-\d.]+", "", path)) for colour, path in marks}
    assert len(shapes) == 9


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([], [0, 1]),
        ([0, 1.0], [0, 0.25, 0.5, 0.75, 1]),
        ([None, 0.04], [0, 0.01, 0.02, 0.03, 0.04]),
        ([1, 0], [0, 1]),
        ([2], [0, 1, 2]),
        ([5, None], [0, 2, 4, 6]),
        ([10], [0, 5, 10]),
        ([10.0], [0, 2.5, 5, 7.5, 10]),
        ([97], [0, 25, 50, 75, 100]),
    ],
)
def test_scales_are_round_reach_the_highest_value_and_count_in_whole_steps(
    values: list[float | None], ticks: list[float]
) -> None:
    assert charts.scale(values) == pytest.approx(ticks)


def test_bars_of_minutes_are_not_all_labelled_nought(office: Office, chief: Browser, cases: list[str]) -> None:
    at = now(office)
    for reference, minutes in zip(cases, (12, 30, 90), strict=False):
        change(
            office, reference, received_at=at - timedelta(hours=3), responded_at=at - timedelta(minutes=180 - minutes)
        )
    page = text_of(chief.get("/console/dashboards/timeliness").text)
    assert "Hours from receipt" in page
    assert "Days from receipt" not in page
    assert "Answer: median 30 minutes" in page
    answered = table(chief, "timeliness", "lengths")[1]
    assert answered[1:3] == ["3", "0.5"]
    assert float(answered[3]) == pytest.approx(1.3)


def test_a_legend_names_the_rule_not_its_key(chief: Browser, office: Office, cases: list[str]) -> None:
    with office.product.store.work(SYSTEM) as work:
        for clock in work.session.exec(select(Clock)).all():
            clock.state, clock.stopped_at = "met", now(office)
    page = text_of(chief.get("/console/dashboards/timeliness").text)
    assert "(Our own targets)" in page
    assert "(default)" not in page


def test_pictures_tell_every_value_and_escape_names() -> None:
    drawn = charts.stacked(ENGLISH, "A & B", ["<x>", "y"], [Series("one", [1, 2]), Series("two", [3, None])], str)
    assert "&lt;x&gt;, one: 1" in drawn
    assert "&lt;x&gt;, two: 3" in drawn
    assert 'aria-label="A &amp; B"' in drawn
    assert charts.pareto(ENGLISH, "p", [("a", 3), ("b", 1)], 4, str, str).count("<g>") == 2
    assert charts.lines(ENGLISH, "l", [], [], str)
