"""Commands on a real database: what they name, show and refuse; the machine is not needed for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from complaints.domain.errors import ComplaintsError
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import StepKind
from complaints.runs.prefect_api import PrefectRuns
from complaints.services import marks
from complaints.store.tables import Complaint, Outbox, SystemMark
from config.settings import Settings
from config.wiring import app, wall_clock
from deployments.cli import app as cli
from deployments.commands import operations
from tests.integration.desk import CUSTOMER, FINDINGS, Desk, remedy

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
Told = Callable[..., str]


@pytest.fixture
def told(desk: Desk, tmp_path: Path) -> Iterator[Told]:
    """Runs a command on the desk's database; what it prints. A refusal is raised."""
    environment = {
        "COMPLAINTS_HOME": str(tmp_path / "home"),
        "COMPLAINTS_DATABASE_URL": desk.url,
        "COMPLAINTS_PREFECT_API": "http://127.0.0.1:9/api",
        "COMPLAINTS_WEB_PORT": "9",
    }
    app.cache_clear()

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, [*arguments], env=environment)
        if isinstance(done.exception, ComplaintsError):
            raise done.exception
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout

    yield run
    app().background.drain()
    app().engine.dispose()
    app.cache_clear()


def _json(told: Told, *arguments: str) -> Any:
    return json.loads(told(*arguments, "--json"))


def test_from_the_list_of_tasks_to_done_by_short_names(desk: Desk, told: Told) -> None:
    case = desk.submit()
    reference, step = desk.complaint(case).reference, desk.step(case, "investigation")
    tail = str(step.id)[-8:]
    listed = told("tasks")
    assert tail in listed
    assert reference in listed
    assert _json(told, "claim", tail, "--as", "li")["state"] == "claimed"
    assert _json(told, "release", reference, "--as", "li")["state"] == "open"
    assert _json(told, "claim", str(step.id)[:30], "--as", "li")["id"] == str(step.id)
    wanted = _json(told, "complete", reference, "investigation-1")
    assert [f["field"] for f in wanted["fields"] if f["required"]] == ["finding", "summary"]
    assert f'complaints complete {tail} \'{{"finding"' in told("complete", reference)
    done = _json(told, "complete", reference, json.dumps(FINDINGS), "--as", "li")
    assert (done["gate"], done["state"]) == ("investigation-1", "done")


def test_of_several_tasks_the_gate_says_which(desk: Desk, told: Told) -> None:
    case = desk.submit()
    remedies = [remedy("apology", None), remedy("repair", None)]
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=remedies)
    reference = desk.complaint(case).reference
    with pytest.raises(ComplaintsError, match="has 2 open tasks; add which: remedy-1, remedy-2"):
        told("claim", reference, "--as", "li")
    assert _json(told, "claim", reference, "remedy-2", "--as", "li")["gate"] == "remedy-2"
    assert _json(told, "complete", reference, "remedy-2", '{"result": "done"}', "--as", "li")["state"] == "done"
    assert _json(told, "claim", reference, "--as", "li")["gate"] == "remedy-1"
    with pytest.raises(ComplaintsError, match=r"There is no task \S+ remedy-7"):
        told("claim", reference, "remedy-7", "--as", "li")
    ids = sorted(str(step.id) for step in desk.open_steps(case))
    with pytest.raises(ComplaintsError, match="mistyped"):
        told("claim", "C26-000001-4", "--as", "li")
    with pytest.raises(ComplaintsError, match="There is no task 00000000"):
        told("claim", "00000000", "--as", "li")
    told("complete", ids[0], '{"result": "done"}', "--as", "li")
    desk.go(case)
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True)
    desk.end_window(case)
    with pytest.raises(ComplaintsError, match="has no open task; it is archived"):
        told("claim", reference, "--as", "li")


def test_ids_that_begin_alike_are_told_apart(desk: Desk, told: Told) -> None:
    first, second = desk.submit(), desk.submit("The kettle I bought leaks and the shop does not answer.")
    beginning = str(desk.step(first, "investigation").id)[:8]
    assert str(desk.step(second, "investigation").id).startswith(beginning)
    with pytest.raises(ComplaintsError, match=f"several ids begin or end with {beginning}; give more"):
        told("claim", beginning, "--as", "li")


def test_an_action_explains_itself_before_it_is_done(desk: Desk, told: Told) -> None:
    reference = desk.complaint(desk.submit()).reference
    offered = _json(told, "act", reference)
    assert {"add_note", "ask_customer", "withdraw"} <= offered["actions"].keys()
    assert "reopen" not in offered["actions"]
    assert "A remark for colleagues." in told("act", reference)
    explained = _json(told, "act", reference, "add_note")
    assert explained["fields"] == [{"field": "text", "required": True, "takes": "text", "meaning": "The note."}]
    assert f'complaints act {reference} add_note \'{{"text": "…"}}\'' in told("act", reference, "add_note")
    with pytest.raises(ComplaintsError, match=r"no action 'bogus'.*possible now: .*add_note"):
        told("act", reference, "bogus")
    done = _json(told, "act", reference, "add_note", '{"text": "called back [/b]"}', "--as", "li")
    assert (done["reference"], done["action"], done["status"]) == (reference, "add_note", "investigating")
    assert _json(told, "withdraw", reference, "--yes")["status"] == "closed"


