"""The profiles against the rules: the table of facts, typed again by hand, against what the profile files say."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from complaints.domain.policy import PolicyBundle
from complaints.domain.sla_policy import ClockPolicy, Profile, RungAction
from config import policy

DEFAULT = Path(__file__).resolve().parents[2] / "config" / "policies" / "default"
BUNDLE = policy.load(DEFAULT)

RECEIPT, ANSWER, HOLDING = "received", "send_response", "holding_response"


class Row(NamedTuple):
    """One clock, as the rule has it. `most` is the budget with everything that may be granted."""

    kind: str
    starts: str
    stops: set[str]
    budget: str
    pauses: set[str]
    most: int | None  #: None: no extension
    notice: bool
    next: str
    refer: str  #: how long the external body can be turned to


def row(
    kind: str,
    starts: str,
    stops: str,
    budget: str,
    *,
    pauses: str = "",
    most: int | None = None,
    notice: bool = False,
    next: str = "",
    refer: str = "",
) -> Row:
    return Row(kind, starts, set(stops.split()), budget, set(pauses.split()), most, notice, next, refer)


WAITS = "awaiting_customer awaiting_third_party"
LAW = "regulatory"
#: Only what a rule says, or a company's own targets; day 0 is the day of receipt everywhere, so day 1 is the next day.
TABLE: dict[str, Row] = {
    "default.ack": row("internal", RECEIPT, "acknowledged", "24 hours"),
    "default.investigate": row("internal", "route", "submit_findings", "40 working_hours", pauses=WAITS, most=120),
    "default.resolve": row(
        "internal", RECEIPT, ANSWER, "80 working_hours", pauses=f"{WAITS} external", most=240, notice=True
    ),
    "iso10002.ack": row("internal", RECEIPT, "acknowledged", "60 minutes"),
    "fca.ack": row(LAW, RECEIPT, "acknowledged", "5 business_days", refer="6 months"),
    "fca.summary": row(LAW, RECEIPT, ANSWER, "3 business_days", next="final", refer="6 months"),
    "fca.final": row(LAW, RECEIPT, f"{ANSWER} {HOLDING}", "8 weeks", refer="6 months"),
    "fca_psd.reply": row(LAW, RECEIPT, ANSWER, "15 business_days", most=35, notice=True, refer="6 months"),
    "asic.ack": row(LAW, RECEIPT, "acknowledged", "1 business_days", refer="24 months"),
    "asic.final": row(LAW, RECEIPT, ANSWER, "30 calendar_days", most=60, notice=True, refer="24 months"),
    "asic_super.ack": row(LAW, RECEIPT, "acknowledged", "1 business_days", refer="24 months"),
    "asic_super.final": row(LAW, RECEIPT, ANSWER, "45 calendar_days", most=90, notice=True, refer="24 months"),
    "asic_hardship.ack": row(LAW, RECEIPT, "acknowledged", "1 business_days", refer="24 months"),
    "asic_hardship.final": row(LAW, RECEIPT, ANSWER, "21 calendar_days", most=42, notice=True, refer="24 months"),
    "cfpb.response": row(LAW, RECEIPT, f"{ANSWER} {HOLDING}", "15 calendar_days", next="final"),
    "cfpb.final": row(LAW, RECEIPT, ANSWER, "60 calendar_days"),
    "psd2.reply": row(LAW, RECEIPT, ANSWER, "15 business_days", most=35, notice=True),
    "cn_nfra.decision": row(LAW, RECEIPT, ANSWER, "15 calendar_days", pauses="appraisal", most=30, notice=True),
    "cn_nfra_complex.decision": row(LAW, RECEIPT, ANSWER, "30 calendar_days", pauses="appraisal", most=60, notice=True),
    "cn_samr.accept": row(
        "external", "refer_externally", "external_accepts external_changes external_closes", "7 business_days"
    ),
    "cn_samr.mediation": row("external", "external_accepts", "external_changes external_closes", "60 calendar_days"),
    "in_rbi.final": row(LAW, RECEIPT, ANSWER, "30 calendar_days", refer="12 months"),
    "ie_cpc.ack": row(LAW, RECEIPT, "acknowledged", "5 business_days"),
    "ie_cpc.update": row(LAW, RECEIPT, f"{ANSWER} {HOLDING}", "20 business_days", next="final"),
    "ie_cpc.final": row(LAW, RECEIPT, ANSWER, "40 business_days"),
}

#: profile → evidence, what the citation must name, days in force, calendar's country
#: (`*` where the sources name neither a day nor an article: then the profile must say that it is unverified)
SOURCES: dict[str, tuple[str, str, date | None, str]] = {
    "default": ("ours", "*", None, "CN"),
    "iso10002": ("S", "ISO 10002:2018", None, ""),
    "fca": ("R", "DISP 1.5 and 1.6, as at 2026-06-01", None, "GB"),
    "fca_psd": ("R", "*", None, "GB"),
    "asic": ("S", "RG 271.51", None, "AU"),
    "asic_super": ("S", "RG 271.51", None, "AU"),
    "asic_hardship": ("S", "RG 271.51", None, "AU"),
    "cfpb": ("R", "15 days", None, "US"),
    "psd2": ("R", "*", None, "DE"),
    "cn_nfra": ("S", "银行业保险业消费投诉处理管理办法（2020）", None, "CN"),
    "cn_nfra_complex": ("S", "银行业保险业消费投诉处理管理办法（2020）", None, "CN"),
    "cn_samr": ("S", "SAMR Order 121", date(2026, 4, 15), "CN"),
    "in_rbi": ("S", "*", None, ""),
    "ie_cpc": ("S", "*", None, "IE"),
}

#: What the table has from no source: numbers of our own choice, and what was written from memory.
_ASIC = frozenset({"external_body.refer_within", "clocks.final.extension.most"})
FROM_MEMORY: dict[str, frozenset[str]] = {
    "iso10002": frozenset({"clocks.ack.budget"}),
    "fca": frozenset({"clocks.ack.budget"}),
    "fca_psd": frozenset({"external_body.refer_within"}),
    "in_rbi": frozenset({"external_body.refer_within"}),
    "asic": _ASIC,
    "asic_super": _ASIC,
    "asic_hardship": _ASIC,
}


def profiles() -> dict[str, Profile]:
    return {p.key: p for p in BUNDLE.sla.profiles}


def clocks() -> dict[str, tuple[Profile, ClockPolicy]]:
    return {f"{p.key}.{c.name}": (p, c) for p in BUNDLE.sla.profiles for c in p.clocks}


def test_no_clock_and_no_profile_is_missing_or_added() -> None:
    assert clocks().keys() == TABLE.keys()
    assert profiles().keys() == SOURCES.keys()


@pytest.mark.parametrize("name", TABLE)
def test_each_clock_says_what_its_rule_says(name: str) -> None:
    profile, clock = clocks()[name]
    body = profile.external_body
    granted = clock.extension
    assert TABLE[name] == Row(
        clock.kind,
        clock.starts,
        set(clock.stops),
        str(clock.budget),
        set(clock.pauses),
        clock.budget.amount + granted.most if granted else None,
        bool(granted and granted.notice),
        clock.next,
        str(body.refer_within) if body and body.refer_within else "",
    )
    assert clock.budget.first_day == 0, "the day of receipt is day 0: counting begins the day after"
    assert bool(clock.by_severity) == (name in ("default.investigate", "default.resolve"))


@pytest.mark.parametrize("key", SOURCES)
def test_each_profile_rests_on_what_it_says_it_does(key: str) -> None:
    rule = profiles()[key]
    evidence, citation, since, country = SOURCES[key]
    assert rule.evidence == evidence
    assert citation == "*" or citation in rule.citation
    calendars = {c.key: c.country for c in BUNDLE.sla.calendars}
    assert {calendars.get(c.calendar, "") for c in rule.clocks} - {""} == ({country} if country else set())
    if since is not None:
        assert rule.effective_from == since
    marked = set(rule.unverified)
    if key != "default":
        assert ("effective_from" in marked) is (since is None)
        assert ("citation" in marked) is (citation == "*" or key == "iso10002")
        assert ("external_body.address" in marked) is bool(rule.external_body and rule.external_body.address)
        assert marked >= FROM_MEMORY.get(key, frozenset())
    assert {p for p in marked if p.startswith("clocks.")} <= FROM_MEMORY.get(key, frozenset()), (
        "these numbers have a source"
    )


def test_only_new_facts_restart_and_only_where_the_rule_says_so() -> None:
    restarts = {name: set(c.restarts) for name, (_, c) in clocks().items() if c.kind != "internal" and c.restarts}
    assert restarts == {"cn_nfra.decision": {"new_facts"}, "cn_nfra_complex.decision": {"new_facts"}}
    granted = clocks()["cn_nfra.decision"][1].extension
    assert granted is not None
    assert granted.roles == ("manager",)


# -- what no source says


def test_policy_check_notes_each_unverified_thing_with_its_value() -> None:
    told = policy.warnings(BUNDLE, date(2026, 11, 27))
    notes: dict[str, list[str]] = {
        rule.key: [t for t in told if t.startswith(f"profile '{rule.key}': no source says this")]
        for rule in BUNDLE.sla.profiles
    }
    for rule in BUNDLE.sla.profiles:
        for path in rule.unverified:
            (line,) = notes[rule.key]
            assert "verify before you rely on it" in line
            assert f" {path} = {rule.said(path)}" in line
    assert notes["default"] == notes["cn_samr"] == []
    assert "external_body.refer_within = 24 months" in notes["asic"][0]
    assert "clocks.ack.budget = 5 business_days" in notes["fca"][0]
    assert "effective_from = 2021-10-05" in notes["asic"][0]


def test_what_concerns_a_clock_leaves_out_the_numbers_of_others() -> None:
    fca = profiles()["fca"]
    of_ack, of_final = ({u.path for u in fca.unverified_of(clock)} for clock in ("ack", "final"))
    assert of_ack - of_final == {"clocks.ack.budget"}
    assert of_final <= set(fca.unverified)


@pytest.mark.parametrize("path", ["external_body.adress", "clocks.first.budget", "clocks.ack.ladder.x", "", "letter.x"])
def test_a_path_that_leads_nowhere_is_a_mistake(path: str, tmp_path: Path) -> None:
    text = (DEFAULT / "profiles" / "fca.toml").read_text(encoding="utf-8")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "policy.toml").write_text(f'extends = "{DEFAULT}"')
    (tmp_path / "profiles" / "fca.toml").write_text(
        text.replace('"external_body.address"', f'"{path}"'), encoding="utf-8"
    )
    (problem,) = policy.check(tmp_path)
    assert (problem.file, problem.key) == ("profiles/fca.toml", "unverified")
    assert problem.line > 0
    assert repr(path) in problem.message


def test_whoever_must_review_is_told() -> None:
    """A management review stands beside the flow run, which tells nobody of it."""
    for policies in BUNDLE.sla.ladders.values():
        for rung in policies:
            if RungAction.OPEN_MANAGEMENT_REVIEW in rung.actions:
                assert RungAction.NOTIFY_MANAGER in rung.actions


# -- versions stored long ago


def test_the_clocks_of_an_external_bodys_case_were_once_called_regulatory() -> None:
    """A complaint that is pinned to such a version must not count the regulator's lateness as ours."""
    stored: dict[str, Any] = BUNDLE.model_dump(mode="json")
    samr = next(p for p in stored["sla"]["profiles"] if p["key"] == "cn_samr")
    for clock in samr["clocks"]:
        clock |= {"kind": "regulatory", "starts": "refer_externally", "stops": ["external_changes", "external_closes"]}
    for rule in stored["sla"]["profiles"]:
        del rule["unverified"]
    sla = PolicyBundle.model_validate(stored).sla
    assert {c.kind for p in sla.profiles if p.key == "cn_samr" for c in p.clocks} == {"external"}
    assert {c.kind for p in sla.profiles if p.key == "fca" for c in p.clocks} == {"regulatory"}
