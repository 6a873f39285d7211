"""The letter editor: what the letter still lacks, how it will look, and canned texts to put into it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from complaints.domain import placeholders
from complaints.domain.vocabulary import Language
from complaints.services import access, canned, notices, response
from web.console.route import PageRoute, by_script
from web.console.seat import Caseworker, Entries
from web.language import Speech

router = APIRouter(route_class=PageRoute)


@router.post("/complaints/{reference}/letter")
def check(screen: Caseworker, reference: str, entries: Entries) -> Response:
    """The letter, checked against what its profiles require, and as its reader will see it. Nothing is saved."""
    body = str(entries.get("body", "")).replace("\r\n", "\n")
    with screen.reading() as work:
        complaint = access.see(work, reference)
        checks = response.checklist(work, complaint, body)
        subject = response.subject_for(complaint, notices.parties(work, complaint)[0])
    values: dict[str, Any] = {"one": complaint, "checks": checks, "subject": subject, "body": body}
    if by_script(screen.request):
        return screen.fragment("letter_check.html", **values)
    return screen.page("letter.html", **values)


@router.get("/complaints/{reference}/texts")
def texts(screen: Caseworker, reference: str, purpose: str = "") -> Response:
    """Canned texts in the customer's language, filled from the complaint, to be inserted or copied."""
    with screen.reading() as work:
        complaint = access.see(work, reference)
        language = Language(complaint.language)
        day = Speech(language, screen.console.zone, "console").day
        values = canned.values(work, complaint, language, day)
        rows = canned.for_purpose(work, purpose, complaint.language)
    found = [(row, placeholders.pieces(placeholders.fill(row.body, values))) for row in rows]
    shown: dict[str, Any] = {"one": complaint, "texts": found, "inside": by_script(screen.request)}
    if by_script(screen.request):
        return screen.fragment("case_text_list.html", **shown)
    return screen.page("case_texts.html", **shown)
