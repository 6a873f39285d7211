"""Disposal: who may erase and when, what is gone and what stays, failures in between, and what readers find later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import SQLModel, select

from complaints.archive.disposal import CaseFiles
from complaints.archive.verify import verify
from complaints.domain.errors import ActionNotAllowed, Conflict, Forbidden, NotFound, Retryable
from complaints.domain.intake import NewComplainant
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Audience, IntentKind, IntentState, Role, StepKind
from complaints.domain.walk import Move
from complaints.services import attachments, disposal, outbox, retention, signin, tracking, trail
from complaints.store.tables import AdminEvent, Complaint, Event, Party, Person
from tests.integration.desk import CALM, CUSTOMER, FINDINGS, Desk, remedy
from tests.web.api.conftest import Caller, make_key, make_product
from tests.web.console.conftest import PASSWORD, Browser
from web.app import create_app

#: Stands in everything that somebody says or could be known by.
MARK = "Zaphod"
#: Columns of rows that stay: what statistics count, what the row needs to be one, and what proves the erased bag.
COUNTED = {
    "complaint": {
        *("id", "reference", "version", "status", "complainant_id", "channel", "language", "jurisdiction"),
        *("received_at", "created_at", "screened_at", "classified_at", "acknowledgment_recorded_at"),
        *("acknowledged_at", "responded_at", "closed_at", "archived_at", "due_at", "waiting_until"),
        *("category", "severity", "confidence", "solution", "team", "queue", "confidential"),
        *("finding", "root_cause", "closing_category", "round", "policy_hash", "profiles"),
        *("run_id", "run_round", "launched_at", "retention_until", "legal_hold"),
        *("bag_hash", "event_count", "chain_head"),
    },
    "remedy": {"id", "complaint_id", "kind", "amount", "currency", "state", "due_at", "proposed_at", "done_at"},
    "survey": {"id", "complaint_id", "at", "round", "accepted", "rating", "resolved", "effort", "via"},
    "clock": {
        *("id", "complaint_id", "profile", "name", "round", "kind", "policy_hash", "state"),
        *("started_at", "due_at", "stopped_at", "next_at", "ledger"),
    },
}


def archived(desk: Desk, **more: Any) -> UUID:
    """A case whose dossier is in the archive."""
    case = desk.closed(**more)
    desk.end_window(case)
    return case


def request(desk: Desk, case: UUID, who: Any = None) -> None:
    desk.act(case, who or desk.lead, "request_disposal", reason="Kept long enough")


def erase(desk: Desk, case: UUID, who: Any = None, **more: Any) -> None:
    desk.act(case, who or desk.manager, "erase", reason="Retention schedule, item 4", **more)


def erased(desk: Desk, case: UUID) -> UUID:
    """The case, disposed of as it should be."""
    request(desk, case)
    desk.at = desk.complaint(case).retention_until or desk.at
    erase(desk, case)
    return case


def attach(desk: Desk, case: UUID, content: bytes) -> str:
    """Attach a file; its digest."""
    file = attachments.store(desk.blobs, [content], f"{MARK}.txt", 10_000, ("text/plain",))
    with desk.store.work(desk.actor(desk.agent)) as work:
        attachments.attach(work, desk.complaint(case).reference, file, Audience.COMPLAINANT)
    return file.sha256


def rows(desk: Desk) -> list[str]:
    """Every row of every table, as text."""
    tables = [t.name for t in SQLModel.metadata.sorted_tables]
    with desk.engine.connect() as connection:
        return [f"{name}: {row}" for name in tables for row in connection.execute(text(f"select * from {name}"))]


def told_everything(desk: Desk) -> UUID:
    """A case in which the mark stands wherever somebody can write."""
    case = desk.submit(
        f"{CALM} {MARK} knows.",
        subject=f"{MARK} complains",
        product=f"Machine of {MARK}",
        desired_remedy=f"Help {MARK}",
        order_ref=f"{MARK}-1",
        external_source="shop",
        external_id=f"{MARK}-2",
        extra={"who": MARK},
        complainant=NewComplainant(name=f"{MARK} B", email=f"{MARK.lower()}@customer.example", phone="13800000042"),
        key=f"{MARK}-key",
    )
    other = desk.submit("Another matter altogether.", complainant=NewComplainant(email="ann@a.example"))
    desk.act(case, desk.agent, "link", to=desk.complaint(other).reference, note=f"Ask {MARK}")
    desk.act(case, desk.agent, "add_note", text=f"{MARK} called")
    desk.act(case, desk.agent, "add_message", text=f"Dear {MARK}")
    attach(desk, case, f"I am {MARK}".encode())
    desk.act(case, desk.agent, "request_extension", clock="default.resolve", days=2, reason=f"{MARK} is away")
    desk.complete(case, desk.manager, StepKind.EXTENSION, approve=True, reason=f"For {MARK}")
    found = FINDINGS | {"summary": f"{MARK} is right", "responsible_unit": f"Unit of {MARK}"}
    offered = remedy("apology", None) | {"description": f"Apologise to {MARK}"}
    desk.complete(case, desk.agent, StepKind.INVESTIGATION, **found, remedies=[offered])
    desk.complete(case, desk.agent, StepKind.REMEDY, result="done", evidence=f"{MARK} smiled")
    desk.complete(case, CUSTOMER, StepKind.CONFIRMATION, accepted=True, rating=4, words=f"{MARK} is content")
    desk.end_window(case)
    return case


# -- nothing is forgotten


def test_every_table_that_hangs_on_a_complaint_is_treated() -> None:
    hanging = {
        table.name
        for table in SQLModel.metadata.sorted_tables
        if any(key.column.table.name == "complaint" for key in table.foreign_keys)
    }
    treated = {table.__tablename__ for table in (*disposal.GONE, *disposal.BLANK)}
    assert treated == hanging, "a table of complaints that disposal does not know"


@pytest.mark.parametrize("table", disposal.BLANK, ids=lambda table: table.__tablename__)
def test_every_column_that_stays_is_blanked_or_counted(table: type[SQLModel]) -> None:
    blank, counted = set(disposal.BLANK[table]), COUNTED[str(table.__tablename__)]
    assert blank | counted == set(table.model_fields), "decide of a new column whether it goes or is counted"
    assert not blank & counted


def test_nothing_that_anybody_said_is_left_anywhere(desk: Desk) -> None:
    case = told_everything(desk)
    old = desk.complaint(case)
    bag = Path(str(old.bag_url).removeprefix("file://"))
    assert "\n".join(rows(desk)).lower().count(MARK.lower()) > 30
    assert bag.exists()
    erased(desk, case)
    assert [row for row in rows(desk) if MARK.lower() in row.lower() or "13800000042" in row] == []
    assert not bag.exists()
    assert [path for path in desk.blobs.root.rglob("*") if path.is_file()] == []
    row = desk.complaint(case)
    assert (row.status, row.category, row.closing_category) == ("erased", old.category, old.closing_category)
    assert row.category
    assert row.bag_hash == old.bag_hash
    assert desk.kinds(case) == []


def test_what_another_case_needs_stays(desk: Desk) -> None:
    kept, case = desk.submit(), desk.submit(complainant=NewComplainant(name="Ann", email="ann@a.example"))
    shared, own = b"the same picture", b"only here"
    digests = [attach(desk, case, shared), attach(desk, kept, shared), attach(desk, case, own)]
    assert digests[0] == digests[1]
    desk.act(case, desk.agent, "merge", into=desk.complaint(kept).reference)
    desk.end_window(case)
    erased(desk, case)
    assert [desk.blobs.path(d).exists() for d in (digests[0], digests[2])] == [True, False]
    assert any("ann@a.example" in row for row in rows(desk)), "she is a party of the case that goes on"
    desk.complete(kept, desk.agent, StepKind.INVESTIGATION, **FINDINGS)
    assert "ann@a.example" in desk.letters(kept, "response")


# -- who and when


def test_two_people_erase_when_the_date_has_come(desk: Desk) -> None:
    case = archived(desk)
    until = desk.complaint(case).retention_until
    assert until
    with pytest.raises(Forbidden, match="Nobody has requested"):
        erase(desk, case)
    with pytest.raises(Forbidden, match="needs one of these roles: admin, lead, manager"):
        request(desk, case, desk.agent)
    request(desk, case)
    with pytest.raises(Forbidden, match="needs one of these roles"):
        erase(desk, case, desk.agent)
    with pytest.raises(Conflict, match=f"kept until {until:%Y-%m-%d}"):
        erase(desk, case)
    desk.at = until
    with pytest.raises(Forbidden, match="Whoever requested the disposal may not erase"):
        erase(desk, case, desk.lead)
    assert desk.complaint(case).status == "archived", "what is refused changes nothing"
    assert desk.breaks(case) == []
    erase(desk, case)
    with pytest.raises(ActionNotAllowed, match="Possible now: nothing"):
        erase(desk, case)
    with pytest.raises(ActionNotAllowed):
        erase(desk, desk.submit("Another matter altogether."))


def test_a_legal_hold_refuses_and_its_end_does_not_revive_the_request(desk: Desk) -> None:
    case = archived(desk)
    request(desk, case)
    desk.at += timedelta(days=4000)
    desk.act(case, desk.lead, "legal_hold", hold=True, reason="A court asks")
    for refused in (request, erase):
        with pytest.raises(Conflict, match="on legal hold"):
            refused(desk, case)
    desk.act(case, desk.lead, "legal_hold", hold=False, reason="The court is done")
    with pytest.raises(Forbidden, match="Nobody has requested"):
        erase(desk, case)
    request(desk, case)
    erase(desk, case)
    assert desk.complaint(case).status == "erased"


def test_the_right_to_erasure_does_not_wait_for_the_date(desk: Desk) -> None:
    case = archived(desk)
    request(desk, case)
    erase(desk, case, early=True)
    with desk.store.reading(SYSTEM) as work:
        noted = work.session.exec(select(AdminEvent).where(AdminEvent.kind == "case_erased")).one()
    assert (noted.actor_name, noted.data["requested_by"]) == ("Max", "Zhao")
    assert (noted.data["retention"], noted.data["reason"]) == ("early", "Retention schedule, item 4")


def test_nothing_is_erased_while_a_letter_is_on_its_way(desk: Desk) -> None:
    case = archived(desk)
    request(desk, case)
    with desk.store.work(SYSTEM) as work:
        outbox.add(
            work, IntentKind.WEBHOOK, "late", complaint_id=case, payload={"url": "https://h.example", "body": {}}
        )
    with pytest.raises(Conflict, match="still on its way"):
        erase(desk, case, early=True)


# -- crashes, and what lies outside


class Away(CaseFiles):
    """An archive that cannot be reached when the bag is to be removed."""

    def remove_bag(self, url: str) -> None:
        raise Retryable("no route to the archive")


@pytest.mark.parametrize("found", ["as_written", "altered", "gone"])
def test_what_lies_outside_is_removed_later_where_it_cannot_be_at_once(desk: Desk, found: str) -> None:
    case = archived(desk)
    bag = Path(str(desk.complaint(case).bag_url).removeprefix("file://"))
    if found == "altered":
        bag.write_bytes(bag.read_bytes() + b"!")
    elif found == "gone":
        bag.unlink()
    desk.dispatcher.files = Away(desk.blobs, desk.bags.as_uri())
    erased(desk, case)
    (intent,) = desk.outbox(kind="dispose")
    assert (intent.state, intent.last_error) == (IntentState.PENDING, "no route to the archive")
    desk.dispatcher.files = CaseFiles(desk.blobs, desk.bags.as_uri())
    desk.at = intent.next_at
    assert desk.dispatcher.act(intent.id).state == "done"
    assert not bag.exists()
    with desk.store.reading(SYSTEM) as work:
        noted = work.session.exec(select(AdminEvent).where(AdminEvent.kind == "files_erased")).all()
    assert [n.data for n in noted] == [{"bag": found}], "noted once, and as it was found first"
    assert desk.outbox(kind="dispose")[0].receipt == {"bag": found}


def test_a_bag_is_checked_and_removed_where_its_archive_was_restored_to(desk: Desk, tmp_path: Path) -> None:
    case = archived(desk)
    bag = Path(str(desk.complaint(case).bag_url).removeprefix("file://"))
    moved = tmp_path / "restored" / bag.parent.name / bag.name
    moved.parent.mkdir(parents=True)
    shutil.copy(bag, moved)
    row = desk.complaint(case)
    here = (tmp_path / "restored").as_uri()
    assert [v.ok for v in verify(here, {row.bag_url or "": row.bag_hash or ""})] == [True]
    desk.dispatcher.files = CaseFiles(desk.blobs, here)
    erased(desk, case)
    assert not moved.exists()
    assert bag.exists(), "that of the installation from which this one was restored"
    assert desk.outbox(kind="dispose")[0].receipt == {"bag": "as_written"}


def test_a_failure_before_the_commit_erases_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case = archived(desk)
    request(desk, case)
    before = rows(desk)

    def dies(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(disposal, "_forget_people", dies)
    with pytest.raises(RuntimeError):
        erase(desk, case, early=True)
    assert rows(desk) == before
    assert [v.ok for v in verify(desk.bags.as_uri())] == [True]


# -- evidence


def test_the_audit_takes_a_missing_log_for_an_erasure_only_where_administration_noted_it(desk: Desk) -> None:
    case, other = erased(desk, archived(desk)), archived(desk, complainant=NewComplainant(email="ann@a.example"))
    with desk.store.reading(SYSTEM) as work:
        assert trail.check_onward(work, None).broken == []
        assert trail.check_administration(work).broken == []
    with desk.engine.begin() as connection:  # by hand, past the product
        connection.execute(text("update complaint set status = 'erased' where id = :id"), {"id": other})
        connection.execute(text("delete from event where complaint_id = :id"), {"id": other})
    with desk.store.reading(SYSTEM) as work:
        broken = trail.check_onward(work, None).broken
    assert broken == [(desk.complaint(other).reference, 0, "erased, and the log of administration does not say so")]
    assert desk.complaint(case).status == "erased"


def test_an_entry_that_appears_after_the_erasure_is_found(desk: Desk) -> None:
    case = archived(desk)
    entry = desk.events(case)[0].model_dump(exclude={"id"})
    erased(desk, case)
    with desk.store.work(SYSTEM) as work:
        work.session.add(Event(**entry))
    with desk.store.reading(SYSTEM) as work:
        broken = trail.check_case(work, desk.complaint(case).reference).broken
    assert [(seq, what) for _, seq, what in broken] == [(1, "the complaint is erased, and this entry is there")]


# -- readers


@pytest.fixture
def site(desk: Desk, tmp_path: Path) -> Iterator[Any]:
    """The web application on the desk's database."""
    product = make_product(desk.url, tmp_path / "home", language="en")
    yield product
    product.engine.dispose()


