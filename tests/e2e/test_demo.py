"""What `complaints demo` shows, and every command against the system while it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from email import message_from_bytes, policy
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from deployments.cli import app
from deployments.commands.demo import samples
from tests.running import ROOT, System

#: Closing category by play. An appeal that succeeds ends with the voucher that the review granted.
EXPECTED = {
    "straight": "monetary_relief",
    "approval": "monetary_relief",
    "send_back": "monetary_relief",
    "question": "monetary_relief",
    "pause": "monetary_relief",
    "ladder": "monetary_relief",
    "extension": "monetary_relief",
    "appeal": "monetary_relief",
    "timeout": "non_monetary_relief",
    "fast_track": "explanation",
    "duplicate": "merged",
    "withdraw": "withdrawn",
}


@pytest.fixture(scope="module")
def played(system: System) -> dict[str, dict[str, Any]]:
    """All sample complaints, brought to the archive by agents and customers; reference → the case."""
    with system.people_at_work() as office:
        references = [office.submit(sample) for sample in samples()]
        system.wait(
            lambda: set(system.statuses(references).values()) == {"archived"}, "all samples archived", every=0.5
        )
    return {reference: system.case(reference) for reference in references}


def test_every_play_ends_as_it_should(system: System, played: dict[str, dict[str, Any]]) -> None:
    plays = {reference: system.office.plays[reference]["play"] for reference in played}
    assert set(plays.values()) == set(EXPECTED)
    found = {(r, plays[r], case["closing_category"]) for r, case in played.items()}
    assert found == {(r, play, EXPECTED[play]) for r, play in plays.items()}
    assert all(case["archive"]["bag_url"] for case in played.values())
    assert system.office.problems == []


def test_each_play_shows_what_it_is_for(system: System, played: dict[str, dict[str, Any]]) -> None:
    kinds = {r: [e["kind"] for e in case["events"]] for r, case in played.items()}
    by_play: dict[str, list[list[str]]] = {}
    for reference, seen in kinds.items():
        by_play.setdefault(system.office.plays[reference]["play"], []).append(seen)
    for play, mark in {
        "approval": "approve",
        "send_back": "send_back",
        "appeal": "appeal",
        "withdraw": "withdraw",
        "question": "customer_replied",
        "duplicate": "merge",
        "fast_track": "fast_track",
        "timeout": "confirmation_timeout",
        "ladder": "rung_fired",
    }.items():
        assert all(mark in seen for seen in by_play[play]), play


def test_the_clocks_of_the_demonstration_climb_pause_and_are_extended(
    system: System, played: dict[str, dict[str, Any]]
) -> None:
    by_play = {system.office.plays[r]["play"]: (r, case["events"]) for r, case in played.items()}
    _, climbed = by_play["ladder"]
    rungs = [e["data"]["rung"] for e in climbed if e["kind"] == "rung_fired" and e["data"]["clock"] == "demo.resolve"]
    assert rungs[:4] == ["50%", "75%", "90%", "100%"]
    paused, _ = by_play["pause"]
    (clock,) = system.json("sla", "explain", paused, "--clock", "demo_calm.resolve")
    assert "awaiting_customer" in {pause["reason"] for pause in clock["pauses"]}
    assert clock["state"] == "met"
    extended, events = by_play["extension"]
    (grant,) = [e for e in events if e["kind"] == "extend"]
    assert grant["data"]["clock"] == "demo_calm.resolve"
    assert grant["data"]["new"] > grant["data"]["old"] > grant["at"]
    assert system.receipts("extension_notice") == {extended: 1}


def test_one_acknowledgment_each_and_nothing_edited(system: System, played: dict[str, dict[str, Any]]) -> None:
    plays = {r: system.office.plays[r] for r in played}
    reachable = {r for r, sample in plays.items() if sample["complainant"].get("email")}
    assert len(played) - len(reachable) == 1  # somebody wants no name
    merged = {r for r in reachable if plays[r]["play"] == "duplicate"}  # told that; acknowledged if that came first
    system.check_promises(reachable - merged)
    told = system.receipts("merged_notice")
    assert {r: told[r] for r in merged} == dict.fromkeys(merged, 1)
    acknowledged = system.receipts("acknowledgment")
    assert all(acknowledged[r] <= 1 for r in merged)
    assert not acknowledged.keys() & (played.keys() - reachable)
    assert system.json("audit", "verify", next(iter(played))) == {"checked": 1, "erased": 0, "broken": []}


def test_letters_can_be_read(system: System, played: dict[str, dict[str, Any]]) -> None:
    """Each is a mail in the complainant's language, with the reference, from the local folder of outgoing mail."""
    for path in system.letters("acknowledgment"):
        letter = message_from_bytes(path.read_bytes(), policy=policy.default)
        reference = letter["X-Complaint-Reference"]
        if reference not in played:
            continue
        sample = system.office.plays[reference]
        assert letter["To"] == sample["complainant"]["email"]
        assert letter["Content-Language"] == {"zh": "zh-CN"}.get(sample["language"], sample["language"])
        body = letter.get_body(("plain",))
        assert body is not None
        assert reference in body.get_content()


