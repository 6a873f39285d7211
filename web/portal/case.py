"""What the tracking page tells: where it stands, what was said, what can be done. Only what is the reader's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import select

from complaints.domain.vocabulary import OPEN, ClosingCategory, Language, Status
from complaints.notify.labels import label
from complaints.services import actions, clocks, remedies
from complaints.services.contact import way_to_reach
from complaints.services.sight import Sight
from complaints.services.tracking import Visitor
from complaints.store.tables import Attachment, Complaint, Message, Party, Remedy
from complaints.store.unit import Work
from web.language import N_, Speech

S = Status
#: The way of a complaint in plain words: title, what it means, statuses.
_WAY: tuple[tuple[str, str, frozenset[Status]], ...] = (
    (N_("Received"), N_("We have your complaint and decide who looks into it."), frozenset({S.RECEIVED, S.TRIAGE})),
    (
        N_("Looking into it"),
        N_("Somebody finds out what happened. We may have a question for you."),
        frozenset({S.INVESTIGATING, S.AWAITING_CUSTOMER, S.AWAITING_THIRD_PARTY}),
    ),
    (
        N_("Deciding and putting it right"),
        N_("We decide what we will do, and do it."),
        frozenset({S.DECIDING, S.REMEDYING, S.RESPONDING}),
    ),
    (N_("Our answer"), N_("You read what we found and say whether that settles it."), frozenset({S.CONFIRMING})),
    (N_("Closed"), N_("The matter is settled. You can still ask for a review for some time."), frozenset({S.CLOSED})),
)
_REVIEW = (
    N_("Review"),
    N_("Somebody who was not involved before looks at it again."),
    frozenset({S.REVIEWING}),
)
_OUTSIDE = (N_("Outside body"), N_("An independent body has the case."), frozenset({S.EXTERNAL}))
_NOW: Mapping[Status, str] = {
    S.RECEIVED: N_("We have received your complaint."),
    S.TRIAGE: N_("We have received your complaint and are finding the right people for it."),
    S.INVESTIGATING: N_("We are looking into what happened."),
    S.AWAITING_CUSTOMER: N_("We need your answer to go on."),
    S.AWAITING_THIRD_PARTY: N_("We have asked somebody else who knows more and are waiting for their answer."),
    S.DECIDING: N_("We know what happened and are deciding what to do."),
    S.REMEDYING: N_("We are putting things right."),
    S.RESPONDING: N_("We are writing our answer to you."),
    S.CONFIRMING: N_("You have our answer."),
    S.REVIEWING: N_("Somebody who was not involved before is looking at it again."),
    S.EXTERNAL: N_("An independent body has the case."),
    S.CLOSED: N_("This complaint is closed."),
    S.ARCHIVED: N_("This complaint is closed and filed. It can no longer be changed here."),
    S.ERASED: N_("This complaint was erased; what was said in it is no longer kept."),
}
_OFFERED = N_("We have an offer for you. Please tell us whether you accept it.")
_ENDED: Mapping[str, str] = {
    ClosingCategory.EXPLANATION: N_("We explained what happened."),
    ClosingCategory.MONETARY_RELIEF: N_("It was settled with a payment or credit."),
    ClosingCategory.NON_MONETARY_RELIEF: N_("It was put right without a payment."),
    ClosingCategory.NOT_UPHELD: N_("We could not agree with the complaint; our answer says why."),
    ClosingCategory.WITHDRAWN: N_("You withdrew it."),
    ClosingCategory.NO_RESPONSE: N_("We did not hear from you."),
    ClosingCategory.REJECTED: N_("We could not take it up; our letter says why."),
    ClosingCategory.MERGED: N_("It is handled together with another complaint about the same matter."),
}
_HAPPENED: Mapping[str, str] = {
    "received": N_("Your complaint reached us."),
    "acknowledged": N_("We confirmed that we received it."),
    "ask_customer": N_("We asked you a question."),
    "customer_replied": N_("You answered."),
    "add_message": N_("A message was written."),
    "add_attachment": N_("A file was added."),
    "extend": N_("We told you that we need more time."),
    "send_response": N_("We sent you our answer."),
    "confirm": N_("You accepted our answer."),
    "accept_remedy": N_("You accepted what we offered."),
    "decline_remedy": N_("You did not want what we offered."),
    "appeal": N_("You asked for a review."),
    "holding_response": N_("We told you why our answer takes longer."),
    "refer_externally": N_("The case went to an independent body."),
    "external_accepts": N_("The independent body accepted the case."),
    "withdraw": N_("You withdrew the complaint."),
    "reject": N_("We could not take the complaint up."),
}
#: Kinds of messages that are read here; letters that only repeat what the page says are not.
_SHOWN = frozenset(
    {
        "question", "answer", "message", "response", "appeal", "extension_notice", "holding_response",
        "appraisal_notice", "rejection", "new_facts",
    }
)  # fmt: skip
_FINAL = (ClosingCategory.WITHDRAWN, ClosingCategory.MERGED)


@dataclass(frozen=True)
class Stage:
    """One stage of the way: `state` is done, now or ahead."""

    title: str
    about: str
    state: str


@dataclass(frozen=True)
class Said:
    """One message: ours or the reader's."""

    at: datetime
    ours: bool
    kind: str
    text: str


