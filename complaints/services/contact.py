"""How a complainant may be reached, respecting what they asked of us (vulnerable customers, safe contact)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from complaints.domain.intake import plain_address
from complaints.domain.validation import EMAIL
from complaints.domain.vocabulary import Need
from complaints.store.tables import Complainant


@dataclass(frozen=True)
class Way:
    """One way to reach somebody; `address` is empty when there is none."""

    kind: Literal["email", "phone", "none"]
    address: str = ""


def way_to_reach(complainant: Complainant) -> Way:
    """The one way we use. Whoever asked for safe contact only is never written to at any other address.

    They say it in their own words: what is more than an address (`li@work.example, not at weekends`) is for a person to
    read and to follow, as a number is.
    """
    needs = set(complainant.needs)
    if Need.SAFE_CONTACT_ONLY in needs:
        if re.match(EMAIL, address := plain_address(complainant.safe_contact)):
            return Way("email", address)
        return Way("phone", complainant.safe_contact) if complainant.safe_contact else Way("none")
    if complainant.email and Need.NO_EMAIL not in needs:
        return Way("email", complainant.email)
    if complainant.phone and Need.NO_PHONE not in needs:
        return Way("phone", complainant.phone)
    return Way("none")
