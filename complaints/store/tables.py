"""The tables. A complaint's row is its state; everything else hangs on it.

Enumerations are stored as their codes (text): a new code needs no migration. Instants are `timestamptz`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Numeric,
    Sequence,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from complaints.store.columns import Json, blob, instant

#: Running numbers of references.
COMPLAINT_NUMBER = Sequence("complaint_number", metadata=SQLModel.metadata)
#: Cases that are still being handled; word for word the condition of the indexes that the lists of work use.
AT_WORK = "status <> all (array['closed', 'archived', 'erased'])"
#: Cases that the machine still has something to do with; word for word the condition of their index.
NOT_OVER = "status <> all (array['archived', 'erased'])"
#: The worst first; word for word the expression of its index.
SEVERITY_RANK = "case severity when 'critical' then 0 when 'serious' then 1 when 'moderate' then 2 else 3 end"


class Complainant(SQLModel, table=True):
    """Somebody who complains. Anonymous complainants have neither name nor address."""

    __table_args__ = (  # whose interest it is (row-level rules) is asked with every reading
        Index("complainant_email_plain", text("lower(email)")),
        Index("complainant_name_plain", text("lower(name)")),
    )

    id: UUID = Field(primary_key=True)
    name: str = ""
    email: str | None = Field(default=None, index=True)
    phone: str | None = Field(default=None, index=True)
    language: str
    needs: list[str] = blob(list)
    safe_contact: str = ""
    created_at: datetime = instant()


class Complaint(SQLModel, table=True):
    """A complaint: what was said, where it stands, what came of it."""

    __table_args__ = (
        UniqueConstraint("external_source", "external_id", name="complaint_external"),
        Index(
            "complaint_open",
            "status",
            "severity",
            "received_at",
            postgresql_where=text(NOT_OVER),
        ),
        Index("complaint_assignee", "assignee_id", "status"),
        Index("complaint_work_due", "due_at", "id", postgresql_where=text(AT_WORK)),
        Index("complaint_work_team", "team", "due_at", "id", postgresql_where=text(AT_WORK)),
        Index("complaint_work_mine", "assignee_id", "due_at", "id", postgresql_where=text(AT_WORK)),
        Index("complaint_work_received", "received_at", "id", postgresql_where=text(AT_WORK)),
        Index(
            "complaint_work_severity", text(f"({SEVERITY_RANK})"), "received_at", "id", postgresql_where=text(AT_WORK)
        ),
        Index("complaint_team", "team", "status", "due_at", postgresql_include=["id"]),
        # what the dashboards count, answered from the index alone
        Index(
            "complaint_backlog",
            "received_at",
            postgresql_include=["severity", "due_at", "team", "category", "id"],
            postgresql_where=text(AT_WORK),
        ),
        Index("complaint_arrived", "received_at", postgresql_include=["team", "category", "severity", "id"]),
        Index(
            "complaint_ended",
            "closed_at",
            postgresql_include=["category", "root_cause", "finding", "team", "severity", "id"],
            postgresql_where=text("closed_at is not null"),
        ),
        Index(
            "complaint_answered",
            "responded_at",
            postgresql_include=["received_at", "team", "category", "severity", "id"],
            postgresql_where=text("responded_at is not null"),
        ),
        Index(
            "complaint_confirmed",
            "acknowledged_at",
            postgresql_include=["received_at", "team", "category", "severity", "id"],
            postgresql_where=text("acknowledged_at is not null"),
        ),
        Index("complaint_disposal", "retention_until", postgresql_where=text("status = 'archived'")),
        Index("complaint_unit", text("lower(responsible_unit)"), postgresql_where=text("responsible_unit is not null")),
        Index("complaint_reference_part", text("lower(reference) gin_trgm_ops"), postgresql_using="gin"),
        Index(
            "complaint_text",
            "search",
            postgresql_using="gin",
            postgresql_ops={"search": "gin_trgm_ops"},
        ),
    )

    id: UUID = Field(primary_key=True)
    reference: str = Field(unique=True)
    version: int = 1
    status: str
    complainant_id: UUID = Field(foreign_key="complainant.id", index=True)
    channel: str
    language: str
    subject: str = ""
    narrative: str
    search: str = Field(
        default="",
        description="Lower-cased subject, narrative head and name, for trigram search.",
    )
    product: str = ""
    desired_remedy: str = ""
    order_ref: str = Field(default="", index=True)
    jurisdiction: str = ""
    external_source: str | None = None
    external_id: str | None = None
    extra: Json = blob()

    received_at: datetime = instant()
    created_at: datetime = instant()
    screened_at: datetime | None = instant(null=True)
    classified_at: datetime | None = instant(null=True)
    acknowledgment_recorded_at: datetime | None = instant(null=True)
    acknowledged_at: datetime | None = instant(null=True)
    responded_at: datetime | None = instant(null=True)
    closed_at: datetime | None = instant(null=True)
    archived_at: datetime | None = instant(null=True)
    due_at: datetime | None = instant(null=True)
    waiting_until: datetime | None = instant(null=True)

    category: str = ""
    severity: str = "moderate"
    confidence: float = 0.0
    classification: Json = blob()
    flags: list[str] = blob(list)
    solution: str | None = None
    team: str = ""
    assignee_id: UUID | None = Field(default=None, foreign_key="person.id")
    queue: str = Field(default="normal", description="Where its next flow run starts; a run keeps its queue.")
    confidential: bool = False

    finding: str | None = None
    root_cause: str | None = None
    responsible_unit: str | None = None
    closing_category: str | None = None
    merged_into_id: UUID | None = Field(default=None, foreign_key="complaint.id", index=True)
    round: int = Field(default=1, description="Grows with each reopening or appeal.")

    policy_hash: str = ""
    profiles: list[str] = blob(list)

    run_id: UUID | None = None
    run_round: int = Field(default=0, description="How many flow runs this complaint has had.")
    launched_at: datetime | None = instant(null=True)

    bag_url: str | None = None
    bag_hash: str | None = None
    retention_until: datetime | None = instant(null=True)
    legal_hold: bool = False

    event_count: int = 0
    chain_head: str = ""


class Party(SQLModel, table=True):
    """A complainant who is owed an acknowledgment and an answer; merging adds the other case's complainants."""

    complaint_id: UUID = Field(foreign_key="complaint.id", primary_key=True)
    complainant_id: UUID = Field(foreign_key="complainant.id", primary_key=True, index=True)
    via_complaint_id: UUID | None = Field(default=None, foreign_key="complaint.id")
    acknowledged_at: datetime | None = instant(null=True)
    link_version: int = Field(default=1, description="Raised to revoke the tracking links given out so far.")


