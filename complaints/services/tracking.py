"""Signed links: a complainant's only key. A token opens one complaint for one party, for a time, and can be revoked."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer
from sqlmodel import col, select

from complaints.domain.errors import Conflict, NotFound
from complaints.domain.ports import Actor
from complaints.domain.reference import parse
from complaints.domain.validation import narrow
from complaints.domain.vocabulary import Audience, IntentKind, Role, Status
from complaints.services import outbox
from complaints.services.contact import way_to_reach
from complaints.services.notices import parties
from complaints.services.transition import record
from complaints.store.tables import Complainant, Complaint, IdempotencyKey, Outbox, Party
from complaints.store.unit import Work

#: How long a link opens its complaint, unless the installation says otherwise.
VALID_FOR = timedelta(days=180)
#: How long the code in a letter opens the page, for those who read their mail on another device; and its length.
CODE_FOR = timedelta(minutes=30)
CODE_DIGITS = 6
_DAY, _TURN = timedelta(days=1), timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LinkExpired(NotFound):
    """The link is genuine, but older than links may be; a new one can be sent to the address we know."""

    code = "link_expired"

    def __init__(self) -> None:
        super().__init__("complaint for this link", "")


@dataclass(frozen=True)
class Visitor:
    """Who stands behind a link."""

    actor: Actor
    complaint: Complaint
    complainant: Complainant


class Tracking:
    """Makes and reads tracking tokens. HMAC-SHA-256 by itsdangerous, keyed by the installation's secret."""

    def __init__(
        self, secret: str, public_url: str, now: Callable[[], datetime], valid_for: timedelta = VALID_FOR
    ) -> None:
        self._signer = URLSafeSerializer(secret, salt="tracking", signer_kwargs={"digest_method": hashlib.sha256})
        self._base = public_url.rstrip("/")
        self._now, self.valid_for = now, valid_for

    def token(self, complaint_id: UUID, complainant_id: UUID, version: int) -> str:
        """The token of one party's link, valid from today. All tokens of one day are the same."""
        return self._token(complaint_id, complainant_id, version, (self._now() - _EPOCH) // _DAY)

    def _token(self, complaint_id: UUID, complainant_id: UUID, version: int, day: int) -> str:
        return str(self._signer.dumps([complaint_id.hex, complainant_id.hex, version, day]))

    def url(self, complaint_id: UUID, complainant_id: UUID, version: int) -> str:
        """The address of the tracking page."""
        return f"{self._base}/track/{self.token(complaint_id, complainant_id, version)}"

    def open(self, work: Work, token: str) -> Visitor:
        """Who comes with this token; `NotFound` when it was altered or revoked, `LinkExpired` when it is too old.

        The token must be the very one that we make: base64 has several spellings for the last bits of a signature.
        """
        try:
            complaint_hex, complainant_hex, version, day = self._signer.loads(token)
            key = (UUID(complaint_hex), UUID(complainant_hex))
        except (BadSignature, ValueError, TypeError, AttributeError):
            raise NotFound("complaint for this link", "") from None
        party = work.session.get(Party, key)
        if party is None or party.link_version != version or self._token(*key, version, day) != token:
            raise NotFound("complaint for this link", "")
        if work.now >= _EPOCH + day * _DAY + self.valid_for + _DAY:
            raise LinkExpired()
        complaint = work.session.get_one(Complaint, key[0])
        complainant = work.session.get_one(Complainant, key[1])
        actor = Actor(
            "complainant", str(complainant.id), complainant.name or "Complainant", frozenset({Role.COMPLAINANT})
        )
        return Visitor(actor, complaint, complainant)


def send_anew(work: Work, reference: str, email: str) -> bool:
    """Mail a fresh link, and a code, to the party of `reference` that we write to at `email`; at most one in `_TURN`.

    False when nothing is sent. Whoever asks must not be told which: it would say who complained. Raises
    `InvalidInput` when `reference` cannot be one.
    """
    complaint = _sought(work, reference)
    if complaint is None:
        return False
    return sum(_mail(work, complaint, person) for person in _at(work, complaint, email)) > 0


def by_code(work: Work, reference: str, email: str, code: str) -> Party | None:
    """The party whose letter of the last `CODE_FOR` bears this code. Callers limit how often one may try.

    Raises `InvalidInput` when `reference` cannot be one.
    """
    complaint = _sought(work, reference)
    if complaint is None:
        return None
    letters = select(Outbox).where(Outbox.complaint_id == complaint.id, col(Outbox.created_at) > work.now - CODE_FOR)
    for person in _at(work, complaint, email):
        party = work.session.get_one(Party, (complaint.id, person.id))
        begins = f"new_link:{complaint.id}:{person.id}:{party.link_version}:"
        for letter in work.session.exec(letters.where(col(Outbox.key).startswith(begins))).all():
            if hmac.compare_digest(letter.payload["context"]["code"].encode(), code.encode()):
                return party
    return None


def renew(work: Work, complaint: Complaint, complainant: Complainant) -> bool:
    """Make one party's links worthless and mail them a new one; False, and nothing done, without an address."""
    if way_to_reach(complainant).kind != "email":
        return False
    party = work.session.get_one(Party, (complaint.id, complainant.id), with_for_update=True)
    party.link_version += 1
    work.session.add(party)
    work.session.flush()
    return _mail(work, complaint, complainant)


def _sought(work: Work, reference: str) -> Complaint | None:
    return work.session.exec(select(Complaint).where(Complaint.reference == parse(reference))).first()


def _at(work: Work, complaint: Complaint, email: str) -> list[Complainant]:
    """The parties that we write to at this address."""
    ways = [(person, way_to_reach(person)) for person in parties(work, complaint)]
    address = narrow(email).strip().casefold()
    return [person for person, way in ways if way.kind == "email" and way.address.casefold() == address]


def _mail(work: Work, complaint: Complaint, person: Complainant) -> bool:
    turn = int((work.now - _EPOCH) / _TURN)
    version = work.session.get_one(Party, (complaint.id, person.id)).link_version
    payload = {
        "template": "new_link",
        "audience": Audience.COMPLAINANT,
        "to": way_to_reach(person).address,
        "name": person.name,
        "complainant_id": str(person.id),
        "language": person.language,
        "context": {"code": f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"},
    }
    once = f"new_link:{complaint.id}:{person.id}:{version}:{turn}"
    return outbox.add(work, IntentKind.NOTIFY, once, complaint_id=complaint.id, payload=payload)


def first_time(work: Work, complaint: Complaint, key: str) -> bool:
    """Whether what a complainant sends under `key` comes for the first time; the complaint must be locked."""
    if work.session.get(IdempotencyKey, (str(complaint.id), key)) is not None:
        return False
    row = IdempotencyKey(owner=str(complaint.id), key=key, request_hash="", complaint_id=complaint.id, at=work.now)
    work.session.add(row)
    return True


def reissue(work: Work, complaint: Complaint) -> int:
    """Make every link of this complaint worthless and mail its parties new ones; how many were mailed."""
    _void(work, complaint)
    reached = [p for p in parties(work, complaint) if way_to_reach(p).kind == "email"]
    sent = sum(_mail(work, complaint, person) for person in reached)
    record(work, complaint, "links_reissued", data={"sent": sent})
    return sent


def revoke(work: Work, complaint: Complaint) -> None:
    """Make every link given out for this complaint worthless; new ones are sent with the next letter."""
    _void(work, complaint)
    record(work, complaint, "links_revoked")


def _void(work: Work, complaint: Complaint) -> None:
    if complaint.status == Status.ERASED:
        raise Conflict("The complaint is erased: nobody follows it any more.")
    for row in work.session.exec(select(Party).where(col(Party.complaint_id) == complaint.id)).all():
        row.link_version += 1
        work.session.add(row)
    work.session.flush()
