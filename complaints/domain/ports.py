"""What the services need from outside, as protocols and small frozen records. `config/wiring` binds the real parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from complaints.domain.vocabulary import Audience, Flag, Language, Role, Severity


@dataclass(frozen=True)
class Actor:
    """Who does something. `id` is a person's or key's id, "system" for the machine, "complainant" behind a link."""

    kind: Literal["person", "key", "system", "complainant"]
    id: str
    name: str
    roles: frozenset[Role]
    teams: frozenset[str] = frozenset()

    def has(self, *roles: Role) -> bool:
        """Holds any of `roles`."""
        return bool(self.roles.intersection(roles))


#: The machine itself: flows, clocks, dispatcher.
SYSTEM = Actor("system", "system", "Complaints", frozenset({Role.SYSTEM}))


@dataclass(frozen=True)
class Evidence:
    """One word or rule that moved a classification: `of` is the category, severity or flag, `weight` its pull."""

    word: str
    of: str
    weight: float


@dataclass(frozen=True)
class Classification:
    """What the machine believes about a complaint, and why.

    `confidence` is 0…1: the share of the best category among all evidence, shrunk where there is little of it.
    """

    category: str
    confidence: float
    severity: Severity
    language: Language
    flags: tuple[Flag, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()
    solution: str | None = None  #: key of a standard solution that fits (fast track)


class Classifier(Protocol):
    """Reads a complaint's words. Pure: the same words give the same answer."""

    def classify(self, subject: str, narrative: str, product: str = "") -> Classification:
        """Category, severity, flags and the words that decided."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A complaint that may be about the same matter: `score` is 0…1."""

    complaint_id: UUID
    reference: str
    score: float
    why: str


@dataclass(frozen=True)
class Letter:
    """A rendered message: subject and plain text always, HTML when the template has it."""

    subject: str
    text: str
    html: str | None = None


class Renderer(Protocol):
    """Fills the template of `kind` in `language` (falling back to the other language, never failing for it)."""

    def render(self, kind: str, language: Language, context: Mapping[str, object]) -> Letter:
        """The letter; `Permanent` when the template itself is broken."""
        ...


@dataclass(frozen=True)
class Message:
    """One message to hand to a provider. `key` is unique for ever: it is the outbox key, and becomes the Message-ID."""

    key: str
    kind: str
    to: str  #: e-mail address or phone; empty for a tag-routed internal message
    audience: Audience
    language: Language
    letter: Letter
    reference: str = ""
    tags: tuple[str, ...] = ()
    otherwise: str = ""  #: e-mail address for a tag-routed message whose tags no provider has
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """Evidence that a message was handed over for delivery."""

    provider: str
    detail: str
    at: datetime


class Sender(Protocol):
    """Hands a message to a provider; raises `Retryable` or `Permanent`. Never hangs longer than its time-out."""

    def send(self, message: Message, now: datetime) -> Receipt:
        """Hand over, with evidence."""
        ...


class Runs(Protocol):
    """The flow runs that move complaints. All calls may be repeated safely; `Retryable` when the server is away."""

    def ensure(self, complaint_id: UUID, name: str, tags: Sequence[str], queue: str) -> UUID:
        """The id of the one live run of this complaint, created if there is none."""
        ...

    def wake(self, run_id: UUID, gate: str) -> Literal["woken", "not_waiting", "running", "gone"]:
        """Make a run that waits at a gate look at its row again."""
        ...


class Files(Protocol):
    """What a case has outside the database, for its disposal. All may be repeated; `Retryable` when out of reach."""

    def condition(self, url: str, sha256: str) -> Literal["as_written", "altered", "gone"]:
        """How the bag at `url` is, of which `sha256` was recorded."""
        ...

    def remove_bag(self, url: str) -> None:
        """Remove the bag, if it is there."""
        ...

    def remove_attachment(self, sha256: str) -> None:
        """Remove the stored file, if it is there."""
        ...


class Hook(Protocol):
    """Calls a webhook; raises `Retryable` or `Permanent`."""

    def call(self, url: str, key: str, payload: Mapping[str, object]) -> None:
        """POST `payload` as JSON with `key` as idempotency key."""
        ...
