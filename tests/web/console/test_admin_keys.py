"""API keys and the outbox at the console."""

from __future__ import annotations

import re
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import update
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import IntentKind, IntentState, Role
from complaints.services import outbox
from complaints.services.postroom import without_secrets
from complaints.store.tables import AdminEvent, ApiKey, Outbox
from tests.web.console.conftest import Office, text_of

_LOG = select(AdminEvent).order_by(col(AdminEvent.id))


def calls(office: Office, secret: str) -> int:
    web = TestClient(office.app)
    return int(web.get("/api/v1/complaints", headers={"Authorization": f"Bearer {secret}"}).status_code)


def test_a_key_is_shown_once_works_and_stops_working_when_it_is_revoked(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    [once] = re.findall(r'name="once" value="(\w+)"', admin.get("/console/admin/keys").text)
    scopes = ["complaints:submit", "complaints:read"]
    made = admin.post("/console/admin/keys", name="web shop", scopes=scopes, valid_days="30", once=once)
    found = re.search(r"ck_[\w-]+", made.text)
    assert found
    assert calls(office, found[0]) == 200
    page = admin.get("/console/admin/keys").text
    assert found[0] not in page
    assert "web shop" in page
    reload = admin.web.request("POST", made.request.url, content=made.request.content, headers=made.request.headers)
    assert reload.headers["location"] == "/console/admin/keys", "loading the page again makes no second key"
    assert "This key was made already" in text_of(admin.get("/console/admin/keys").text)
    with office.product.store.reading(SYSTEM) as work:
        key = work.session.exec(select(ApiKey)).one()
    asked = admin.post(f"/console/admin/keys/{key.id}/revoke")
    assert "This cannot be undone." in text_of(asked.text)
    assert calls(office, found[0]) == 200
    assert admin.post(f"/console/admin/keys/{key.id}/revoke", sure="yes").status_code == 303
    assert calls(office, found[0]) == 401
    with office.product.store.reading(SYSTEM) as work:
        log = [(e.kind, e.object) for e in work.session.exec(_LOG).all() if e.kind.startswith("key")]
        said = str([e.data for e in work.session.exec(_LOG).all()])
    assert log == [("key_created", key.prefix), ("key_revoked", key.prefix)]
    assert found[0] not in said
    assert "web shop" in admin.get("/console/admin/keys.csv").text


def test_a_key_without_purpose_or_scope_is_not_made(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    answer = admin.post("/console/admin/keys", name="", valid_days="soon")
    assert answer.status_code == 422
    assert [f'href="#{name}"' in answer.text for name in ("name", "scopes", "valid_days")] == [True, True, True]
    assert 'value="soon"' in answer.text


def dead_letter(office: Office, key: str, reference: str = "") -> UUID:
    with office.product.store.work(SYSTEM) as work:
        payload = {
            "template": "new_link",
            "to": "a@b.example",
            "context": {"code": "424242", "note": "see https://x/t"},
        }
        outbox.add(work, IntentKind.NOTIFY, key, payload=payload)
        work.session.execute(
            update(Outbox).where(Outbox.key == key).values(state="dead", attempts=8, last_error="refused by server")  # type: ignore[arg-type]  # a column
        )
        return work.session.exec(select(Outbox.id).where(Outbox.key == key)).one()


def test_dead_letters_are_shown_with_their_error_and_without_secrets(office: Office) -> None:
    auditor = office.browser("kim", Role.AUDITOR)
    letter = dead_letter(office, "first")
    assert "refused by server" in text_of(auditor.get("/console/admin/outbox").text)
    page = auditor.get(f"/console/admin/outbox/{letter}")
    assert "a@b.example" in page.text
    assert "424242" not in page.text
    assert "https://x/t" not in page.text
    assert auditor.post(f"/console/admin/outbox/{letter}/replay").status_code == 403


def test_one_or_all_dead_letters_get_another_life(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    first, *others = [dead_letter(office, f"letter {n}") for n in range(3)]
    assert admin.post(f"/console/admin/outbox/{first}/replay").status_code == 303
    again = admin.post(f"/console/admin/outbox/{first}/replay")
    assert again.status_code == 409
    asked = admin.post("/console/admin/outbox/replay")
    assert "2 dead entries are tried again." in text_of(asked.text)
    assert admin.post("/console/admin/outbox/replay", sure="yes").status_code == 303
    with office.product.store.reading(SYSTEM) as work:
        states = {row.id: row.state for row in work.session.exec(select(Outbox)).all()}
        log = [e.kind for e in work.session.exec(_LOG).all() if e.kind.startswith("intent")]
    assert [states[i] for i in (first, *others)] == [IntentState.PENDING] * 3
    assert log == ["intent_replayed", "intents_replayed"]


def test_the_outbox_is_paged_and_filtered(office: Office) -> None:
    auditor = office.browser("kim", Role.AUDITOR)
    for number in range(60):
        dead_letter(office, f"letter {number:02}")
    reference = office.complain()
    first = auditor.get("/console/admin/outbox").text
    onward = re.search(r'href="(/console/admin/outbox\?before=[^"]+)" rel="next"', first)
    assert onward
    second = auditor.get(onward[1].replace("&amp;", "&")).text
    ids = [set(re.findall(r"/console/admin/outbox/([0-9a-f-]{36})", page)) for page in (first, second)]
    assert (len(ids[0]), len(ids[1]), ids[0] & ids[1]) == (50, 10, set())
    mine = auditor.get(f"/console/admin/outbox?state=pending&reference={reference.lower()}&kind=notify").text
    rows = mine.split("<tbody>")[1].count("<tr>")
    assert rows == mine.count(f"<td>{reference}</td>") > 0


def test_what_belongs_to_a_hidden_complaint_is_hidden_here_too(office: Office) -> None:
    reference = office.complain()
    kin = office.browser("kim", Role.AUDITOR, email="wang.fang@example.com")
    with office.product.store.reading(SYSTEM) as work:
        intents = work.session.exec(select(Outbox.id)).all()
    assert reference not in kin.get("/console/admin/outbox?state=pending").text
    assert {kin.get(f"/console/admin/outbox/{i}").status_code for i in intents} == {404}


def test_secrets_are_found_wherever_they_stand() -> None:
    shown = without_secrets({"a": [{"tracking_url": "x", "b": 1}], "Token": "", "text": "go to http://a/b?c=d now"})
    assert shown == {"a": [{"tracking_url": "•••", "b": 1}], "Token": "", "text": "go to ••• now"}


def test_every_kind_of_intent_is_shown_in_every_state(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    payloads: dict[IntentKind, dict[str, str]] = {
        IntentKind.NOTIFY: {"template": "survey", "to": "a@b.example"},
        IntentKind.START_RUN: {},
        IntentKind.WAKE_RUN: {},
        IntentKind.WEBHOOK: {"url": "https://hooks.example/x", "body": "{}"},
        IntentKind.DISPOSE: {"reference": "C26-000042-7", "bag": "file:///bag.zip", "sha256": "0" * 64},
    }
    assert set(payloads) == set(IntentKind)
    with office.product.store.work(SYSTEM) as work:
        for state in IntentState:
            for kind, payload in payloads.items():
                outbox.add(work, kind, f"{state}:{kind}", payload=payload)
                work.session.execute(update(Outbox).where(col(Outbox.key) == f"{state}:{kind}").values(state=state))
    for state in IntentState:
        page = admin.get("/console/admin/outbox", params={"state": state.value})
        assert page.status_code == 200, state
        assert page.text.count("<tr><td><a ") == len(payloads), state
        assert "Satisfaction survey" in text_of(page.text)
        for address in re.findall(r'<tr><td><a href="([^"]+)"', page.text):
            assert admin.get(address).status_code == 200