def test_the_system_is_well_afterwards(system: System, played: dict[str, dict[str, Any]]) -> None:
    told = system.json("doctor")
    assert told["healthy"]
    assert told["not_well"] == []
    assert told["dead_letters"] == 0
    assert {"dispatch", "sla_clock"} <= told["last"].keys()
    assert not system.live_runs().keys() & {case["id"] for case in played.values()}


def test_a_complaint_by_command_line_alone(system: System) -> None:
    """From submission to archive without the API: every step by its command."""
    words = "My parcel from order CLI-1 never came and nobody answers. I want my money back."
    given = ["--email", "cli@example.com", "--language", "en", "--key", "cli-1"]
    first = system.json("submit", words, *given)
    again = system.json("submit", words, *given)
    assert (first["reference"], first["new"], again["new"]) == (again["reference"], True, False)
    reference = first["reference"]

    def task(kind: str) -> str:
        def find() -> str | None:
            query = (
                "select s.id from step s join complaint c on c.id = s.complaint_id where reference = %s and kind = %s"
            )
            found = system.rows(query, reference, kind)
            return str(found[0][0]) if found else None

        return str(system.wait(find, f"{kind} is open"))

    investigation = task("investigation")
    assert investigation in {t["id"] for t in system.json("tasks", "--kind", "investigation")["items"]}
    assert "claimed by Grace Okafor" in system.cli("claim", investigation, "--as", "grace")
    assert [t["id"] for t in system.json("tasks", "--as", "grace", "--mine")["items"]] == [investigation]
    assert "released" in system.cli("release", investigation, "--as", "grace")
    assert "summary" in system.cli("complete", investigation)
    system.cli("act", reference, "add_note", '{"text": "called the carrier"}')
    findings = {"finding": "not_upheld", "summary": "The carrier has your signature."}
    assert "completed by Grace Okafor" in system.cli("complete", investigation, json.dumps(findings), "--as", "grace")
    assert reference in {c["reference"] for c in system.json("list", "--words", "CLI-1")["items"]}
    clocks = {c["clock"] for c in system.json("policy", "show", reference)["clocks"]}
    assert {c["clock"] for c in system.json("sla", "explain", reference)} <= clocks != set()
    assert any(i["complaint_id"] == first["id"] for i in system.json("outbox", "list", "--limit", "200"))
    assert system.json("outbox", "list", "--state", "dead") == []
    with system.people_at_work():
        system.settle([reference])
    kinds = [e["kind"] for e in system.json("show", reference)["events"]]
    assert kinds[0] == "received"
    assert kinds[-1] == "archive"
    assert "add_note" in " ".join(kinds) or "note" in " ".join(kinds)


def test_withdrawing_by_command_line(system: System) -> None:
    reference = system.submit("withdrawn-cli")
    told = "select 1 from complaint where reference = %s and acknowledged_at is not null"
    system.wait(lambda: bool(system.rows(told, reference)), "acknowledged")  # what is withdrawn before never is
    assert "withdraw done" in system.cli("withdraw", reference, "--yes", "--reason", "found it")
    system.settle([reference])
    assert system.json("show", reference)["complaint"]["closing_category"] == "withdrawn"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "C26-999999-9"], "C26-999999-9"),
        (["complete", "00000000-0000-0000-0000-000000000000", "{}"], "task"),
        (["act", "C26-000001-5", "fly"], "fly"),
        (["tasks", "--as", "nobody"], "nobody"),
        (["policy", "check", str(ROOT / "docs")], ""),
    ],
)
def test_refusals_exit_with_1_and_a_sentence(system: System, arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "deployments.cli", *arguments]
    done = subprocess.run(command, env=system.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert sentence in said
    assert "Traceback" not in said


def test_policy_check_of_what_is_delivered(system: System) -> None:
    for name in ("default", "demo"):
        told = system.json("policy", "check", str(ROOT / "config" / "policies" / name))
        assert told["problems"] == []
        assert told["hash"]


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, TyperGroup):
            found += commands(command, (*path, name))
    return found


def test_every_command_explains_itself() -> None:
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    every = commands(root)
    assert len(every) > 25
    for path in every:
        told = CliRunner().invoke(app, [*path, "--help"])
        assert told.exit_code == 0, path
        assert " ".join(path) in told.output
        assert len(told.output.split("Usage", 1)[1].splitlines()) > 3, path
