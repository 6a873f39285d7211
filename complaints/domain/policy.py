"""The frozen policy bundle: numbers and names that a company decides, never control flow.

One TOML file per field (`taxonomy.toml`, `routing.toml`, …); `config/policy.py` loads and checks them. Each bundle
has a content hash; a complaint is pinned to the bundle it began under. Durations are ISO 8601 (`P14D`, `PT2H`).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from complaints.domain.forms import Code
from complaints.domain.sla_policy import ExternalBody, SlaPolicy
from complaints.domain.validation import CURRENCY
from complaints.domain.vocabulary import Finding, Flag, Language, RemedyKind, Role, Severity

Currency = Annotated[str, StringConstraints(pattern=CURRENCY)]


class Section(BaseModel):
    """Base of all policy sections: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(Section):
    """A name in both languages."""

    en: str = Field(description="English.")
    zh: str = Field(description="Chinese.")

    def in_(self, language: Language) -> str:
        """The name in `language`."""
        return self.zh if language is Language.ZH else self.en


class Category(Section):
    """One complaint category. `severity` is where classification starts from."""

    key: Code = Field(description="Stable name, kept in complaints and reports; never reuse one.")
    label: Label = Field(description="What people read.")
    team: Code = Field(description="Team that gets these complaints.")
    severity: Severity = Field(
        default=Severity.MODERATE, description="Where classification starts from; words and flags may raise it."
    )
    profiles: tuple[Code, ...] = Field(default=(), description="Regulatory profiles that apply, beside the default.")


class RootCause(Section):
    """One root cause for statistics and corrective action."""

    key: Code = Field(description="Stable name, kept in findings and reports.")
    label: Label = Field(description="What people read.")


class Taxonomy(Section):
    """Categories and root causes. `fallback` is used where no word decides."""

    categories: tuple[Category, ...] = Field(description="All categories, in the order lists show them.")
    root_causes: tuple[RootCause, ...] = Field(description="Causes an investigation may find.")
    fallback: Code = Field(description="Category of a complaint in which no word decides.")

    def category(self, key: str) -> Category | None:
        """The category with `key`."""
        return next((c for c in self.categories if c.key == key), None)


class Team(Section):
    """A team of people."""

    key: Code = Field(description="Stable name; people belong to teams by it.")
    label: Label = Field(description="What people read.")
    email: str | None = Field(
        default=None, description="Address for messages to the team as a whole that no provider carries."
    )


class Routing(Section):
    """Who gets what. Queues: Prefect work queues by severity, lower number first."""

    teams: tuple[Team, ...] = Field(description="All teams.")
    default_team: Code = Field(description="Team for categories without one of their own.")
    queues: dict[Severity, str] = Field(
        description="Prefect work queue for each severity; the queue `urgent` is served first."
    )
    auto_assign: bool = Field(default=True, description="Give new work to the least loaded present member.")
    min_confidence: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Below this classification confidence a person triages.",
    )
    triage_flags: tuple[Flag, ...] = Field(description="Flags for which a person always triages.")

    def team(self, key: str) -> Team | None:
        """The team with `key`."""
        return next((t for t in self.teams if t.key == key), None)


class Authority(Section):
    """Who may promise what without a second pair of eyes."""

    currency: Currency = Field(description="ISO 4217, three capital letters; limits are in it.")
    limits: dict[Role, Decimal] = Field(description="Most that a role may grant per case, in `currency`.")
    approve_severities: tuple[Severity, ...] = Field(description="Severities that always need approval.")
    approve_categories: tuple[Code, ...] = Field(default=(), description="Categories that always need approval.")
    approve_findings: tuple[Finding, ...] = Field(default=(), description="Findings that always need approval.")


class Timings(Section):
    """How long the case waits for people outside, and how it ends."""

    customer_reply_within: timedelta = Field(description="Silence of the complainant after which work goes on.")
    confirm_within: timedelta = Field(description="Silence after the response that closes the case.")
    appeal_window: timedelta = Field(description="After closing, an appeal or reopening is possible this long.")
    task_attempts: int = Field(
        default=3, ge=1, le=10, description="How often a task of the flow is tried before a person must look."
    )


