"""The reference a complainant is given: `C26-000042-7`. Year, running number, check digit (ISO 7064 MOD 11,10).

The check digit tells a mistyped reference from one that does not exist.
"""

from __future__ import annotations

import re
import unicodedata

from complaints.domain.errors import InvalidInput

_SHAPE = re.compile(r"C(\d{2})(\d{6,9})(\d)")


def _check_digit(digits: str) -> int:
    """ISO 7064 MOD 11,10."""
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = (total * 2) % 11
    return (11 - product) % 10


def make(year: int, number: int) -> str:
    """The reference for running `number` in `year`."""
    digits = f"{year % 100:02d}{number:06d}"
    return f"C{digits[:2]}-{digits[2:]}-{_check_digit(digits)}"


def _shape(text: str) -> re.Match[str] | None:
    return _SHAPE.fullmatch(re.sub(r"[\s\-‐-―]", "", unicodedata.normalize("NFKC", text)).upper())


def looks_like(text: str) -> bool:
    """Whether it is written as a reference, right or mistyped."""
    return _shape(text) is not None


def parse(text: str) -> str:
    """The reference in its one written form; forgives case, spaces, missing dashes and full-width digits.

    Raises `InvalidInput` when it cannot be one, or when the check digit says it was mistyped.
    """
    found = _shape(text)
    if not found:
        raise InvalidInput("A reference looks like C26-000042-7.", "reference")
    year, number, check = found.groups()
    if _check_digit(year + number) != int(check):
        raise InvalidInput(f"{text.strip()!r} is mistyped: its check digit does not match.", "reference")
    return f"C{year}-{number}-{check}"
