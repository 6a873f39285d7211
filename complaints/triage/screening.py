"""Is this a complaint at all? Cues of spam, automatic replies, praise and plain questions.

Screening never drops anything: it raises flags, and a flag leads to a person. In doubt a text is a
complaint: one word of grievance is enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from complaints.domain.ports import Evidence
from complaints.domain.vocabulary import Flag

_LINK = re.compile(r"https?:|www\.")
#: A question or praise longer than this (normalised characters) most likely tells a story, and is read as a complaint.
_SHORT = 600
_WORDS = re.compile(r"(?:[^\W\d_].*?){4}")  #: with fewer letters nobody can tell what is meant


@dataclass(frozen=True)
class Screening:
    """Flags raised, and the words that raised them."""

    flags: tuple[Flag, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def screen(text: str, cues: Mapping[str, Mapping[str, float]], grieved: bool) -> Screening:
    """Judge normalised `text` by its `cues` (cue → word → weight). `grieved`: a fault, danger or grievance is in it."""
    if _WORDS.search(text) is None:
        return Screening((Flag.NOT_A_COMPLAINT,), (Evidence("", Flag.NOT_A_COMPLAINT, 4.0),))
    short = len(text) <= _SHORT
    if short and "auto_reply" in cues:
        return _raise(Flag.NOT_A_COMPLAINT, cues["auto_reply"])
    if grieved:
        return Screening()
    spam = cues.get("spam", {})
    links = len(_LINK.findall(text))
    if len(spam) >= 2 or (spam and links) or links >= 3:
        return _raise(Flag.SPAM, spam or {"http": float(links)})
    for cue in ("off_topic", "praise", "question"):
        if short and cue in cues:
            return _raise(Flag.NOT_A_COMPLAINT, cues[cue])
    return Screening()


def _raise(flag: Flag, words: Mapping[str, float]) -> Screening:
    return Screening((flag,), tuple(Evidence(word, flag, weight) for word, weight in words.items()))