class FastTrack(Section):
    """Standard solutions that may be used without an investigation."""

    enabled: bool = Field(default=True, description="Offer standard solutions at all.")
    automatic: bool = Field(
        default=True,
        description="Answer by machine when the classifier is sure enough.",
    )
    min_confidence: float = Field(default=0.8, ge=0, le=1, description="How sure the classifier must be for that.")
    severities: tuple[Severity, ...] = Field(default=(Severity.MINOR,), description="Only complaints this harmless.")


class Solution(Section):
    """A standard solution (knowledge-base article): when its words fit, it answers the complaint."""

    key: Code = Field(description="Stable name; articles of the knowledge base refer to it.")
    category: Code = Field(description="Category whose complaints it answers.")
    title: Label = Field(description="Name of the solution.")
    body: Label = Field(description="The answer the complainant reads.")
    words_en: tuple[str, ...] = Field(
        default=(), description="It fits an English complaint that has any of these words."
    )
    words_zh: tuple[str, ...] = Field(
        default=(), description="It fits a Chinese complaint that has any of these words."
    )


class ResponsePolicy(Section):
    """The final response."""

    human_review_severities: tuple[Severity, ...] = Field(
        default=(),
        description="Severities for which a person reads the letter before it goes out.",
    )
    external_body: Label | None = Field(default=None, description="Where the complainant may turn if unsatisfied.")
    signatory: Label = Field(description="Who signs the letters.")


class LifecyclePolicy(Section):
    """Timings, fast track and the response."""

    timings: Timings = Field(description="How long a case waits.")
    fast_track: FastTrack = Field(default=FastTrack(), description="When a standard solution answers.")
    response: ResponsePolicy = Field(description="What holds for the final response.")
    remedies_to_accept: tuple[RemedyKind, ...] = Field(
        default=(), description="Remedies that are carried out only once the complainant has accepted them."
    )
    solutions: tuple[Solution, ...] = Field(default=(), description="Standard solutions.")

    def solution(self, key: str) -> Solution | None:
        """The standard solution with `key`."""
        return next((s for s in self.solutions if s.key == key), None)


class Notifications(Section):
    """How messages leave. Back-off doubles from `first_retry` to `longest_retry`; after `attempts` a letter is dead."""

    attempts: int = Field(
        default=30, ge=1, le=100, description="Tries after which a letter is dead; an operator may replay it."
    )
    first_retry: timedelta = Field(default=timedelta(seconds=5), description="Pause after the first failure.")
    longest_retry: timedelta = Field(default=timedelta(hours=1), description="Longest pause between two tries.")
    per_recipient_per_hour: int = Field(default=20, ge=1, description="Loop brake: most messages to one address.")
    silent_kinds: tuple[str, ...] = Field(default=(), description="Message kinds this company does not send.")


class Retention(Section):
    """How long an archived dossier is kept before disposal is proposed."""

    default: timedelta = Field(description="Time after archiving.")
    by_category: dict[Code, timedelta] = Field(default={}, description="Other times, by category.")


class PolicyBundle(Section):
    """One whole policy. `hash` is the SHA-256 of its canonical content, `name` what people call it."""

    name: str
    hash: str
    taxonomy: Taxonomy
    routing: Routing
    authority: Authority
    lifecycle: LifecyclePolicy
    notifications: Notifications = Notifications()
    retention: Retention
    sla: SlaPolicy

    def recourse(self, profiles: tuple[str, ...]) -> list[ExternalBody]:
        """Where the complainant may turn under these profiles, each body once; else where policy says in general."""
        found = [p.external_body for key in profiles if (p := self.sla.profile(key)) and p.external_body]
        general = self.lifecycle.response.external_body
        if not found and general is not None:
            found = [ExternalBody(name_en=general.en, name_zh=general.zh)]
        return list({body.name_en: body for body in found}.values())
