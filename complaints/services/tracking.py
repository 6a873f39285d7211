"""Signed links: a complainant's only key. A token opens one complaint for one party, and can be revoked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer
from sqlmodel import col, select

from complaints.domain.errors import NotFound
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Role
from complaints.store.tables import Complainant, Complaint, Party
from complaints.store.unit import Work


@dataclass(frozen=True)
class Visitor:
    """Who stands behind a link."""

    actor: Actor
    complaint: Complaint
    complainant: Complainant


class Tracking:
    """Makes and reads tracking tokens. HMAC-SHA-256 by itsdangerous, keyed by the installation's secret."""

    def __init__(self, secret: str, public_url: str) -> None:
        self._signer = URLSafeSerializer(secret, salt="tracking", signer_kwargs={"digest_method": hashlib.sha256})
        self._base = public_url.rstrip("/")

    def token(self, complaint_id: UUID, complainant_id: UUID, version: int) -> str:
        """The token of one party's link."""
        return str(self._signer.dumps([complaint_id.hex, complainant_id.hex, version]))

    def url(self, complaint_id: UUID, complainant_id: UUID, version: int) -> str:
        """The address of the tracking page."""
        return f"{self._base}/track/{self.token(complaint_id, complainant_id, version)}"

    def open(self, work: Work, token: str) -> Visitor:
        """Who comes with this token; `NotFound` when it was altered, revoked, or the case was merged or erased.

        The token must be the very one that we make: base64 has several spellings for the last bits of a signature.
        """
        try:
            complaint_hex, complainant_hex, version = self._signer.loads(token)
            key = (UUID(complaint_hex), UUID(complainant_hex))
        except (BadSignature, ValueError, TypeError, AttributeError):
            raise NotFound("complaint for this link", "") from None
        party = work.session.get(Party, key)
        if party is None or party.link_version != version or self.token(*key, version) != token:
            raise NotFound("complaint for this link", "")
        complaint = work.session.get_one(Complaint, key[0])
        complainant = work.session.get_one(Complainant, key[1])
        actor = Actor(
            "complainant", str(complainant.id), complainant.name or "Complainant", frozenset({Role.COMPLAINANT})
        )
        return Visitor(actor, complaint, complainant)


def revoke(work: Work, complaint: Complaint) -> int:
    """Make every link given out for this complaint worthless; new ones are sent with the next letter."""
    rows = work.session.exec(select(Party).where(col(Party.complaint_id) == complaint.id)).all()
    for row in rows:
        row.link_version += 1
        work.session.add(row)
    return len(rows)