def test_show_shows_everything(desk: Desk, told: Told, tmp_path: Path) -> None:
    case = desk.submit()
    reference = desk.complaint(case).reference
    (tmp_path / "pump.png").write_bytes(PNG)
    (row,) = _json(told, "attach", reference, str(tmp_path / "pump.png"), "--for", "complainant", "--as", "li")
    assert (row["name"], row["content_type"], row["new"]) == ("pump.png", "image/png", True)
    assert "there already" in told("attach", reference, str(tmp_path / "pump.png"))
    desk.act(case, desk.agent, "add_note", text="The carrier [/b] says no.")
    much = remedy("compensation", "99999.00")
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **FINDINGS, remedies=[much])
    desk.complete(case, desk.approver, StepKind.APPROVAL, decision="approve", reason="It is right.")
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done", evidence="PAY-7")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True, rating=4, words="Thank you.")
    read = told("show", reference)
    for words in (
        desk.complaint(case).narrative,
        "The carrier [/b] says no.",
        FINDINGS["summary"],
        "It is right.",
        "compensation for the trouble",
        "PAY-7",
        "Thank you.",
        "pump.png",
        "Dear Bob,",
        "bob@customer.example",
        "send_response",
    ):
        assert words in read, words
    data = _json(told, "show", reference)
    lists = ("complainants", "findings", "decisions", "remedies", "surveys", "attachments", "thread", "events")
    assert {name: bool(data[name]) for name in lists} == dict.fromkeys(lists, True)


def test_a_file_that_is_not_taken_is_named_and_none_is_attached(desk: Desk, told: Told, tmp_path: Path) -> None:
    reference = desk.complaint(desk.submit()).reference
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "a.exe").write_bytes(b"MZ\x90")
    (tmp_path / "empty.txt").touch()
    for name, says in (
        ("a.exe", "Programs"),
        ("empty.txt", "is empty"),
        ("none.txt", "No such file"),
        ("", "directory"),
    ):
        with pytest.raises(ComplaintsError) as caught:
            told("attach", reference, str(tmp_path / "a.png"), str(tmp_path / name))
        assert str(caught.value).startswith(str(tmp_path / name))
        assert says in str(caught.value)
    assert _json(told, "show", reference)["attachments"] == []


def test_a_living_intent_is_not_replayed(desk: Desk, told: Told) -> None:
    desk.submit()
    done, dead = desk.outbox(state="done")[:2]
    with desk.store.work(SYSTEM) as work:
        work.session.get_one(Outbox, dead.id).state = "dead"
    with pytest.raises(ComplaintsError, match="The intent is done, not dead: there is nothing to replay"):
        told("outbox", "replay", str(done.id))
    with pytest.raises(ComplaintsError, match="There is no intent"):
        told("outbox", "replay", str(done.id)[-8:])
    tail = str(dead.id)[-8:]
    assert tail in told("outbox", "list", "--state", "dead")
    assert _json(told, "outbox", "replay", tail) == {"replayed": 1}
    assert _json(told, "outbox", "replay") == {"replayed": 0}


def test_a_list_refuses_what_the_policy_does_not_know(desk: Desk, told: Told) -> None:
    desk.submit()
    for option in ("category", "team"):
        with pytest.raises(ComplaintsError, match=f"{option}: 'nonsense' is not known; known are: "):
            told("list", f"--{option}", "nonsense")
    with pytest.raises(ComplaintsError, match="team: 'nonsense' is not known"):
        told("tasks", "--team", "nonsense")
    assert len(_json(told, "list", "--team", "orders", "--status", "investigating")["items"]) == 1


def test_people_and_keys_as_json(desk: Desk, told: Told) -> None:
    person = _json(told, "people", "add", "kim", "Kim", "--role", "agent", "--password")
    assert (person["login"], person["roles"]) == ("kim", ["agent"])
    assert person["temporary_password"]
    assert "password_hash" not in person
    assert _json(told, "people", "password", "kim")["temporary_password"] != person["temporary_password"]
    key = _json(told, "keys", "create", "shop", "--scope", "tasks", "--for", "kim")
    assert key["secret"].startswith(key["prefix"])
    assert "hash" not in key
    assert [(k["id"], k["person"]) for k in _json(told, "keys", "list")] == [(key["id"], "kim")]
    assert _json(told, "keys", "revoke", key["id"])["revoked_at"]


