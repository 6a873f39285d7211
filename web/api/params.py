"""Path, query and header parameters that several operations share."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header, Path, Query
from pydantic import AwareDatetime, BeforeValidator

from complaints.domain.errors import InvalidInput, NotFound
from complaints.domain.reference import parse

_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


class Mistyped(NotFound):
    """What stands where a reference should be cannot be one; says why."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__("complaint", text)
        self.args = (why,)


async def _reference(
    reference: Annotated[str, Path(description="The complaint's reference.", examples=["C26-000042-7"])],
) -> str:
    try:
        return parse(reference)
    except InvalidInput as error:
        raise Mistyped(reference, error.problems[0].message) from None


async def _version(
    if_match: Annotated[
        str,
        Header(
            description='The version you saw, as an entity tag, e.g. `"7"`; 412 when it is not the present one.',
            json_schema_extra={"pattern": r'^(\*|(W/)?"?[0-9]{1,9}"?)$'},
        ),
    ] = "*",
    version: Annotated[
        int, Query(ge=0, le=2_147_483_647, description="The same without a header; 409 when it is not the present one.")
    ] = 0,
) -> int | None:
    text = if_match.strip()
    if text == "*":
        return version or None
    digits = text.removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InvalidInput('give the version you saw, e.g. "7", or *', "If-Match")
    return int(digits)


def _written(value: object) -> object:
    """A plain number is no date, though pydantic would take it for seconds since 1970."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("give date, time and offset (RFC 3339), e.g. 2026-03-01T09:00:00%2B08:00 in an address")
    return value


#: An instant in a query.
Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
Reference = Annotated[str, Depends(_reference)]
Version = Annotated[int | None, Depends(_version)]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on one page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before, unchanged.")]
