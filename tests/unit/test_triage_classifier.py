"""The rule-based classifier: accuracy on the labelled complaints, explanations, severity, flags, hostile input."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.domain.intake import NewComplaint
from complaints.domain.policy import LifecyclePolicy, Taxonomy
from complaints.domain.vocabulary import Flag, Language, Severity
from complaints.triage.lexicon import load
from complaints.triage.rules import RuleClassifier

ROOT = Path(__file__).resolve().parents[2]
POLICY = ROOT / "config" / "policies" / "default"


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


TAXONOMY = Taxonomy.model_validate(_toml(POLICY / "taxonomy.toml"))
LIFECYCLE = LifecyclePolicy.model_validate(_toml(POLICY / "lifecycle.toml"))
LABELLED = _toml(ROOT / "tests/data/labelled_complaints.toml")
SAMPLES = _toml(ROOT / "config/samples/complaints.toml")["complaints"]
MIN_CONFIDENCE = _toml(POLICY / "routing.toml")["min_confidence"]
CLASSIFIER = RuleClassifier(load(POLICY / "lexicons"), TAXONOMY, LIFECYCLE)


@pytest.mark.parametrize(("language", "floor"), [("zh", 0.92), ("en", 0.92)])
def test_accuracy_on_labelled_complaints_does_not_fall(language: str, floor: float) -> None:
    texts = [(category, text) for category, texts in LABELLED[language].items() for text in texts]
    answers = [(category, CLASSIFIER.classify("", text)) for category, text in texts]
    assert len(texts) >= {"zh": 120, "en": 80}[language]
    assert sum(a.category == category for category, a in answers) / len(texts) >= floor
    sure = [(category, a) for category, a in answers if a.confidence >= MIN_CONFIDENCE]
    assert len(sure) / len(texts) >= 0.85, "the machine should route most clear complaints itself"
    assert sum(a.category == category for category, a in sure) / len(sure) >= 0.95
    assert all(a.language.value.startswith(language) for _, a in answers)
    assert not [a for _, a in answers if Flag.SPAM in a.flags or Flag.NOT_A_COMPLAINT in a.flags]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_unseen_words_lead_to_a_person_rather_than_to_the_wrong_team(language: str) -> None:
    """The held-out texts avoid telling words, so many cannot be classified; few may be routed wrongly by machine."""
    texts = [(category, text) for category, texts in LABELLED[f"held_out_{language}"].items() for text in texts]
    answers = [(category, CLASSIFIER.classify("", text)) for category, text in texts]
    astray = [a for category, a in answers if a.category != category and a.confidence >= MIN_CONFIDENCE]
    assert len(astray) / len(texts) <= 0.15
    assert sum(a.category == category for category, a in answers) / len(texts) >= 0.35


@pytest.mark.parametrize("case", LABELLED["judged"], ids=lambda case: case["text"][:24])
def test_flags_and_severity(case: dict[str, Any]) -> None:
    answer = CLASSIFIER.classify("", case["text"])
    flags = {flag.value for flag in answer.flags}
    assert flags >= set(case.get("flags", ()))
    assert not flags & set(case.get("without", ()))
    assert answer.severity.value in case.get("severity", [answer.severity.value])
    assert answer.category == case.get("category", answer.category)


#: key of a sample → category, severity, flags that must be there.
EXPECTED: dict[str, tuple[str, str, set[str]]] = {
    "fridge_late": ("delivery", "moderate", set()),
    "fridge_late_again": ("delivery", "moderate", set()),
    "heater_shock": ("product_quality", "critical", {"safety"}),
    "card_points": ("card", "moderate", set()),
    "invoice_missing": ("billing", "minor", set()),
    "login_code": ("account_access", "minor", set()),
    "collection_wrong_man": ("debt_collection", "moderate", set()),
    "water_damage_claim": ("insurance_claim", "moderate", set()),
    "gym_renewal": ("contract_cancellation", "moderate", set()),
    "heating_cold": ("outage", "serious", {"vulnerable"}),
    "rude_clerk": ("service_staff", "moderate", set()),
    "safe_account": ("fraud_scam", "serious", {"fraud"}),
    "data_leak_clinic": ("privacy_data", "serious", {"data_protection"}),
    "street_light": ("public_service", "minor", set()),
    "early_repayment": ("loan_mortgage", "moderate", set()),
    "coat_refund": ("refund_return", "moderate", set()),
    "broadband_down": ("outage", "moderate", set()),
    "parking_fine": ("billing", "moderate", set()),
    "cracked_basin": ("product_quality", "moderate", set()),
    "claim_flood_papers": ("insurance_claim", "moderate", set()),
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["key"])
def test_demonstration_samples_are_classified_right(sample: dict[str, Any]) -> None:
    answer = CLASSIFIER.classify(sample["subject"], sample["narrative"], sample["product"])
    category, severity, flags = EXPECTED[sample["key"]]
    assert (answer.category, answer.severity.value, answer.language.value) == (category, severity, sample["language"])
    assert {flag.value for flag in answer.flags} >= flags
    assert answer.confidence >= MIN_CONFIDENCE
    triaged = set(answer.flags) & {Flag.SAFETY, Flag.LEGAL_THREAT, Flag.SPAM, Flag.NOT_A_COMPLAINT}
    assert bool(triaged) == ("safety" in flags)
    if sample["play"] == "fast_track":
        assert answer.solution is not None
        assert answer.severity in LIFECYCLE.fast_track.severities
        assert answer.confidence >= LIFECYCLE.fast_track.min_confidence
    else:
        assert answer.solution is None


def test_samples_cover_every_play_and_both_languages() -> None:
    plays = {s["play"] for s in SAMPLES}
    assert plays == {
        "straight", "approval", "appeal", "withdraw", "question", "duplicate", "fast_track", "timeout", "send_back",
        "ladder", "pause", "extension",
    }  # fmt: skip
    assert {s["language"] for s in SAMPLES} == {"zh-CN", "en"}
    assert len({s["key"] for s in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["key"])
def test_samples_are_acceptable_at_intake(sample: dict[str, Any]) -> None:
    words = {key: value for key, value in sample.items() if key not in ("key", "play", "duplicate_of")}
    assert NewComplaint.model_validate(words).narrative


def test_evidence_names_the_deciding_words_heaviest_first() -> None:
    answer = CLASSIFIER.classify("", "The courier left my parcel in the rain, the parcel is soaked.")
    words = [e.word for e in answer.evidence if e.of == answer.category]
    assert answer.category == "delivery"
    assert {"courier", "parcel"} <= set(words)
    assert [e.weight for e in answer.evidence] == sorted((e.weight for e in answer.evidence), reverse=True)


def test_longest_phrase_wins_and_its_parts_still_raise_flags() -> None:
    late_fee = CLASSIFIER.classify("", "They took a late fee.")
    assert [e.word for e in late_fee.evidence if e.of == "card"] == ["late fee"]
    assert Flag.FRAUD in CLASSIFIER.classify("", "我的卡昨天被盗刷了两笔。").flags


@pytest.mark.parametrize(
    ("said", "negated"),
    [("杯子破损了", "杯子没有破损"), ("我受伤了", "没有人受伤"), ("The lid is broken.", "The lid is not broken.")],
)
def test_negation_cancels_a_fault(said: str, negated: str) -> None:
    def weighed(text: str) -> set[str]:
        return {e.word for e in CLASSIFIER.classify("", text).evidence}

    assert weighed(said) & {"破损", "受伤", "broken"}
    assert not weighed(negated) & {"破损", "受伤", "broken"}


@pytest.mark.parametrize("text", ["不小心被杯子割伤了手", "The lid is not only broken, it is missing."])
def test_look_alikes_of_negation_do_not_cancel(text: str) -> None:
    assert {e.word for e in CLASSIFIER.classify("", text).evidence} & {"割伤", "broken"}


def test_full_width_and_traditional_characters_read_alike() -> None:
    plain = CLASSIFIER.classify("退款", "退货两周没有退款，APP打不开")
    assert CLASSIFIER.classify("退款", "退貨兩週沒有退款，ＡＰＰ打不開").category == plain.category == "refund_return"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我在 App Store 买的 iPhone 15 Pro Max 坏了", Language.ZH),
        ("The 电饭煲 I bought from your shop in Leeds does not heat", Language.EN),
        ("", Language.EN),
        ("12345 !!!", Language.EN),
    ],
)
def test_language_of_mixed_texts(text: str, language: Language) -> None:
    assert CLASSIFIER.classify("", text).language is language


def test_no_words_means_fallback_without_confidence() -> None:
    answer = CLASSIFIER.classify("", "Xyzzy plugh frobnicate.")
    assert (answer.category, answer.confidence, answer.evidence) == ("other", 0.0, ())


def test_confidence_grows_with_evidence_and_falls_with_contradiction() -> None:
    def confidence(text: str) -> float:
        return CLASSIFIER.classify("", text).confidence

    assert confidence("快递") < confidence("快递员把包裹弄丢了，物流查不到")
    assert confidence("快递员把包裹弄丢了，信用卡年费也多扣了") < confidence("快递员把包裹弄丢了")


def test_categories_outside_the_taxonomy_are_ignored() -> None:
    small = Taxonomy(
        categories=tuple(c for c in TAXONOMY.categories if c.key in ("billing", "other")),
        root_causes=TAXONOMY.root_causes,
        fallback="other",
    )
    answer = RuleClassifier(load(POLICY / "lexicons"), small, LIFECYCLE).classify("", "快递丢了，账单多扣了钱")
    assert answer.category == "billing"
    assert not answer.alternatives


def test_a_standard_matter_is_minor_unless_somebody_is_in_danger() -> None:
    calm = CLASSIFIER.classify("", "发票没收到，请补开发票")
    hurt = CLASSIFIER.classify("", "发票没收到，请补开发票。另外店里地上漏水，我摔倒骨折了")
    assert (calm.solution, calm.severity) == ("invoice_copy", Severity.MINOR)
    assert hurt.severity is Severity.SERIOUS


@given(st.text(max_size=400), st.text(max_size=4000))
def test_never_raises(subject: str, narrative: str) -> None:
    answer = CLASSIFIER.classify(subject, narrative)
    assert 0 <= answer.confidence <= 1
    assert TAXONOMY.category(answer.category) is not None


@pytest.mark.parametrize(
    "piece", ["投诉快递😡", "x", "harass", "不", "not ", "a b ", "1", "。", "\ud800", "refunddddddddd "]
)
def test_very_long_texts(piece: str) -> None:
    answer = CLASSIFIER.classify("", (piece * 25_000)[:25_000])
    assert len(answer.evidence) <= 20


def test_same_words_same_answer() -> None:
    words = [text for texts in LABELLED["zh"].values() for text in texts]
    random.Random(7).shuffle(words)
    text = "".join(words)
    again = RuleClassifier(load(POLICY / "lexicons"), TAXONOMY, LIFECYCLE)
    assert CLASSIFIER.classify("", text) == CLASSIFIER.classify("", text) == again.classify("", text)
