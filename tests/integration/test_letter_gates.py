"""What response letters must say: the machine's pass in every profile, language, outcome; a person's are looked at."""

from __future__ import annotations

from typing import Any

import pytest

from complaints.domain.errors import ContentGateFailed
from complaints.domain.forms import RemedyProposal
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Finding, Language, RemedyKind, StepKind
from complaints.services import decision, response
from tests.integration.desk import FINDINGS, Desk, bundle, letters
from tests.integration.test_clocks import begin_again, profile, variant

PROFILES = [p for p in bundle().sla.profiles if p.letter.elements]
MEASURES = {
    "explained": (),
    "money": (RemedyProposal(kind=RemedyKind.REFUND, description="The postage comes back", amount=20),),  # type: ignore[arg-type]
    "no money": (RemedyProposal(kind=RemedyKind.APOLOGY, description="A letter of apology"),),
}


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("key", [p.key for p in PROFILES])
def test_the_machines_letter_has_what_its_rule_demands(desk: Desk, key: str, language: Language) -> None:
    rule = bundle().sla.profile(key)
    assert rule is not None
    case = desk.submit(jurisdiction=next(iter(rule.applies.jurisdictions), ""), language=language)
    row = desk.complaint(case)
    assert key in row.profiles
    for finding in Finding:
        for name, proposals in MEASURES.items():
            with desk.store.reading(SYSTEM) as work:
                decision.note_findings(work, row, "investigation", finding, "The pump broke.", proposals=proposals)
                letter = response.compose(work, row, letters(), language, "Bob")
                assert response.missing_elements(work, row, letter.text) == [], (finding, name, letter.text)
    if rule.external_body is not None:
        assert rule.external_body.name(language) in letter.text


def written(desk: Desk, body: str, jurisdiction: str = "uk", finding: str = "not_upheld") -> list[str]:
    """What a letter written by a person lacks."""
    case = desk.submit(jurisdiction=jurisdiction)
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **(FINDINGS | {"finding": finding}))
    row = desk.complaint(case)
    with desk.store.reading(SYSTEM) as work:
        return [
            name for name, present in response.checklist(work, row, body.replace("REF", row.reference)) if not present
        ]


GOOD = (
    "REF: we do not uphold your complaint, because the pump was broken by the fall and not in our transport. "
    "You may ask for a review. You may go to the Financial Ombudsman Service within six months."
)


@pytest.mark.parametrize(
    ("said", "instead", "lacks"),
    [
        ("", "", []),
        ("REF", "Your complaint", ["reference"]),
        ("do not uphold your complaint", "answer your complaint", ["outcome"]),
        ("do not uphold", "uphold", ["outcome"]),
        ("a review", "more", ["appeal_right"]),
        ("the Financial Ombudsman Service", "an ombudsman", ["external_body"]),
        ("six months", "14 days", ["time_limit"]),
        ("within six months", "at any time", ["time_limit"]),
    ],
)
def test_a_persons_letter_is_looked_at(desk: Desk, said: str, instead: str, lacks: list[str]) -> None:
    assert written(desk, GOOD.replace(said, instead) if said else GOOD) == lacks


@pytest.mark.parametrize(
    ("finding", "words", "states"),
    [
        ("upheld", "Your complaint is justified.", True),
        ("upheld", "Your complaint is justified in part.", False),
        ("upheld", "Your complaint is not justified.", False),
        ("partly_upheld", "投诉部分属实。", True),
        ("partly_upheld", "投诉属实。", False),
        ("not_upheld", "投诉不成立。", True),
        ("upheld", "投诉成立。", True),
        ("upheld", "投诉不成立。", False),
    ],
)
def test_the_outcome_that_is_stated_is_the_one_that_was_found(
    desk: Desk, finding: str, words: str, states: bool
) -> None:
    assert ("outcome" not in written(desk, words, "", finding)) is states


def test_a_body_that_nobody_has_configured_fails_the_gate(desk: Desk) -> None:
    data: Any = variant(profiles=profile(bundle(), "fca", external_body=None)).model_dump(mode="json")
    data["lifecycle"]["response"]["external_body"] = None
    begin_again(desk, type(bundle()).model_validate(data | {"hash": "6" * 64}))
    assert written(desk, GOOD) == ["external_body"]
    case = desk.submit("The parcel was lost.", jurisdiction="uk")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    assert "external_body" in desk.step(case, StepKind.RESPONSE).context["why"], "a person must see to it"
    with pytest.raises(ContentGateFailed, match="external_body"):
        desk.complete(case, desk.agent, StepKind.RESPONSE, body="We have looked into it and are sorry for the trouble.")
