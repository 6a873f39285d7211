"""What a complainant does with the signed link in a letter: follow, answer, accept or reject, appeal, withdraw.

The token is the key: it opens one complaint, for one party, until it is revoked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from complaints.domain.commands import COMMANDS
from complaints.domain.errors import ActionNotAllowed, Conflict
from complaints.domain.forms import ConfirmationForm, Form
from complaints.domain.lifecycle import TABLE
from complaints.domain.ports import SYSTEM
from complaints.domain.vocabulary import Role, Status, StepKind
from complaints.services import actions, remedies, steps
from complaints.services.sight import Sight
from complaints.services.transition import lock_reference
from complaints.store.unit import Work
from web.api import shapes
from web.api.body import json_body, takes
from web.auth import Product
from web.problems import documented

router = APIRouter(prefix="/track/{token}", tags=["tracking"])

Token = Annotated[
    str, Path(min_length=20, max_length=400, pattern=r"^[A-Za-z0-9_\-.]+$", description="From the letter.")
]
#: What a complainant can do beside answering the response.
DOES = tuple(action for action in COMMANDS if Role.COMPLAINANT in TABLE[action].roles)


class Tracked(shapes.Shape):
    """A complaint, as its complainant sees it."""

    reference: str
    status: Status
    subject: str = Field(description="Of your own complaint, also after it was merged into another.")
    narrative: str = Field(description="Your own words.")
    received_at: datetime
    acknowledged_at: datetime | None
    due_at: datetime | None = Field(description="By when we mean to answer.")
    responded_at: datetime | None
    closed_at: datetime | None
    waiting_until: datetime | None = Field(description="How long we wait for you, if we do.")
    allowed_actions: list[str]
    asks_confirmation: bool = Field(description="Do you accept the outcome? POST to `confirmation`.")
    offers: list[shapes.OfferShape] = Field(description="Remedies that wait for your yes or no.")
    timeline: list[shapes.EventShape]
    thread: list[shapes.MessageShape]


#: What everybody who follows a complaint is told alike.
_COMMON = {
    "reference",
    "status",
    "received_at",
    "acknowledged_at",
    "due_at",
    "responded_at",
    "closed_at",
    "waiting_until",
}


@router.get("", summary="Follow a complaint", responses=documented(404))
def follow(product: Product, token: Token) -> Tracked:
    """Where it stands, what was written, what you can do now."""
    with product.store.reading(SYSTEM) as work:
        visitor = product.tracking.open(work, token)
        complaint, sees = visitor.complaint, Sight(work, visitor)
        offers = remedies.offers(work, complaint, visitor.complainant.id)
        return Tracked(
            **complaint.model_dump(include=_COMMON),
            subject=sees.subject,
            narrative=sees.narrative,
            allowed_actions=actions.allowed_for(work, complaint, visitor.actor),
            asks_confirmation=actions.asks_confirmation(work, complaint, visitor.actor),
            offers=[shapes.OfferShape.model_validate(r) for r in offers],
            timeline=[shapes.EventShape.model_validate(e) for e in sees.timeline()],
            thread=[shapes.MessageShape.model_validate(m) for m in sees.thread()],
        )


def _visit(product: Any, token: str, do: Callable[[Work, str], object]) -> shapes.Allowed:
    with product.store.reading(SYSTEM) as reading:
        visitor = product.tracking.open(reading, token)
    with product.store.work(visitor.actor) as work:
        do(work, visitor.complaint.reference)
    with product.store.reading(SYSTEM) as reading:
        complaint = product.tracking.open(reading, token).complaint
        can = actions.allowed_for(reading, complaint, visitor.actor)
    return shapes.Allowed(
        reference=complaint.reference, status=complaint.status, version=complaint.version, actions=can
    )


@router.post(
    "/confirmation",
    summary="Accept or reject the outcome, and rate it",
    response_model=shapes.Allowed,
    responses={200: {"description": "Thank you; says what can be done next."}, **documented(404, 409, 413, 415)},
    openapi_extra=takes(ConfirmationForm),
)
def confirmation(
    product: Product, token: Token, form: Annotated[ConfirmationForm, Depends(json_body(ConfirmationForm))]
) -> shapes.Allowed:
    """Your verdict on the response. Not accepting it is an appeal: somebody else looks at it."""

    def confirm(work: Work, reference: str) -> None:
        complaint = lock_reference(work, reference)
        step = actions.open_step_of(work, complaint, StepKind.CONFIRMATION)
        if step is None:
            if complaint.status == Status.CONFIRMING:
                raise Conflict("We will call you about the outcome.")
            raise ActionNotAllowed("confirm", complaint.status, actions.allowed_for(work, complaint))
        steps.complete(work, step.id, form.model_dump(mode="json"))

    return _visit(product, token, confirm)


def _operation(action: str, form: type[Form]) -> Callable[..., shapes.Allowed]:
    body = Depends(json_body(form))

    def do(product: Product, token: Token, command: Form = body) -> shapes.Allowed:
        return _visit(
            product,
            token,
            lambda work, reference: actions.act(work, reference, action, command.model_dump(exclude_unset=True)),
        )

    return do


for _action in DOES:
    router.add_api_route(
        f"/actions/{_action}",
        _operation(_action, COMMANDS[_action]),
        methods=["POST"],
        name=f"track_{_action}",
        operation_id=f"track_{_action}",
        summary=_action.replace("_", " ").capitalize(),
        description=COMMANDS[_action].__doc__,
        response_model=shapes.Allowed,
        responses={200: {"description": "Done; says what can be done next."}, **documented(404, 409, 413, 415)},
        openapi_extra=takes(COMMANDS[_action]),
    )
