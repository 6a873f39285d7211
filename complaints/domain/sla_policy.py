"""Policy for SLA clocks: calendars, regulatory and internal profiles, ladders, what a response letter must contain.

The numbers of a profile come from its rule, with a citation and the strength of the evidence for it: R, the rule's own
text was read; S, a secondary source; M, from memory; `ours`, an internal target. Below R it says: verify first.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from complaints.domain.businesstime import Budget, Unit
from complaints.domain.forms import Code
from complaints.domain.vocabulary import Role, Severity

Clocktime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class SlaSection(BaseModel):
    """Frozen; a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Closure(SlaSection):
    """The company is closed (stocktaking, works holiday)."""

    day: date
    until: date | None = None
    name: str


class ExtraDay(SlaSection):
    """The company works on a day that would be closed; empty windows are those of a Monday."""

    day: date
    windows: tuple[Clocktime, ...] = ()
    name: str = ""


class CalendarPolicy(SlaSection):
    """One calendar. `country` takes public holidays from a maintained library; `CN` with its make-up working days."""

    key: Code | Literal["24x7"]
    zone: str = "UTC"
    always: bool = False
    week: dict[Weekday, tuple[Clocktime, ...]] = {}
    country: str = ""
    region: str = ""
    closures: tuple[Closure, ...] = ()
    extra_days: tuple[ExtraDay, ...] = ()
    first_year: int = Field(default=2019, ge=1990, le=2100)
    last_year: int = Field(default=2027, ge=1990, le=2100)
    provisional: tuple[int, ...] = Field(
        default=(),
        description="Years whose official calendar is not out yet: statutory days only, said by policy check.",
    )
    holidays: dict[date, str] = Field(default={}, description="Filled in when the policy is loaded.")
    working_days: tuple[date, ...] = Field(default=(), description="Make-up working days, filled in when loaded.")


class Duration(SlaSection):
    """A budget as written in a policy file."""

    amount: int = Field(ge=0, le=100_000)
    unit: Unit
    first_day: Literal[0, 1] = 0

    @cached_property
    def budget(self) -> Budget:
        """For the ledger."""
        return Budget(self.amount, self.unit, self.first_day)


class RungAction(StrEnum):
    """What a rung of a ladder does."""

    REMIND_ASSIGNEE = "remind_assignee"
    NOTIFY_LEAD = "notify_lead"
    NOTIFY_MANAGER = "notify_manager"
    REASSIGN = "reassign"
    RAISE_SEVERITY = "raise_severity"
    OPEN_MANAGEMENT_REVIEW = "open_management_review"
    WEBHOOK = "webhook"
    CHANGE_QUEUE = "change_queue"


class RungPolicy(SlaSection):
    """A rung: at a share of the budget (1.0 is due), or so long before (negative) or after the due time."""

    share: float | None = Field(default=None, gt=0, le=10)
    offset: timedelta | None = None
    actions: tuple[RungAction, ...] = Field(min_length=1)
    webhook: str | None = None
    queue: str | None = None

    @model_validator(mode="after")
    def _one(self) -> RungPolicy:
        if (self.share is None) == (self.offset is None):
            raise ValueError("share: give either a share or an offset")
        if RungAction.WEBHOOK in self.actions and not self.webhook:
            raise ValueError("webhook: give the address to call")
        if RungAction.CHANGE_QUEUE in self.actions and not self.queue:
            raise ValueError("queue: name the queue")
        return self

    @property
    def key(self) -> str:
        """Stable name of the rung within its clock."""
        if self.share is not None:
            return f"{self.share:.0%}"
        assert self.offset is not None
        return f"due{self.offset.total_seconds():+.0f}s"


class ExtensionRule(SlaSection):
    """How a clock may be extended."""

    roles: tuple[Role, ...] = (Role.LEAD, Role.MANAGER)
    most: int = Field(ge=1, description="Most units that may be granted in all: the hard cap.")
    notice: bool = Field(default=True, description="The complainant is told, before the old time is over.")


