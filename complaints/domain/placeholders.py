"""`{placeholders}` of canned texts: what they are called, filling them, and finding those that were left unfilled."""

from __future__ import annotations

import re
from collections.abc import Mapping

from complaints.domain.errors import InvalidInput

#: What can be filled in; a house has no other words in braces that mean something.
NAMES = (
    "name",
    "reference",
    "subject",
    "received_on",
    "answer_by",
    "category",
    "team",
    "agent",
    "signatory",
    "external_body",
    "remedies",
    "summary",
)
_HOLE = re.compile(r"\{(\w+)\}")


def unknown(text: str) -> list[str]:
    """Placeholders in `text` that nothing fills."""
    return sorted(set(_HOLE.findall(text)) - set(NAMES))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled; one that is not known, or has no value here, stays to be seen."""
    return _HOLE.sub(lambda hole: values.get(hole[1], "") or hole[0], text)


def unfilled(text: str) -> list[str]:
    """What a text that goes out still has in braces, each once, as it stands there."""
    return list(dict.fromkeys(hole[0] for hole in _HOLE.finditer(text)))


def pieces(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is a placeholder, so that a screen can show which are left."""
    found, at = [], 0
    for hole in _HOLE.finditer(text):
        found += [(text[at : hole.start()], False), (hole[0], True)]
        at = hole.end()
    return [(piece, marked) for piece, marked in [*found, (text[at:], False)] if piece]


def refuse_unfilled(text: str, field: str) -> None:
    """Raises `InvalidInput` for `field`, naming the placeholders that a reader outside would find in `text`."""
    if left := unfilled(text):
        raise InvalidInput(
            f"placeholders are not filled in: {', '.join(left)}; write what belongs there, or take them out", field
        )
