"""The rule-based classifier: words of the lexicons, weighed. It can say which words decided, and it never raises.

Severity starts from the category and is lifted by words of danger; only a matter that a standard solution answers, or
that the complainant calls small, goes down to minor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import sqrt

from complaints.domain.policy import LifecyclePolicy, Taxonomy
from complaints.domain.ports import Classification, Evidence
from complaints.domain.vocabulary import SEVERITIES, Flag, Severity
from complaints.triage.lexicon import STRENGTH, Kind, Lexicon, Match, Pull
from complaints.triage.screening import Screening, screen
from complaints.triage.text import language_of, normalise

#: How much a word counts by where it stands. People put the point into the subject.
_SUBJECT, _PRODUCT, _STORY = 2.0, 1.5, 1.0
_MOST_REPEATS = 4.0  #: a word repeated more often says no more
_SHARPNESS = 1.3  #: exponent that lets the leading category stand out
_DOUBT = 2.4  #: weight of evidence that is imagined against every guess; shrinks confidence on few words
_FLAG_AT = 2.0  #: one clear word raises a flag, two hints do
_MOST_EVIDENCE = 20
_BESIDE: tuple[Kind, ...] = (
    "severity",
    "flag",
    "solution",
)  #: what evidence is shown for, beside the category

Tally = dict[str, dict[str, float]]


class RuleClassifier:
    """Implements `Classifier` with a lexicon, for the categories of `taxonomy` and the solutions of `lifecycle`."""

    def __init__(self, lexicon: Lexicon, taxonomy: Taxonomy, lifecycle: LifecyclePolicy) -> None:
        self._taxonomy = taxonomy
        self._keys = {c.key for c in taxonomy.categories}
        self._solutions = {s.key: s for s in lifecycle.solutions if lifecycle.fast_track.enabled}
        words = [
            (word, pull)
            for s in self._solutions.values()
            for word in (*s.words_en, *s.words_zh)
            for pull in (
                Pull("solution", s.key, STRENGTH["strong"], False),
                Pull("category", s.category, STRENGTH["strong"], False),
            )
        ]
        self._lexicon = Lexicon(lexicon.files, words)

    def classify(self, subject: str, narrative: str, product: str = "") -> Classification:
        """Category, severity, flags and the words that decided."""
        title, story = normalise(subject), normalise(narrative)
        tallies, faults = self._tally(((title, _SUBJECT), (normalise(product), _PRODUCT), (story, _STORY)))
        shares = self._shares(tallies["category"])
        category = shares[0][0] if shares else self._taxonomy.fallback
        raised = [flag for flag in Flag if sum(tallies["flag"].get(flag.value, {}).values()) >= _FLAG_AT]
        grieved = bool(
            faults or raised or tallies["severity"].keys() - {Severity.MINOR} or "grievance" in tallies["cue"]
        )
        screening = screen(f"{title} {story}", tallies["cue"], grieved)
        solution = self._solution(tallies["solution"], category)
        flags = tuple(dict.fromkeys((*raised, *screening.flags)))
        return Classification(
            category=category,
            confidence=round(shares[0][1], 3) if shares else 0.0,
            severity=self._severity(category, tallies["severity"], flags, solution),
            language=language_of(f"{title} {story}"),
            flags=flags,
            evidence=_evidence(tallies, category, screening),
            alternatives=tuple((key, round(share, 3)) for key, share in shares[1:4]),
            solution=solution,
        )

    def _tally(self, parts: Iterable[tuple[str, float]]) -> tuple[dict[Kind, Tally], bool]:
        """kind → of → word → weight; and whether a fault word was found."""
        counts: dict[Match, float] = defaultdict(float)
        for text, factor in parts:
            for match in self._lexicon.find(text):
                counts[match] += factor
        tallies: dict[Kind, Tally] = {k: {} for k in ("category", "severity", "flag", "cue", "solution")}
        faults = False
        for match, count in counts.items():
            for pull in self._lexicon.pulls(match):
                weight = pull.weight
                if pull.kind == "category":
                    if pull.of not in self._keys:
                        continue
                    weight *= sqrt(min(count, _MOST_REPEATS))
                    faults = faults or pull.negatable
                tallies[pull.kind].setdefault(pull.of, {})[match.word] = weight
        return tallies, faults

    def _shares(self, categories: Tally) -> list[tuple[str, float]]:
        """Categories with their share of the evidence, best first (equal ones in the order of the taxonomy)."""
        scores = {
            c.key: sum(categories[c.key].values()) ** _SHARPNESS
            for c in self._taxonomy.categories
            if c.key in categories
        }
        total = sum(scores.values()) + _DOUBT**_SHARPNESS
        return sorted(
            ((key, score / total) for key, score in scores.items()),
            key=lambda pair: -pair[1],
        )

    def _solution(self, solutions: Tally, category: str) -> str | None:
        fitting = [key for key in solutions if self._solutions[key].category == category]
        return max(fitting, key=lambda key: sum(solutions[key].values()), default=None)

    def _severity(self, category: str, words: Tally, flags: tuple[Flag, ...], solution: str | None) -> Severity:
        """The worst of category, words and flags; minor where nothing is bad and the matter is small or standard."""
        known = self._taxonomy.category(category)
        base = known.severity if known else Severity.MODERATE
        lifted = [Severity(s) for s in words if s != Severity.MINOR]
        lifted += [self._lexicon.lifts[f.value] for f in flags if f.value in self._lexicon.lifts]
        small = solution is not None or Severity.MINOR in words
        if not lifted and small and base is Severity.MODERATE:
            return Severity.MINOR
        return min([base, *lifted], key=SEVERITIES.index)


def _evidence(tallies: dict[Kind, Tally], category: str, screening: Screening) -> tuple[Evidence, ...]:
    """Words that decided: those of the winning category, of severities, flags and the solution, heaviest first."""
    chosen: list[tuple[Kind, str]] = [("category", category)]
    for kind in _BESIDE:
        chosen += [(kind, of) for of in tallies[kind]]
    words = [(weight, word, of) for kind, of in chosen for word, weight in tallies[kind].get(of, {}).items()]
    words += [(e.weight, e.word, e.of) for e in screening.evidence]
    words.sort(key=lambda w: -w[0])
    return tuple(Evidence(word, of, round(weight, 2)) for weight, word, of in words[:_MOST_EVIDENCE])
