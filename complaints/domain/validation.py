"""Turning pydantic's errors into field problems: in the caller's own field names, in words a person understands."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from complaints.domain.errors import FieldProblem

#: No NUL, which PostgreSQL cannot store.
NO_NUL = r"^[^\x00]*$"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+"
#: Letters of any script, digits, dashes, underscores.
_LABEL = r"[^\s\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]{1,63}"
#: What a mail can be addressed to (dot-atom of RFC 5322, a dotted domain); whether it exists, the delivery shows.
EMAIL = rf"^{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})+$"
PHONE = r"^\(?[+0-9][0-9 ()\-/]{3,30}$"
#: A key of the policy: category, team, root cause, standard solution.
CODE = r"^[a-z][a-z0-9_]{0,63}$"
#: A currency of ISO 4217.
CURRENCY = r"^[A-Z]{3}$"
#: A short tag: the system that complaints come from.
TAG = r"^[a-z0-9_\-]{1,32}$"
OPTIONAL_TAG = r"^[a-z0-9_\-]{0,32}$"

#: What a pattern asks for: the expression itself says nothing to a person.
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        NO_NUL: "must not contain NUL characters",
        EMAIL: "is no e-mail address; write it like name@example.com",
        PHONE: "is no telephone number; write it in digits, like 13800138000 or +44 20 7946 0000",
        CODE: "is no key of the policy; keys are small letters, digits and underscores, and begin with a letter",
        CURRENCY: "is no currency; write the three capital letters of ISO 4217, like CNY",
        TAG: "use 1 to 32 small letters, digits, dashes and underscores",
        OPTIONAL_TAG: "use at most 32 small letters, digits, dashes and underscores",
    }
)
#: Pydantic's codes whose own sentence speaks of parsing.
PLAINER: Mapping[str, str] = MappingProxyType(
    {
        "int_parsing": "write a whole number",
        "int_from_float": "write a whole number",
        "float_parsing": "write a number, such as 2.5",
        "decimal_parsing": "write a number, such as 12.50",
        "bool_parsing": "write true or false",
    }
)


def problems_of(error: ValidationError, prefix: str = "") -> list[FieldProblem]:
    """Each wrong field with what is wrong; a message `field: text` of a whole-form check is put to that field."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        path = ".".join(str(p) for p in item["loc"])
        message = in_words(item)
        if not path and item["type"] == "value_error" and ": " in message:
            path, message = message.split(": ", 1)
        found.append(FieldProblem(f"{prefix}{path}".rstrip("."), message, item["type"]))
    return found


def in_words(item: ErrorDetails) -> str:
    """What one of pydantic's errors says, for a person."""
    if item["type"] == "string_pattern_mismatch":
        return PATTERNS.get(item["ctx"]["pattern"], item["msg"])
    return PLAINER.get(item["type"]) or item["msg"].removeprefix("Value error, ")


#: Categories (Unicode) of what is not seen by itself; signs of this year and private ones are seen.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Mn", "Mc", "Me", "Zs", "Zl", "Zp"})
#: Letters by their category, and yet nothing to see.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def blank(text: str) -> bool:
    """Whether there is nothing to see in a text: mere spaces, of whatever kind."""
    return all(c in _BLANK or unicodedata.category(c) in _UNSEEN for c in text)


def visible(text: str) -> str:
    """A text in which there is something to see; an error like that of an empty one where there is not."""
    if blank(text):
        raise PydanticCustomError("string_too_short", "there is nothing to read in it")
    return text


def narrow(text: Any) -> Any:
    """Letters, digits and signs of full width, as Chinese keyboards type them (`１３８`, `＠`), as what is meant, and
    without the invisible ones that copying adds."""
    if not isinstance(text, str):
        return text
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")


Document = TypeVar("Document", bound=dict[str, Any])
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def storable(document: Document, limit: int) -> Document:
    """A free JSON document that PostgreSQL can keep: finite numbers, no NUL, `limit` characters; or `ValueError`."""
    try:
        text = json.dumps(document, allow_nan=False, default=str)
    except ValueError:
        raise ValueError("numbers must be finite and not too long") from None
    if len(text) > limit:
        raise ValueError(f"at most {limit:,} characters")
    if _NUL.search(text):
        raise ValueError("must not contain NUL characters")
    return document
