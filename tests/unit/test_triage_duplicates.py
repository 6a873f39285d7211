"""Duplicate ranking: near copies, paraphrases of one person, shared numbers, and texts that only look alike."""

from __future__ import annotations

import tomllib
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from complaints.triage.duplicates import LIKELY, Known, rank, similarity

ROOT = Path(__file__).resolve().parents[2]

COPIES = [
    (
        "昨天晚上八点整个小区停电，到今天中午还没恢复，冰箱里的海鲜全坏了，物业说不归他们管。",
        "昨晚八点整个小区就停电了，到今天中午都还没恢复，冰箱里的海鲜全都坏了，物业说不归他们管！",
    ),
    (
        "I ordered a blue jacket on 3 May and received a green one. Your returns desk wants me to pay the postage.",
        "On 3 May I ordered a blue jacket and received a green one; your returns desk wants me to pay for the postage!",
    ),
]
PARAPHRASES = [
    (
        "上周三下单的冰箱至今没有送到，物流一直不更新，客服也联系不上。",
        "我买的冰箱上周三就下单了，到现在还没送来，物流信息不动，客服没人理。",
    ),
    (
        "My broadband has been down for nine days and the engineer did not come to two appointments.",
        "Still no broadband. Two engineer appointments were missed, it is the ninth day now.",
    ),
]
DIFFERENT = [
    ("我的快递五天没到，客服不理人，要求赔偿。", "我的信用卡年费多扣了，客服不理人，要求退还。"),
    ("The washing machine leaks and nobody answers the phone.", "You closed my account and nobody answers my letters."),
]


def _known(text: str, who: str | None = None, order: str = "") -> Known:
    return Known(uuid4(), text[:6], "", text, who, order)


@pytest.mark.parametrize(("a", "b"), COPIES)
def test_near_copies_are_likely_whoever_sent_them(a: str, b: str) -> None:
    (found,) = rank(_known(a, "one@example.com"), [_known(b, "two@example.com")])
    assert found.score >= LIKELY
    assert found.why.startswith("text:")


@pytest.mark.parametrize(("a", "b"), PARAPHRASES)
def test_paraphrases_need_the_same_person(a: str, b: str) -> None:
    (same,) = rank(_known(a, "one@example.com"), [_known(b, "one@example.com")])
    assert same.score >= LIKELY
    assert "same_complainant" in same.why
    assert not [c for c in rank(_known(a, "one@example.com"), [_known(b, "two@example.com")]) if c.score >= LIKELY]


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_another_matter_of_the_same_person_is_not_likely(a: str, b: str) -> None:
    assert not [c for c in rank(_known(a, "one@example.com"), [_known(b, "one@example.com")]) if c.score >= LIKELY]


def test_a_shared_order_number_counts_in_words_and_in_the_record() -> None:
    a, b = PARAPHRASES[0]
    alone = rank(_known(a), [_known(b)])
    in_words = rank(_known(a + "单号SF1029384756"), [_known(b + "（sf1029384756）")])
    in_record = rank(_known(a, order="SF1029384756"), [_known(b, order="sf1029384756")])
    assert [c.why.split(",")[1] for c in (*in_words, *in_record)] == ["same_number:SF1029384756"] * 2
    assert min(in_words[0].score, in_record[0].score) > max([c.score for c in alone], default=0.0)


def test_dates_are_not_order_numbers() -> None:
    a, b = DIFFERENT[0]
    assert not rank(_known(a + "20261107"), [_known(b + "20261107")])


def test_short_phrases_that_everybody_writes_are_no_sign() -> None:
    assert similarity("Unauthorised inquiry", "unauthorised inquiry") == pytest.approx(1)
    found = rank(_known("Unauthorised inquiry", "a"), [_known("unauthorised inquiry", "b")])
    assert all(c.score < LIKELY for c in found)


def test_rank_orders_limits_and_leaves_itself_out() -> None:
    a, b = COPIES[0]
    me = _known(a)
    others = [_known(b), me, *(_known(a + "补充" * i) for i in range(1, 8)), _known(DIFFERENT[0][1])]
    found = rank(me, others, limit=4)
    assert len(found) == 4
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert me.complaint_id not in {c.complaint_id for c in found}


def test_the_sample_marked_as_duplicate_is_found_and_no_other() -> None:
    samples = tomllib.loads((ROOT / "config/samples/complaints.toml").read_text(encoding="utf-8"))["complaints"]
    known = {
        s["key"]: Known(uuid4(), s["key"], s["subject"], s["narrative"], s["complainant"].get("email")) for s in samples
    }
    for sample in samples:
        likely = {c.reference for c in rank(known[sample["key"]], known.values()) if c.score >= LIKELY}
        twins = {s["key"] for s in samples if s.get("duplicate_of") == sample["key"]}
        assert likely == twins | ({sample["duplicate_of"]} if "duplicate_of" in sample else set())


@given(st.text(max_size=200), st.text(max_size=200))
def test_similarity_is_symmetric_and_bounded(a: str, b: str) -> None:
    assert similarity(a, b) == pytest.approx(similarity(b, a))
    assert 0 <= similarity(a, b) <= 1
    assert similarity(a, a) in (0.0, pytest.approx(1))
