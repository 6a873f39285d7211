"""Who works here, as a service: the first administrator, and that there is always one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from complaints.domain.errors import Conflict, InvalidInput
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Language, Role
from complaints.services import administration, people, personnel, signin
from complaints.services.personnel import Particulars
from complaints.store.tables import AdminEvent, WebSession
from config.wiring import App
from tests.web.console.conftest import Browser, Office
from tests.web.forms import sign_in


def test_the_first_start_makes_one_administrator_and_no_second(product: App) -> None:
    with product.store.work(SYSTEM) as work:
        made = personnel.first_admin(work, Language.EN)
    assert made
    person, password = made
    assert (person.login, person.roles, person.language) == ("admin", ["admin"], "en")
    assert person.password_until is not None
    with product.store.work(SYSTEM) as work:
        assert personnel.first_admin(work) is None
        assert signin.check(work, "admin", password, "").id == person.id


def test_an_administrator_whose_password_ended_unused_gets_another_at_the_next_start(
    product: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with product.store.work(SYSTEM) as work:
        first = personnel.first_admin(work)
    now = product.store.now
    monkeypatch.setattr(product.store, "now", lambda: now() + signin.TEMPORARY)
    with product.store.work(SYSTEM) as work:
        again = personnel.first_admin(work)
        assert first
        assert again
        assert again[0].id == first[0].id
        assert signin.check(work, "admin", again[1], "").id == first[0].id


def test_where_people_exist_but_none_can_sign_in_an_administrator_among_them_gets_the_password(product: App) -> None:
    with product.store.work(SYSTEM) as work:
        people.add_person(work, "admin", "Somebody", roles=[Role.AGENT])
        ruth = people.add_person(work, "ruth", "Ruth", roles=[Role.ADMIN])
        made = personnel.first_admin(work)
    assert made
    assert made[0].id == ruth.id


def test_the_first_administrators_login_is_one_that_is_free(product: App) -> None:
    with product.store.work(SYSTEM) as work:
        people.add_person(work, "admin", "Somebody", roles=[Role.AGENT])
        made = personnel.first_admin(work)
    assert made
    assert made[0].login == "admin2"


def test_the_last_administrator_who_can_sign_in_stays(office: Office) -> None:
    ruth = office.hire("ruth", Role.ADMIN)
    store = office.product.store
    with store.work(SYSTEM) as work:
        people.add_person(work, "nopassword", "Cannot sign in", roles=[Role.ADMIN])
    for attempt in (
        lambda w: personnel.set_active(w, ruth.id, False),
        lambda w: personnel.change(w, ruth.id, Particulars(name="Ruth", roles=(Role.AGENT,))),
    ):
        with pytest.raises(Conflict, match="Nobody could administer"), store.work(SYSTEM) as work:
            attempt(work)
    office.hire("second", Role.ADMIN)
    with store.work(SYSTEM) as work:
        personnel.set_active(work, ruth.id, False)
    assert not office.person("ruth").active


def test_leaving_ends_sessions_and_coming_back_needs_a_new_password(office: Office) -> None:
    browser, li = office.browser("li", Role.AGENT), office.person("li")
    with office.product.store.work(SYSTEM) as work:
        personnel.set_active(work, li.id, False)
        assert work.session.exec(select(WebSession)).all() == []
        with pytest.raises(Conflict, match="has left"):
            personnel.new_password(work, li.id)
    assert browser.get("/console/account").status_code == 303
    with office.product.store.work(SYSTEM) as work:
        personnel.set_active(work, li.id, True)
    assert sign_in(Browser(office.app).web, "li", "x").status_code == 403
    assert office.person("li").password_hash is None


def test_a_change_notes_what_was_there_before_and_after_and_nothing_secret(office: Office) -> None:
    li = office.hire("li", Role.AGENT)
    about = Particulars(name="Li Na", roles=(Role.LEAD,), teams=("orders",), related_to=("Acme",), authority="500")  # type: ignore[arg-type]  # as a form sends it
    with office.product.store.work(SYSTEM) as work:
        personnel.change(work, li.id, about)
        personnel.change(work, li.id, about)
        personnel.new_password(work, li.id)
        found = work.session.exec(select(AdminEvent).where(AdminEvent.kind == "person_changed")).all()
        log = str([e.data for e in work.session.exec(select(AdminEvent)).all()])
        assert administration.verify(work) == []
    assert [e.data for e in found] == [
        {
            "name": ["Li", "Li Na"],
            "language": ["en", "zh-CN"],
            "roles": [["agent"], ["lead"]],
            "teams": [["service"], ["orders"]],
            "related_to": [[], ["Acme"]],
            "authority": [None, "500"],
        }
    ]
    assert "argon2" not in log


def test_an_absence_must_end_after_it_begins_and_can_be_open(office: Office) -> None:
    li, now = office.hire("li", Role.AGENT), office.product.store.now()
    with pytest.raises(InvalidInput, match="end after it begins"), office.product.store.work(SYSTEM) as work:
        personnel.set_absence(work, li.id, now, now - timedelta(days=1))
    with office.product.store.work(SYSTEM) as work:
        personnel.set_absence(work, li.id, now, None)
    with office.product.store.reading(SYSTEM) as work:
        assert [c.present for c in personnel.colleagues(work)] == [False]
