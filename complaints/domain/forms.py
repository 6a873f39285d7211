"""The form of each human step: one pydantic model used alike by the API, the CLI, the console and Prefect's own form.

A form says what a person decides; what follows from it is the business of the services and the transition table.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from complaints.domain.validation import CODE, CURRENCY, NO_NUL, visible
from complaints.domain.vocabulary import Finding, RemedyKind, Severity, StepKind

#: Free text a person types: trimmed, not empty, without NUL bytes (PostgreSQL cannot store them), bounded.
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000, pattern=NO_NUL),
    AfterValidator(visible),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=NO_NUL),
    AfterValidator(visible),
]
OptionalWords = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=20_000, pattern=NO_NUL),
]
Code = Annotated[str, StringConstraints(pattern=CODE)]


class Form(BaseModel):
    """Base of all forms: unknown fields are refused, so that a typo is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TriageDecision(StrEnum):
    """What triage can lead to."""

    INVESTIGATE = "investigate"
    FAST_TRACK = "fast_track"
    REJECT = "reject"
    MERGE = "merge"


class TriageForm(Form):
    """Confirm or correct what the classifier proposed, and say how it goes on."""

    decision: TriageDecision = Field(description="Investigate, answer with a standard solution, reject, or merge.")
    category: Code | None = Field(default=None, description="Category; empty keeps the proposed one.")
    severity: Severity | None = Field(default=None, description="Severity; empty keeps the proposed one.")
    team: Code | None = Field(default=None, description="Team; empty lets the routing rules decide.")
    solution: Code | None = Field(default=None, description="Standard solution to answer with (fast track).")
    merge_into: Line | None = Field(default=None, description="Reference of the complaint to merge into (merge).")
    reason: OptionalWords = Field(default="", description="Why; required to reject or merge.")

    @model_validator(mode="after")
    def _complete(self) -> TriageForm:
        if self.decision is TriageDecision.MERGE and not self.merge_into:
            raise ValueError("merge_into: give the reference of the complaint to merge into")
        if self.decision is TriageDecision.FAST_TRACK and not self.solution:
            raise ValueError("solution: choose the standard solution to answer with")
        if self.decision in (TriageDecision.REJECT, TriageDecision.MERGE) and not self.reason:
            raise ValueError("reason: say why")
        return self


class RemedyProposal(Form):
    """One measure that puts the matter right."""

    kind: RemedyKind = Field(description="Kind of measure.")
    description: Line = Field(description="What exactly is promised.")
    amount: Decimal | None = Field(
        default=None,
        ge=0,
        max_digits=14,
        decimal_places=2,
        description="Value, if money.",
    )
    currency: Annotated[str, StringConstraints(pattern=CURRENCY)] | None = Field(
        default=None, description="ISO 4217 code; empty means the policy's currency."
    )
    due_days: int = Field(
        default=14,
        ge=0,
        le=365,
        description="Calendar days until it must be carried out.",
    )


class InvestigationForm(Form):
    """The result of the investigation."""

    finding: Finding = Field(description="Upheld, partly upheld or not upheld.")
    summary: Words = Field(description="Findings and reasons, in words the complainant can read.")
    root_cause: Code | None = Field(default=None, description="Root cause, from the taxonomy.")
    responsible_unit: Line | None = Field(default=None, description="Unit whose doing or omission caused it.")
    internal_note: OptionalWords = Field(default="", description="Evidence and remarks that stay inside.")
    remedies: list[RemedyProposal] = Field(default_factory=list, max_length=20, description="Proposed measures.")


class ApprovalDecision(StrEnum):
    """What an approver can say."""

    APPROVE = "approve"
    SEND_BACK = "send_back"


class ApprovalForm(Form):
    """The second pair of eyes on findings and remedies."""

    decision: ApprovalDecision = Field(description="Approve, or send back to investigation.")
    reason: OptionalWords = Field(default="", description="Why; required to send back.")

    @model_validator(mode="after")
    def _complete(self) -> ApprovalForm:
        if self.decision is ApprovalDecision.SEND_BACK and not self.reason:
            raise ValueError("reason: say what must be looked at again")
        return self


class RemedyResult(StrEnum):
    """How carrying out a remedy ended."""

    DONE = "done"
    DECLINED = "declined"
    FAILED = "failed"


class RemedyForm(Form):
    """One remedy was carried out, declined by the complainant, or could not be carried out."""

    result: RemedyResult = Field(description="Done, declined by the complainant, or failed.")
    evidence: OptionalWords = Field(default="", description="Payment number, tracking number, photograph's name…")


class ResponseForm(Form):
    """The final response, read and if need be rewritten by a person."""

    body: Words = Field(description="The letter, as the complainant will read it.")


class CallBackForm(Form):
    """A complainant without e-mail was called (or could not be reached)."""

    reached: bool = Field(description="Somebody answered.")
    satisfied: bool | None = Field(default=None, description="The complainant accepts the outcome.")
    words: OptionalWords = Field(default="", description="What was said.")

    @model_validator(mode="after")
    def _complete(self) -> CallBackForm:
        if self.reached and self.satisfied is None:
            raise ValueError("satisfied: say whether the complainant accepts the outcome")
        return self


