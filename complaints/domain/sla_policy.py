"""Policy for SLA clocks: calendars, regulatory and internal profiles, ladders, what a response letter must contain.

The numbers of a profile come from its rule, with a citation and the strength of the evidence for it: R, the rule's own
text was read; S, a secondary source; M, from memory; `ours`, an internal target. Below R it says: verify first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from complaints.domain.businesstime import Budget, Unit
from complaints.domain.forms import Code
from complaints.domain.vocabulary import ClosingCategory, Language, Role, Severity

Clocktime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class SlaSection(BaseModel):
    """Frozen; a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Closure(SlaSection):
    """The company is closed (stocktaking, works holiday)."""

    day: date = Field(description="First closed day.")
    until: date | None = Field(default=None, description="Last closed day; without it, one day.")
    name: str = Field(description="Said when a due time is explained.")


class ExtraDay(SlaSection):
    """The company works on a day that would be closed."""

    day: date = Field(description="The day.")
    windows: tuple[Clocktime, ...] = Field(
        default=(), description="When it is open; none: as on the first open day of a week."
    )
    name: str = Field(default="", description="Said when a due time is explained.")


class CalendarPolicy(SlaSection):
    """One calendar. `country` takes public holidays from a maintained library; `CN` with its make-up working days."""

    key: Code | Literal["24x7"] = Field(description="Name that clocks refer to.")
    zone: str = Field(default="UTC", description="IANA time zone; windows are the wall time there.")
    always: bool = Field(default=False, description="Open day and night; then nothing else is needed.")
    week: dict[Weekday, tuple[Clocktime, ...]] = Field(
        default={},
        description='Open windows of a weekday, `mon = ["09:00-12:00", "13:30-18:00"]`; a day left out is closed.',
    )
    country: str = Field(default="", description="ISO 3166 code of the country whose public holidays are closed.")
    region: str = Field(default="", description="Its subdivision, for holidays that only it has.")
    closures: tuple[Closure, ...] = Field(default=(), description="Days on which the company is closed besides.")
    extra_days: tuple[ExtraDay, ...] = Field(
        default=(), description="Days on which it works though they would be closed."
    )
    first_year: int = Field(default=2019, ge=1990, le=2100, description="First year calculated with.")
    last_year: int = Field(
        default=2027,
        ge=1990,
        le=2100,
        description="Last year calculated with; a year outside the library's data is an error.",
    )
    provisional: tuple[int, ...] = Field(
        default=(),
        description="Years whose official calendar is not out yet: statutory days only, said by policy check.",
    )
    holidays: dict[date, str] = Field(default={}, description="Filled in when the policy is loaded.")
    working_days: tuple[date, ...] = Field(default=(), description="Make-up working days, filled in when loaded.")


class Duration(SlaSection):
    """A budget as written in a policy file."""

    amount: int = Field(ge=0, le=100_000, description="How many units.")
    unit: Unit = Field(description="What is counted; working units need a calendar.")
    first_day: Literal[0, 1] = Field(
        default=0, description="Number of the day of receipt: 0, counting begins the day after; 1, it is the first day."
    )

    @cached_property
    def budget(self) -> Budget:
        """For the ledger."""
        return Budget(self.amount, self.unit, self.first_day)

    def __str__(self) -> str:
        return f"{self.amount} {self.unit}"


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

    share: float | None = Field(
        default=None, gt=0, le=10, description="Share of the budget at which it fires; 1.0 is the due time."
    )
    offset: timedelta | None = Field(default=None, description="Or: so long after the due time, negative before it.")
    actions: tuple[RungAction, ...] = Field(min_length=1, description="What happens.")
    webhook: str | None = Field(default=None, description="Address called by `webhook`.")
    queue: str | None = Field(
        default=None,
        description="Work queue in which the case's next flow run starts, by `change_queue`.",
    )

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

    roles: tuple[Role, ...] = Field(default=(Role.LEAD, Role.MANAGER), description="Who may grant one.")
    most: int = Field(ge=1, description="Most units that may be granted in all: the hard cap.")
    notice: bool = Field(default=True, description="The complainant is told, before the old time is over.")


