"""What can be asked of a complaint beside completing its steps: one model per action, for API, CLI and console."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from complaints.domain.forms import Code, Form, Line, OptionalWords, RemedyProposal, Words
from complaints.domain.intake import Email
from complaints.domain.vocabulary import AskedFor, Audience, LinkKind, Severity


class Withdraw(Form):
    """The complainant takes the complaint back."""

    reason: OptionalWords = Field(default="", description="Why, if they say.")


class Reject(Form):
    """Not a complaint, not ours, or not admissible; the complainant is told why."""

    reason: Words = Field(description="Why, as the complainant will read it.")


class Merge(Form):
    """The same matter as another complaint: this one ends, the other one goes on for both complainants."""

    into: Line = Field(description="Reference of the complaint that goes on.")
    reason: OptionalWords = Field(default="", description="Why.")


class AskCustomer(Form):
    """Ask the complainant a question; internal clocks pause until they answer."""

    question: Words = Field(description="The question, as they will read it.")


class CustomerReplied(Form):
    """The complainant's answer."""

    answer: Words = Field(description="What they said.")


class AskThirdParty(Form):
    """Ask somebody outside (supplier, carrier, appraiser)."""

    party: Line = Field(description="Who is asked.")
    question: Words = Field(description="The question.")
    email: Email | None = Field(default=None, description="Where it is sent; empty: you ask yourself.")
    purpose: AskedFor = Field(
        default=AskedFor.INFORMATION,
        description="An appraisal stops some legal clocks; the complainant is told of it.",
    )


class ThirdPartyReplied(Form):
    """The third party's answer."""

    answer: Words = Field(description="What they said.")


class Assign(Form):
    """Hand the complaint to somebody."""

    person: UUID = Field(description="Id of the new assignee.")
    reason: OptionalWords = Field(default="", description="Why.")


