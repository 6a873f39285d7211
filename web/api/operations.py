"""For operations: the outbox with its dead letters, and the policy in force."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from complaints.domain.vocabulary import IntentState
from complaints.services import postroom, reading
from complaints.store.tables import Complaint
from web.api import present, shapes
from web.api.params import Cursor, Limit
from web.auth import Administrator, Product, Reader
from web.problems import documented

router = APIRouter(tags=["operations"])


@router.get("/outbox", summary="List recorded intents", responses=documented())
def outbox(
    product: Product,
    actor: Administrator,
    state: Annotated[IntentState | None, Query(description="Only in this state; `dead` can be replayed.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> shapes.PageOf[shapes.IntentShape]:
    """Messages to send, runs to start or wake, webhooks to call; oldest first."""
    with product.store.reading(actor) as work:
        page = reading.outbox(work, state=state, limit=limit, cursor=cursor)
        items = [present.intent(intent, reference) for intent, reference in page.items]
        return shapes.PageOf(items=items, next=page.next)


@router.post("/outbox/{intent_id}/replay", summary="Replay a dead letter", responses=documented(404, 409))
def replay(product: Product, actor: Administrator, intent_id: UUID) -> shapes.IntentShape:
    """Give a dead letter another life, from the first attempt. What was sent already is not sent again."""
    with product.store.work(actor) as work:
        row = postroom.replay(work, intent_id)
        complaint = work.session.get(Complaint, row.complaint_id) if row.complaint_id else None
        return present.intent(row, complaint.reference if complaint else None)


@router.get("/policy", summary="The policy in force", responses=documented())
def policy(product: Product, actor: Reader) -> shapes.PolicyShape:
    """Categories, teams, authority, timings, clocks: what new complaints are handled by."""
    with product.store.reading(actor) as work:
        bundle = work.policy
    content = bundle.model_dump(mode="json", exclude={"name", "hash"})
    return shapes.PolicyShape(name=bundle.name, hash=bundle.hash, content=content)