class ClockPolicy(SlaSection):
    """One clock of a profile: what starts and stops it, how long, whether it pauses, its ladder.

    `starts`, `stops`, `restarts` and `continues` name events of the case log. A clock counts from the receipt of the
    complaint when it starts with `received`, else from its starting event. When the case is closed, whatever still runs
    ends (only the duty to acknowledge lives on); `cancels` says after which ends the duty counts as fallen away.
    """

    name: Code = Field(description="Name within the profile; `profile.name` names the clock.")
    kind: Literal["internal", "regulatory", "external"] = Field(
        description="A target of our own, a duty from a rule, or the duty of an external body: shown, never our "
        "breach. Clocks of a profile that applies only there (`external = true`) are `external`, whatever is written."
    )
    starts: Code = Field(default="received", description="Event that starts it; `received` counts from the receipt.")
    stops: tuple[Code, ...] = Field(description="Events by which the duty is done.")
    restarts: tuple[Code, ...] = Field(default=(), description="Events that begin a fresh round.")
    continues: tuple[Code, ...] = Field(default=(), description="Events that take a stopped clock up again.")
    cancels: tuple[ClosingCategory, ...] = Field(
        default=(ClosingCategory.WITHDRAWN, ClosingCategory.MERGED, ClosingCategory.REJECTED),
        description="Ends of the case by which the duty falls away: cancelled, neither met nor missed.",
    )
    budget: Duration = Field(description="How long.")
    by_severity: dict[Severity, Duration] = Field(default={}, description="Other budgets for some severities.")
    calendar: Code | Literal["24x7"] = Field(default="24x7", description="Calendar that working units are counted on.")
    pauses: tuple[Literal["awaiting_customer", "awaiting_third_party", "appraisal", "external"], ...] = Field(
        default=(),
        description="States of the case in which it stands still; `appraisal`: a third party is asked to appraise.",
    )
    extension: ExtensionRule | None = Field(default=None, description="How it may be extended; without it, not at all.")
    ladder: Code | None = Field(default=None, description="Ladder of `sla.toml` that it climbs.")
    rungs: tuple[RungPolicy, ...] = Field(default=(), description="Rungs of its own.")
    next: str = Field(
        default="", description="Clock of the same profile that governs when this one is over; it is the promise then."
    )

    @property
    def answers(self) -> bool:
        """Only our answer to the complaint fulfils it."""
        return "send_response" in self.stops


class Letter(SlaSection):
    """What the response must contain under this profile."""

    elements: tuple[
        Literal["reference", "outcome", "reasons", "remedy", "appeal_right", "external_body", "time_limit"], ...
    ] = Field(default=(), description="The letter is not sent before it has these.")


class Applies(SlaSection):
    """To which complaints a profile applies: any of these, or all; `external` narrows it down."""

    all: bool = Field(default=False, description="To every complaint.")
    jurisdictions: tuple[str, ...] = Field(default=(), description="To complaints of these jurisdictions.")
    categories: tuple[Code, ...] = Field(default=(), description="To complaints of these categories.")
    bodies: tuple[str, ...] = Field(
        default=(), description="To complaints referred to an external body whose name contains one of these words."
    )
    external: bool = Field(
        default=False, description="Only while the case is with an external body, and by the day of the referral."
    )


class ExternalBody(SlaSection):
    """Where the complainant may turn under this rule."""

    name_en: str = Field(description="Name in English; the letter must say it.")
    name_zh: str = Field(description="Name in Chinese.")
    address: str = Field(default="", description="How to reach it: post, telephone or web.")
    refer_within: Duration | None = Field(default=None, description="How long after our answer it can be turned to.")

    def name(self, language: Language) -> str:
        """The name in `language`."""
        return self.name_zh if language is Language.ZH else self.name_en


@dataclass(frozen=True)
class Unverified:
    """Something a profile says that no source which was read says: where it stands, and what it says there."""

    path: str
    value: str


