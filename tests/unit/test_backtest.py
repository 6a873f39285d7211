"""The verdicts of a back-test, and how they are told."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from complaints.domain.backtest import LogEntry, Tally, at_receipt, judge, replay
from complaints.domain.clocks import Case
from complaints.domain.policy import PolicyBundle
from config.policy import load
from deployments.commands import policies as commands

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULT = load(Path(__file__).resolve().parents[2] / "config" / "policies" / "default")


def under(*rungs: dict[str, Any]) -> PolicyBundle:
    """The default policy with one clock of a hundred hours, and a ladder for it."""
    data = DEFAULT.model_dump(mode="json")
    clock = {"name": "answer", "kind": "internal", "stops": ["send_response"], "rungs": rungs}
    clock["budget"] = {"amount": 100, "unit": "hours"}
    mine = {"key": "mine", "title_en": "Mine", "title_zh": "我的", "evidence": "ours", "citation": "Ours."}
    data["sla"]["profiles"] = [mine | {"applies": {"all": True}, "clocks": [clock]}]
    return PolicyBundle.model_validate(data | {"hash": str(rungs)})


def verdicts(policy: PolicyBundle, hours: float | None) -> set[str]:
    """Of a clock that was stopped after so many hours; None: it still runs, after 300."""
    log = [LogEntry("received", START, None, None, {})]
    if hours is not None:
        log.append(LogEntry("send_response", START + hours * HOUR, "responding", "confirming", {}))
    tally = Tally()
    judge("own", policy, *replay(policy, Case(START), log), "orders", START + 300 * HOUR, tally)
    return {key[-1] for key in tally.counts}


@pytest.mark.parametrize(
    ("rungs", "hours", "expected"),
    [
        ([{"share": 0.5, "actions": ["notify_lead"]}], 60, {"warned"}),
        ([{"share": 0.8, "actions": ["notify_lead"]}], 78, set()),
        ([{"share": 1.0, "actions": ["notify_lead"]}], 99, set()),
        ([{"share": 1.0, "actions": ["notify_lead"]}], 101, {"breached"}),
        ([{"share": 0.9, "actions": ["notify_lead"]}], None, {"warned", "breached"}),
        ([{"offset": "-PT10H", "actions": ["notify_lead"]}], 89, set()),
        ([{"offset": "-PT10H", "actions": ["notify_lead"]}], 91, {"warned"}),
        ([{"offset": "PT10H", "actions": ["notify_lead"]}], 120, {"breached"}),
        ([], 99, set()),
    ],
)
def test_warned_is_what_the_tested_policys_own_ladder_warns_of(
    rungs: list[dict[str, Any]], hours: float | None, expected: set[str]
) -> None:
    assert verdicts(under(*rungs), hours) == {"clocks"} | expected


def test_a_clock_in_days_that_was_answered_early_has_warned_nobody() -> None:
    def said(days: int) -> set[str]:
        log = [
            LogEntry("received", START, None, None, {}),
            LogEntry("send_response", START + days * 24 * HOUR, "responding", "confirming", {}),
        ]
        tally = Tally()
        judge("own", DEFAULT, *replay(DEFAULT, Case(START, jurisdiction="in"), log), "orders", START, tally)
        return {key[-1] for key in tally.counts if key[1] == "in_rbi.final"}

    assert [said(days) for days in (2, 16, 31)] == [{"clocks"}, {"clocks", "warned"}, {"clocks", "warned", "breached"}]


def test_a_case_begins_in_the_jurisdiction_that_it_was_received_in() -> None:
    log = [
        LogEntry("received", START, None, None, {}),
        LogEntry("reclassify", START + HOUR, None, None, {"severity": ["moderate", "serious"]}),
        LogEntry("reclassify", START + 2 * HOUR, None, None, {"jurisdiction": ["cn_fin", "cn_fin_complex"]}),
        LogEntry("reclassify", START + 3 * HOUR, None, None, {"jurisdiction": ["cn_fin_complex", "uk"]}),
    ]
    assert at_receipt(DEFAULT, START, "uk", log).jurisdiction == "cn_fin"
    _, clocks = replay(DEFAULT, at_receipt(DEFAULT, START, "uk", log), log)
    assert {c.profile for c in clocks.running} == {"default", "cn_nfra", "cn_nfra_complex", "fca"}
    assert at_receipt(DEFAULT, START, "uk", log[:2]).jurisdiction == "uk"


def test_a_policy_that_names_a_jurisdiction_is_tested_with_it() -> None:
    data = DEFAULT.model_dump(mode="json")
    data["sla"]["jurisdiction"] = "cn_fin"
    named = PolicyBundle.model_validate(data | {"hash": "named"})
    log = [LogEntry("received", START, None, None, {})]
    assert at_receipt(DEFAULT, START, "", log).jurisdiction == ""
    assert at_receipt(named, START, "", log).jurisdiction == "cn_fin"
    assert at_receipt(named, START, "uk", log).jurisdiction == "uk", "somebody said so"


def test_what_an_external_body_owes_is_not_counted() -> None:
    start = datetime(2026, 5, 4, 2, tzinfo=UTC)
    log = [
        LogEntry("received", start, None, None, {}),
        LogEntry("reject", start + HOUR, "received", "closed", {}),
        LogEntry("refer_externally", start + 2 * HOUR, "closed", "external", {"body": "12315"}),
    ]
    case, clocks = replay(DEFAULT, Case(start), log)
    assert "cn_samr" in {c.profile for c in clocks.running}
    tally = Tally()
    judge("own", DEFAULT, case, clocks, "orders", start + 9999 * HOUR, tally)
    assert not [key for key in tally.counts if key[1].startswith("cn_samr.")]


def test_the_result_fits_into_eighty_columns_by_clock_and_by_severity_and_team() -> None:
    tally = Tally()
    for which, count in (("own", 100_000), ("other", 99_999)):
        for severity in ("serious", "critical"):
            key = (which, "cn_nfra_complex.investigate", severity, "payments_and_cards")
            for verdict in ("clocks", "warned", "breached", "extended"):
                tally.counts[(*key, verdict)] += count
    told = io.StringIO()
    console = Console(file=told, width=80)
    console.print(commands._compared("By clock", "clock", tally, 0))
    console.print(commands._compared("By severity and team", "severity, team", tally, 1, 2))
    text = told.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "cn_nfra_complex.investigate" in text
    assert "200,000" in text
    assert "199,998" in text
    assert text.count("serious, payments_and_cards") == 1
    assert text.count("would") == 3
