"""People who work here, and keys: who is asking."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import or_, update
from sqlmodel import col, select

from complaints.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Language, Role
from complaints.services import administration
from complaints.services.routing import as_actor
from complaints.store.columns import new_id
from complaints.store.tables import ApiKey, Person
from complaints.store.unit import Work

#: What a key may be allowed to do.
SCOPES = ("complaints:submit", "complaints:read", "complaints:act", "tasks", "admin")


@dataclass(frozen=True)
class Bearer:
    """Who stands behind a key, and what the key may do."""

    actor: Actor
    scopes: frozenset[str]
    key_id: str


def add_person(
    work: Work,
    login: str,
    name: str,
    *,
    roles: Sequence[Role],
    teams: Sequence[str] = (),
    email: str | None = None,
    language: Language = Language.ZH,
) -> Person:
    """A new colleague; `Conflict` when the login is taken."""
    if work.session.exec(select(Person).where(Person.login == login)).first() is not None:
        raise Conflict(f"There is already somebody with the login {login!r}.")
    unknown = [t for t in teams if work.policy.routing.team(t) is None]
    if unknown:
        known = ", ".join(t.key for t in work.policy.routing.teams)
        raise InvalidInput(f"unknown team {unknown[0]!r}; known are: {known}", "teams")
    person = Person(
        id=new_id(work.now),
        login=login,
        name=name,
        email=email,
        language=language,
        roles=[Role(r).value for r in roles],
        teams=list(teams),
        created_at=work.now,
    )
    work.session.add(person)
    work.session.flush()
    administration.note(work, "person_added", login, {"name": name, "roles": person.roles, "teams": person.teams})
    return person


def create_key(
    work: Work,
    name: str,
    scopes: Sequence[str],
    *,
    person: Person | None = None,
    valid_for: timedelta | None = None,
    key_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is shown once and stored only as SHA-256 (it has 256 bits of its own).

    Raises `Conflict` when there is a key with `key_id`: the same request came before.
    """
    if key_id is not None and work.session.get(ApiKey, key_id) is not None:
        raise Conflict("This key was made already, and is shown only once. If it was lost, revoke it and make another.")
    unknown = [s for s in scopes if s not in SCOPES]
    if unknown:
        raise InvalidInput(f"unknown scope {unknown[0]!r}; known are: {', '.join(SCOPES)}", "scopes")
    secret = f"ck_{secrets.token_urlsafe(32)}"
    row = ApiKey(
        id=key_id or new_id(work.now),
        name=name,
        prefix=secret[:8],
        hash=_hash(secret),
        scopes=list(scopes),
        person_id=person.id if person else None,
        created_at=work.now,
        expires_at=work.now + valid_for if valid_for else None,
    )
    work.session.add(row)
    work.session.flush()
    until = str(row.expires_at) if row.expires_at else None
    about = {"name": name, "scopes": row.scopes, "person": person.login if person else None, "expires_at": until}
    administration.note(work, "key_created", row.prefix, about)
    return row, secret


def keys(work: Work) -> list[tuple[ApiKey, str | None]]:
    """All keys with the login of whom they act as, those in use first, newest first."""
    rows = work.session.exec(
        select(ApiKey, Person.login)
        .join(Person, col(Person.id) == col(ApiKey.person_id), isouter=True)
        .order_by(col(ApiKey.revoked_at).is_not(None), col(ApiKey.created_at).desc())
    ).all()
    return [(row, login) for row, login in rows]


def key(work: Work, key_id: UUID) -> ApiKey:
    """The key; `NotFound` when there is none."""
    row = work.session.get(ApiKey, key_id)
    if row is None:
        raise NotFound("key", key_id)
    return row


def revoke_key(work: Work, key_id: UUID) -> ApiKey:
    """From now on the key opens nothing."""
    row = key(work, key_id)
    if row.revoked_at is None:
        row.revoked_at = work.now
        work.session.add(row)
        administration.note(work, "key_revoked", row.prefix, {"name": row.name})
    return row


def bearer(work: Work, secret: str) -> Bearer:
    """Who presents this key; `Forbidden` when it is unknown, expired, revoked, or its person left."""
    row = work.session.exec(select(ApiKey).where(ApiKey.hash == _hash(secret))).first()
    if row is None or row.revoked_at or (row.expires_at and row.expires_at <= work.now):
        raise Forbidden("This API key is unknown, expired or revoked. Ask an administrator for a new one.")
    scopes = frozenset(row.scopes)
    if row.person_id is None:
        roles = {Role.INTEGRATOR} | ({Role.ADMIN} if "admin" in scopes else set())
        return Bearer(Actor("key", str(row.id), row.name, frozenset(roles)), scopes, str(row.id))
    person = work.session.get_one(Person, row.person_id)
    if not person.active:
        raise Forbidden("The person this key belongs to is no longer active.")
    return Bearer(as_actor(person), scopes, str(row.id))


def key_used(work: Work, key_id: str) -> None:
    """Note that the key was used, to the minute, so that forgotten keys can be found and revoked."""
    work.session.execute(
        update(ApiKey)
        .where(
            col(ApiKey.id) == UUID(key_id),
            or_(col(ApiKey.last_used_at).is_(None), col(ApiKey.last_used_at) < work.now - timedelta(minutes=1)),
        )
        .values(last_used_at=work.now)
    )


def everybody(work: Work) -> list[Person]:
    """All people, by login."""
    return list(work.session.exec(select(Person).order_by(col(Person.login))).all())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
