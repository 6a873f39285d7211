"""How good and how fast the rule-based classifier is. `python bench/classifier_bench.py [--data FOLDER]`

Prints accuracy, coverage (share the machine routes itself: confidence at or above the policy's minimum), precision
among those, a reliability table and texts per second; then how duplicate scores spread over unrelated real complaints.
Peer: the guess of always the most frequent class. Public data sets are read from FOLDER where present; the lexicons
were tuned on the half of the CFPB sample whose id hashes to an even number, so the odd half is the honest figure.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from complaints.domain.policy import LifecyclePolicy, Routing, Taxonomy
from complaints.triage.duplicates import LIKELY, similarity
from complaints.triage.lexicon import load
from complaints.triage.rules import RuleClassifier

ROOT = Path(__file__).resolve().parent.parent
POLICY = ROOT / "config" / "policies" / "default"

#: Our categories as the CFPB sample names them. The sample tells four kinds of loan apart, we have one.
CFPB_OF = {
    "loan_mortgage": "loan",
    "payment_transfer": "money_transfer",
    "fraud_scam": "money_transfer",
    "account_access": "bank_account",
    "card": "card",
    "debt_collection": "debt_collection",
    "credit_reporting": "credit_reporting",
}
CFPB_LOANS = {
    "payday_personal_loan",
    "vehicle_consumer_loan",
    "student_loan",
    "mortgage",
}

#: Substrings of banking77 intents and the category they belong to; first hit counts, no hit leaves the intent out.
BANKING_OF = [
    ("exchange", None),
    ("currenc", None),
    ("transfer", "payment_transfer"),
    ("top_up", "payment_transfer"),
    ("topping_up", "payment_transfer"),
    ("beneficiary", "payment_transfer"),
    ("efund", "refund_return"),
    ("charged_twice", "billing"),
    ("extra_charge", "billing"),
    ("cash", None),
    ("card", "card"),
    ("pin", "card"),
    ("contactless", "card"),
    ("passcode", "account_access"),
    ("identity", "account_access"),
    ("terminate_account", "account_access"),
]


class Labelled(NamedTuple):
    """A text and the right answer."""

    text: str
    label: str


class Result(NamedTuple):
    """One classified text."""

    right: bool
    confidence: float


def policy() -> tuple[RuleClassifier, float]:
    """The classifier of the default policy, and the confidence below which a person triages."""

    def section(name: str) -> dict[str, object]:
        return tomllib.loads((POLICY / f"{name}.toml").read_text(encoding="utf-8"))

    taxonomy, lifecycle = (
        Taxonomy.model_validate(section("taxonomy")),
        LifecyclePolicy.model_validate(section("lifecycle")),
    )
    classifier = RuleClassifier(load(POLICY / "lexicons"), taxonomy, lifecycle)
    return classifier, Routing.model_validate(section("routing")).min_confidence


def own(language: str) -> list[Labelled]:
    """The project's own labelled complaints."""
    data = tomllib.loads((ROOT / "tests/data/labelled_complaints.toml").read_text(encoding="utf-8"))
    return [Labelled(text, category) for category, texts in data[language].items() for text in texts]


def cfpb(folder: Path) -> Iterator[tuple[int, Labelled]]:
    """(half, complaint) of the CFPB sample."""
    with (folder / "cfpb_sample.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            half = int(hashlib.sha256(row["Complaint ID"].encode()).hexdigest(), 16) % 2
            label = "loan" if row["category"] in CFPB_LOANS else row["category"]
            yield half, Labelled(row["Consumer complaint narrative"], label)


def banking(folder: Path) -> Iterator[Labelled]:
    """banking77 questions of the intents that have a category here."""
    with (folder / "banking77_train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            category = next((c for part, c in BANKING_OF if part in row["category"]), None)
            if category:
                yield Labelled(row["text"], category)


def measure(
    name: str,
    texts: list[Labelled],
    classifier: RuleClassifier,
    threshold: float,
    as_label: Callable[[str], str] = lambda key: key,
) -> dict[str, float | str]:
    """Classify, print and return the figures."""
    results = []
    for text, label in texts:
        answer = classifier.classify("", text)
        results.append(Result(as_label(answer.category) == label, answer.confidence))
    sure = [r for r in results if r.confidence >= threshold]
    figures: dict[str, float | str] = {
        "set": name,
        "texts": len(texts),
        "peer": round(Counter(t.label for t in texts).most_common(1)[0][1] / len(texts), 3),
        "accuracy": round(sum(r.right for r in results) / len(results), 3),
        "coverage": round(len(sure) / len(results), 3),
        "precision": round(sum(r.right for r in sure) / max(1, len(sure)), 3),
    }
    print(" ".join(f"{key}={value}" for key, value in figures.items()))
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        bin_ = [r for r in results if low <= r.confidence < low + 0.2 or (low == 0.8 and r.confidence == 1)]
        if bin_:
            right = sum(r.right for r in bin_) / len(bin_)
            print(f"    confidence {low:.1f}…{low + 0.2:.1f}: {len(bin_):5} texts, {right:.0%} right")
    return figures


def speed(classifier: RuleClassifier) -> dict[str, float | str]:
    """Texts of 1,000 characters per second of processor time, per language."""
    figures: dict[str, float | str] = {"set": "speed"}
    for language in ("zh", "en"):
        joined = " ".join(t.text for t in own(language))
        texts = [(joined * 2)[i : i + 1000] for i in range(0, len(joined), 50)][:200]
        started = time.process_time()
        for text in texts * 3:
            classifier.classify("", text)
        figures[language] = round(3 * len(texts) / (time.process_time() - started))
    print(f"speed: zh {figures['zh']}/s, en {figures['en']}/s (1,000 characters, one core)")
    return figures


def duplicates(texts: list[str]) -> dict[str, float | str]:
    """How often the likeness of two complaints that have nothing to do with each other would look like a duplicate."""
    scores = sorted(similarity(a, b) for a, b in itertools.combinations(texts, 2))
    figures: dict[str, float | str] = {
        "set": "duplicates",
        "pairs": len(scores),
        "median": round(scores[len(scores) // 2], 3),
        "p99": round(scores[int(len(scores) * 0.99)], 3),
        "likely": sum(s >= LIKELY for s in scores),
    }
    print(" ".join(f"{key}={value}" for key, value in figures.items()))
    return figures


def main() -> None:
    """Run all measurements; the last line is one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    data = parser.parse_args().data
    csv.field_size_limit(sys.maxsize)
    classifier, threshold = policy()
    figures = [
        measure(f"own-{name}", own(name), classifier, threshold) for name in ("zh", "en", "held_out_zh", "held_out_en")
    ]
    if (data / "cfpb_sample.csv").exists():
        halves = list(cfpb(data))
        for half, name in ((0, "cfpb-tuned"), (1, "cfpb-held-out")):
            texts = [t for h, t in halves if h == half]
            figures.append(
                measure(
                    name,
                    texts,
                    classifier,
                    threshold,
                    lambda key: CFPB_OF.get(key, key),
                )
            )
        figures.append(duplicates([t.text for _, t in halves][:400]))
    if (data / "banking77_train.csv").exists():
        figures.append(measure("banking77", list(banking(data)), classifier, threshold))
    figures.append(speed(classifier))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
