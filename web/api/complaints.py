"""Complaints: submit, list, read, and everything that hangs on one."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from complaints.domain.forms import Code
from complaints.domain.intake import NewComplaint
from complaints.domain.vocabulary import Severity, Status
from complaints.services import access, actions, intake, reading, view
from complaints.services.decision import remedies
from complaints.store.tables import Complaint
from web.api import present, shapes
from web.api.body import json_body, takes
from web.api.params import Instant, Reference
from web.auth import Product, Reader, Submitter
from web.problems import documented

router = APIRouter(tags=["complaints"])

_LOCATION: dict[str, Any] = {
    "headers": {"Location": {"description": "Where the complaint is.", "schema": {"type": "string"}}}
}


@router.post(
    "/complaints",
    status_code=201,
    summary="Submit a complaint",
    response_model=shapes.Receipt,
    responses={
        200: {"model": shapes.Receipt, "description": "Taken before under the same external id.", **_LOCATION},
        201: {"description": "Stored durably, with its reference.", **_LOCATION},
        **documented(409, 413, 415),
    },
    openapi_extra=takes(NewComplaint),
)
def submit(
    product: Product,
    actor: Submitter,
    new: Annotated[NewComplaint, Depends(json_body(NewComplaint))],
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="Any unique text. The same request sent again under it is answered the same and stored once.",
        ),
    ] = None,
) -> shapes.Receipt:
    """Take a complaint in. The answer comes after the commit: what has a reference is stored.

    Send `Idempotency-Key` and repeat the request without fear when no answer came.
    """
    with product.store.work(actor) as work:
        taken = intake.submit(work, new, product.classifier, owner=actor.id, key=idempotency_key)
        complaint = work.session.get_one(Complaint, taken.id)
    if not taken.new:
        response.headers["Idempotent-Replayed"] = "true"
        response.status_code = 201 if idempotency_key else 200
    response.headers["Location"] = f"{present.PREFIX}/complaints/{taken.reference}"
    return present.receipt(complaint)


class Wanted(BaseModel):
    """Filters and page of a list. A misspelt parameter is refused: it would silently list everything."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = Field(default=[], description="In any of these statuses.")
    category: list[Code] = Field(default=[], description="In any of these categories.")
    severity: list[Severity] = Field(default=[], description="Of any of these severities.")
    team: list[Code] = Field(default=[], description="With any of these teams.")
    assignee: UUID | None = Field(default=None, description="Assigned to this person.")
    unassigned: bool = Field(default=False, description="Assigned to nobody.")
    received_from: Instant | None = Field(default=None, description="Received at or after.")
    received_before: Instant | None = Field(default=None, description="Received before.")
    due_before: Instant | None = Field(default=None, description="Due before.")
    words: str = Field(default="", max_length=200, description="Words of subject, narrative, name or reference.")
    limit: int = Field(default=50, ge=1, le=200, description="Most items on one page.")
    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before, unchanged.")


@router.get("/complaints", summary="List complaints", responses=documented())
def listing(product: Product, actor: Reader, wanted: Annotated[Wanted, Query()]) -> shapes.PageOf[shapes.Summary]:
    """Complaints you may see, newest receipt first."""
    filters = reading.Filter(**wanted.model_dump(exclude={"limit", "cursor"}))
    with product.store.reading(actor) as work:
        page = reading.complaints(work, filters, limit=wanted.limit, cursor=wanted.cursor)
        return shapes.PageOf(items=[present.summary(c) for c in page.items], next=page.next)


@router.get(
    "/complaints/{reference}",
    summary="Read a complaint",
    responses={
        200: {
            "headers": {"ETag": {"description": "Its version, for `If-Match`.", "schema": {"type": "string"}}},
            "description": "The complaint.",
        },
        **documented(404),
    },
)
def read(product: Product, actor: Reader, reference: Reference, response: Response) -> shapes.Detail:
    """The complaint with everything that hangs on it but thread, events and files."""
    with product.store.reading(actor) as work:
        complaint = access.see(work, reference)
        response.headers["ETag"] = f'"{complaint.version}"'
        return present.detail(work, complaint, product.settings.prefect_api_url.removesuffix("/api"))


@router.get("/complaints/{reference}/timeline", summary="Read the case log", responses=documented(404))
def timeline(product: Product, actor: Reader, reference: Reference) -> list[shapes.EventShape]:
    """Everything that happened, in order. Keys of integrators get what the complainant may know."""
    with product.store.reading(actor) as work:
        complaint = access.see(work, reference)
        events = actions.timeline(work, complaint, view.audiences(work))
        return [shapes.EventShape.model_validate(e) for e in events]


@router.get("/complaints/{reference}/thread", summary="Read the messages", responses=documented(404))
def thread(product: Product, actor: Reader, reference: Reference) -> list[shapes.MessageShape]:
    """Letters, mails, calls and notes, oldest first. Keys of integrators get those with the complainant."""
    with product.store.reading(actor) as work:
        messages = view.thread(work, access.see(work, reference), view.audiences(work))
        return [shapes.MessageShape.model_validate(m) for m in messages]


@router.get("/complaints/{reference}/steps", summary="List the human steps", responses=documented(404))
def steps(product: Product, actor: Reader, reference: Reference) -> list[shapes.Task]:
    """All human steps, also those done and cancelled, oldest first."""
    with product.store.reading(actor) as work:
        complaint = access.see(work, reference)
        return [present.task(s, complaint) for s in view.steps(work, complaint)]


@router.get("/complaints/{reference}/remedies", summary="List the remedies", responses=documented(404))
def list_remedies(product: Product, actor: Reader, reference: Reference) -> list[shapes.RemedyShape]:
    """All measures, oldest first."""
    with product.store.reading(actor) as work:
        rows = remedies(work, access.see(work, reference))
        return [shapes.RemedyShape.model_validate(r) for r in rows]
