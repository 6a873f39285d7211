"""Signing in at the console: passwords, failed attempts that lock, sessions kept on the server.

Too many wrong passwords lock a login for a while, whose owner is told by mail; too many from one network address make
that address wait. Passwords are hashed with argon2id (RFC 9106). The cookie holds 256 random bits; the database holds
only their SHA-256.
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
from sqlalchemy import delete, update
from sqlmodel import col, func, select

from complaints.domain.errors import FieldProblem, Forbidden, InvalidInput
from complaints.domain.network import network
from complaints.domain.ports import Actor
from complaints.services import administration, notices
from complaints.services.routing import as_actor
from complaints.store.columns import new_id
from complaints.store.tables import Person, SignIn, WebSession
from complaints.store.unit import Work

#: So many wrong passwords within `WINDOW` lock the login until `WINDOW` after the last of them.
MOST_FAILURES = 5
WINDOW = timedelta(minutes=15)
#: So many wrong passwords from one network address within `WINDOW`, for whatever logins, make it wait.
MOST_FROM_ADDRESS = 50
#: A session ends this long after signing in, or after `IDLE` without a request.
LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=4)
#: A temporary password that nobody has used opens nothing after this time.
TEMPORARY = timedelta(days=7)
#: How long attempts to sign in are kept.
KEPT = timedelta(days=90)
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


class PasswordExpired(Forbidden):
    """The password is right, but it was a temporary one, and its time is over."""

    code = "password_expired"

    def __init__(self) -> None:
        super().__init__("This temporary password is no longer valid. Ask an administrator for another.")


@dataclass(frozen=True)
class Seat:
    """Somebody signed in: the person, as an actor, and their session."""

    person: Person
    actor: Actor
    session: WebSession


def check_password(password: str) -> None:
    """`InvalidInput` for a password that is too short or too long (NIST SP 800-63B: length is what counts)."""
    if problem := _length_problem(password, "password"):
        raise InvalidInput([problem])


def _length_problem(password: str, field: str) -> FieldProblem | None:
    if SHORTEST <= len(password) <= LONGEST:
        return None
    return FieldProblem(field, f"Use {SHORTEST} to {LONGEST} characters.")


def set_password(work: Work, person: Person, password: str, *, temporary: bool = False, keep: str = "") -> None:
    """A new password; sessions opened with the old one end, but for the one to `keep`."""
    check_password(password)
    person.password_hash = _hasher().hash(password)
    person.password_until = work.now + TEMPORARY if temporary else None
    work.session.add(person)
    end_sessions(work, person.id, but=keep)


def change_password(work: Work, person: Person, old: str, new: str, repeat: str, *, keep: str) -> None:
    """A person's own change; `InvalidInput` names each wrong field. The session `keep` stays open, all others end."""
    problems = []
    if not knows_password(person, old):
        problems.append(FieldProblem("password_old", "This is not your present password."))
    if problem := _length_problem(new, "password_new"):
        problems.append(problem)
    elif new in (old, person.login):
        problems.append(FieldProblem("password_new", "Choose another password than the present one or your login."))
    if new != repeat:
        problems.append(FieldProblem("password_repeat", "This is not the same as the new password."))
    if problems:
        raise InvalidInput(problems)
    set_password(work, person, new, keep=keep)
    administration.note(work, "password_changed", person.login)


def knows_password(person: Person, password: str) -> bool:
    """Whether this is the person's password."""
    return bool(person.password_hash) and _hasher().verify(password[:LONGEST], person.password_hash or "")


def temporary_password(work: Work, person: Person) -> str:
    """A one-time password that must be changed at the first sign-in; told once, to whoever asked for it.

    It opens a login that wrong passwords have locked.
    """
    password = secrets.token_urlsafe(12)
    set_password(work, person, password, temporary=True)
    attempt(work, person.login, "", "reset", "password")
    return password