@dataclass(frozen=True)
class Offer:
    """A remedy that waits for the reader's yes or no."""

    id: str
    kind: str
    about: str
    amount: str


@dataclass(frozen=True)
class Tracked:
    """Everything on the page."""

    reference: str
    language: str
    status: str
    now: str
    ended: str
    stages: list[Stage]
    received_at: datetime
    answer_due: date | None
    waiting_until: datetime | None
    closed_at: datetime | None
    own_words: str
    question: str  #: ours, where their answer is awaited
    answer: str  #: our response, where their verdict is awaited
    offers: list[Offer]
    thread: list[Said]
    files: list[Attachment]
    happened: list[tuple[datetime, str]]
    can: frozenset[str]  #: answer, message, confirm, appeal, withdraw, renew


def tracked(work: Work, visitor: Visitor, speech: Speech) -> Tracked:
    """The complaint behind a link, as its visitor may see it."""
    complaint, status = visitor.complaint, Status(visitor.complaint.status)
    sees = Sight(work, visitor)
    thread = [_said(m) for m in sees.thread() if m.kind in _SHOWN]
    can = _can(work, visitor)
    if way_to_reach(visitor.complainant).kind == "email":
        can |= {"renew"}
    offers = remedies.offers(work, complaint, visitor.complainant.id)
    question, answer = (_last(thread, kind) for kind in ("question", "response"))
    return Tracked(
        reference=complaint.reference,
        language=visitor.complainant.language,
        status=status,
        now=speech.say(_OFFERED if offers else _NOW[status]),
        ended=speech.say(_ENDED[complaint.closing_category]) if complaint.closing_category else "",
        stages=_stages(complaint, status, speech),
        received_at=complaint.received_at,
        answer_due=clocks.answer_due(work, complaint),
        waiting_until=complaint.waiting_until,
        closed_at=complaint.closed_at,
        own_words=sees.narrative,
        question=question if "answer" in can else "",
        answer=answer if "confirm" in can else "",
        offers=[_offer(remedy, speech) for remedy in offers],
        thread=thread,
        files=sees.files(),
        happened=[(e.at, speech.say(_HAPPENED[e.kind])) for e in sees.timeline() if e.kind in _HAPPENED],
        can=can,
    )


def _offer(remedy: Remedy, speech: Speech) -> Offer:
    kind = label("remedy", remedy.kind, chinese=speech.language is Language.ZH)
    amount = "" if remedy.amount is None else speech.money(remedy.amount, remedy.currency)
    return Offer(str(remedy.id), kind, remedy.description, amount)


def _said(message: Message) -> Said:
    return Said(message.at, message.direction == "out", message.kind, message.body)


def _last(thread: list[Said], kind: str) -> str:
    return next((said.text for said in reversed(thread) if said.ours and said.kind == kind), "")


def _stages(complaint: Complaint, status: Status, speech: Speech) -> list[Stage]:
    way = list(_WAY)
    if status is S.REVIEWING or complaint.round > 1:
        way.insert(4, _REVIEW)
    if status is S.EXTERNAL:
        way.insert(-1, _OUTSIDE)
    over = status not in OPEN
    if over:
        if complaint.closing_category in (ClosingCategory.WITHDRAWN, ClosingCategory.MERGED, ClosingCategory.REJECTED):
            way = [way[0], way[-1]]
        at = len(way)  # the last stage, too, is behind us
    else:
        at = next(i for i, (_, _, here) in enumerate(way) if status in here)
    states = ["done" if i < at else "now" if i == at else "ahead" for i in range(len(way))]
    return [
        Stage(speech.say(title), speech.say(about), state) for (title, about, _), state in zip(way, states, strict=True)
    ]


def _can(work: Work, visitor: Visitor) -> frozenset[str]:
    complaint = visitor.complaint
    names = {"customer_replied": "answer", "add_message": "message", "appeal": "appeal", "withdraw": "withdraw"}
    can = {names[a] for a in actions.allowed_for(work, complaint, visitor.actor) if a in names}
    if actions.asks_confirmation(work, complaint, visitor.actor):
        can = (can | {"confirm"}) - {"appeal"}  # not accepting the outcome is the appeal
    if complaint.closing_category in _FINAL:
        can -= {"appeal", "message"}
    if "answer" in can:
        can -= {"message"}
    return frozenset(can)


def merged_into(work: Work, visitor: Visitor) -> tuple[Complaint, Party] | None:
    """Where the visitor's complaint goes on, if it was merged and they are a party there."""
    into = visitor.complaint.merged_into_id
    if into is None:
        return None
    party = work.session.exec(
        select(Party).where(Party.complaint_id == into, Party.complainant_id == visitor.complainant.id)
    ).first()
    return (work.session.get_one(Complaint, into), party) if party else None
