"""Lexicons: which words speak for which category, severity, flag or cue. One TOML file per language, words only.

A file has levels of strength instead of numbers (`strong`, `clear`, `hint`; `fault` for words a negation cancels), so
that a person who knows the trade and no programming can maintain it. `*` at the end of an English word stands for any
ending (`refund*`). The longest phrase wins where phrases overlap; severities, flags and cues of the shorter words
inside it still count, and their categories where the phrase itself speaks for none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from complaints.domain.errors import PolicyInvalid
from complaints.domain.forms import Code
from complaints.domain.vocabulary import Flag, Language, Severity
from complaints.triage.text import has_cjk, normalise

Kind = Literal["category", "severity", "flag", "cue", "solution"]
Cue = Literal["question", "grievance", "praise", "auto_reply", "spam", "off_topic"]

#: Pull of one word at each level of strength.
STRENGTH: Mapping[str, float] = {"strong": 4.0, "clear": 2.0, "fault": 2.0, "hint": 1.0}
_FAN = 4  #: alternatives tried one after the other


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Part):
    """Words for one category or flag, by strength. `severity`: a raised flag lifts the case to at least this."""

    strong: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    fault: tuple[str, ...] = ()
    hint: tuple[str, ...] = ()
    severity: Severity | None = None


class Negation(_Part):
    """Words before a fault that cancel it ("not", "没有"), and look-alikes that do not ("not only", "不小心")."""

    words: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()


class LexiconFile(_Part):
    """One lexicon file as it stands on disk."""

    language: Language
    category: dict[Code, Words] = {}
    flag: dict[Flag, Words] = {}
    severity: dict[Severity, tuple[str, ...]] = {}
    cue: dict[Cue, tuple[str, ...]] = {}
    negation: Negation = Negation()


class Pull(NamedTuple):
    """What one word speaks for. `negatable`: "not …" in front of it cancels it."""

    kind: Kind
    of: str
    weight: float
    negatable: bool


class Match(NamedTuple):
    """One lexicon word found in a text, as it stands there; `negated`: what negation can cancel is cancelled."""

    word: str
    negated: bool


def read(path: Path) -> LexiconFile:
    """The lexicon file at `path`; `PolicyInvalid` names file and key of everything wrong in it."""
    try:
        return LexiconFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise PolicyInvalid(f"{path}: no such lexicon; create it or remove it from the policy") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"{path}: not readable as TOML ({error}); correct the file") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PolicyInvalid(f"{path}: {wrong}") from error


def load(folder: Path) -> Lexicon:
    """All `*.toml` lexicons of `folder` as one."""
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise PolicyInvalid(f"{folder}: holds no lexicon; put zh.toml and en.toml there")
    return Lexicon([read(path) for path in files])


class Lexicon:
    """Finds the words of several lexicon files in normalised text, in one pass per script.

    `extra` adds words from elsewhere (standard solutions): word → pulls.
    """

    def __init__(self, files: Iterable[LexiconFile], extra: Iterable[tuple[str, Pull]] = ()) -> None:
        files = list(files)
        self.files = tuple(files)
        self.lifts: dict[str, Severity] = {}  #: flag → severity it lifts the case to
        pulls: dict[str, dict[tuple[Kind, str], Pull]] = {}
        for raw, pull in [*_pulls(files), *extra]:
            word = normalise(raw.rstrip("*")) + ("*" if raw.endswith("*") else "")
            if not word.strip("*"):
                continue
            mine = pulls.setdefault(word, {})
            known = mine.get((pull.kind, pull.of))
            if known is None or known.weight < pull.weight:
                mine[pull.kind, pull.of] = pull
        for file in files:
            for flag, words in file.flag.items():
                if words.severity is not None:
                    self.lifts[flag.value] = words.severity
        self.categories = frozenset(name for file in files for name in file.category)
        exact = {word: tuple(mine.values()) for word, mine in pulls.items()}
        chinese = {word: p for word, p in exact.items() if has_cjk(word)}
        latin = {word: p for word, p in exact.items() if word not in chinese}
        self._scripts = (
            _Script(chinese, False, _negation(files, True)),
            _Script(latin, True, _negation(files, False)),
        )

        #: What a found word speaks for.
        self.pulls: Callable[[Match], tuple[Pull, ...]] = lru_cache(maxsize=65_536)(self._pulls_of)

    def find(self, text: str) -> Iterator[Match]:
        """The lexicon words in `text`, which must be normalised."""
        chinese, latin = self._scripts
        if has_cjk(text):
            yield from chinese.find(text)
        yield from latin.find(text)

    def _pulls_of(self, match: Match) -> tuple[Pull, ...]:
        found = next((p for script in self._scripts if (p := script.pulls(match.word))), ())
        return tuple(p for p in found if not (match.negated and p.negatable))


def _pulls(files: Iterable[LexiconFile]) -> Iterator[tuple[str, Pull]]:
    """Every word of `files` with what it speaks for. Categories are topics, so only their faults can be negated."""
    for file in files:
        for category, words in file.category.items():
            for level, weight in STRENGTH.items():
                for word in getattr(words, level):
                    yield word, Pull("category", category, weight, level == "fault")
        for flag, words in file.flag.items():
            for level, weight in STRENGTH.items():
                for word in getattr(words, level):
                    yield word, Pull("flag", flag.value, weight, True)
        for severity, plain in file.severity.items():
            for word in plain:
                yield word, Pull("severity", severity.value, STRENGTH["clear"], True)
        for cue, plain in file.cue.items():
            for word in plain:
                yield word, Pull("cue", cue, STRENGTH["clear"], cue == "praise")


def _negation(files: Iterable[LexiconFile], chinese: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """(negator right before the end of a clause, look-alikes to blank out first)."""
    mine = [f.negation for f in files if (f.language is Language.ZH) == chinese]
    words = sorted({normalise(w) for n in mine for w in n.words}, key=len, reverse=True)
    exceptions = sorted({normalise(w) for n in mine for w in n.exceptions}, key=len, reverse=True)
    never = r"(?!)"
    negator = "|".join(map(re.escape, words))
    if not words:
        pattern = never
    elif chinese:
        pattern = rf"(?:{negator})[\u3400-\u9fff]{{0,2}}$"
    else:
        pattern = rf"(?<!\w)(?:{negator}|\w+n't)(?: [\w']+){{0,2}} ?$"
    return re.compile(pattern), re.compile("|".join(map(re.escape, exceptions)) or never)


class _Script:
    """The words of one script, compiled into one trie-shaped expression."""

    def __init__(
        self,
        words: Mapping[str, tuple[Pull, ...]],
        spaced: bool,
        negation: tuple[re.Pattern[str], re.Pattern[str]],
    ) -> None:
        self._exact = {w: p for w, p in words.items() if not w.endswith("*")}
        self._stems = {w[:-1]: p for w, p in words.items() if w.endswith("*")}
        self._negator, self._exceptions = negation
        self._window = 32 if spaced else 7
        self._spaced = spaced
        self._any = self._compile(words, spaced)
        # "late fee" is about a fee and not about lateness; but "bank card fraud" still raises fraud.
        for table in (self._exact, self._stems):
            for word in [w for w in table if len(w) > 2]:
                table[word] = self._inherit(word, table[word])
        self._negatable = lru_cache(maxsize=65_536)(lambda word: any(p.negatable for p in self.pulls(word)))

    @staticmethod
    def _compile(words: Iterable[str], spaced: bool) -> re.Pattern[str]:
        trie: dict[str, dict] = {}  # type: ignore[type-arg]  # recursive: character → trie
        for word in words:
            node = trie
            for character in word.rstrip("*"):
                node = node.setdefault(character, {})
            node["*" if word.endswith("*") else ""] = {}
        body = _expression(trie) if trie else r"(?!)"
        if spaced:
            return re.compile(rf"(?=[a-z0-9])(?<![a-z0-9]){body}(?![a-z0-9])")
        return re.compile(rf"(?=[{''.join(map(re.escape, trie))}]){body}" if trie else body)

    def _inherit(self, word: str, own: tuple[Pull, ...]) -> tuple[Pull, ...]:
        mine = {(p.kind, p.of): p for p in own}
        kept = {"cue"} | ({"category"} if any(p.kind == "category" for p in own) else set())
        for start in range(len(word)):
            found = self._any.match(word, start, len(word) - (start == 0))
            for pull in self.pulls(found.group()) if found else ():
                if pull.kind not in kept:
                    mine.setdefault((pull.kind, pull.of), pull)
        return tuple(mine.values())

    def pulls(self, found: str) -> tuple[Pull, ...]:
        """The pulls of a matched string: the word itself, else the longest stem it begins with."""
        if found in self._exact:
            return self._exact[found]
        for end in range(len(found), 0, -1):
            if found[:end] in self._stems:
                return self._stems[found[:end]]
        return ()

    def find(self, text: str) -> Iterator[Match]:
        for found in self._any.finditer(text):
            word = found.group()
            yield Match(word, self._negatable(word) and self._negated(text, found.start()))

    def _negated(self, text: str, start: int) -> bool:
        before = text[max(0, start - self._window) : start]
        if self._negator.search(before) is None:
            return False
        return self._negator.search(self._exceptions.sub(";", before)) is not None


def _expression(node: Mapping[str, Mapping]) -> str:  # type: ignore[type-arg]  # recursive, see _compile
    """A trie as a regular expression that prefers the longest word."""
    longer = {c: re.escape(c) + _expression(child) for c, child in sorted(node.items()) if c not in ("", "*")}
    branches = ([_choice(longer)] if longer else []) + ([r"[a-z]{0,12}"] if "*" in node else [])
    if not branches:
        return ""
    body = branches[0] if len(branches) == len(longer) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{body})?" if "" in node and "*" not in node else body


def _choice(branches: Mapping[str, str]) -> str:
    """Alternatives by first character, as a search tree where they are many: `re` tries them one after the other."""
    if len(branches) <= _FAN:
        return "|".join(branches.values())
    characters = list(branches)
    size = -(-len(characters) // _FAN)
    groups = [characters[i : i + size] for i in range(0, len(characters), size)]
    return "|".join(
        f"(?=[{''.join(map(re.escape, group))}])(?:{_choice({c: branches[c] for c in group})})" for group in groups
    )
