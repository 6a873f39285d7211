"""Turning pydantic's errors into field problems, in the caller's own field names."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import ValidationError

from complaints.domain.errors import FieldProblem


def problems_of(error: ValidationError, prefix: str = "") -> list[FieldProblem]:
    """Each wrong field with what is wrong; a message `field: text` of a whole-form check is put to that field."""
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(p) for p in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if not path and ": " in message:
            path, message = message.split(": ", 1)
        found.append(FieldProblem(f"{prefix}{path}".rstrip("."), message, item["type"]))
    return found


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
