"""Files of a complaint at the console: put in several at once, save them, look at them without danger."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import UploadFile

from complaints.domain.errors import InvalidInput, LimitExceeded, NotFound, UnsupportedType
from complaints.domain.filetype import safe_name
from complaints.domain.vocabulary import Audience
from complaints.services import access, attachments, view
from complaints.services.attachments import NewFile, store
from complaints.services.transition import lock, row_for
from complaints.store.tables import Attachment
from web.console import case
from web.console.pages import Screen
from web.console.route import PageRoute
from web.console.seat import Caseworker, Entries, Staff
from web.language import N_

router = APIRouter(route_class=PageRoute)
#: Most files in one form.
MOST = 10
_CHUNK = 1 << 18
#: Most bytes of a text that are shown.
_MOST_TEXT = 500_000
_TEXTS = ("text/plain", "text/csv", "message/rfc822")
#: A file that is shown can load nothing, run nothing and stands in our own page only.
_SHOWN = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: The browser's own reader of PDF files does not work in a sandbox; scripts and loading stay forbidden.
_SHOWN_PDF = {
    **_SHOWN,
    "Content-Security-Policy": (
        "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
    ),
}


@router.post("/complaints/{reference}/attachments")
def attach(screen: Caseworker, reference: str, entries: Entries) -> Response:
    """Add files. What can be taken is taken; what cannot is told by name, with why."""
    with screen.reading() as work:
        row_for(work, access.see(work, reference), "add_attachment", work.actor.roles)
    chosen = [f for f in entries.getlist("files") if isinstance(f, UploadFile) and f.filename]
    taken, wrong = _receive(screen, chosen)
    audience = Audience.COMPLAINANT if entries.get("audience") == Audience.COMPLAINANT else Audience.INTERNAL
    with screen.work() as work:
        complaint = lock(work, access.see(work, reference).id)
        for file in taken:
            attachments.add(work, complaint, file, audience)
    if wrong:
        notice = _said(screen, taken) if taken else ""
        return case.again(screen, reference, HTTPStatus.UNPROCESSABLE_ENTITY, files=wrong, notice=notice)
    return case.onward(screen, reference, _said(screen, taken))


def _said(screen: Screen, taken: list[NewFile]) -> str:
    return screen.speech.say(N_("Added: %(names)s."), names=screen.speech.series(f.name for f in taken))


def _receive(screen: Screen, chosen: list[UploadFile]) -> tuple[list[NewFile], dict[str, str]]:
    """The files that are stored now, and what was wrong with the others, by name."""
    speech = screen.speech
    if not chosen:
        return [], {"": speech.say(N_("Choose a file."))}
    if len(chosen) > MOST:
        return [], {"": speech.say(N_("Choose at most %(most)s files at once."), most=MOST)}
    taken, wrong = [], {}
    for upload in chosen:
        name = safe_name(upload.filename or "")
        try:
            taken.append(_store(screen, upload, name))
        except LimitExceeded:
            limit = f"{screen.product.settings.attachment_limit / 1_000_000:g} MB"
            wrong[name] = speech.say(N_("Larger than %(limit)s. Choose a smaller file."), limit=limit)
        except UnsupportedType:
            wrong[name] = speech.say(N_("Not a kind of file that is taken, or its name does not match its content."))
        except InvalidInput:
            wrong[name] = speech.say(N_("This file is empty. Choose another one."))
    return taken, wrong


def _store(screen: Screen, source: UploadFile, name: str) -> NewFile:
    settings = screen.product.settings
    pieces = iter(lambda: source.file.read(_CHUNK), b"")
    return store(screen.product.blobs, pieces, name, settings.attachment_limit, settings.attachment_types)


@router.get("/complaints/{reference}/attachments/{attachment_id}")
def save(screen: Staff, reference: str, attachment_id: UUID) -> Response:
    """The file, to be saved and not shown: browsers are told not to guess and not to run anything in it."""
    row = _one(screen, reference, attachment_id)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
        "Content-Length": str(row.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(_bytes(screen, row), media_type="application/octet-stream", headers=headers)


@router.get("/complaints/{reference}/attachments/{attachment_id}/preview")
def preview(screen: Staff, reference: str, attachment_id: UUID) -> Response:
    """Pictures, PDF and text, to be looked at; nothing in them can run or load anything."""
    row = _one(screen, reference, attachment_id)
    if row.content_type in case.SHOWN:
        return StreamingResponse(_bytes(screen, row), media_type=row.content_type, headers=_SHOWN)
    if row.content_type == "application/pdf":
        return StreamingResponse(_bytes(screen, row), media_type="application/pdf", headers=_SHOWN_PDF)
    if row.content_type in _TEXTS:
        with screen.product.blobs.open(row.sha256) as file:
            return Response(_text(file.read(_MOST_TEXT)), media_type="text/plain; charset=utf-8", headers=_SHOWN)
    raise NotFound("preview of", row.name)


def _text(data: bytes) -> str:
    """The text, in whichever of the usual encodings it is."""
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8", "gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _one(screen: Screen, reference: str, attachment_id: UUID) -> Attachment:
    with screen.reading() as work:
        complaint = access.see(work, reference)
        return attachments.one(work, complaint, attachment_id, view.audiences(work))


def _bytes(screen: Screen, row: Any) -> Iterator[bytes]:
    with screen.product.blobs.open(row.sha256) as file:
        while piece := file.read(_CHUNK):
            yield piece