class ConfirmationForm(Form):
    """The complainant's verdict and the satisfaction survey (ISO 10004)."""

    accepted: bool = Field(description="The complainant accepts the outcome; false appeals.")
    rating: int | None = Field(default=None, ge=1, le=5, description="Satisfaction, 1 (bad) to 5 (good).")
    resolved: bool | None = Field(default=None, description="Is the matter resolved for the complainant?")
    effort: int | None = Field(default=None, ge=1, le=5, description="Effort it took, 1 (little) to 5 (much).")
    words: OptionalWords = Field(default="", description="In their own words; the reason of an appeal.")

    @model_validator(mode="after")
    def _complete(self) -> ConfirmationForm:
        if not self.accepted and not self.words:
            raise ValueError("words: say what is still wrong, so that somebody else can review it")
        return self


class ReviewDecision(StrEnum):
    """What an independent reviewer can say."""

    STANDS = "stands"
    CHANGE = "change"
    EXTERNAL = "external"


class ReviewForm(Form):
    """Appeal, reviewed by somebody who had no part in the case."""

    decision: ReviewDecision = Field(description="Outcome stands, outcome changes, or goes to an external body.")
    finding: Finding | None = Field(default=None, description="New finding (required when the outcome changes).")
    summary: Words = Field(description="Reasons, in words the complainant can read.")
    remedies: list[RemedyProposal] = Field(default_factory=list, max_length=20, description="New measures.")
    body_name: Line | None = Field(default=None, description="External body (required when it goes there).")

    @model_validator(mode="after")
    def _complete(self) -> ReviewForm:
        if self.decision is ReviewDecision.CHANGE and self.finding is None:
            raise ValueError("finding: give the new finding")
        if self.decision is ReviewDecision.EXTERNAL and not self.body_name:
            raise ValueError("body_name: name the external body")
        return self


class ExternalDecision(StrEnum):
    """How an outside body ends its case."""

    CHANGES = "changes"
    CLOSES = "closes"


class ExternalForm(Form):
    """The outside body (ombudsman, regulator, mediator, court) has spoken."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"decision": "closes", "summary": "…"}]})

    decision: ExternalDecision = Field(description="The body demands a change, or closes its case.")
    finding: Finding | None = Field(
        default=None,
        description="The body's finding (required when it demands a change).",
    )
    summary: Words = Field(description="What the body said.")
    body_reference: Line | None = Field(default=None, description="The body's case number.")
    remedies: list[RemedyProposal] = Field(default_factory=list, max_length=20, description="Measures demanded.")

    @model_validator(mode="after")
    def _complete(self) -> ExternalForm:
        if self.decision is ExternalDecision.CHANGES and self.finding is None:
            raise ValueError("finding: give the body's finding")
        return self


class ClosureDecision(StrEnum):
    """What can end the appeal window early."""

    ARCHIVE = "archive"
    REOPEN = "reopen"


class ClosureForm(Form):
    """The appeal window is open; normally a timer ends it."""

    decision: ClosureDecision = Field(description="Archive now, or reopen the complaint.")
    reason: Words = Field(description="Why.")


class ExtensionForm(Form):
    """Approve or refuse a requested extension of a clock."""

    approve: bool = Field(description="Grant the extension.")
    reason: OptionalWords = Field(default="", description="Why; required to refuse.")

    @model_validator(mode="after")
    def _complete(self) -> ExtensionForm:
        if not self.approve and not self.reason:
            raise ValueError("reason: say why the extension is refused")
        return self


class ManagementReviewForm(Form):
    """A manager looked at a case that climbed its escalation ladder."""

    measures: Words = Field(description="What was decided so that the case goes on.")
    assignee: UUID | None = Field(default=None, description="New assignee, if it changes hands.")


class InformForm(Form):
    """A complainant who cannot be written to by e-mail was told by telephone or letter."""

    told: bool = Field(description="They have been told (or the letter has been posted).")
    words: OptionalWords = Field(default="", description="How and when; required where they could not be told.")

    @model_validator(mode="after")
    def _complete(self) -> InformForm:
        if not self.told and not self.words:
            raise ValueError("words: say what was tried")
        return self


FORMS: dict[StepKind, type[Form]] = {
    StepKind.TRIAGE: TriageForm,
    StepKind.INVESTIGATION: InvestigationForm,
    StepKind.APPROVAL: ApprovalForm,
    StepKind.REMEDY: RemedyForm,
    StepKind.RESPONSE: ResponseForm,
    StepKind.CALL_BACK: CallBackForm,
    StepKind.CONFIRMATION: ConfirmationForm,
    StepKind.REVIEW: ReviewForm,
    StepKind.EXTERNAL: ExternalForm,
    StepKind.CLOSURE: ClosureForm,
    StepKind.EXTENSION: ExtensionForm,
    StepKind.MANAGEMENT_REVIEW: ManagementReviewForm,
    StepKind.INFORM: InformForm,
}
