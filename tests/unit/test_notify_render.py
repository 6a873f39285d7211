"""Letters: every template in both languages, strictness, wording that rules ask for, and attempts to smuggle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from complaints.domain import vocabulary
from complaints.domain.errors import Permanent
from complaints.domain.ports import Letter
from complaints.domain.vocabulary import Language
from complaints.notify.labels import LABELS
from complaints.notify.render import SUBJECT_LIMIT, TEMPLATES, TemplateRenderer
from config.policy import load
from web.console.labels import TABLES

AT = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
LINK = "https://complaints.example/track/abc?x=1&y=2"
FOLDERS = {Language.ZH: "zh", Language.EN: "en"}
KINDS = sorted(path.stem for path in (TEMPLATES / "en").glob("[!_]*.txt"))
EVERY = [(language, kind) for language in Language for kind in KINDS]
#: Values a template may do without.
OPTIONAL = {"name", "tracking_url", "company", "address", "body", "limit"}
FULL: Mapping[str, object] = {
    "name": "王芳",
    "kind": "any",
    "headline": {"en": "the SLA clock stands still", "zh-CN": "SLA 时钟已停"},
    "detail": {"en": "last tick at noon", "zh-CN": "最近一次运行：中午"},
    "reference": "EX-2026-000042",
    "subject": "Parcel",
    "received_at": AT,
    "category": "Delivery",
    "team": "Logistics",
    "severity": "serious",
    "due_at": AT + timedelta(days=3),
    "finding": "partly_upheld",
    "summary": "The parcel waited five days.\nNobody was told.",
    "remedies": [
        {"kind": "refund", "description": "Postage", "amount": Decimal("1234.50"), "currency": "EUR"},
        {"kind": "apology", "description": "A letter", "amount": None, "currency": None},
        {"kind": "points", "description": "Goodwill", "amount": Decimal(500), "currency": None},
    ],
    "external_body": "the ombudsman",
    "bodies": [
        {"name": "the ombudsman", "address": "Example Street 1", "within": {"amount": 6, "unit": "months"}},
        {"name": "the court", "address": "", "within": None},
    ],
    "answer_due_on": date(2026, 3, 14),
    "limits": [{"rule": "Rule 1", "on": date(2026, 4, 27)}],
    "signatory": "Complaints Team",
    "confirm_within": timedelta(days=14),
    "appeal_window": timedelta(days=60),
    "closing_category": "monetary_relief",
    "tracking_url": LINK,
    "answer_until": AT + timedelta(days=10),
    "question": "Which order?",
    "code": "042917",
    "reason": "the complainant answered",
    "into": "EX-2026-000001",
    "text": "We asked the depot.",
    "step": "approval",
    "locked_at": AT,
    "locked_until": AT + timedelta(minutes=15),
    "address": "192.0.2.7",
    "items": [{"reference": "EX-2026-000007", "clock": "fca.final", "rung": "80%", "due_at": AT.isoformat()}],
}


@pytest.fixture(scope="module")
def renderer() -> TemplateRenderer:
    return TemplateRenderer("Example Company", "Asia/Shanghai")


def without(*keys: str, **changed: object) -> dict[str, object]:
    return {k: v for k, v in FULL.items() if k not in keys} | changed


def letter(renderer: TemplateRenderer, kind: str, language: Language = Language.EN, **changed: object) -> Letter:
    return renderer.render(kind, language, without(**changed))


def needed(language: Language, kind: str) -> set[str]:
    """Names a template and what it includes refer to."""
    source = (TEMPLATES / FOLDERS[language] / f"{kind}.txt").read_text(encoding="utf-8")
    tree = Environment(autoescape=True, extensions=[]).parse(re.sub(r"\|\s*\w+(\([^)]*\))?", "", source))
    names = meta.find_undeclared_variables(tree)
    for included in re.findall(r'include "\w+/(_\w+)\.txt"', source):
        names |= needed(language, included)
    return names - OPTIONAL


def test_both_languages_have_the_same_letters() -> None:
    assert {p.name for p in (TEMPLATES / "zh").iterdir()} == {p.name for p in (TEMPLATES / "en").iterdir()}
    assert len(KINDS) == 23


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_letter_renders(renderer: TemplateRenderer, language: Language, kind: str) -> None:
    found = renderer.render(kind, language, FULL)
    assert found.subject.startswith("[EX-2026-000042] ")
    assert found.html is not None
    assert f'<html lang="{language}">' in found.html
    for part in (found.subject, found.text):
        assert "{" not in part
        assert "None" not in part
    chinese = len(re.findall(r"[\u4e00-\u9fff]", found.text.replace("王芳", "").replace("中国标准时间", "")))
    assert chinese > 20 if language is Language.ZH else chinese == 0


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_a_missing_value_breaks_the_letter(renderer: TemplateRenderer, language: Language, kind: str) -> None:
    names = needed(language, kind)
    assert names
    for name in names:
        with pytest.raises(Permanent, match=name):
            renderer.render(kind, language, without(name))


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_empty_values_leave_no_holes(renderer: TemplateRenderer, language: Language, kind: str) -> None:
    empty = without(
        name="", tracking_url="", due_at=None, answer_due_on=None, limits=[], bodies=[], answer_until=None,
        team="", category="", external_body="", remedies=[], closing_category=None, finding=None,
    )  # fmt: skip
    found = renderer.render(kind, language, empty)
    assert "None" not in found.text
    assert not re.search(r"\n\n\n|[:：] *\n\n(?=此致|Kind)|（）|\(\)", found.text)
    assert found.text.split("\n")[0] in {"您好：", "Dear Sir or Madam,", "Hello,"}


def test_response_without_name_and_link_as_the_gate_asks_for_it(renderer: TemplateRenderer) -> None:
    for language, review in ((Language.EN, "review"), (Language.ZH, "复核")):
        text = renderer.render("response", language, without("name", "tracking_url")).text
        for words in ("EX-2026-000042", FULL["summary"], "Postage", "A letter", "the ombudsman", review):
            assert str(words) in text


def test_acknowledgment_says_what_iso_10002_asks_for(renderer: TemplateRenderer) -> None:
    text = letter(renderer, "acknowledgment").text
    for words in (
        "EX-2026-000042",
        "What happens next",
        "14 March 2026.",
        "27 April 2026",
        "Whom to contact",
        "ombudsman",
        LINK,
    ):
        assert words in text
    assert "8 March" not in text, "the earliest due time of any clock is no promise"


def test_dates_and_money_are_the_readers(renderer: TemplateRenderer) -> None:
    english, chinese = (letter(renderer, "response", language).text for language in (Language.EN, Language.ZH))
    assert "5 March 2026" in english  # 17:30 UTC is the next day in Shanghai
    assert "2026年3月5日" in chinese
    assert "€1,234.50" in english
    assert "€1,234.50" in chinese
    assert "Goodwill (500)" in english
    assert "within 60 days" in english
    assert "60天内" in chinese
    assert "within 6 months of the date" in english
    assert "6个月内" in chinese
    assert "2 hours" in letter(renderer, "response", confirm_within=timedelta(hours=2)).text
    with pytest.raises(Permanent, match="without a zone"):
        letter(renderer, "response", received_at=datetime(2026, 3, 4))  # noqa: DTZ001


def test_third_party_learns_nothing_about_the_complainant(renderer: TemplateRenderer) -> None:
    for language in Language:
        text = letter(renderer, "third_party_question", language, name="Carrier Ltd", tracking_url="").text
        for secret in ("Parcel", "five days", "Delivery", LINK):
            assert secret not in text


@pytest.mark.parametrize(
    "evil", ["EX-1\r\nBcc: all@evil.example", "EX-1\n\nbody", "EX-1\x00\x1b[2J", "EX\u202e1\u2028x"]
)
def test_no_line_breaks_or_controls_in_subjects(renderer: TemplateRenderer, evil: str) -> None:
    for kind, name in (("acknowledgment", "reference"), ("merged_notice", "into")):
        subject = renderer.render(kind, Language.EN, without(**{name: evil})).subject
        assert subject.isprintable()
        assert len(subject.splitlines()) == 1


def test_a_value_cannot_move_words_from_the_subject_into_the_body(renderer: TemplateRenderer) -> None:
    found = letter(renderer, "reminder", reason="a\n\nb")
    assert found.subject == "[EX-2026-000042] Reminder: a b"
    assert found.text.startswith("Hello")


def test_long_subjects_are_cut(renderer: TemplateRenderer) -> None:
    subject = letter(renderer, "reminder", reason="很" * 500).subject
    assert len(subject) == SUBJECT_LIMIT


@pytest.mark.parametrize("name", ["Buy at http://evil.example", "www.evil.example", "a@evil.example", "x" * 61])
def test_advertisements_are_no_names(renderer: TemplateRenderer, name: str) -> None:
    assert letter(renderer, "acknowledgment", name=name).text.startswith("Dear Sir or Madam,")


def test_words_of_others_are_neither_code_nor_markup(renderer: TemplateRenderer) -> None:
    found = letter(renderer, "progress", text="{{ 7*7 }} <script>alert(1)</script> http://evil.example")
    assert "{{ 7*7 }}" in found.text
    assert found.html is not None
    assert "<script>" not in found.html
    assert found.html.count("<a ") == 1
    assert '<a href="https://complaints.example/track/abc?x=1&amp;y=2"' in found.html


def test_digest_stands_without_a_complaint(renderer: TemplateRenderer) -> None:
    found = renderer.render("digest", Language.EN, {"name": "", "kind": "digest", "items": FULL["items"]})
    assert found.subject == "Complaints that need attention: 1"
    due = "due 5 March 2026, 01:30 (China Standard Time)"
    assert f"EX-2026-000007: 80% of the time for the final response (fca) is used, {due}" in found.text


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        ("fca.final 50%", "50% of the time for the final response (fca) is used", "最终答复（fca）时限已用去50%"),
        ("fca.final 100%", "the time for the final response (fca) is over", "最终答复（fca）时限已到期"),
        ("default.investigate due-7200s", "the investigation is due in 2 hours", "调查核实时限将在2小时后到期"),
        (
            "acme.callback due+86400s",
            "callback (acme) has been overdue for 24 hours",
            "callback（acme）时限已超过24小时",
        ),
        ("the complainant wrote", "the complainant wrote", "投诉人发来新消息"),
        ("她又打来电话", "她又打来电话", "她又打来电话"),
    ],
)
def test_reasons_in_words(renderer: TemplateRenderer, code: str, english: str, chinese: str) -> None:
    assert f"Why: {english}\n" in letter(renderer, "escalation", reason=code).text
    assert f"原因：{chinese}\n" in letter(renderer, "escalation", Language.ZH, reason=code).text


def test_every_clock_of_the_product_has_words() -> None:
    policies = Path(__file__).parents[2] / "config" / "policies"
    clocks = {clock.name for folder in policies.iterdir() for p in load(folder).sla.profiles for clock in p.clocks}
    assert clocks - LABELS["clock"].keys() == set()
    assert clocks - TABLES["clock"].keys() == set()


@pytest.mark.parametrize("kind", ["no_such_letter", "../en/response", "_open", ""])
def test_unknown_kinds_are_refused(renderer: TemplateRenderer, kind: str) -> None:
    with pytest.raises(Permanent, match="no letter of the kind"):
        renderer.render(kind, Language.EN, FULL)


def test_broken_and_one_language_templates(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "only.txt").write_text("Subject\n\n{{ received_at | day }}")
    (tmp_path / "en" / "broken.txt").write_text("Subject\n\n{{ oh no")
    renderer = TemplateRenderer("Example", "Europe/Berlin", tmp_path)
    assert renderer.render("only", Language.ZH, FULL).text == "4 March 2026\n"
    with pytest.raises(Permanent, match="cannot be written"):
        renderer.render("broken", Language.EN, FULL)


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("finding", vocabulary.Finding),
        ("remedy", vocabulary.RemedyKind),
        ("closing", vocabulary.ClosingCategory),
        ("severity", vocabulary.Severity),
        ("step", vocabulary.StepKind),
    ],
)
def test_every_code_has_words(table: str, codes: type[StrEnum]) -> None:
    assert set(LABELS[table]) == {code.value for code in codes}
