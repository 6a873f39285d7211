"""What the API answers. Times are RFC 3339 in UTC, money is a decimal text with its ISO 4217 currency."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from complaints.domain.vocabulary import (
    Audience,
    Channel,
    ClosingCategory,
    Finding,
    IntentKind,
    IntentState,
    Language,
    LinkKind,
    RemedyKind,
    RemedyState,
    Role,
    Severity,
    Status,
    StepKind,
    StepState,
)

Item = TypeVar("Item")
JsonObject = dict[str, Any]


class Shape(BaseModel):
    """Base of all answers: read from rows."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class PageOf(Shape, Generic[Item]):
    """One page."""

    items: list[Item]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null at the end.")


class Receipt(Shape):
    """The complaint is stored, durably; nothing of it can be lost any more."""

    reference: str = Field(description="What the complainant is given.", examples=["C26-000042-7"])
    id: UUID
    status: Status
    version: int
    received_at: datetime
    links: dict[str, str]


class Summary(Shape):
    """A complaint in a list."""

    reference: str = Field(examples=["C26-000042-7"])
    id: UUID
    version: int = Field(description="Grows with every change; send it back to notice changes by others.")
    status: Status
    subject: str
    category: str = Field(description="Key in the policy's taxonomy; empty until classified.")
    severity: Severity
    team: str
    assignee_id: UUID | None
    channel: Channel
    language: Language
    product: str
    flags: list[str]
    confidential: bool
    received_at: datetime = Field(description="When it reached us; never changes.")
    acknowledged_at: datetime | None
    due_at: datetime | None
    waiting_until: datetime | None = Field(description="How long we wait for somebody outside.")
    responded_at: datetime | None
    closed_at: datetime | None
    finding: Finding | None
    closing_category: ClosingCategory | None


class ComplainantShape(Shape):
    """Somebody who complains and is owed an answer."""

    id: UUID
    name: str
    email: str | None
    phone: str | None
    language: Language
    needs: list[str]
    safe_contact: str


class FindingShape(Shape):
    """The result of one investigation or review."""

    at: datetime
    source: str
    finding: Finding
    summary: str
    root_cause: str | None
    responsible_unit: str | None
    internal_note: str = Field(description="Empty for keys that may not read what is internal.")
    by_name: str


class DecisionShape(Shape):
    """One decision on findings and remedies."""

    at: datetime
    outcome: str
    reason: str
    by_name: str


class OfferShape(Shape):
    """One measure, as whoever is offered it sees it."""

    id: UUID
    kind: RemedyKind
    description: str
    amount: Decimal | None
    currency: str | None


class RemedyShape(OfferShape):
    """One measure."""

    state: RemedyState
    due_at: datetime
    proposed_by: str
    proposed_at: datetime
    done_at: datetime | None
    evidence: str


class SurveyShape(Shape):
    """One answer to the satisfaction survey."""

    at: datetime
    round: int
    accepted: bool
    rating: int | None
    resolved: bool | None
    effort: int | None
    words: str
    via: str


class RelationShape(Shape):
    """Another complaint that belongs with this one."""

    reference: str
    kind: LinkKind
    score: float
    note: str
    outgoing: bool = Field(description="This one points to the other.")


class Task(Shape):
    """A human step."""

    id: UUID
    reference: str = Field(description="Of its complaint.")
    subject: str
    severity: Severity
    kind: StepKind
    gate: str = Field(description="Where the flow run waits for it.")
    state: StepState
    version: int
    role: Role = Field(description="The role it needs.")
    team: str
    assignee_id: UUID | None
    opened_at: datetime
    claimed_at: datetime | None
    due_at: datetime | None
    completed_at: datetime | None
    completed_by: str | None


class TaskDetail(Task):
    """A human step with what is known for it and its form."""

    context: JsonObject
    draft: JsonObject = Field(description="The half-filled form, if any.")
    answer: JsonObject = Field(description="The completed form.")
    form: JsonObject = Field(description="JSON Schema of its form.")


class RunShape(Shape):
    """The flow run that moves the complaint."""

    id: UUID | None
    number: int = Field(description="How many runs this complaint has had.")
    launched_at: datetime | None
    url: str | None = Field(description="The run in Prefect's UI.")


class ArchiveShape(Shape):
    """The dossier after the end."""

    archived_at: datetime | None
    bag_url: str | None
    bag_hash: str | None
    retention_until: datetime | None
    legal_hold: bool


class Detail(Summary):
    """A complaint with everything that hangs on it but thread, events and files."""

    narrative: str
    desired_remedy: str
    order_ref: str
    jurisdiction: str
    external_source: str | None
    external_id: str | None
    extra: JsonObject
    created_at: datetime
    screened_at: datetime | None
    classified_at: datetime | None
    complainants: list[ComplainantShape] = Field(description="The one who complained first, then those merged in.")
    confidence: float
    classification: JsonObject = Field(description="What the classifier believed, and the words that decided.")
    solution: str | None
    queue: str = Field(description="Work queue in which its next flow run starts; a run keeps the queue it began in.")
    root_cause: str | None
    responsible_unit: str | None
    round: int
    merged_into: str | None
    policy_hash: str
    profiles: list[str]
    findings: list[FindingShape]
    decisions: list[DecisionShape]
    remedies: list[RemedyShape]
    surveys: list[SurveyShape]
    relations: list[RelationShape]
    open_tasks: list[Task]
    allowed_actions: list[str] = Field(description="What you can do now.")
    run: RunShape
    archive: ArchiveShape
    event_count: int
    chain_head: str
    links: dict[str, str]


class EventShape(Shape):
    """One entry of the case log."""

    seq: int
    at: datetime
    kind: str
    actor_kind: str
    actor_name: str
    audience: Audience
    reason: str
    from_status: Status | None
    to_status: Status | None
    data: JsonObject
    hash: str


class MessageShape(Shape):
    """One letter, mail, call or note."""

    id: UUID
    at: datetime
    direction: str
    audience: Audience
    channel: str
    kind: str
    author: str
    subject: str
    body: str
    delivered_at: datetime | None


class AttachmentShape(Shape):
    """A file."""

    id: UUID
    at: datetime
    name: str
    sha256: str
    size: int = Field(description="Bytes.")
    content_type: str = Field(description="Found from the content.")
    audience: Audience
    uploaded_by: str
    links: dict[str, str] = {}


class Allowed(Shape):
    """What the caller can do with the complaint now."""

    reference: str
    status: Status
    version: int
    actions: list[str]


class PersonShape(Shape):
    """Somebody who works here."""

    id: UUID
    login: str
    name: str
    email: str | None
    language: Language
    roles: list[Role]
    teams: list[str]
    skills: list[str]
    absent_from: datetime | None
    absent_until: datetime | None
    active: bool


class KeyShape(Shape):
    """An API key, without its secret."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    person_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewKeyShape(KeyShape):
    """A new API key; the secret is shown this once."""

    secret: Annotated[str, Field(description="Keep it now: only its hash is stored.")]


class IntentShape(Shape):
    """A recorded intent: a message to send, a run to start or wake, a webhook to call."""

    id: UUID
    key: str
    kind: IntentKind
    reference: str | None
    template: str
    to: str
    state: IntentState
    attempts: int
    created_at: datetime
    next_at: datetime
    done_at: datetime | None
    last_error: str


class PolicyShape(Shape):
    """The policy in force."""

    name: str
    hash: str
    content: JsonObject
