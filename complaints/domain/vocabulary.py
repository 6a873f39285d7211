"""The words of complaint handling, as ISO 10002:2018 and the regulators use them. Codes are stored, not labels."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Where a complaint is in its life. `acknowledged` is a fact beside it, not a status."""

    RECEIVED = "received"
    TRIAGE = "triage"
    INVESTIGATING = "investigating"
    AWAITING_CUSTOMER = "awaiting_customer"
    AWAITING_THIRD_PARTY = "awaiting_third_party"
    DECIDING = "deciding"
    REMEDYING = "remedying"
    RESPONDING = "responding"
    CONFIRMING = "confirming"
    REVIEWING = "reviewing"
    EXTERNAL = "external"
    CLOSED = "closed"
    ARCHIVED = "archived"
    ERASED = "erased"


#: Statuses in which the machine has nothing left to do: the flow run has ended.
OVER = frozenset({Status.ARCHIVED, Status.ERASED})
#: Statuses in which the complaint is still being handled.
OPEN = frozenset(set(Status) - OVER - {Status.CLOSED})
#: Open, but our answer has been given: the complainant or an outside body decides.
ANSWERED = frozenset({Status.CONFIRMING, Status.EXTERNAL})


class Severity(StrEnum):
    """How bad the matter is for the complainant or others; decides queue, budgets and approval."""

    CRITICAL = "critical"
    SERIOUS = "serious"
    MODERATE = "moderate"
    MINOR = "minor"


#: From worst to mildest, for comparisons and sorting.
SEVERITIES = tuple(Severity)


#: Work queues by priority; the lower number is served first.
QUEUES: Mapping[str, int] = MappingProxyType({"urgent": 1, "normal": 2, "bulk": 3})


class Channel(StrEnum):
    """How the complaint arrived."""

    PORTAL = "portal"
    API = "api"
    EMAIL = "email"
    FILE = "file"
    PHONE = "phone"
    LETTER = "letter"
    IN_PERSON = "in_person"
    SOCIAL = "social"


class Language(StrEnum):
    """Languages in which we write to people."""

    ZH = "zh-CN"
    EN = "en"


class Finding(StrEnum):
    """What the investigation found about the complaint as a whole."""

    UPHELD = "upheld"
    PARTLY_UPHELD = "partly_upheld"
    NOT_UPHELD = "not_upheld"


class ClosingCategory(StrEnum):
    """Why and how the case was closed (the CFPB's response categories, plus the ends that are no response)."""

    EXPLANATION = "explanation"
    MONETARY_RELIEF = "monetary_relief"
    NON_MONETARY_RELIEF = "non_monetary_relief"
    NOT_UPHELD = "not_upheld"
    WITHDRAWN = "withdrawn"
    NO_RESPONSE = "no_response"
    REJECTED = "rejected"
    MERGED = "merged"


class RemedyKind(StrEnum):
    """Measures that put the matter right (redress)."""

    APOLOGY = "apology"
    REFUND = "refund"
    COMPENSATION = "compensation"
    REPLACEMENT = "replacement"
    REPAIR = "repair"
    CORRECTION = "correction"
    COUPON = "coupon"
    POINTS = "points"
    SERVICE_CHANGE = "service_change"
    OTHER = "other"


MONETARY_REMEDIES = frozenset({RemedyKind.REFUND, RemedyKind.COMPENSATION, RemedyKind.COUPON, RemedyKind.POINTS})


class RemedyState(StrEnum):
    """Life of one remedy: offered → accepted → done (paid, delivered…) → verified; or declined / failed."""

    PROPOSED = "proposed"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DONE = "done"
    VERIFIED = "verified"
    DECLINED = "declined"
    FAILED = "failed"


class Audience(StrEnum):
    """Who may read a thing."""

    INTERNAL = "internal"
    COMPLAINANT = "complainant"
    THIRD_PARTY = "third_party"


class Role(StrEnum):
    """What a person or key is allowed to be. `system` is the machine, `complainant` a link or portal session."""

    AGENT = "agent"
    LEAD = "lead"
    APPROVER = "approver"
    MANAGER = "manager"
    AUDITOR = "auditor"
    ADMIN = "admin"
    COMPLAINANT = "complainant"
    INTEGRATOR = "integrator"
    SYSTEM = "system"


class StepKind(StrEnum):
    """Human steps: what a person is asked to do, each with one form (see forms.py)."""

    TRIAGE = "triage"
    INVESTIGATION = "investigation"
    APPROVAL = "approval"
    REMEDY = "remedy"
    RESPONSE = "response"
    CALL_BACK = "call_back"
    CONFIRMATION = "confirmation"
    REVIEW = "review"
    EXTERNAL = "external"
    CLOSURE = "closure"
    EXTENSION = "extension"
    MANAGEMENT_REVIEW = "management_review"
    INFORM = "inform"


class AskedFor(StrEnum):
    """For what a third party is asked."""

    INFORMATION = "information"
    APPRAISAL = "appraisal"


class StepState(StrEnum):
    """Life of a human step."""

    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    CANCELLED = "cancelled"


class IntentKind(StrEnum):
    """What an outbox row asks for, after its transaction has committed."""

    NOTIFY = "notify"
    START_RUN = "start_run"
    WAKE_RUN = "wake_run"
    WEBHOOK = "webhook"
    DISPOSE = "dispose"


class IntentState(StrEnum):
    """Life of an outbox row."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"


class LinkKind(StrEnum):
    """How two complaints relate."""

    DUPLICATE = "duplicate"
    RELATED = "related"
    MERGED_INTO = "merged_into"


class Need(StrEnum):
    """What we must respect about a complainant (vulnerable customers, safe contact)."""

    VULNERABLE = "vulnerable"
    NO_PHONE = "no_phone"
    NO_EMAIL = "no_email"
    SAFE_CONTACT_ONLY = "safe_contact_only"
    LARGE_PRINT = "large_print"
    INTERPRETER = "interpreter"


class Flag(StrEnum):
    """What screening and classification raise."""

    SAFETY = "safety"
    LEGAL_THREAT = "legal_threat"
    MEDIA_THREAT = "media_threat"
    DISCRIMINATION = "discrimination"
    FRAUD = "fraud"
    DATA_PROTECTION = "data_protection"
    VULNERABLE = "vulnerable"
    SPAM = "spam"
    NOT_A_COMPLAINT = "not_a_complaint"
    DUPLICATE = "duplicate"


#: Flags for which a person must look before the machine routes.
TRIAGE_FLAGS = frozenset({Flag.SAFETY, Flag.LEGAL_THREAT, Flag.SPAM, Flag.NOT_A_COMPLAINT, Flag.DUPLICATE})