class Reclassify(Form):
    """Correct category, severity, team or jurisdiction; what the clocks counted stays."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("category", "severity", "team", "jurisdiction")
            ]
        }
    )

    category: Code | None = Field(default=None, description="New category.")
    severity: Severity | None = Field(default=None, description="New severity.")
    team: Code | None = Field(default=None, description="New team.")
    jurisdiction: Code | None = Field(
        default=None, description="New jurisdiction tag; it selects the regulatory profiles, e.g. `cn_fin_complex`."
    )
    reason: Words = Field(description="Why.")

    @model_validator(mode="after")
    def _something(self) -> Reclassify:
        if self.category is None and self.severity is None and self.team is None and self.jurisdiction is None:
            raise ValueError("category: give a new category, severity, team or jurisdiction")
        return self


class Escalate(Form):
    """Make it more urgent and tell the lead."""

    reason: Words = Field(description="Why.")


class Note(Form):
    """A remark for colleagues."""

    text: Words = Field(description="The note.")


class SendMessage(Form):
    """A message in the thread, from us to the complainant or from them to us."""

    text: Words = Field(description="The message.")
    audience: Literal[Audience.COMPLAINANT, Audience.INTERNAL] = Field(
        default=Audience.COMPLAINANT, description="Who may read it."
    )


class Appeal(Form):
    """The complainant does not accept the outcome; somebody independent reviews it."""

    reason: Words = Field(description="What is still wrong.")


class Reopen(Form):
    """Take a closed complaint up again."""

    reason: Words = Field(description="Why.")


class ReferExternally(Form):
    """The case goes to an outside body (ombudsman, regulator, mediator, court)."""

    body: Line = Field(description="The body.")
    reason: Words = Field(description="Why, and on whose initiative.")


class ExternalAccepts(Form):
    """The outside body has accepted the case; its own time for mediation begins."""

    body_reference: Line | None = Field(default=None, description="The body's case number.")
    reason: OptionalWords = Field(default="", description="What the body wrote.")


class HoldingResponse(Form):
    """Tell the complainants that the final answer needs longer, and why; some rules count it as the answer in time."""

    text: Words = Field(description="Where the matter stands and why it takes longer, as they will read it.")


class LinkTo(Form):
    """Relate two complaints."""

    to: Line = Field(description="Reference of the other complaint.")
    kind: Literal[LinkKind.RELATED, LinkKind.DUPLICATE] = Field(default=LinkKind.RELATED, description="How.")
    note: OptionalWords = Field(default="", description="Remark.")


class NewFacts(Form):
    """New facts arrived; clocks whose rule says so start anew."""

    text: Words = Field(description="What is new.")


class RequestExtension(Form):
    """Ask for more time on one clock; a lead decides, the complainant is told before the old time is over."""

    clock: Line = Field(description="Clock, as `profile.name`, e.g. `default.resolve`.")
    days: int = Field(
        ge=1, le=365, description="How much more, counted as the clock counts: in days, or working hours."
    )
    reason: Words = Field(description="Why, as the complainant will read it.")


class ProposeRemedy(Form):
    """Propose a measure."""

    remedy: RemedyProposal = Field(description="The measure.")


class FastTrack(Form):
    """A standard solution fits: it answers the complaint, without an investigation."""

    solution: Code = Field(description="Standard solution to answer with (fast track).")


class Acknowledge(Form):
    """The acknowledgment was given by a person, with what proves it."""

    how: Line = Field(description="By telephone, on paper, at the counter…")
    evidence: Words = Field(description="Who told whom and when; number of the call or the letter.")


class AcknowledgmentBounced(Form):
    """The acknowledgment came back: it is owed again, and somebody must find another way."""

    address: Line | None = Field(default=None, description="Address it came back from; empty: the complainant's.")
    evidence: Words = Field(description="What the mail server or the post said.")


class AcceptRemedy(Form):
    """The complainant accepts an offered remedy."""

    remedy: UUID = Field(description="Which remedy.")
    evidence: Words = Field(description="How and when they said so.")


class DeclineRemedy(Form):
    """The complainant does not want an offered remedy; nothing is carried out for it."""

    remedy: UUID = Field(description="Which remedy.")
    reason: Words = Field(description="Why, and what would put it right instead, if they say.")


class VerifyRemedy(Form):
    """Somebody who did not carry it out has checked that a remedy arrived."""

    remedy: UUID = Field(description="Which remedy.")
    evidence: Words = Field(description="How it was checked.")


class LegalHold(Form):
    """Keep the dossier beyond its retention time, or end that."""

    hold: bool = Field(description="True: keep; false: normal retention again.")
    reason: Words = Field(description="Why.")


class RequestDisposal(Form):
    """Propose that the dossier is erased; somebody else does it, or a legal hold refuses it."""

    reason: Words = Field(description="Why. Name no person.")


class Erase(Form):
    """Erase the dossier for good, as somebody else has requested: what statistics count stays, the rest is gone."""

    reason: Words = Field(description="Why it may be erased: the rule or the request. It is kept, so name no person.")
    early: bool = Field(
        default=False, description="Before its retention time is over, because the law gives a right to erasure."
    )


#: action → what must be given with it
COMMANDS: Mapping[str, type[Form]] = MappingProxyType(
    {
        "withdraw": Withdraw,
        "reject": Reject,
        "merge": Merge,
        "ask_customer": AskCustomer,
        "customer_replied": CustomerReplied,
        "ask_third_party": AskThirdParty,
        "third_party_replied": ThirdPartyReplied,
        "assign": Assign,
        "reclassify": Reclassify,
        "escalate": Escalate,
        "add_note": Note,
        "add_message": SendMessage,
        "appeal": Appeal,
        "reopen": Reopen,
        "refer_externally": ReferExternally,
        "external_accepts": ExternalAccepts,
        "link": LinkTo,
        "new_facts": NewFacts,
        "request_extension": RequestExtension,
        "holding_response": HoldingResponse,
        "propose_remedy": ProposeRemedy,
        "accept_remedy": AcceptRemedy,
        "decline_remedy": DeclineRemedy,
        "verify_remedy": VerifyRemedy,
        "fast_track": FastTrack,
        "acknowledge": Acknowledge,
        "acknowledgment_bounced": AcknowledgmentBounced,
        "legal_hold": LegalHold,
        "request_disposal": RequestDisposal,
        "erase": Erase,
    }
)