class Profile(SlaSection):
    """A set of clocks from one rule."""

    key: Code = Field(description="Stable name, kept with each complaint.")
    title_en: str = Field(description="Name in English.")
    title_zh: str = Field(description="Name in Chinese.")
    evidence: Literal["R", "S", "M", "ours"] = Field(description="How well its numbers are founded, see below.")
    citation: str = Field(description="The rule, article by article.")
    effective_from: date | None = Field(default=None, description="For complaints received from this day on.")
    effective_until: date | None = Field(default=None, description="For complaints received until this day.")
    applies: Applies = Field(default=Applies(), description="Which complaints it applies to.")
    letter: Letter = Field(default=Letter(), description="What the response must say.")
    external_body: ExternalBody | None = Field(default=None, description="Where the complainant may turn.")
    unverified: tuple[str, ...] = Field(
        default=(),
        description="What no source that was read says: written from memory, or our own choice where the rule names no "
        "number. Paths as `effective_from`, `external_body.address`, `clocks.ack.budget`; policy check and the console "
        "say: verify before you rely on it.",
    )
    clocks: tuple[ClockPolicy, ...] = Field(description="Its clocks.")

    @field_validator("clocks")
    @classmethod
    def _theirs(cls, clocks: tuple[ClockPolicy, ...], info: ValidationInfo) -> tuple[ClockPolicy, ...]:
        """Clocks of an external body's case are that body's. Versions stored long ago call them regulatory."""
        applies = info.data.get("applies")
        if applies is None or not applies.external:
            return clocks
        return tuple(c.model_copy(update={"kind": "external"}) for c in clocks)

    def title(self, language: Language) -> str:
        """The name in `language`."""
        return self.title_zh if language is Language.ZH else self.title_en

    @property
    def calendar(self) -> str:
        """The calendar in whose zone its days are: that of its first clock which has one."""
        return next((c.calendar for c in self.clocks if c.calendar != "24x7"), "24x7")

    def in_force(self, on: date) -> bool:
        """For complaints received (or referred) on that day."""
        return (self.effective_from is None or self.effective_from <= on) and (
            self.effective_until is None or on <= self.effective_until
        )

    @property
    def verify_first(self) -> bool:
        """The rule's own text was not read: verify before relying on it."""
        return self.evidence in ("S", "M")

    def said(self, path: str) -> Any:
        """What the profile says at a path of keys, its clocks found by their names; None where it says nothing."""
        found: Any = self
        for key in path.split("."):
            if isinstance(found, tuple):
                found = next((clock for clock in found if clock.name == key), None)
            else:
                found = getattr(found, key) if key in getattr(type(found), "model_fields", ()) else None
        return found

    def unverified_of(self, clock: str | None = None) -> tuple[Unverified, ...]:
        """What must be verified of the whole profile, or of what concerns one of its clocks."""
        paths = (p for p in self.unverified if clock is None or not p.startswith("clocks.") or f".{clock}." in p)
        return tuple(Unverified(path, str(self.said(path))) for path in paths)


class QuietHours(SlaSection):
    """Internal reminders wait until the quiet hours are over."""

    start: time = Field(description="Wall time at which they begin.")
    end: time = Field(description="Wall time at which they end.")
    zone: str = Field(description="IANA time zone.")


class SlaPolicy(SlaSection):
    """All calendars, ladders and profiles."""

    calendars: tuple[CalendarPolicy, ...] = Field(default=(), description="All calendars.")
    ladders: dict[Code, tuple[RungPolicy, ...]] = Field(default={}, description="Ladders that several clocks share.")
    jurisdiction: str = Field(
        default="", description="Jurisdiction of complaints that come without one, as through the portal."
    )
    quiet: QuietHours | None = Field(default=None, description="When internal reminders wait; without it, never.")
    digest_above: int = Field(default=3, ge=1, description="More messages to one person in a tick become one digest.")
    profiles: tuple[Profile, ...] = Field(default=(), description="All profiles.")

    def profile(self, key: str) -> Profile | None:
        """The profile with `key`."""
        return self._profiles.get(key)

    def clock(self, profile: str, name: str) -> ClockPolicy | None:
        """The clock `profile.name`."""
        return self._clocks.get((profile, name))

    @cached_property
    def jurisdictions(self) -> frozenset[str]:
        """Those on which some profile's rules hang."""
        return frozenset(j for p in self.profiles for j in p.applies.jurisdictions)

    @cached_property
    def _profiles(self) -> dict[str, Profile]:
        return {p.key: p for p in self.profiles}

    @cached_property
    def _clocks(self) -> dict[tuple[str, str], ClockPolicy]:
        return {(p.key, c.name): c for p in self.profiles for c in p.clocks}

    def successor(self, profile: str, clock: ClockPolicy) -> ClockPolicy | None:
        """The clock that governs when this one is over. Versions stored long ago have free words in `next`."""
        return self.clock(profile, clock.next.rpartition(".")[2]) if clock.next else None

    def rungs(self, clock: ClockPolicy) -> tuple[RungPolicy, ...]:
        """The clock's own rungs and those of its ladder."""
        return clock.rungs + (self.ladders.get(clock.ladder, ()) if clock.ladder else ())

    def letter_elements(self, profiles: tuple[str, ...]) -> list[str]:
        """What a response must contain under any of these profiles."""
        wanted = [e for key in profiles if (p := self.profile(key)) for e in p.letter.elements]
        return list(dict.fromkeys(wanted))
