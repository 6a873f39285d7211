"""What the product refuses is said in English by the domain; here a reader gets it in their language.

The catalogue `errors.po` holds each sentence with its holes (`%(name)s`); a finished sentence is matched against them.
A house test keeps catalogue and code together.
"""

from __future__ import annotations

import re
from functools import cache

from babel.messages.pofile import read_po

from complaints.domain.errors import FieldProblem
from complaints.domain.validation import PATTERNS
from complaints.domain.vocabulary import Language
from web.language import CATALOGUES, N_, words

#: What is wrong with a field, by the code of pydantic that says so; in plainer words than its own.
GENERAL = {
    "missing": N_("Fill this in."),
    "string_too_short": N_("Fill this in."),
    "enum": N_("Choose one of these."),
    "literal_error": N_("Choose one of these."),
    "bool_parsing": N_("Choose one of these."),
    "decimal_parsing": N_("Write a number, such as 12.50."),
    "decimal_max_places": N_("At most two digits after the point."),
    "decimal_max_digits": N_("This number is too large."),
    "decimal_whole_digits": N_("This number is too large."),
    "int_parsing": N_("Write a whole number."),
    "int_from_float": N_("Write a whole number."),
    "finite_number": N_("Write a number, such as 12.50."),
    "uuid_parsing": N_("Choose somebody from the list."),
    "string_pattern_mismatch": N_("This contains something that cannot stand here."),
    "extra_forbidden": N_("This field is not known here."),
}
#: The same where pydantic's sentence tells a limit, or where there is none to tell.
LIMITED = {
    "string_too_long": (N_("This is too long: at most %(limit)s characters."), N_("This is too long.")),
    "too_long": (N_("These are too many: at most %(limit)s."), N_("These are too many.")),
    "greater_than_equal": (N_("This number is too small: at least %(limit)s."), N_("This number is too small.")),
    "less_than_equal": (N_("This number is too large: at most %(limit)s."), N_("This number is too large.")),
}
#: Patterns whose meaning is said in words, so that nothing general need be.
_IN_WORDS = frozenset(PATTERNS.values())
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_HOLE = re.compile(r"%\\?\((\w+)\\?\)s")


@cache
def _sentences() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Whole sentences, and patterns of those with holes: the more words a pattern has, the earlier it is tried."""
    with (CATALOGUES / "zh_CN" / "LC_MESSAGES" / "errors.po").open("rb") as source:
        known = {str(m.id): str(m.string) for m in read_po(source, locale="zh_CN") if m.id}
    whole = {english: chinese for english, chinese in known.items() if not _HOLE.search(english)}
    holed = sorted((e for e in known if e not in whole), key=lambda e: -len(_HOLE.sub("", e)))
    return whole, [(re.compile(_HOLE.sub(r"(?P<\1>.+?)", re.escape(e)), re.S), known[e]) for e in holed]


def spoken(language: Language, text: str) -> str:
    """A refusal in the reader's language; unchanged where the catalogue does not know it."""
    if language is Language.EN:
        return text
    whole, patterns = _sentences()
    if text in whole:
        return whole[text]
    for pattern, chinese in patterns:
        if found := pattern.fullmatch(text):
            return chinese % found.groupdict()
    return text


def fault(language: Language, problem: FieldProblem) -> str:
    """What is wrong with a field, for a person at a form."""
    if problem.code in GENERAL and problem.message not in _IN_WORDS:
        return words(language, "console").gettext(GENERAL[problem.code])
    if problem.code in LIMITED:
        told, untold = LIMITED[problem.code]
        limit = _NUMBER.search(problem.message)
        return words(language, "console").gettext(told if limit else untold) % {"limit": limit and limit[0]}
    return spoken(language, problem.message)
