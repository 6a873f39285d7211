"""What a new house begins with, so that nobody stands before empty shelves: canned texts, and articles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlmodel import select

from complaints.domain.vocabulary import Language
from complaints.services import canned, knowledge
from complaints.store.tables import Article, CannedText
from complaints.store.unit import Work


def furnish(work: Work, texts: Sequence[Mapping[str, object]]) -> int:
    """Put in `texts`, and each standard solution of the policy as a published article in both languages; how many.

    Nothing where there is a text or an article already: somebody has begun to write, or has thrown these away.
    """
    for table in (CannedText, Article):
        if work.session.exec(select(table.id).limit(1)).first() is not None:
            return 0
    for text in texts:
        canned.create(work, text)
    solutions = work.policy.lifecycle.solutions
    for solution in solutions:
        for language in Language:
            about = {"language": language.value, "category": solution.category, "solution": solution.key}
            said = {"title": solution.title.in_(language), "body": solution.body.in_(language).strip()}
            knowledge.create(work, {**about, **said, "published": True})
    return len(texts) + len(solutions) * len(Language)
