"""The second factor: time-based one-time passwords (RFC 6238) and recovery codes for the day the telephone is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import pyotp
from sqlmodel import col, func, select

from complaints.domain.errors import Conflict, FieldProblem, Forbidden, InvalidInput
from complaints.domain.validation import narrow
from complaints.services import administration, signin
from complaints.store.tables import Person, RecoveryCode
from complaints.store.unit import Work

#: Seconds for which one code is shown.
STEP = 30
RECOVERY_CODES = 10
_VIA = "totp"


class WrongCode(Forbidden):
    """The code is wrong, too old, or was used before."""

    code = "wrong_code"

    def __init__(self) -> None:
        super().__init__("This code is not valid, or was used before. Wait for the next one.")


@dataclass(frozen=True)
class Offer:
    """A secret that is not in force yet, and the address that an authenticator app reads from the QR code."""

    secret: str
    uri: str


def offer(person: Person, issuer: str, secret: str = "") -> Offer:
    """A secret to enrol: a new one, or the one shown before."""
    secret = secret if _plausible(secret) else pyotp.random_base32()
    return Offer(secret, pyotp.TOTP(secret).provisioning_uri(name=person.login, issuer_name=issuer))


def turn_on(work: Work, person: Person, secret: str, code: str, password: str) -> list[str]:
    """Require codes from now on; the recovery codes, which are shown this once.

    Proved by a first code, and by the person's password where they have one: an open desk must not be enough to shut
    its owner out. `InvalidInput` names each wrong field.
    """
    if person.totp_secret:
        raise Conflict("The second factor is on already. Turn it off first to use another device.")
    problems = []
    if person.password_hash and not signin.knows_password(person, password):
        problems.append(FieldProblem("password_old", "This is not your present password."))
    step = _step_of(work, secret, code, 0) if _plausible(secret) else None
    if step is None:
        said = FieldProblem("code", "This code does not fit. Check the clock of your device and use the newest code.")
        problems.append(said)
    if problems or step is None:
        raise InvalidInput(problems)
    person.totp_secret, person.totp_used = secret, step
    work.session.add(person)
    administration.note(work, "second_factor_on", person.login)
    return _new_recovery_codes(work, person)


def turn_off(work: Work, person: Person, password: str) -> None:
    """The password alone suffices again; `InvalidInput` when it is not the person's."""
    if not signin.knows_password(person, password):
        raise InvalidInput("This is not your present password.", "password_old")
    clear(work, person)


def clear(work: Work, person: Person) -> None:
    """Take the second factor away, as its owner or an administrator wishes."""
    person.totp_secret = None
    work.session.add(person)
    _forget_recovery_codes(work, person)
    administration.note(work, "second_factor_off", person.login)


def check(work: Work, person: Person, code: str, address: str) -> None:
    """Take a code or a recovery code, once; `WrongCode` or `Locked`. Commit even then: attempts must be kept."""
    signin.refuse_locked(work, person.login, address, _VIA)
    row = work.session.get_one(Person, person.id, with_for_update=True, populate_existing=True)
    given = "".join(code.split()).replace("-", "")
    step = _step_of(work, row.totp_secret or "", given, row.totp_used) if row.totp_secret else None
    if step is not None:
        row.totp_used = step
        work.session.add(row)
    elif not _recovered(work, row, given):
        signin.failed(work, row.login, address, _VIA, row)
        raise WrongCode


def recovery_codes_left(work: Work, person: Person) -> int:
    """How many recovery codes were not used yet."""
    query = select(func.count()).where(RecoveryCode.person_id == person.id, col(RecoveryCode.used_at).is_(None))
    return work.session.exec(query).one()


def _step_of(work: Work, secret: str, code: str, after: int) -> int | None:
    """The time step that `code` belongs to, now or one step away; None for steps up to `after` (replay)."""
    now = int(work.now.timestamp()) // STEP
    totp = pyotp.TOTP(secret)
    for step in (now, now - 1, now + 1):
        if step > after and hmac.compare_digest(totp.generate_otp(step).encode(), narrow(code).strip().encode()):
            return step
    return None


def _recovered(work: Work, person: Person, code: str) -> bool:
    row = work.session.get(RecoveryCode, (person.id, _digest(code)), with_for_update=True)
    if row is None or row.used_at is not None:
        return False
    row.used_at = work.now
    work.session.add(row)
    return True


def _new_recovery_codes(work: Work, person: Person) -> list[str]:
    _forget_recovery_codes(work, person)
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    work.session.add_all([RecoveryCode(person_id=person.id, hash=_digest(code)) for code in codes])
    work.session.flush()
    return ["-".join(code[i : i + 4] for i in range(0, 16, 4)) for code in codes]


def _forget_recovery_codes(work: Work, person: Person) -> None:
    for row in work.session.exec(select(RecoveryCode).where(RecoveryCode.person_id == person.id)).all():
        work.session.delete(row)
    work.session.flush()


def _digest(code: str) -> str:
    return hashlib.sha256(code.lower().encode()).hexdigest()


def _plausible(secret: str) -> bool:
    """Whether this is a secret as we make them: 160 bits in base 32."""
    return len(secret) == 32 and set(secret) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