class Event(SQLModel, table=True):
    """One entry of the append-only, hash-chained case log. Triggers refuse to change it, and to delete it while its
    complaint is not erased."""

    __table_args__ = (
        UniqueConstraint("complaint_id", "seq", name="event_order"),
        Index("event_disposal", "id", postgresql_where=text("kind = 'request_disposal'")),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    complaint_id: UUID = Field(foreign_key="complaint.id")
    seq: int
    at: datetime = instant(index=True)
    kind: str
    actor_kind: str
    actor_id: str
    actor_name: str
    audience: str
    reason: str = ""
    from_status: str | None = None
    to_status: str | None = None
    data: Json = blob()
    previous: str
    hash: str


class Message(SQLModel, table=True):
    """One letter, mail, call or note text of the thread."""

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    at: datetime = instant()
    direction: str  #: in, out or internal
    audience: str
    channel: str
    kind: str = ""
    author: str
    subject: str = ""
    body: str
    outbox_key: str | None = Field(default=None, index=True)
    delivered_at: datetime | None = instant(null=True)
    delivery: Json = blob()


class Attachment(SQLModel, table=True):
    """A file, stored once by its SHA-256."""

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    at: datetime = instant()
    name: str
    sha256: str = Field(index=True)
    size: int
    content_type: str
    audience: str
    uploaded_by: str


class Step(SQLModel, table=True):
    """A human step: who must decide what. Its `gate` is where the flow run waits."""

    __table_args__ = (
        UniqueConstraint("complaint_id", "gate", name="step_gate"),
        Index(
            "step_work",
            "state",
            "team",
            "due_at",
            postgresql_where=text("state in ('open', 'claimed')"),
        ),
        Index("step_mine", "assignee_id", "state"),
    )

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    kind: str
    number: int
    gate: str
    state: str
    version: int = 1
    team: str = ""
    assignee_id: UUID | None = Field(default=None, foreign_key="person.id")
    role: str = "agent"
    opened_at: datetime = instant()
    briefed_at: datetime | None = instant(null=True)
    claimed_at: datetime | None = instant(null=True)
    due_at: datetime | None = instant(null=True)
    completed_at: datetime | None = instant(null=True)
    completed_by: str | None = None
    completed_by_id: str | None = None
    context: Json = blob()
    answer: Json = blob()
    draft: Json = blob()


class Investigation(SQLModel, table=True):
    """Findings of one round, by an investigator, a reviewer or an external body."""

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    at: datetime = instant()
    source: str  #: investigation, review, external, solution
    finding: str
    summary: str
    root_cause: str | None = None
    responsible_unit: str | None = None
    internal_note: str = ""
    by_id: str
    by_name: str


class Decision(SQLModel, table=True):
    """One decision on findings and remedies."""

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    at: datetime = instant()
    outcome: str  #: approved, sent_back, automatic
    reason: str = ""
    by_id: str
    by_name: str


class Remedy(SQLModel, table=True):
    """One measure: proposed → offered → accepted → done → verified, or declined / failed."""

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    kind: str
    description: str
    amount: Decimal | None = Field(default=None, sa_type=Numeric(14, 2))
    currency: str | None = None
    state: str
    due_at: datetime = instant()
    proposed_by: str
    proposed_at: datetime = instant()
    done_at: datetime | None = instant(null=True)
    evidence: str = ""


class Survey(SQLModel, table=True):
    """One answer to the satisfaction survey."""

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    at: datetime = instant(index=True)
    round: int
    accepted: bool
    rating: int | None = None
    resolved: bool | None = None
    effort: int | None = None
    words: str = ""
    via: str


class Link(SQLModel, table=True):
    """Two complaints that belong together."""

    __table_args__ = (UniqueConstraint("from_id", "to_id", "kind", name="link_once"),)

    id: UUID = Field(primary_key=True)
    from_id: UUID = Field(foreign_key="complaint.id", index=True)
    to_id: UUID = Field(foreign_key="complaint.id", index=True)
    kind: str
    score: float = 1.0
    note: str = ""
    at: datetime = instant()


class Outbox(SQLModel, table=True):
    """An intent, recorded in the transaction that caused it and acted on after commit. `key` makes it once."""

    __table_args__ = (
        Index("outbox_due", "next_at", postgresql_where=text("state = 'pending'")),
        Index("outbox_recipient", text("(payload ->> 'to')"), "done_at", postgresql_where=text("kind = 'notify'")),
        Index("outbox_dead", "created_at", postgresql_where=text("state = 'dead'")),
    )

    id: UUID = Field(primary_key=True)
    key: str = Field(unique=True)
    kind: str
    complaint_id: UUID | None = Field(default=None, foreign_key="complaint.id", index=True)
    payload: Json = blob()
    state: str = "pending"
    attempts: int = 0
    created_at: datetime = instant()
    next_at: datetime = instant()
    done_at: datetime | None = instant(null=True)
    last_error: str = ""
    receipt: Json = blob()


class Person(SQLModel, table=True):
    """Somebody who works here."""

    id: UUID = Field(primary_key=True)
    login: str = Field(unique=True)
    name: str
    email: str | None = None
    language: str = "zh-CN"
    roles: list[str] = blob(list)
    teams: list[str] = blob(list)
    skills: list[str] = blob(list)
    related_to: list[str] = blob(list)
    authority: Decimal | None = Field(default=None, sa_type=Numeric(14, 2))
    absent_from: datetime | None = instant(null=True)
    absent_until: datetime | None = instant(null=True)
    active: bool = True
    password_hash: str | None = None
    #: end of a temporary password, which must be changed at the first sign-in
    password_until: datetime | None = instant(null=True)
    totp_secret: str | None = None
    totp_used: int = Field(default=0, description="Time step of the last accepted code: none is taken twice.")
    external_subject: str | None = Field(default=None, unique=True, description="`issuer subject` of an OIDC provider.")
    preferences: Json = blob()
    created_at: datetime = instant()


class WebSession(SQLModel, table=True):
    """Somebody signed in at one browser. `id` is the SHA-256 of the cookie's token, which is stored nowhere."""

    id: str = Field(primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", index=True)
    csrf: str
    created_at: datetime = instant()
    seen_at: datetime = instant()
    expires_at: datetime = instant(index=True)
    address: str = ""
    agent: str = ""


class SignIn(SQLModel, table=True):
    """One attempt to sign in; failures in a row lock the login for a while."""

    __table_args__ = (
        Index("sign_in_login", "login", "at"),
        Index("sign_in_wrong", "address", "at", postgresql_where=text("outcome = 'wrong'")),
    )

    id: UUID = Field(primary_key=True)
    at: datetime = instant(index=True)
    login: str
    address: str
    outcome: str  #: ok, wrong, locked, reset
    via: str  #: password, totp, oidc


class RecoveryCode(SQLModel, table=True):
    """A code that stands in for the second factor, once. 80 random bits, of which only the SHA-256 is stored."""

    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    hash: str = Field(primary_key=True)
    used_at: datetime | None = instant(null=True)


class SavedView(SQLModel, table=True):
    """A named set of filters of the inbox; without owner it is everybody's."""

    id: UUID = Field(primary_key=True)
    owner_id: UUID | None = Field(default=None, foreign_key="person.id", index=True)
    name: str
    query: str
    created_at: datetime = instant()


class Presence(SQLModel, table=True):
    """Who has a complaint open right now, and whether they are writing."""

    complaint_id: UUID = Field(foreign_key="complaint.id", primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    at: datetime = instant(index=True)
    writing: bool = False


class CannedText(SQLModel, table=True):
    """A text that agents insert; `{placeholders}` are filled from the complaint."""

    id: UUID = Field(primary_key=True)
    title: str
    language: str
    body: str
    purpose: str = ""  #: the step or action it is meant for; empty: any
    active: bool = True
    version: int = 1
    changed_at: datetime = instant()
    changed_by: str


class Article(SQLModel, table=True):
    """Knowledge base: a standard solution or guidance, in one language."""

    id: UUID = Field(primary_key=True)
    title: str
    language: str
    category: str = ""
    solution: str = Field(default="", description="Key of the policy's standard solution it explains, if any.")
    body: str
    search: str = ""
    published: bool = False
    version: int = 1
    changed_at: datetime = instant()
    changed_by: str


class AdminEvent(SQLModel, table=True):
    """Append-only, hash-chained log of what was changed beside complaints: people, keys, policy, texts."""

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    at: datetime = instant(index=True)
    actor_id: str
    actor_name: str
    kind: str
    object: str
    data: Json = blob()
    previous: str
    hash: str


class ApiKey(SQLModel, table=True):
    """A key of an integrator or person; only its hash is stored."""

    id: UUID = Field(primary_key=True)
    name: str
    prefix: str = Field(index=True)
    hash: str = Field(unique=True)
    scopes: list[str] = blob(list)
    person_id: UUID | None = Field(default=None, foreign_key="person.id")
    created_at: datetime = instant()
    expires_at: datetime | None = instant(null=True)
    revoked_at: datetime | None = instant(null=True)
    last_used_at: datetime | None = instant(null=True)


class IdempotencyKey(SQLModel, table=True):
    """A request that was answered: the same key with the same body gets the same answer."""

    owner: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: str
    complaint_id: UUID = Field(foreign_key="complaint.id")
    at: datetime = instant(index=True)


class PolicyVersion(SQLModel, table=True):
    """An activated policy, whole, so that every case can be explained under the one it began under."""

    hash: str = Field(primary_key=True)
    name: str
    content: Json = blob()
    activated_at: datetime = instant()
    effective_from: datetime = instant(index=True)
    activated_by: str


class SystemMark(SQLModel, table=True):
    """Last time something regular happened (clock tick, dispatch, reconcile), for health; and the pace of providers."""

    name: str = Field(primary_key=True)
    at: datetime = instant()
    detail: Json = blob()


class Clock(SQLModel, table=True):
    """One SLA clock of one complaint. `ledger` is the truth (budget, counted and suspended intervals with reasons);
    everything beside it is derived from it and stored so that it can be searched."""

    __table_args__ = (
        UniqueConstraint("complaint_id", "profile", "name", "round", name="clock_once"),
        Index("clock_next", "next_at", postgresql_where=text("next_at is not null")),
        Index("clock_due", "due_at", postgresql_where=text("state in ('running', 'paused')")),
        Index(
            "clock_ended",
            "stopped_at",
            postgresql_include=["profile", "name", "state", "complaint_id"],
            postgresql_where=text("state in ('met', 'missed')"),
        ),
    )

    id: UUID = Field(primary_key=True)
    complaint_id: UUID = Field(foreign_key="complaint.id", index=True)
    profile: str
    name: str
    round: int = 1
    kind: str  #: regulatory, internal or external (an outside body's own)
    policy_hash: str
    state: str  #: running, paused, met, missed, cancelled
    started_at: datetime = instant()
    due_at: datetime | None = instant(null=True)
    stopped_at: datetime | None = instant(null=True)
    next_at: datetime | None = instant(null=True)
    ledger: Json = blob()


class Rung(SQLModel, table=True):
    """A rung of a clock's escalation ladder that has fired. The key is the promise that it fires once."""

    clock_id: UUID = Field(foreign_key="clock.id", primary_key=True)
    rung: str = Field(primary_key=True)
    at: datetime = instant()
    due_at: datetime = instant()
    lateness: float = Field(default=0.0, description="Seconds between the moment it was due and the moment it fired.")
    actions: list[str] = blob(list)