def test_the_audit_reads_the_log_of_administration_too(desk: Desk, told: Told) -> None:
    case = desk.submit()
    told("people", "add", "kim", "Kim Lee", "--role", "agent")
    untouched = _json(told, "audit", "verify")
    assert untouched["administration"]["checked"] > 0
    with desk.engine.begin() as connection:
        connection.execute(text("alter table adminevent disable trigger user"))
        connection.execute(text("update adminevent set actor_name = 'Nobody' where object = 'kim'"))
        connection.execute(text("alter table adminevent enable trigger user"))
    found = json.loads(told("audit", "verify", "--json", code=1))
    assert found["broken"] == []
    assert [b["what"] for b in found["administration"]["broken"]] == ["its content was changed"]
    assert "administration" in told("audit", "verify", code=1)
    alone = _json(told, "audit", "verify", desk.complaint(case).reference.lower())
    assert alone == {"checked": 1, "erased": 0, "broken": []}


def test_what_is_due_for_disposal_is_listed_and_an_erased_log_is_counted(desk: Desk, told: Told) -> None:
    case = desk.closed()
    desk.end_window(case)
    reference = desk.complaint(case).reference
    assert _json(told, "disposals") == []
    with desk.store.work(SYSTEM) as work:
        row = work.session.get_one(Complaint, case)
        row.retention_until = desk.now() - timedelta(days=400)
        work.session.add(row)
    (due,) = _json(told, "disposals")
    assert (due["reference"], due["legal_hold"], due["requested_by"]) == (reference, False, "")
    told("act", reference, "request_disposal", '{"reason": "Kept long enough"}', "--as", "zhao")
    assert "Zhao" in told("disposals")
    with pytest.raises(ComplaintsError, match="may not erase"):
        told("act", reference, "erase", '{"reason": "Item 4"}', "--as", "zhao")
    assert "now erased" in told("act", reference, "erase", '{"reason": "Item 4"}', "--as", "max")
    assert _json(told, "disposals") == []
    audited = _json(told, "audit", "verify")
    assert audited.pop("administration")["broken"] == []
    assert audited == {"checked": 1, "erased": 1, "broken": []}
    assert "1 case logs checked (1 erased: their logs are gone), 0 breaks." in told("audit", "verify")
    assert "erased" in told("show", reference)


def test_doctor_tells_which_parts_are_not_well_and_what_to_do(
    desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads(told("doctor", "--json", code=1))
    assert (found["not_well"], found["healthy"]) == (["web"], False)
    parts = {"database": {"ok": True}, "clock": {"ok": False}, "workers": {"ok": False}}
    monkeypatch.setattr(operations.httpx, "get", lambda *_, **__: httpx.Response(503, json={"parts": parts}))
    with desk.store.work(SYSTEM) as work:
        marks.set_mark(work, "sla_clock", {})
        work.session.get_one(SystemMark, "sla_clock").at = wall_clock() - timedelta(days=3, minutes=2)
    said = told("doctor", code=1)
    assert "sla_clock 3 days, 0:02:0" in said
    assert "Next: docs/runbook.md, for: clock, workers" in said
    desk.submit()  # now there is something to ask Prefect about
    assert "Next: docs/runbook.md, for: prefect, clock, workers" in told("doctor", code=1)
    parts |= {"clock": {"ok": True}, "workers": {"ok": True}}
    monkeypatch.setattr(PrefectRuns, "states", lambda _, ids: dict.fromkeys(ids, "PAUSED"))
    assert _json(told, "doctor")["healthy"]


def test_lists_say_when_there_is_more(desk: Desk, told: Told) -> None:
    desk.submit()
    assert "There are more: give --state or a larger --limit." in told("outbox", "list", "--limit", "1")
    assert len(_json(told, "outbox", "list", "--limit", "1")) == 1
    assert "There are more" not in told("outbox", "list", "--limit", "1000")


def test_times_are_those_of_the_office_wherever_the_machine_stands(
    desk: Desk, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in letters, console and `sla explain`; servers mostly stand in UTC."""
    monkeypatch.setenv("COMPLAINTS_TIME_ZONE", "Pacific/Kiritimati")  # UTC+14
    given = ("--received", "2026-01-05 00:30:00", "--email", "a@example.com")
    reference = _json(told, "submit", "The kettle leaks.", *given)["reference"]
    assert _json(told, "show", reference)["complaint"]["received_at"] == "2026-01-04T10:30:00Z"
    listed = told("list")  # in a narrow table, day and time stand below each other
    assert "2026-01-05" in listed
    assert "00:30:00" in listed
    assert "2026-01-05 00:30:00" in told("show", reference)
    folder = str(Settings.model_fields["policy_dir"].default)
    for day, cases in (("2026-01-05", 1), ("2026-01-06", 0)):
        period = ("--from", day, "--to", "2026-02-01", "--processes", "1")
        assert _json(told, "policy", "backtest", folder, *period)["cases"] == cases
    with pytest.raises(ComplaintsError, match="--to: lies before --from"):
        told("policy", "backtest", folder, "--from", "2026-02-01", "--to", "2026-01-01")