def test_readers_find_a_tombstone_and_a_link_finds_nothing(desk: Desk, site: Any) -> None:
    case = archived(desk)
    reference = desk.complaint(case).reference
    with desk.store.reading(SYSTEM) as work:
        party = work.session.exec(select(Party).where(Party.complaint_id == case)).one()
    token = site.tracking.token(case, party.complainant_id, party.link_version)
    link = f"/track/{token}"
    app = create_app(site)
    web = TestClient(app)
    assert web.get(link).status_code == 200
    erased(desk, case)
    assert web.get(link).status_code == 404
    api = Caller(web, make_key(site, "complaints:read", "complaints:act", roles=(Role.ADMIN,), login="root"))
    told = api.get(f"/complaints/{reference}")
    assert (told.status_code, told.json()["status"], told.json()["narrative"]) == (200, "erased", "")
    for part in ("timeline", "thread", "steps", "remedies", "attachments", "clocks", "actions"):
        assert api.get(f"/complaints/{reference}/{part}").status_code == 200, part
    assert [c["reference"] for c in api.get("/complaints?status=erased").json()["items"]] == [reference]
    with site.store.work(SYSTEM) as work:
        manager = work.session.get_one(Person, desk.manager.id)
        manager.language = "en"
        signin.set_password(work, manager, PASSWORD)
    browser = Browser(app, desk.manager.login)
    page = browser.get(f"/console/complaints/{reference}")
    assert page.status_code == 200
    assert "Erased" in page.text
    for path in ("/console/inbox?view=all&status=erased", f"/console/inbox?view=all&q={reference}"):
        assert browser.get(path).status_code == 200
    with desk.store.reading(SYSTEM) as work, pytest.raises(NotFound):
        site.tracking.open(work, token)


