"""Importing files into a real PostgreSQL: good rows are taken, bad ones named, and repeating doubles nothing."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, col, func, select
from typer.testing import CliRunner, Result

import deployments.commands.importing as importing
from complaints.domain.errors import InvalidInput
from complaints.domain.intake import NewComplainant, NewComplaint
from complaints.domain.vocabulary import Need
from complaints.services import intake
from complaints.store import chain
from complaints.store.engine import make_engine
from complaints.store.tables import Clock, Complainant, Complaint, Event, Outbox, Party
from config.settings import Settings
from config.wiring import App
from deployments.cli import app as cli
from deployments.commands.output import OPERATOR
from tests.integration.desk import ALARMING, CALM, FAST

CFPB = Path(__file__).parents[3] / "shared" / "data" / "cfpb_sample.csv"
HEADER = "工单号,投诉内容,姓名,邮箱,投诉时间,渠道,门店\n"


@pytest.fixture
def session(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The command works on a fresh database; the session looks into it."""
    the = App(Settings(home=tmp_path / "home", database_url=database))
    monkeypatch.setattr(importing, "app", lambda: the)
    engine = make_engine(database)
    with Session(engine) as opened:
        yield opened
    engine.dispose()
    the.engine.dispose()


def run(file: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["import", str(file), *options])


def figures(result: Result) -> tuple[int, int, int]:
    found = json.loads(result.stdout)
    return found["taken"], found["known"], found["bad"]


def count(session: Session, table: type[Complaint] | type[Event] | type[Outbox] | type[Party]) -> int:
    session.rollback()
    return session.exec(select(func.count()).select_from(table)).one()


