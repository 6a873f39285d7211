"""Changing who works here: particulars, absence, passwords given out, leaving. Every change is in the log.

Nobody can take away the last administrator who can sign in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field, field_validator
from sqlmodel import col, func, select

from complaints.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from complaints.domain.forms import Code, Form, Line
from complaints.domain.intake import Email
from complaints.domain.policy import Team
from complaints.domain.vocabulary import Language, Role, StepState
from complaints.services import administration, people, routing, signin, totp
from complaints.store.tables import Person, Step
from complaints.store.unit import Work

#: Roles that people hold; the others belong to keys, customers and the machine.
STAFF = (Role.AGENT, Role.LEAD, Role.APPROVER, Role.MANAGER, Role.AUDITOR, Role.ADMIN)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@\-]{0,63}")
_TURN = "personnel"  # changes that may take away an administrator happen one after the other


class Particulars(Form):
    """What an administrator says about somebody."""

    name: Line
    email: Email | None = None
    language: Language = Language.ZH
    roles: tuple[Role, ...]
    teams: tuple[Code, ...] = ()
    skills: tuple[Line, ...] = Field(default=(), max_length=50)
    related_to: tuple[Line, ...] = Field(default=(), max_length=200)
    authority: Decimal | None = Field(default=None, ge=0, max_digits=14, decimal_places=2)

    @field_validator("roles")
    @classmethod
    def _roles(cls, roles: tuple[Role, ...]) -> tuple[Role, ...]:
        if not roles:
            raise ValueError("Choose at least one role.")
        if not set(roles) <= set(STAFF):
            raise ValueError("People cannot hold this role.")
        return roles


@dataclass(frozen=True)
class Colleague:
    """Somebody as the list of people shows them: `load` is how many open tasks they hold."""

    person: Person
    present: bool
    load: int
    until: datetime | None  #: the last moment of their absence


def colleagues(work: Work, *, words: str = "", team: str = "", role: str = "", gone: bool = False) -> list[Colleague]:
    """People by login: those who work here, or those who are `gone`; `words` are looked for in login, name, e-mail."""
    found = [
        p
        for p in people.everybody(work)
        if p.active is not gone
        and (not team or team in p.teams)
        and (not role or role in p.roles)
        and words.casefold() in f"{p.login} {p.name} {p.email or ''}".casefold()
    ]
    load = routing.load_of(work, [p.id for p in found])
    return [Colleague(p, routing.present(p, work.now), load.get(p.id, 0), routing.away_until(p)) for p in found]


def get(work: Work, person_id: UUID, *, lock: bool = False) -> Person:
    """The person; `NotFound` when there is none."""
    person = work.session.get(Person, person_id, with_for_update=lock)
    if person is None:
        raise NotFound("person", person_id)
    return person


def by_login(work: Work, login: str) -> Person:
    """The person with this login; `NotFound` when there is none."""
    person = work.session.exec(select(Person).where(Person.login == login)).first()
    if person is None:
        raise NotFound("person", login)
    return person


@dataclass(frozen=True)
class TeamLoad:
    """A team as the policy names it, its members, and what waits for them."""

    team: Team
    members: list[Colleague]
    open_tasks: int

    @property
    def absent(self) -> int:
        """How many members are away now."""
        return sum(not m.present for m in self.members)


def teams(work: Work) -> list[TeamLoad]:
    """All teams of the policy in force, in its order."""
    everybody = colleagues(work)
    counted = work.session.exec(
        select(Step.team, func.count())
        .where(col(Step.state).in_([StepState.OPEN, StepState.CLAIMED]))
        .group_by(Step.team)
    ).all()
    tasks = dict(counted)
    return [
        TeamLoad(team, [c for c in everybody if team.key in c.person.teams], tasks.get(team.key, 0))
        for team in work.policy.routing.teams
    ]


def add(work: Work, login: str, about: Particulars) -> Person:
    """A new colleague. They can sign in once they have a password (`new_password`) or by the company's sign-on."""
    if not _LOGIN.fullmatch(login):
        raise InvalidInput("Use small letters, digits, point, dash, underscore or @, 64 at most.", "login")
    person = people.add_person(
        work, login, about.name, roles=about.roles, teams=about.teams, email=about.email, language=about.language
    )
    return change(work, person.id, about)


def mark(person: Person) -> str:
    """Changes with the particulars: whoever edits sees by it that somebody else did."""
    seen = json.dumps([_plain(getattr(person, name)) for name in Particulars.model_fields], sort_keys=True)
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def password_mark(person: Person) -> str:
    """Changes with the password: tells the first sending of a form from the second."""
    return hashlib.sha256(f"{person.password_hash}".encode()).hexdigest()[:16]


