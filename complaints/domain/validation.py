"""Turning pydantic's errors into field problems, in the caller's own field names."""

from __future__ import annotations

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
