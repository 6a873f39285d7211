"""Administration of people at the console."""

from __future__ import annotations

import re
from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import col, select

from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role
from complaints.store.tables import AdminEvent
from tests.web.console.conftest import Office, text_of
from tests.web.forms import sign_in


def noted(office: Office, kind: str) -> list[AdminEvent]:
    with office.product.store.reading(SYSTEM) as work:
        log = select(AdminEvent).where(AdminEvent.kind == kind).order_by(col(AdminEvent.id))
        return list(work.session.exec(log).all())


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="(\w+)"', page)
    assert found
    return found[1]


def test_somebody_new_gets_a_password_that_is_shown_once_and_lets_them_in(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    answer = admin.post(
        "/console/admin/people/new",
        login="mei",
        name="Mei Lin",
        email="mei@example.com",
        language="en",
        roles=["agent", "lead"],
        teams=["orders"],
        authority="250.50",
        skills="chinese\n\nlaw",
        related_to="Acme\nwang@example.com",
    )
    assert answer.status_code == 200
    password = re.search(r'<code class="secret">([^<]+)</code>', answer.text)
    assert password
    mei = office.person("mei")
    assert (mei.roles, mei.teams, mei.skills, mei.related_to, str(mei.authority)) == (
        ["agent", "lead"],
        ["orders"],
        ["chinese", "law"],
        ["Acme", "wang@example.com"],
        "250.50",
    )
    web = TestClient(office.app, follow_redirects=False)
    assert sign_in(web, "mei", password[1]).status_code == 303
    assert password[1] not in admin.get(f"/console/admin/people/{mei.id}").text
    assert "temporary" not in str([e.data for e in noted(office, "person_added")])


def test_what_is_wrong_stands_beside_its_field_and_entries_are_kept(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    answer = admin.post(
        "/console/admin/people/new", login="Mei Lin", name="", email="nobody", language="en", authority="-3"
    )
    assert answer.status_code == 422
    assert 'value="nobody"' in answer.text
    assert 'value="-3"' in answer.text
    wrong = admin.post("/console/admin/people/new", login="Mei Lin", name="<b>Mei</b>", language="en", roles=["agent"])
    assert "Use small letters" in text_of(wrong.text)
    assert "<b>Mei</b>" not in wrong.text
    taken = admin.post("/console/admin/people/new", login="ruth", name="Ruth", language="en", roles=["agent"])
    assert taken.status_code == 409
    assert "already somebody with the login" in text_of(taken.text)
    for field in ("name", "email", "authority", "roles"):
        assert f'href="#{field}"' in answer.text


def test_a_change_is_saved_and_a_second_editor_sees_that_it_was(office: Office) -> None:
    admin, other = office.browser("ruth", Role.ADMIN), office.browser("second", Role.ADMIN)
    li = office.hire("li", Role.AGENT)
    path = f"/console/admin/people/{li.id}"
    mark = seen(other.get(path).text)
    changed = {"name": "Li Na", "language": "en", "roles": ["agent"], "teams": ["service"]}
    assert admin.post(path, seen=seen(admin.get(path).text), **changed).status_code == 303
    late = other.post(path, seen=mark, **(changed | {"name": "Li Nana"}))
    assert late.status_code == 409
    assert "Somebody else changed this meanwhile." in text_of(late.text)
    assert re.search(r'<th scope="row">Name</th><td[^>]*>[^<]+</td><td[^>]*>Li Nana</td>', late.text), "both versions"
    assert 'value="Li Nana"' in late.text
    assert office.person("li").name == "Li Na"
    assert [e.data for e in noted(office, "person_changed")] == [{"name": ["Li", "Li Na"]}]


def test_absence_runs_from_the_first_day_to_the_end_of_the_last(office: Office) -> None:
    admin, li = office.browser("ruth", Role.ADMIN), office.hire("li", Role.AGENT)
    path = f"/console/admin/people/{li.id}"
    saved = admin.post(f"{path}/absence", absent_from="2026-12-24", absent_until="2026-12-31")
    assert saved.status_code == 303
    person = office.person("li")
    assert person.absent_from
    assert person.absent_until
    assert person.absent_from.isoformat() == "2026-12-23T16:00:00+00:00"
    assert person.absent_until.isoformat() == "2026-12-31T16:00:00+00:00"
    page = admin.get(path).text
    assert 'value="2026-12-24"' in page
    assert 'value="2026-12-31"' in page
    wrong = admin.post(f"{path}/absence", absent_from="2026-12-31", absent_until="2026-12-24")
    assert wrong.status_code == 422
    assert 'value="2026-12-24"' in wrong.text
    for first, last in (("soon", ""), ("0001-01-01", ""), ("2026-12-24", "9999-12-31")):
        wrong = admin.post(f"{path}/absence", absent_from=first, absent_until=last)
        assert wrong.status_code == 422
        assert "Write a date, such as 2026-11-30." in text_of(wrong.text)
        assert admin.get(path).status_code == 200
    assert admin.post(f"{path}/absence", absent_from="", absent_until="").status_code == 303
    assert office.person("li").absent_from is None


def test_what_hurts_is_asked_back_first(office: Office) -> None:
    admin, li = office.browser("ruth", Role.ADMIN), office.hire("li", Role.AGENT)
    desk = office.browser("li")
    path = f"/console/admin/people/{li.id}/act"
    for deed in ("deactivate", "password", "sign_out", "second_factor"):
        asked = admin.post(path, deed=deed)
        assert asked.status_code == 200
        assert 'name="sure" value="yes"' in asked.text
    assert office.person("li").active
    assert desk.get("/console/account").status_code == 200
    assert admin.post(path, deed="sign_out", sure="yes").status_code == 303
    assert desk.get("/console/account").status_code == 303
    assert admin.post(path, deed="deactivate", sure="yes").status_code == 303
    assert not office.person("li").active
    assert admin.post(path, deed="activate", sure="yes").status_code == 303
    sent = {"deed": "password", "sure": "yes", "seen": seen(admin.post(path, deed="password").text)}
    shown = admin.post(path, **sent)
    assert "Give it to Li" in text_of(shown.text)
    given = office.person("li").password_hash
    assert admin.post(path, **sent).headers["location"] == path.removesuffix("/act"), "loaded again, it gives no second"
    assert office.person("li").password_hash == given
    assert office.person("li").password_until


def test_the_last_administrator_cannot_lock_themselves_out(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    ruth = office.person("ruth")
    path = f"/console/admin/people/{ruth.id}"
    left = admin.post(f"{path}/act", deed="deactivate", sure="yes")
    assert left.status_code == 409
    assert "Nobody could administer" in text_of(left.text)
    demoted = admin.post(
        path, seen=seen(admin.get(path).text), name="Ruth", language="en", roles=["agent"], teams=["service"]
    )
    assert demoted.status_code == 409
    assert office.person("ruth").roles == ["admin"]


def test_the_list_is_filtered_and_exported_and_runs_nothing_in_a_spreadsheet(office: Office) -> None:
    admin = office.browser("ruth", Role.ADMIN)
    office.hire("li", Role.AGENT, name="=cmd()")
    office.hire("tom", Role.LEAD, teams=("orders",))
    page = text_of(admin.get("/console/admin/people?q=TOM&role=lead&team=orders").text)
    assert "Tom" in page
    assert "=cmd()" not in page
    answer = admin.get("/console/admin/people.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeffLogin,Name,")
    assert "li,'=cmd(),,Agent,Customer service,0,Yes" in answer.text
    assert "Customer service" in admin.get("/console/admin/teams.csv").text


def test_teams_show_members_who_is_away_and_what_waits(office: Office) -> None:
    admin, li = office.browser("ruth", Role.ADMIN, teams=()), office.hire("li", Role.AGENT)
    office.complain()
    admin.post(f"/console/admin/people/{li.id}/absence", absent_from="2026-01-01", absent_until="")
    page: Any = text_of(admin.get("/console/admin/teams").text)
    assert "Members: 1, away: 1" in page
