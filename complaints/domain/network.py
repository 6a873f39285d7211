"""Network addresses, as throttles count them."""

from __future__ import annotations

import ipaddress


def network(address: str) -> str:
    """What counts as one: an IPv4 address; of IPv6, where one customer has very many, the /64 (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
