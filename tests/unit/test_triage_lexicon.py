"""Lexicon files: strict loading with file and key in the message, stars, overlaps, and fit with the default policy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from complaints.domain.errors import PolicyInvalid
from complaints.domain.policy import Authority, LifecyclePolicy, Notifications, Retention, Routing, Taxonomy
from complaints.domain.vocabulary import TRIAGE_FLAGS, Flag, Severity
from complaints.triage.lexicon import Lexicon, LexiconFile, load
from complaints.triage.text import normalise

POLICY = Path(__file__).resolve().parents[2] / "config" / "policies" / "default"


def _lexicon(**content: object) -> Lexicon:
    return Lexicon([LexiconFile.model_validate({"language": "en", **content})])


def _words(lexicon: Lexicon, text: str) -> list[str]:
    return [match.word for match in lexicon.find(normalise(text))]


def test_star_stands_for_any_ending_and_words_have_boundaries() -> None:
    lexicon = _lexicon(category={"refund": {"clear": ["refund*", "till"]}})
    assert _words(lexicon, "Refunded, refunding, refund! prerefund until tilling till.") == [
        "refunded", "refunding", "refund", "till",
    ]  # fmt: skip


def test_longest_phrase_consumes_the_shorter_ones() -> None:
    lexicon = _lexicon(category={"a": {"clear": ["late"]}, "b": {"strong": ["late payment fee", "late payment"]}})
    assert _words(lexicon, "late payment fees late payment fee late") == ["late payment", "late payment fee", "late"]


def test_a_phrase_inherits_flags_inside_it_and_categories_only_if_it_has_none() -> None:
    lexicon = _lexicon(
        category={"card": {"strong": ["card fraud"]}, "fraud": {"clear": ["fraud"]}, "delivery": {"clear": ["parcel"]}},
        flag={"fraud": {"clear": ["fraud"]}, "safety": {"clear": ["burning parcel"]}},
    )
    (card,) = lexicon.find("card fraud")
    assert {(p.kind, p.of) for p in lexicon.pulls(card)} == {("category", "card"), ("flag", "fraud")}
    (parcel,) = lexicon.find("burning parcel")
    assert {(p.kind, p.of) for p in lexicon.pulls(parcel)} == {("category", "delivery"), ("flag", "safety")}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('language = "en"\n[category.x]\nstrnog = ["a"]', "category.x.strnog"),
        ('language = "en"\n[flag.nonsense]\nclear = ["a"]', "flag.nonsense"),
        ('language = "xx"', "language"),
        ("language = ", "not readable as TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_key(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "en.toml").write_text(content, encoding="utf-8")
    with pytest.raises(PolicyInvalid, match=r"en\.toml") as refused:
        load(tmp_path)
    assert named in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="holds no lexicon"):
        load(tmp_path)


def test_default_policy_is_complete_and_fits_its_lexicons() -> None:
    def section(name: str) -> dict[str, object]:
        return tomllib.loads((POLICY / f"{name}.toml").read_text(encoding="utf-8"))

    taxonomy = Taxonomy.model_validate(section("taxonomy"))
    routing = Routing.model_validate(section("routing"))
    lifecycle = LifecyclePolicy.model_validate(section("lifecycle"))
    retention = Retention.model_validate(section("retention"))
    Authority.model_validate(section("authority"))
    Notifications.model_validate(section("notifications"))
    keys = {c.key for c in taxonomy.categories}
    assert load(POLICY / "lexicons").categories | {taxonomy.fallback} == keys
    assert {c.team for c in taxonomy.categories} <= {t.key for t in routing.teams}
    assert routing.team(routing.default_team) is not None
    assert set(routing.queues) == set(Severity)
    assert set(routing.triage_flags) == TRIAGE_FLAGS
    assert set(retention.by_category) <= keys
    assert len(lifecycle.solutions) >= 6
    for solution in lifecycle.solutions:
        assert solution.category in keys
        assert solution.words_en
        assert solution.words_zh


def test_both_languages_know_every_category_and_flag() -> None:
    files = {f.language: f for f in load(POLICY / "lexicons").files}
    assert len(files) == 2
    screened = {Flag.SPAM, Flag.NOT_A_COMPLAINT, Flag.DUPLICATE}
    for file in files.values():
        assert set(file.flag) == set(Flag) - screened
        assert file.cue.keys() == {"question", "grievance", "praise", "auto_reply", "spam", "off_topic"}
    one, other = files.values()
    assert one.category.keys() == other.category.keys()
