"""Signing in at the console: passwords, failed attempts that lock, sessions kept on the server.

Passwords are hashed with argon2id (RFC 9106). The cookie holds 256 random bits; the database holds only their SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import update
from sqlmodel import col, select

from complaints.domain.errors import Forbidden, InvalidInput
from complaints.domain.ports import Actor
from complaints.services.routing import as_actor
from complaints.store.columns import new_id
from complaints.store.tables import Person, SignIn, WebSession
from complaints.store.unit import Work

#: So many wrong passwords within `WINDOW` lock the login until `WINDOW` after the last of them.
MOST_FAILURES = 5
WINDOW = timedelta(minutes=15)
#: A session ends this long after signing in, or after `IDLE` without a request.
LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=4)
SHORTEST = 10
LONGEST = 200


class Locked(Forbidden):
    """Too many wrong passwords; `until` says when to try again."""

    code = "locked"

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(f"Too many wrong attempts. Try again after {until.isoformat(timespec='minutes')}.")


class WrongPassword(Forbidden):
    """Login and password do not belong together; which of them is wrong is not told."""

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__("Login and password do not belong together.")


@dataclass(frozen=True)
class Seat:
    """Somebody signed in: the person, as an actor, and their session."""

    person: Person
    actor: Actor
    session: WebSession


def check_password(password: str) -> None:
    """`InvalidInput` for a password that is too short or too long (NIST SP 800-63B: length is what counts)."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"use {SHORTEST} to {LONGEST} characters", "password")


def set_password(work: Work, person: Person, password: str, *, temporary: bool = False) -> None:
    """A new password; sessions opened with the old one end."""
    check_password(password)
    person.password_hash, person.password_temporary = _hasher().hash(password), temporary
    work.session.add(person)
    end_sessions(work, person.id)


def temporary_password(work: Work, person: Person) -> str:
    """A one-time password that must be changed at the first sign-in; told once, to whoever asked for it."""
    password = secrets.token_urlsafe(12)
    set_password(work, person, password, temporary=True)
    return password


def check(work: Work, login: str, password: str, address: str) -> Person:
    """Whose login and password these are; `WrongPassword` or `Locked`. Commit even then: attempts must be kept."""
    until = locked_until(work, login)
    if until is not None:
        attempt(work, login, address, "locked", "password")
        raise Locked(until)
    person = work.session.exec(select(Person).where(Person.login == login)).first()
    known = person.password_hash if person is not None and person.active else None
    # an unknown login takes as long as a wrong password
    good = _hasher().verify(password[:LONGEST], known or _nobody())
    if person is None or known is None or not good:
        attempt(work, login, address, "wrong", "password")
        raise WrongPassword
    return person


def locked_until(work: Work, login: str) -> datetime | None:
    """Until when the login is locked; None when it is not."""
    rows = work.session.exec(
        select(SignIn.at, SignIn.outcome)
        .where(SignIn.login == login, SignIn.at > work.now - WINDOW, SignIn.outcome != "locked")
        .order_by(col(SignIn.at).desc())
        .limit(MOST_FAILURES)
    ).all()
    if len(rows) == MOST_FAILURES and all(outcome == "wrong" for _, outcome in rows):
        return rows[0][0] + WINDOW
    return None


def attempt(work: Work, login: str, address: str, outcome: str, via: str) -> None:
    """Keep one attempt."""
    work.session.add(
        SignIn(id=new_id(work.now), at=work.now, login=login[:100], address=address, outcome=outcome, via=via)
    )
    work.session.flush()


def open_session(work: Work, person: Person, *, address: str, agent: str, via: str) -> tuple[str, WebSession]:
    """A new session and its token for the cookie."""
    attempt(work, person.login, address, "ok", via)
    token = secrets.token_urlsafe(32)
    session = WebSession(
        id=_digest(token),
        person_id=person.id,
        csrf=secrets.token_urlsafe(24),
        created_at=work.now,
        seen_at=work.now,
        expires_at=work.now + LIFETIME,
        address=address,
        agent=agent[:200],
    )
    work.session.add(session)
    work.session.flush()
    return token, session


def seat(work: Work, token: str) -> Seat | None:
    """Who sits behind this cookie; None when the session is unknown, over, or its person left."""
    found = work.session.exec(
        select(WebSession, Person)
        .join(Person, col(Person.id) == col(WebSession.person_id))
        .where(WebSession.id == _digest(token))
    ).first()
    if found is None:
        return None
    session, person = found
    if session.expires_at <= work.now or session.seen_at + IDLE <= work.now or not person.active:
        return None
    return Seat(person, as_actor(person), session)


def touch(work: Work, session: WebSession) -> None:
    """Note that the session is in use; call it when `seen_at` is more than a minute old."""
    work.session.execute(update(WebSession).where(col(WebSession.id) == session.id).values(seen_at=work.now))


def end_session(work: Work, session_id: str) -> None:
    """Sign out."""
    if (found := work.session.get(WebSession, session_id)) is not None:
        work.session.delete(found)


def end_sessions(work: Work, person_id: UUID, *, but: str = "") -> None:
    """Sign out everywhere, `but` one session."""
    rows = work.session.exec(select(WebSession).where(WebSession.person_id == person_id, WebSession.id != but)).all()
    for row in rows:
        work.session.delete(row)


def sessions(work: Work, person_id: UUID) -> list[WebSession]:
    """A person's open sessions, last used first."""
    return list(
        work.session.exec(
            select(WebSession)
            .where(WebSession.person_id == person_id, WebSession.expires_at > work.now)
            .order_by(col(WebSession.seen_at).desc())
        ).all()
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
