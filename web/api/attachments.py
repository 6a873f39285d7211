"""Files of a complaint: streamed in and out, judged by their content, stored by their SHA-256."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile

from complaints.domain.errors import InvalidInput
from complaints.domain.ports import Actor
from complaints.domain.vocabulary import Audience
from complaints.services import access, attachments, view
from complaints.services.transition import row_for
from complaints.store.blobs import Upload
from complaints.store.tables import Attachment
from config.wiring import App
from web.api import present, shapes
from web.api.params import Reference
from web.auth import Product, Reader, Uploader
from web.problems import documented

router = APIRouter(tags=["attachments"])
_CHUNK = 1 << 18
_FILE = {"type": "string", "format": "binary", "description": "The file."}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}


@router.post(
    "/complaints/{reference}/attachments",
    status_code=201,
    summary="Attach a file",
    responses={
        200: {"model": shapes.AttachmentShape, "description": "It was there already."},
        **documented(404, 409, 413, 415),
    },
    openapi_extra=_BODY,
)
async def attach(
    product: Product,
    actor: Uploader,
    reference: Reference,
    request: Request,
    response: Response,
    name: Annotated[str, Query(max_length=500, description="File name, for a raw upload.")] = "",
    audience: Annotated[Audience, Query(description="Who may read it.")] = Audience.INTERNAL,
) -> shapes.AttachmentShape:
    """Add a file, as `multipart/form-data` (field `file`) or as the raw body with its `name` in the query.

    What it is, its content says; a name that promises something else is refused, as are kinds that are not taken.
    """
    await run_in_threadpool(_admit, product, actor, reference)
    with product.blobs.upload(product.settings.attachment_limit) as upload:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            claimed = await _from_form(request, upload) or name
        else:
            await _pour(request.stream(), upload)
            claimed = name
        shape, new = await run_in_threadpool(_store, product, actor, reference, upload, claimed, audience)
    response.status_code = 201 if new else 200
    return shape


def _admit(product: App, actor: Actor, reference: str) -> None:
    """Look before anything is received: may they see it, and can it have files now?"""
    with product.store.reading(actor) as work:
        row_for(work, access.see(work, reference), "add_attachment", actor.roles)


async def _from_form(request: Request, upload: Upload) -> str:
    """The field `file` of a form; its claimed name."""
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise InvalidInput("send the file in the form field `file`", "file")
            await _pour(_pieces(file), upload)
            return file.filename or ""
    except FormParserError as error:
        raise InvalidInput(f"the form cannot be read: {error}", "file") from None


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_CHUNK):
        yield piece


async def _pour(pieces: AsyncIterator[bytes], upload: Upload) -> None:
    async for piece in pieces:
        await run_in_threadpool(upload.write, piece)


def _store(
    product: App, actor: Actor, reference: str, upload: Upload, claimed: str, audience: Audience
) -> tuple[shapes.AttachmentShape, bool]:
    file = attachments.judge(upload, claimed, product.settings.attachment_types).keep()
    with product.store.work(actor) as work:
        row, new = attachments.attach(work, reference, file, audience)
    return present.attachment(row, reference), new


@router.get("/complaints/{reference}/attachments", summary="List the files", responses=documented(404))
def listing(product: Product, actor: Reader, reference: Reference) -> list[shapes.AttachmentShape]:
    """The files you may read, oldest first."""
    with product.store.reading(actor) as work:
        complaint = access.see(work, reference)
        return [present.attachment(a, reference) for a in attachments.of(work, complaint, view.audiences(work))]


@router.get(
    "/complaints/{reference}/attachments/{attachment_id}",
    summary="Download a file",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The file.", "content": {"application/octet-stream": {"schema": _FILE}}},
        **documented(404),
    },
)
def download(product: Product, actor: Reader, reference: Reference, attachment_id: UUID) -> StreamingResponse:
    """The file, to be saved and not shown: browsers are told not to guess and not to run anything in it."""
    with product.store.reading(actor) as work:
        complaint = access.see(work, reference)
        row = attachments.one(work, complaint, attachment_id, view.audiences(work))
    return saved(product, row)


def saved(product: App, row: Attachment) -> StreamingResponse:
    """The file as an answer that a browser saves and never shows."""
    plain = row.name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(row.name, safe='')}",
        "Content-Length": str(row.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Media-Type": row.content_type,
        "ETag": f'"{row.sha256}"',
    }
    return StreamingResponse(_bytes(product, row.sha256), media_type="application/octet-stream", headers=headers)


def _bytes(product: App, sha256: str) -> Iterator[bytes]:
    with product.blobs.open(sha256) as file:
        while piece := file.read(_CHUNK):
            yield piece
