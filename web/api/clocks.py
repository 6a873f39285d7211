"""SLA clocks of a complaint: where they stand, and why they are due when they are."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import Field

from complaints.domain.businesstime import Unit
from complaints.domain.explain import Explanation
from complaints.domain.explain_words import tell
from complaints.domain.vocabulary import Language
from complaints.services import access
from complaints.services import clocks as service
from web.api import shapes
from web.api.params import Reference
from web.auth import Product, Reader
from web.language import preferred
from web.problems import documented

router = APIRouter(tags=["clocks"])


class ClockShape(shapes.Shape):
    """One SLA clock."""

    clock: str = Field(examples=["default.resolve"])
    round: int
    kind: Literal["internal", "regulatory", "external"]
    state: Literal["running", "paused", "met", "missed", "cancelled"]
    started_at: datetime = Field(description="The receipt, for clocks that count from it.")
    due_at: datetime | None = Field(description="Null while it is paused: it moves with every moment.")
    stopped_at: datetime | None
    share: float = Field(description="Share of the budget used; 1.0 is due.")
    verify_first: bool = Field(description="The rule's own text was not read: verify before relying on it.")
    citation: str


class PauseShape(shapes.Shape):
    """When the clock stood still on a day, by the wall clock of the calendar's zone."""

    start: str = Field(examples=["10:30"])
    end: str = Field(examples=["24:00"])
    reason: str


class DayShape(shapes.Shape):
    """One day of a clock's ledger."""

    day: date
    counted: float = Field(description="Seconds, or days where the budget counts days.")
    total: float
    note: str = Field(
        description="open, makeup, extra, holiday, closed, day_of_receipt, first_day, paused or unfinished."
    )
    name: str = Field(description="Name of a holiday, a closure or an extra day.")
    opens: list[str] = Field(description="The day's opening hours, where working time is counted.")
    pauses: list[PauseShape]
    known: bool = Field(description="False: the calendar does not know the holidays of this year.")
    due: bool


class BudgetShape(shapes.Shape):
    """So much of a unit."""

    amount: int
    unit: Unit
    first_day: int = Field(description="Number of the day of receipt.")


class ChangeShape(shapes.Shape):
    """The budget was changed: more units were granted, or another budget holds."""

    at: datetime
    reason: str
    extra: int
    budget: BudgetShape | None


class IntervalShape(shapes.Shape):
    """The clock stood still; without an end it still does."""

    start: datetime
    end: datetime | None
    reason: str


class UnverifiedShape(shapes.Shape):
    """Something the profile says that no source which was read says."""

    path: str = Field(examples=["external_body.address"])
    value: str


class RuleShape(shapes.Shape):
    """Where the numbers come from."""

    title_en: str
    title_zh: str
    citation: str
    evidence: str = Field(description="R, S, M or ours.")
    verify_first: bool
    effective_from: date | None = Field(description="First day on which the rule is in force.")
    effective_until: date | None = Field(description="Last day.")
    unverified: list[UnverifiedShape] = Field(description="Verify these before you rely on them.")
    next: str = Field(description="The clock that governs when this one is over, or empty.", examples=["fca.final"])


class ClockExplained(shapes.Shape):
    """Why a clock is due when it is."""

    clock: str
    round: int
    kind: str
    state: str
    rule: RuleShape
    calendar: str
    zone: str
    from_receipt: bool = Field(description="It counts from the receipt, not from an event in the house.")
    started_at: datetime
    stopped_at: datetime | None
    cancelled_because: str = Field(description="withdrawn, merged, rejected, inapplicable, restarted, or empty.")
    budget: BudgetShape = Field(description="With all that was changed and granted.")
    pauses: list[IntervalShape]
    changes: list[ChangeShape]
    days: list[DayShape]
    days_left_out: int = Field(description="Days that were not listed: a list has ten years at most.")
    total: float = Field(description="Counted until the clock ended, or until now; seconds or days.")
    due_at: datetime | None
    as_of: datetime = Field(description="Now.")
    text: list[str] = Field(description="The same in words; the last line is the due time.")


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
    request: Request,
    clock: Annotated[str | None, Query(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$", description="Only `profile.name`.")] = None,
    language: Annotated[
        Language | None, Query(description="Language of the text; without it, as `Accept-Language` asks, else English.")
    ] = None,
) -> list[ClockExplained]:
    """The ledger day by day: counted, paused and why, holidays by name, opening hours; ending in the due time."""
    reader = language or preferred(request, Language.EN)
    zone = ZoneInfo(product.settings.time_zone)
    with product.store.reading(actor) as work:
        return [
            ClockExplained.model_validate({**_fields(told), "text": tell(told, reader).lines()})
            for told in service.explained(work, access.see(work, reference), zone, clock)
        ]


def _fields(told: Explanation) -> dict[str, Any]:
    return {field.name: getattr(told, field.name) for field in fields(told)}