class ClockPolicy(SlaSection):
    """One clock of a profile: what starts and stops it, how long, whether it pauses, its ladder.

    `starts`, `stops`, `restarts` and `cancels` name events of the case log. A clock counts from the receipt of the
    complaint when it starts with `received`, else from its starting event.
    """

    name: Code
    kind: Literal["internal", "regulatory"]
    starts: Code = "received"
    stops: tuple[Code, ...]
    restarts: tuple[Code, ...] = ()
    continues: tuple[Code, ...] = Field(default=(), description="Events that take a stopped clock up again.")
    budget: Duration
    by_severity: dict[Severity, Duration] = {}
    calendar: Code | Literal["24x7"] = "24x7"
    pauses: tuple[Literal["awaiting_customer", "awaiting_third_party", "external"], ...] = ()
    extension: ExtensionRule | None = None
    ladder: Code | None = None
    rungs: tuple[RungPolicy, ...] = ()
    next: str = ""


class Letter(SlaSection):
    """What the response must contain under this profile."""

    elements: tuple[
        Literal["reference", "outcome", "reasons", "remedy", "appeal_right", "external_body", "time_limit"], ...
    ] = ()


class Applies(SlaSection):
    """To which complaints a profile applies: any of these, or all."""

    all: bool = False
    jurisdictions: tuple[str, ...] = ()
    categories: tuple[Code, ...] = ()
    external: bool = Field(default=False, description="Clocks of an external body's case.")


class Profile(SlaSection):
    """A set of clocks from one rule."""

    key: Code
    title_en: str
    title_zh: str
    evidence: Literal["R", "S", "M", "ours"]
    citation: str
    effective_from: date | None = None
    effective_until: date | None = None
    applies: Applies = Applies()
    letter: Letter = Letter()
    clocks: tuple[ClockPolicy, ...]

    @property
    def verify_first(self) -> bool:
        """The rule's own text was not read: verify before relying on it."""
        return self.evidence in ("S", "M")


class QuietHours(SlaSection):
    """Internal reminders wait until the quiet hours are over."""

    start: time
    end: time
    zone: str


class SlaPolicy(SlaSection):
    """All calendars, ladders and profiles."""

    calendars: tuple[CalendarPolicy, ...] = ()
    ladders: dict[Code, tuple[RungPolicy, ...]] = {}
    quiet: QuietHours | None = None
    digest_above: int = Field(default=3, ge=1, description="More messages to one person in a tick become one digest.")
    profiles: tuple[Profile, ...] = ()

    def profile(self, key: str) -> Profile | None:
        """The profile with `key`."""
        return self._profiles.get(key)

    def clock(self, profile: str, name: str) -> ClockPolicy | None:
        """The clock `profile.name`."""
        return self._clocks.get((profile, name))

    @cached_property
    def _profiles(self) -> dict[str, Profile]:
        return {p.key: p for p in self.profiles}

    @cached_property
    def _clocks(self) -> dict[tuple[str, str], ClockPolicy]:
        return {(p.key, c.name): c for p in self.profiles for c in p.clocks}

    def rungs(self, clock: ClockPolicy) -> tuple[RungPolicy, ...]:
        """The clock's own rungs and those of its ladder."""
        return clock.rungs + (self.ladders.get(clock.ladder, ()) if clock.ladder else ())

    def applying(
        self, *, jurisdiction: str, category: str, category_profiles: tuple[str, ...], external: bool, on: date
    ) -> list[Profile]:
        """Profiles for a complaint received on a day, in file order."""
        return [
            p
            for p in self.profiles
            if (p.effective_from is None or p.effective_from <= on)
            and (p.effective_until is None or on <= p.effective_until)
            and (
                p.applies.all
                or (jurisdiction != "" and jurisdiction in p.applies.jurisdictions)
                or (category != "" and category in p.applies.categories)
                or p.key in category_profiles
                or (external and p.applies.external)
            )
        ]

    def letter_elements(self, profiles: tuple[str, ...]) -> list[str]:
        """What a response must contain under any of these profiles."""
        wanted = [e for key in profiles if (p := self.profile(key)) for e in p.letter.elements]
        return list(dict.fromkeys(wanted))
