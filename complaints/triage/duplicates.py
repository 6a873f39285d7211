"""Are two complaints about the same matter? Text likeness of words (English) and character pairs (Chinese).

Pure ranking. The store first fetches a few candidates by index (same complainant, same order…); this module puts them
in order and says why. Nothing is merged by machine: a likely duplicate is flagged, and a person decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import sqrt
from uuid import UUID

from complaints.domain.ports import Candidate
from complaints.triage.text import normalise

#: Score from which the classifier's caller should raise `Flag.DUPLICATE`. Chosen on real complaints: two different ones
#: by different people practically never reach it, see bench/classifier_bench.py.
LIKELY = 0.6
#: Score below which a candidate is not worth showing.
WORTH_SHOWING = 0.35

_CJK_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[a-z0-9']+")
_NUMBER = re.compile(r"(?<![a-z0-9])(?=[a-z]*\d)[a-z0-9]{6,}(?![a-z0-9])")
_DATE = re.compile(r"^(?:19|20)\d{6}$")
#: Words and characters that every complaint has.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """a about after again all also am an and any are as at be because been before but by call called can could did
        do for from get got had has have he her him his i if in is it its just me my no not now of on one or our out
        said she so that the their them then there they this to told up us was we were what when which who will with
        would you your
        answer answered answers complain complaint complaints company customer nobody phone please refuse refuses
        refused reply replied service still""",
    )
)
#: Chinese phrases that every complaint has; they end a run of characters.
_COMMON_PHRASES = re.compile(
    "客服|投诉|要求|希望|请你们|赔偿|联系|处理|没人|不理人?|答复|回复|电话|打了|一直|至今|到现在|什么|怎么|说法"
)
_COMMON_CJK = frozenset("的了我你们是在就也都很和有这那说他她它把被给到不没还又要对着过吗呢吧啊")
_NUMBER_WEIGHT = 3.0
_ORDER_WEIGHT = 0.6  #: word pairs and character triples: they tell copies from paraphrases, so they count less
_SAME_COMPLAINANT = 0.5  #: share of the remaining doubt that the same complainant takes away, where texts are related
_SAME_NUMBER = 0.5  #: likewise a shared order, policy or phone number
_RELATED = 0.2  #: likeness from which two texts of one person are taken to be about one subject
_FEW = 4.0  #: features of a text too short to be a sign ("unauthorised inquiry" is written by thousands)


@dataclass(frozen=True)
class Known:
    """What the ranking needs to know of a complaint. `complainant` is any stable key of the person, None if unknown."""

    complaint_id: UUID
    reference: str
    subject: str
    narrative: str
    complainant: str | None = None
    order_ref: str = ""

    @property
    def text(self) -> str:
        """All words."""
        return f"{self.subject}\n{self.narrative}"

    @property
    def numbers(self) -> frozenset[str]:
        """Order, policy, tracking and phone numbers: those in the words, and the order the case was filed under."""
        return _numbers(self.text) | ({normalise(self.order_ref)} if self.order_ref else frozenset())


def similarity(a: str, b: str) -> float:
    """Likeness of two texts, 0…1: cosine of their damped word, word-pair and character-pair counts. Symmetric."""
    return _cosine(_features(a), _features(b))


def rank(candidate: Known, others: Iterable[Known], limit: int = 5) -> list[Candidate]:
    """The `others` most likely about the same matter as `candidate`, best first; the unlikely ones are left out.

    `why` is a comma-separated list of codes for the reader's screen: `text:0.83`, `same_complainant`,
    `same_number:SF1029384756`.
    """
    mine, numbers = _features(candidate.text), candidate.numbers
    ranked = []
    for other in others:
        if other.complaint_id == candidate.complaint_id:
            continue
        theirs = _features(other.text)
        text = _cosine(mine, theirs)
        why = [f"text:{text:.2f}"]
        if candidate.complainant is not None and candidate.complainant == other.complainant:
            score = text + _SAME_COMPLAINANT * min(1.0, text / _RELATED) * (1 - text)
            why.append("same_complainant")
        else:
            shorter = min(len(mine), len(theirs))
            score = text * shorter / (shorter + _FEW)
        shared = sorted(numbers & other.numbers)
        if shared:
            score += _SAME_NUMBER * (1 - score)
            why += [f"same_number:{n.upper()}" for n in shared]
        if score >= WORTH_SHOWING:
            ranked.append(Candidate(other.complaint_id, other.reference, round(score, 3), ",".join(why)))
    return sorted(ranked, key=lambda c: (-c.score, c.reference))[:limit]


def _numbers(text: str) -> frozenset[str]:
    """Order, policy, tracking and phone numbers: six or more letters and digits with a digit, and no date."""
    return frozenset(n for n in _NUMBER.findall(normalise(text)) if not _DATE.match(n))


@lru_cache(maxsize=512)
def _features(text: str) -> Mapping[str, float]:
    """Weighted features of a text: words and neighbouring words, Chinese character pairs and triples, numbers."""
    plain = normalise(text)
    words = [w for w in _WORD.findall(_CJK_RUN.sub(" ", plain)) if w not in _COMMON and w.strip("x'")]
    content, order = (
        Counter(words),
        Counter(f"{a} {b}" for a, b in pairwise(words)),
    )
    for run in _CJK_RUN.findall(_COMMON_PHRASES.sub(" ", plain)):
        content.update(_pieces(run, 2))
        order.update(_pieces(run, 3))
    numbers = _numbers(text)
    weights = {f: sqrt(n) * (_NUMBER_WEIGHT if f in numbers else 1.0) for f, n in content.items()}
    return weights | {f: sqrt(n) * _ORDER_WEIGHT for f, n in order.items()}


def _pieces(run: str, size: int) -> list[str]:
    """Neighbouring characters of a Chinese run, without those that only hold sentences together."""
    pieces = (run[i : i + size] for i in range(len(run) - size + 1))
    return [p for p in pieces if not _COMMON_CJK.issuperset(p)]


def _cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    if len(b) < len(a):
        a, b = b, a
    dot = sum(weight * b[f] for f, weight in a.items() if f in b)
    if not dot:
        return 0.0
    return min(1.0, dot / sqrt(sum(w * w for w in a.values()) * sum(w * w for w in b.values())))
