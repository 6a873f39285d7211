"""Text that the trigram index finds in both languages.

The index needs three characters; a Chinese word often has two. So the words of a Chinese text are written behind it
once more as overlapping pairs (`退款申请` → `退款 款申 申请`), and a word of one or two characters is looked for there.
"""

from __future__ import annotations

import re

_CHINESE = re.compile(r"[㐀-鿿]+")
_MOST_WORDS = 8
#: Shorter words have no trigram inside: they are looked for where words begin.
_INDEXED = 3


def searchable(text: str) -> str:
    """What is stored for searching: lower case, then the pairs of its Chinese runs, each once."""
    plain = text.lower()
    pairs = dict.fromkeys(pair for run in _CHINESE.findall(plain) for pair in _pairs(run))
    return f"{plain}\n {' '.join(pairs)} " if pairs else plain


def patterns(words: str) -> list[str]:
    """SQL LIKE patterns that must all match; the escape character is the backslash."""
    return [_pattern(word) for word in words.lower().split()[:_MOST_WORDS]]


def _pattern(word: str) -> str:
    if _CHINESE.fullmatch(word) and len(word) <= 2:
        return f"% {word}%" if len(word) == 1 else f"% {word} %"
    plain = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{plain}%" if len(word) >= _INDEXED else f"% {plain}%"


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else [run[n : n + 2] for n in range(len(run) - 1)]
