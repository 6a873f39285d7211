"""The life of a complaint as one table. Every change of status, by whomever and through whichever door, is a row of it.

`TABLE` answers three questions: in which statuses is an action possible, who may do it, where can it lead. Where an
action can lead to more than one status, `choose` picks from the facts of the case, never from the caller's wish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from complaints.domain.commands import COMMANDS
from complaints.domain.errors import ActionNotAllowed
from complaints.domain.vocabulary import OPEN, RemedyState, Role, Status

S = Status


class Ground(StrEnum):
    """What an archived case must have for its disposal, which takes two people."""

    NO_HOLD = "no legal hold"
    REQUESTED = "somebody else's request"


#: How it is said that a case lacks it.
_LACKS: Mapping[RemedyState | Ground, str] = {
    Ground.NO_HOLD: "the dossier is on legal hold",
    Ground.REQUESTED: "nobody else has requested the disposal",
    RemedyState.OFFERED: "no remedy is offered",
    RemedyState.DONE: "no remedy is done",
}


@dataclass(frozen=True)
class Facts:
    """What it depends on, beside the status, whether an action is possible and where it leads."""

    grounds: frozenset[Ground] = frozenset()
    remedies: frozenset[RemedyState] = frozenset()  #: states in which the case has a remedy
    reachable: bool = True  #: the complainant can be asked whether they are satisfied (e-mail or phone)


@dataclass(frozen=True)
class Transition:
    """One action: where it is possible, who may do it, where it leads.

    `targets` empty means the status stays. `machine` actions are also open to the system; `roles` to people. With
    `needs`, the case must have a remedy in that state, or that ground.
    """

    action: str
    sources: frozenset[Status]
    targets: frozenset[Status]
    roles: frozenset[Role]
    choose: Callable[[Facts], Status] | None = None
    needs: RemedyState | Ground | None = None

    def possible(self, status: Status, facts: Facts) -> bool:
        """Whether anybody could do it now."""
        return status in self.sources and (self.needs is None or self.needs in facts.remedies | facts.grounds)

    def lacks(self, status: Status, facts: Facts) -> str:
        """What the case has not, though its status would do; empty where it is the status."""
        if status not in self.sources or self.needs is None:
            return ""
        held = isinstance(self.needs, Ground) and Ground.NO_HOLD not in facts.grounds
        return _LACKS[Ground.NO_HOLD if held else self.needs]

    def target(self, status: Status, facts: Facts) -> Status:
        """The status after the action."""
        if not self.targets:
            return status
        if self.choose is not None:
            return self.choose(facts)
        (only,) = self.targets
        return only


_STAFF = frozenset({Role.AGENT, Role.LEAD, Role.APPROVER, Role.MANAGER, Role.ADMIN})
_LEADS = frozenset({Role.LEAD, Role.MANAGER, Role.ADMIN})
_APPROVERS = frozenset({Role.APPROVER, Role.LEAD, Role.MANAGER})
_MACHINE = frozenset({Role.SYSTEM})
_CUSTOMER = frozenset({Role.COMPLAINANT})
_BEFORE_RESPONSE = frozenset(
    {
        S.RECEIVED,
        S.TRIAGE,
        S.INVESTIGATING,
        S.AWAITING_CUSTOMER,
        S.AWAITING_THIRD_PARTY,
        S.DECIDING,
    }
)

#: Remedies that are decided on, or will be, and not yet carried out.
_TO_CARRY_OUT = frozenset({RemedyState.PROPOSED, RemedyState.OFFERED, RemedyState.ACCEPTED})
#: Where a remedy may have been carried out.
_WITH_REMEDIES = frozenset({S.REMEDYING, S.RESPONDING, S.CONFIRMING, S.REVIEWING, S.EXTERNAL, S.CLOSED})


def _after_decision(facts: Facts) -> Status:
    return S.REMEDYING if facts.remedies & _TO_CARRY_OUT else S.RESPONDING


def _after_response(facts: Facts) -> Status:
    return S.CONFIRMING if facts.reachable else S.CLOSED


def _rows() -> list[Transition]:
    def row(
        action: str,
        sources: set[Status] | frozenset[Status],
        targets: set[Status] | Status | None,
        roles: frozenset[Role],
        choose: Callable[[Facts], Status] | None = None,
        needs: RemedyState | Ground | None = None,
    ) -> Transition:
        to = frozenset() if targets is None else frozenset({targets} if isinstance(targets, Status) else targets)
        return Transition(action, frozenset(sources), to, roles, choose, needs)

    return [
        # -- intake and triage
        row("route", {S.RECEIVED}, S.INVESTIGATING, _MACHINE),
        row("refer_to_triage", {S.RECEIVED}, S.TRIAGE, _MACHINE),
        row("confirm_triage", {S.TRIAGE}, S.INVESTIGATING, _STAFF),
        row(
            "fast_track",
            {S.RECEIVED, S.TRIAGE, S.INVESTIGATING},
            S.RESPONDING,
            _STAFF | _MACHINE,
        ),
        row("reject", {S.RECEIVED, S.TRIAGE, S.INVESTIGATING}, S.CLOSED, _STAFF),
        row("merge", OPEN - {S.EXTERNAL}, S.CLOSED, _STAFF),
        # -- investigation
        row("ask_customer", {S.INVESTIGATING}, S.AWAITING_CUSTOMER, _STAFF),
        row(
            "customer_replied",
            {S.AWAITING_CUSTOMER},
            S.INVESTIGATING,
            _CUSTOMER | _STAFF,
        ),
        row("customer_silent", {S.AWAITING_CUSTOMER}, S.INVESTIGATING, _MACHINE),
        row("ask_third_party", {S.INVESTIGATING}, S.AWAITING_THIRD_PARTY, _STAFF),
        row("third_party_replied", {S.AWAITING_THIRD_PARTY}, S.INVESTIGATING, _STAFF),
        row("submit_findings", {S.INVESTIGATING}, S.DECIDING, _STAFF | _MACHINE),
        # -- decision and remedies
        row(
            "decide",
            {S.DECIDING},
            {S.REMEDYING, S.RESPONDING},
            _MACHINE,
            _after_decision,
        ),
        row(
            "approve",
            {S.DECIDING},
            {S.REMEDYING, S.RESPONDING},
            _APPROVERS,
            _after_decision,
        ),
        row("send_back", {S.DECIDING}, S.INVESTIGATING, _APPROVERS),
        row("finish_remedies", {S.REMEDYING}, S.RESPONDING, _STAFF | _MACHINE),
        # -- response and confirmation
        row(
            "send_response",
            {S.RESPONDING},
            {S.CONFIRMING, S.CLOSED},
            _STAFF | _MACHINE,
            _after_response,
        ),
        row("confirm", {S.CONFIRMING}, S.CLOSED, _CUSTOMER | _STAFF),
        row("confirmation_timeout", {S.CONFIRMING}, S.CLOSED, _MACHINE),
        row("appeal", {S.CONFIRMING, S.CLOSED}, S.REVIEWING, _CUSTOMER | _STAFF),
        # -- appeal and external body
        row("uphold_outcome", {S.REVIEWING}, S.RESPONDING, _APPROVERS),
        row("change_outcome", {S.REVIEWING}, S.DECIDING, _APPROVERS),
        row(
            "refer_externally",
            {S.REVIEWING, S.CONFIRMING, S.CLOSED},
            S.EXTERNAL,
            _STAFF,
        ),
        row("external_accepts", {S.EXTERNAL}, None, _STAFF),
        row("external_changes", {S.EXTERNAL}, S.DECIDING, _STAFF),
        row("external_closes", {S.EXTERNAL}, S.CLOSED, _STAFF),
        # -- ends
        row("withdraw", OPEN, S.CLOSED, _CUSTOMER | _STAFF),
        row("reopen", {S.CLOSED}, S.INVESTIGATING, _STAFF),
        row("archive", {S.CLOSED}, S.ARCHIVED, _MACHINE),
        row("erase", {S.ARCHIVED}, S.ERASED, _LEADS, needs=Ground.REQUESTED),
        # -- the status stays
        row("acknowledge", OPEN | {S.CLOSED}, None, _STAFF),
        row("acknowledgment_bounced", OPEN | {S.CLOSED}, None, _STAFF | {Role.INTEGRATOR}),
        row(
            "propose_remedy",
            {S.INVESTIGATING, S.DECIDING, S.REMEDYING, S.REVIEWING},
            None,
            _STAFF,
        ),
        row("accept_remedy", {S.REMEDYING}, None, _STAFF | _CUSTOMER, needs=RemedyState.OFFERED),
        row("decline_remedy", {S.REMEDYING}, None, _STAFF | _CUSTOMER, needs=RemedyState.OFFERED),
        row("update_remedy", {S.REMEDYING}, None, _STAFF | _MACHINE),
        row("verify_remedy", _WITH_REMEDIES, None, _STAFF, needs=RemedyState.DONE),
        row("assign", OPEN, None, _STAFF | _MACHINE),
        row("reclassify", OPEN, None, _STAFF | _MACHINE),
        row("escalate", OPEN, None, _STAFF | _MACHINE),
        row(
            "request_extension",
            _BEFORE_RESPONSE | {S.REMEDYING, S.RESPONDING, S.REVIEWING},
            None,
            _STAFF,
        ),
        row(
            "extend",
            _BEFORE_RESPONSE | {S.REMEDYING, S.RESPONDING, S.REVIEWING},
            None,
            _LEADS | {Role.APPROVER},
        ),
        row("holding_response", _BEFORE_RESPONSE | {S.REMEDYING, S.RESPONDING, S.REVIEWING}, None, _STAFF),
        row("refuse_extension", OPEN, None, _LEADS | {Role.APPROVER}),
        row("new_facts", OPEN, None, _STAFF | _CUSTOMER),
        row("add_note", OPEN | {S.CLOSED}, None, _STAFF | _MACHINE),
        row("add_message", OPEN | {S.CLOSED}, None, _STAFF | _CUSTOMER),
        row(
            "add_attachment",
            OPEN | {S.CLOSED},
            None,
            _STAFF | _CUSTOMER | {Role.INTEGRATOR},
        ),
        row("link", OPEN | {S.CLOSED}, None, _STAFF | _MACHINE),
        row("review_management", OPEN, None, _LEADS),
        row("legal_hold", {S.CLOSED, S.ARCHIVED}, None, _LEADS),
        row("request_disposal", {S.ARCHIVED}, None, _LEADS, needs=Ground.NO_HOLD),
    ]


#: action → transition
TABLE: Mapping[str, Transition] = MappingProxyType({t.action: t for t in _rows()})


def allowed(status: Status, roles: frozenset[Role], facts: Facts) -> list[str]:
    """Actions possible in `status` as the `facts` are, for actors holding any of `roles`, in table order."""
    return [t.action for t in TABLE.values() if t.possible(status, facts) and roles & t.roles]


def askable(status: Status, roles: frozenset[Role], facts: Facts) -> list[str]:
    """What somebody holding `roles` can ask for now beside completing a step, in table order."""
    return [action for action in allowed(status, roles, facts) if action in COMMANDS]


def transition(status: Status, action: str, roles: frozenset[Role], facts: Callable[[], Facts]) -> Transition:
    """The row for `action`, or `ActionNotAllowed` naming what holders of `roles` can ask for now instead.

    `facts` are read only where something depends on them.
    """
    found = TABLE.get(action)
    if found is None or status not in found.sources or (found.needs and not found.possible(status, facts())):
        lacks = found.lacks(status, facts()) if found else ""
        raise ActionNotAllowed(action, status, askable(status, roles, facts()), lacks)
    return found
