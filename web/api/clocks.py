"""SLA clocks of a complaint: where they stand, and why they are due when they are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from complaints.services import access
from complaints.services import clocks as service
from web.api import shapes
from web.api.params import Reference
from web.auth import Product, Reader
from web.problems import documented

router = APIRouter(tags=["clocks"])


class ClockShape(shapes.Shape):
    """One SLA clock."""

    clock: str = Field(examples=["default.resolve"])
    round: int
    kind: Literal["internal", "regulatory"]
    state: Literal["running", "paused", "met", "missed", "cancelled"]
    started_at: datetime = Field(description="The receipt, for clocks that count from it.")
    due_at: datetime | None = Field(description="Null while it is paused: it moves with every moment.")
    stopped_at: datetime | None
    share: float = Field(description="Share of the budget used; 1.0 is due.")
    verify_first: bool = Field(description="The rule's own text was not read: verify before relying on it.")
    citation: str


class DayShape(shapes.Shape):
    """One day of a clock's ledger."""

    day: date
    counted: float = Field(description="Seconds, or days where the budget counts days.")
    total: float
    note: str
    name: str = Field(description="Name of a holiday.")
    due: bool


class Explanation(shapes.Shape):
    """Why a clock is due when it is."""

    clock: str
    round: int
    state: str
    due_at: datetime | None
    days: list[DayShape]
    text: list[str] = Field(description="The same, in the complainant's language.")


@router.get("/complaints/{reference}/clocks", summary="List the SLA clocks", responses=documented(404))
def clocks(product: Product, actor: Reader, reference: Reference) -> list[ClockShape]:
    """All clocks, regulatory and internal, in the order they were started."""
    with product.store.reading(actor) as work:
        return [ClockShape(**c) for c in service.summary(work, access.see(work, reference))]


@router.get("/complaints/{reference}/clocks/explain", summary="Explain the due times", responses=documented(404))
def explain(
    product: Product,
    actor: Reader,
    reference: Reference,
    clock: Annotated[str | None, Query(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$", description="Only `profile.name`.")] = None,
) -> list[Explanation]:
    """The ledger day by day: counted, paused and why, holidays by name, closed days; ending in the due time."""
    with product.store.reading(actor) as work:
        told = service.explained(work, access.see(work, reference), clock)
        return [
            Explanation(
                clock=f"{c.profile}.{c.name}",
                round=c.round,
                state=c.state,
                due_at=c.due_at,
                days=[DayShape.model_validate(r) for r in rows],
                text=lines,
            )
            for c, rows, lines in told
        ]