def change(work: Work, person_id: UUID, about: Particulars, seen: str | None = None) -> Person:
    """Put these particulars in the place of the present ones; `Conflict` where they are no longer those `seen`."""
    work.take_turn(_TURN)
    person = get(work, person_id, lock=True)
    if seen is not None and seen != mark(person):
        raise Conflict("Somebody else changed this meanwhile. What you entered is below; compare and save again.")
    unknown = [t for t in about.teams if work.policy.routing.team(t) is None and t not in person.teams]
    if unknown:
        raise InvalidInput("There is no such team in the policy.", "teams")
    if Role.ADMIN in person.roles and Role.ADMIN not in about.roles:
        _not_the_last(work, person)
    new = about.model_dump(mode="json") | {"authority": about.authority}
    _set(work, person, new, "person_changed")
    return person


def set_absence(work: Work, person_id: UUID, start: datetime | None, end: datetime | None) -> Person:
    """Away from `start` (inclusive) until `end` (exclusive; None: open); without `start`, present again."""
    if end is not None and (start is None or end <= start):
        raise InvalidInput([FieldProblem("absent_until", "The absence must end after it begins.")])
    person = get(work, person_id, lock=True)
    _set(work, person, {"absent_from": start, "absent_until": end}, "absence_changed")
    return person


def set_active(work: Work, person_id: UUID, active: bool) -> Person:
    """Leaving ends all sessions; the row stays, for the history of the cases. Coming back needs a new password."""
    work.take_turn(_TURN)
    person = get(work, person_id, lock=True)
    if not active:
        _not_the_last(work, person)
        signin.end_sessions(work, person.id)
        person.password_hash = None
    _set(work, person, {"active": active}, "person_activated" if active else "person_deactivated")
    return person


def new_password(work: Work, person_id: UUID) -> str:
    """A temporary password, told once; the person's sessions end."""
    person = get(work, person_id, lock=True)
    if not person.active:
        raise Conflict("This person has left. Make them active first.")
    password = signin.temporary_password(work, person)
    administration.note(work, "temporary_password_given", person.login)
    return password


def sign_out(work: Work, person_id: UUID) -> Person:
    """End all their sessions."""
    person = get(work, person_id)
    signin.end_sessions(work, person.id)
    administration.note(work, "sessions_ended", person.login)
    return person


def remove_second_factor(work: Work, person_id: UUID) -> Person:
    """For somebody who lost telephone and recovery codes."""
    person = get(work, person_id, lock=True)
    totp.clear(work, person)
    return person


def first_admin(work: Work, language: Language = Language.ZH) -> tuple[Person, str] | None:
    """An administrator with a temporary password, where nobody at all can sign in yet; else None."""
    work.take_turn(_TURN)
    if work.session.exec(select(Person.id).where(_can_sign_in(work)).limit(1)).first() is not None:
        return None
    everybody = people.everybody(work)
    person = next((p for p in everybody if p.active and Role.ADMIN in p.roles), None)
    if person is None:
        taken = {p.login for p in everybody}
        login = next(n for n in ("admin", *(f"admin{i}" for i in range(2, len(taken) + 3))) if n not in taken)
        person = people.add_person(work, login, "Administrator", roles=[Role.ADMIN], language=language)
    return person, new_password(work, person.id)


def _set(work: Work, person: Person, new: Mapping[str, Any], kind: str) -> None:
    """Change the row and note what was there before and after; nothing where nothing differs."""
    changed = {}
    for name, value in new.items():
        old = getattr(person, name)
        if old != value:
            changed[name] = [_plain(old), _plain(value)]
            setattr(person, name, value)
    if changed:
        work.session.add(person)
        administration.note(work, kind, person.login, changed)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | datetime) else value


def _not_the_last(work: Work, person: Person) -> None:
    others = work.session.exec(select(Person.roles).where(_can_sign_in(work), Person.id != person.id)).all()
    if Role.ADMIN in person.roles and not any(Role.ADMIN in roles for roles in others):
        raise Conflict("Nobody could administer the system then. Make somebody else an administrator first.")


def _can_sign_in(work: Work) -> Any:
    until = col(Person.password_until)
    by_password = col(Person.password_hash).is_not(None) & (until.is_(None) | (until > work.now))
    return col(Person.active) & (by_password | col(Person.external_subject).is_not(None))