def check(work: Work, login: str, password: str, address: str) -> Person:
    """Whose login and password these are; `WrongPassword`, `PasswordExpired` or `Locked`.

    Commit even then: attempts must be kept.
    """
    refuse_locked(work, login, address, "password")
    person = work.session.exec(select(Person).where(Person.login == login)).first()
    known = person.password_hash if person is not None and person.active else None
    # an unknown login takes as long as a wrong password
    good = _hasher().verify(password[:LONGEST], known or _nobody())
    if person is None or known is None or not good:
        failed(work, login, address, "password", person)
        raise WrongPassword
    if person.password_until is not None and person.password_until <= work.now:
        attempt(work, login, address, "expired", "password")
        raise PasswordExpired
    return person


def confirm(work: Work, person: Person, password: str, address: str) -> None:
    """Somebody signed in shows once more that the password is theirs; guesses count as at the door.

    `WrongPassword` or `Locked`; commit even then.
    """
    refuse_locked(work, person.login, address, "password")
    if not knows_password(person, password):
        failed(work, person.login, address, "password", person)
        raise WrongPassword


def refuse_locked(work: Work, login: str, address: str, via: str) -> None:
    """`Locked` while the login is locked or its network address must wait; the attempt is kept.

    Attempts at one login go one after the other, so that no more are made by making many at once.
    """
    work.take_turn(f"sign-in/{login}")
    until = locked_until(work, login) or _crowded_until(work, address)
    if until is not None:
        attempt(work, login, address, "locked", via)
        raise Locked(until)


def failed(work: Work, login: str, address: str, via: str, person: Person | None) -> None:
    """Keep a wrong attempt; the one that locks the login is told to its owner."""
    attempt(work, login, address, "wrong", via)
    until = locked_until(work, login)
    if until is not None and person is not None and person.active and person.email:
        told = {"locked_at": work.now.isoformat(), "locked_until": until.isoformat(), "address": address}
        notices.tell_staff(work, None, "locked_out", work.now.isoformat(), people=[person], context=told)


def _crowded_until(work: Work, address: str) -> datetime | None:
    """Until when a network address with very many wrong passwords must wait."""
    if not address:
        return None
    count, first = work.session.exec(
        select(func.count(), func.min(SignIn.at)).where(
            SignIn.address == network(address), SignIn.at > work.now - WINDOW, SignIn.outcome == "wrong"
        )
    ).one()
    return first + WINDOW if count >= MOST_FROM_ADDRESS else None


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
        SignIn(id=new_id(work.now), at=work.now, login=login[:100], address=network(address), outcome=outcome, via=via)
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


def renew(work: Work, session_id: str) -> str:
    """A new token for a session that goes on; whoever may have learned the old one is out."""
    old, token = work.session.get_one(WebSession, session_id), secrets.token_urlsafe(32)
    fresh = old.model_dump() | {"id": _digest(token), "csrf": secrets.token_urlsafe(24)}
    work.session.add(WebSession(**fresh))
    work.session.delete(old)
    work.session.flush()
    return token


def end_behind(work: Work, token: str) -> None:
    """Sign out whoever sits behind this cookie, if anybody does."""
    if token:
        end_session(work, _digest(token))


def end_sessions(work: Work, person_id: UUID, *, but: str = "") -> None:
    """Sign out everywhere, `but` one session."""
    rows = work.session.exec(select(WebSession).where(WebSession.person_id == person_id, WebSession.id != but)).all()
    for row in rows:
        work.session.delete(row)


def forget_old(work: Work) -> None:
    """Drop sessions that are over, and attempts that are older than `KEPT`."""
    work.session.execute(delete(WebSession).where(col(WebSession.expires_at) < work.now - LIFETIME))
    work.session.execute(delete(SignIn).where(col(SignIn.at) < work.now - KEPT))


def sessions(work: Work, person_id: UUID) -> list[WebSession]:
    """A person's open sessions, last used first."""
    return list(
        work.session.exec(
            select(WebSession)
            .where(
                WebSession.person_id == person_id,
                WebSession.expires_at > work.now,
                WebSession.seen_at > work.now - IDLE,
            )
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