def test_the_machine_leaves_an_erased_case_alone(desk: Desk) -> None:
    case = erased(desk, archived(desk))
    assert desk.go(case) == []
    assert desk.next(case).move is Move.END
    assert [i.kind for i in desk.outbox() if i.complaint_id == case] == ["dispose"]


def test_no_link_to_an_erased_case_is_given_or_voided(desk: Desk) -> None:
    case = erased(desk, archived(desk))
    for change in (tracking.reissue, tracking.revoke):
        with desk.store.work(SYSTEM) as work, pytest.raises(Conflict, match="is erased"):
            change(work, work.session.get_one(Complaint, case))
    assert desk.kinds(case) == []


def test_what_is_due_is_listed_with_hold_and_request(desk: Desk) -> None:
    first, second = archived(desk), archived(desk, complainant=NewComplainant(email="ann@a.example"))
    with desk.store.reading(SYSTEM) as work:
        assert retention.due(work) == ([], None)
    desk.act(first, desk.lead, "legal_hold", hold=True, reason="A court asks")
    request(desk, second)
    desk.at += timedelta(days=4000)
    with desk.store.reading(SYSTEM) as work:
        found, _ = retention.due(work)
    assert [(d.complaint.id, d.complaint.legal_hold, d.requested_by) for d in found] == [
        (first, True, ""),
        (second, False, "Zhao"),
    ]
