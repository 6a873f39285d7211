"""Path, query and header parameters that several operations share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Query

from complaints.domain.errors import InvalidInput, NotFound
from complaints.domain.reference import parse


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
        str | None,
        Header(description='The version you saw, as an entity tag, e.g. `"7"`; 412 when it is not the present one.'),
    ] = None,
    version: Annotated[
        int | None,
        Query(ge=1, le=2_147_483_647, description="The same without a header; 409 when it is not the present one."),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return version
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput('give the version you saw, e.g. "7", or *', "If-Match")
    return int(text)


Reference = Annotated[str, Depends(_reference)]
Version = Annotated[int | None, Depends(_version)]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on one page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before, unchanged.")]
