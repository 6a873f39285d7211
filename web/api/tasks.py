"""Human steps: list, claim, release, keep a draft, complete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, field_validator

from complaints.domain.errors import InvalidInput
from complaints.domain.forms import FORMS, Code
from complaints.domain.reference import parse
from complaints.domain.validation import storable
from complaints.domain.vocabulary import StepKind, StepState
from complaints.services import access, reading
from complaints.services import steps as verbs
from complaints.store.tables import Complaint, Step
from complaints.store.unit import Work
from web.api import present, shapes
from web.api.body import json_body, takes
from web.api.params import Mistyped, Version
from web.auth import Product, Worker
from web.problems import documented

router = APIRouter(tags=["tasks"])


class Wanted(BaseModel):
    """Filters and page of the list of tasks."""

    model_config = ConfigDict(extra="forbid")

    mine: bool = Field(default=False, description="Only those given to me.")
    kind: StepKind | None = Field(default=None, description="Only this kind.")
    team: Code | None = Field(default=None, description="Only of this team.")
    reference: str | None = Field(default=None, max_length=40, description="Only of this complaint.")
    state: list[StepState] = Field(default=[StepState.OPEN, StepState.CLAIMED], description="In any of these states.")
    limit: int = Field(default=50, ge=1, le=200, description="Most items on one page.")
    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before, unchanged.")


@router.get("/tasks", summary="List tasks", responses=documented(404))
def listing(product: Product, actor: Worker, wanted: Annotated[Wanted, Query()]) -> shapes.PageOf[shapes.Task]:
    """Human steps of complaints you may see, oldest first; open and claimed ones unless `state` says otherwise."""
    criteria = wanted.model_dump()
    if wanted.reference is not None:
        try:
            criteria["reference"] = parse(wanted.reference)
        except InvalidInput as error:
            raise Mistyped(wanted.reference, error.problems[0].message) from None
    with product.store.reading(actor) as work:
        page = reading.tasks(work, **criteria)
        return shapes.PageOf(items=[present.task(step, case) for step, case in page.items], next=page.next)


@router.get("/tasks/{task_id}", summary="Read a task", responses=documented(404))
def read(product: Product, actor: Worker, task_id: UUID) -> shapes.TaskDetail:
    """The step with what is known for it, its draft, and the JSON Schema of its form."""
    with product.store.reading(actor) as work:
        return _detail(work, access.see_step(work, task_id))


@router.post("/tasks/{task_id}/claim", summary="Claim a task", responses=documented(404, 409, 412))
def claim(product: Product, actor: Worker, task_id: UUID, version: Version) -> shapes.TaskDetail:
    """Take the step: from now on it is yours. Needs a key that belongs to a person."""
    with product.store.work(actor) as work:
        access.see_step(work, task_id)
        return _detail(work, verbs.claim(work, task_id, version))


@router.post("/tasks/{task_id}/release", summary="Release a task", responses=documented(404, 409, 412))
def release(product: Product, actor: Worker, task_id: UUID, version: Version) -> shapes.TaskDetail:
    """Give the step back to its team."""
    with product.store.work(actor) as work:
        access.see_step(work, task_id)
        return _detail(work, verbs.release(work, task_id, version))


class Answer(RootModel[dict[str, JsonValue]]):
    """A form; which one, the kind of the task says."""


class Draft(RootModel[dict[str, JsonValue]]):
    """A half-filled form: any object, kept as it is."""

    @field_validator("root")
    @classmethod
    def _storable(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        return storable(value, 200_000)


@router.post(
    "/tasks/{task_id}/complete",
    summary="Complete a task",
    responses=documented(404, 409, 412, 413, 415),
    openapi_extra=takes(*FORMS.values()),
)
def complete(
    product: Product,
    actor: Worker,
    task_id: UUID,
    version: Version,
    answer: Annotated[Answer, Depends(json_body(Answer))],
) -> shapes.TaskDetail:
    """Complete the step with the form of its kind (see `form` of the task). One actor does; the next is told who."""
    with product.store.work(actor) as work:
        access.see_step(work, task_id)
        return _detail(work, verbs.complete(work, task_id, answer.root, version))


@router.put(
    "/tasks/{task_id}/draft",
    summary="Keep a draft",
    responses=documented(404, 409, 413, 415),
    openapi_extra=takes(Draft),
)
def draft(
    product: Product, actor: Worker, task_id: UUID, half: Annotated[Draft, Depends(json_body(Draft))]
) -> shapes.TaskDetail:
    """Keep a half-filled form; it is not checked and decides nothing."""
    with product.store.work(actor) as work:
        access.see_step(work, task_id)
        return _detail(work, verbs.save_draft(work, task_id, half.root))


def _detail(work: Work, step: Step) -> shapes.TaskDetail:
    return present.task_detail(step, work.session.get_one(Complaint, step.complaint_id))