def test_good_rows_are_taken_and_bad_ones_named(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "投诉.csv"
    rows = [f"{n},热水器漏水第{n}次,王芳,wang@example.com,2026-01-05,电话,朝阳店" for n in range(5)]
    rows += ["5,,,,,,", "6,漏水,,not-an-address,,,", '7,"未闭合,,,,,', "8,漏水,,,,,"]
    file.write_bytes((HEADER + "\n".join(rows) + "\n").encode("gb18030"))

    result = run(file, "--json", "--errors", "--batch", "2")
    assert result.exit_code == 2, result.output
    assert figures(result) == (6, 0, 3)
    assert [(b["line"], b["column"]) for b in json.loads(result.stdout)["first_bad"]] == [
        (7, "投诉内容"),
        (8, "邮箱"),
        (9, ""),
    ]
    with (tmp_path / "投诉.csv.errors.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert [(e["line"], e["column"]) for e in csv.DictReader(stream)] == [
            ("7", "投诉内容"),
            ("8", "邮箱"),
            ("9", ""),
        ]

    complaint = session.exec(select(Complaint).where(Complaint.external_id == "0")).one()
    assert (complaint.queue, complaint.channel, complaint.language) == ("bulk", "phone", "zh-CN")
    assert (complaint.external_source, complaint.extra) == ("file", {"门店": "朝阳店"})
    assert complaint.received_at.isoformat() == "2026-01-04T16:00:00+00:00"
    assert count(session, Party) == 6


def test_repeating_an_import_doubles_nothing(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    rows = [f"{n},leak {n},,,,," for n in range(450)] + [",no id at all,,,,,"]
    file.write_text(HEADER + "\n".join(rows) + "\n")
    first = run(file, "--json")
    assert (first.exit_code, figures(first)) == (0, (451, 0, 0))
    before = [count(session, table) for table in (Complaint, Event, Outbox, Party)]
    again = run(file, "--json")
    assert (again.exit_code, figures(again)) == (0, (0, 451, 0))
    assert [count(session, table) for table in (Complaint, Event, Outbox, Party)] == before == [451] * 4
    other = run(file, "--json", "--source", "shop")
    assert figures(other) == (451, 0, 0), "the ids of another system are other ids"


def test_an_imported_complaint_is_like_any_other(session: Session, tmp_path: Path) -> None:
    """One event, chained; clocks counting from the receipt; a run asked for, for the regular dispatch to start."""
    file = tmp_path / "t.jsonl"
    file.write_text(json.dumps({"id": "a", "narrative": "leaks", "received_at": "2026-01-05T10:00:00Z"}) + "\n")
    assert run(file).exit_code == 0
    complaint = session.exec(select(Complaint)).one()
    events = session.exec(select(Event)).all()
    assert [e.kind for e in events] == ["received"]
    assert chain.verify(events, complaint.chain_head, complaint.event_count) == []
    assert complaint.version == 2
    intent = session.exec(select(Outbox)).one()
    assert (intent.kind, intent.state, intent.complaint_id) == ("start_run", "pending", complaint.id)
    clocks = session.exec(select(Clock).where(Clock.complaint_id == complaint.id)).all()
    assert clocks
    assert all(c.started_at == complaint.received_at for c in clocks)
    assert complaint.due_at == min(c.due_at for c in clocks if c.due_at)


def test_a_dry_run_takes_nothing(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEADER + "1,leak,,,,,\n2,,,,,,\n")
    result = run(file, "--dry-run")
    assert result.exit_code == 2
    assert re.search(r"good\W+1\b", result.stdout)
    assert count(session, Complaint) == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--map", "nothing"), "no mapping"), (("--map", "cfpb"), "missing"), (("--source", "Ä"), "small letters")],
)
def test_a_file_that_cannot_be_used_is_refused_at_once(
    session: Session, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEADER + "1,leak,,,,,\n")
    result = run(file, *options)
    assert isinstance(result.exception, InvalidInput)
    assert says in str(result.exception)
    assert count(session, Complaint) == 0


def consumer_complaints(folder: Path) -> Path:
    """The public sample of the CFPB where it lies beside the project, else two rows in its form."""
    if CFPB.exists():
        return CFPB
    file = folder / "cfpb.csv"
    file.write_text(
        "Complaint ID,Product,Issue,Consumer complaint narrative,Submitted via,Date sent to company\n"
        '1,Mortgage,Fees,"They lost\nmy papers.",Web,2019/11/8\n'
        "2,Debt collection,Calls,Too many calls.,Phone,2019/9/8\n"
    )
    return file


def test_the_consumer_complaint_database(session: Session, tmp_path: Path) -> None:
    file = consumer_complaints(tmp_path)
    with file.open(encoding="utf-8", newline="") as stream:
        rows = sum(1 for _ in csv.DictReader(stream))
    assert figures(run(file, "--map", "cfpb", "--json")) == (rows, 0, 0)
    assert figures(run(file, "--map", "cfpb", "--json")) == (0, rows, 0)
    session.rollback()
    oldest = session.exec(select(Complaint).order_by(col(Complaint.received_at))).first()
    assert oldest is not None
    assert (oldest.external_source, oldest.language, oldest.jurisdiction) == ("cfpb", "en", "us")


def test_a_bulk_writes_what_a_single_submission_writes(session: Session, database: str, tmp_path: Path) -> None:
    the, tables = (
        App(Settings(home=tmp_path / "home", database_url=database)),
        (Complainant, Complaint, Clock, Event, Party, Outbox),
    )
    new = NewComplaint(
        narrative='热水器漏水\t第\\n次,\n"and" \\N it drips; I\'d like my money back',
        complainant=NewComplainant(name="王芳", email="wang@example.com", needs=(Need.NO_PHONE,)),
        received_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
        external_source="shop",
        external_id="1",
        extra={"门店": "朝阳店", "n": [1, None, True]},
    )
    with the.bulk_store.work(OPERATOR) as work:
        intake.submit_many(work, [new], the.classifier)
    alone = [_told(session, table) for table in tables]
    other = new.model_copy(update={"external_id": "2"})
    with the.bulk_store.work(OPERATOR) as work:
        intake.submit_many(work, [other], the.classifier, bulk=True)
    the.engine.dispose()
    session.rollback()
    both = [_told(session, table) for table in tables]
    assert [len(rows) for rows in alone] == [len(rows) // 2 for rows in both]
    for one, two in zip(alone, both, strict=True):
        assert sorted(two) == sorted([*one, *one])


def test_an_import_stands_behind_but_for_what_is_dangerous(session: Session, database: str, tmp_path: Path) -> None:
    the = App(Settings(home=tmp_path / "home", database_url=database))
    news = [NewComplaint(narrative=words) for words in (CALM, ALARMING, FAST)]
    with the.bulk_store.work(OPERATOR) as work:
        intake.submit_many(work, news, the.classifier, bulk=True)
        intake.submit_many(work, news, the.classifier)
    the.engine.dispose()
    queues = session.exec(select(Complaint.queue).order_by(col(Complaint.reference))).all()
    assert queues == ["bulk", "urgent", "bulk", "normal", "urgent", "bulk"]


#: What differs from one complaint to the next.
_OWN = {"id", "reference", "external_id", "queue", "key", "previous", "hash", "chain_head", "link_token"}


def _told(session: Session, table: type[SQLModel]) -> list[str]:
    """The rows without ids and instants."""
    return [
        str(
            {
                k: v
                for k, v in row.model_dump().items()
                if k not in _OWN and not k.endswith(("_id", "_at")) and k != "at"
            }
        )
        for row in session.exec(select(table)).all()
    ]
