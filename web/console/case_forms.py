"""The forms beside a complaint: the one of the step that is due, and those of the actions that are possible now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from complaints.domain.commands import COMMANDS
from complaints.domain.forms import FORMS
from complaints.domain.lifecycle import TABLE
from complaints.domain.vocabulary import OPEN, LinkKind, RemedyState, StepKind
from complaints.services import casefile, clocks, decision, disposal, drafts, response
from complaints.services.casefile import CaseFile, Task
from complaints.services.drafts import Draft
from complaints.services.view import Relation
from complaints.store.tables import Complaint
from complaints.store.unit import Work
from web.console import fields
from web.console.case_words import CaseWords
from web.console.fields import Choices, Field
from web.console.pages import Screen
from web.language import N_, Speech

#: What follows from an action that cannot simply be taken back.
FOLLOWS: Mapping[str, str] = {
    "withdraw": N_("The case is closed as withdrawn and the customer is told so. Open tasks end."),
    "reject": N_("The case is closed as rejected. The customer gets a letter with your reason."),
    "merge": N_(
        "This case ends and the other one goes on. Both customers are parties of it, and the earlier receipt counts."
    ),
    "reopen": N_("The investigation begins again, and the clocks go on from where they stood."),
    "appeal": N_("Somebody who had no part in the case reviews it. The customer is told so."),
    "refer_externally": N_("The case waits until the external body has spoken."),
    "external_accepts": N_("The external body's own time begins; ours does not change."),
    "holding_response": N_(
        "Every customer is told why it takes longer. Where the rule says so, its clock is fulfilled."
    ),
    "ask_customer": N_("The question is sent now. Internal clocks pause until the answer comes."),
    "ask_third_party": N_("The case waits for the answer. With an address the question is sent now."),
    "fast_track": N_("The investigation ends and the customer is sent this answer."),
    "acknowledgment_bounced": N_("The acknowledgment is owed again; whoever handles the case is told."),
    "escalate": N_("The severity goes up by one and the lead is told."),
    "decline_remedy": N_("Nothing is carried out for this remedy; its task ends."),
    "add_message": N_("What the customer may read is sent to them now."),
    "request_disposal": N_("Somebody else may then erase the dossier. A legal hold refuses the request."),
    "erase": N_("Words, files, people and the case log are gone for good. Only what statistics count stays."),
}
CONFIRMED = frozenset({"withdraw", "reject", "merge", "erase"})
#: Not affected by what others did in between.
ANYTIME = frozenset({"add_note", "add_message", "link", "new_facts"})
#: Actions on one remedy, and the state it must be in.
_REMEDIES = {action: row.needs for action, row in TABLE.items() if isinstance(row.needs, RemedyState)}
PICTURES: Mapping[str, str] = {
    "withdraw": "undo",
    "reject": "cross",
    "merge": "link",
    "ask_customer": "mail",
    "customer_replied": "mail",
    "ask_third_party": "mail",
    "third_party_replied": "mail",
    "assign": "mine",
    "reclassify": "flag",
    "escalate": "warn",
    "add_note": "note",
    "add_message": "mail",
    "appeal": "undo",
    "reopen": "undo",
    "refer_externally": "out",
    "external_accepts": "check",
    "holding_response": "mail",
    "link": "link",
    "new_facts": "plus",
    "request_extension": "clock",
    "propose_remedy": "plus",
    "accept_remedy": "check",
    "decline_remedy": "cross",
    "verify_remedy": "check",
    "fast_track": "mail",
    "acknowledge": "mail",
    "acknowledgment_bounced": "warn",
    "legal_hold": "lock",
    "request_disposal": "clock",
    "erase": "bin",
}


@dataclass(frozen=True)
class DueForm:
    """The form of a step for whoever may fill it in; `checks` are there for the letter."""

    task: Task
    fields: list[Field]
    draft: Draft
    faults: Mapping[str, str]
    checks: list[tuple[str, bool]]
    subject: str = ""
    body: str = ""


def choices(screen: Screen, work: Work, complaint: Complaint, *names: str) -> Choices:
    """What can be chosen in forms of this complaint, under its own policy; people are read where they are asked for."""
    policy = work.policies.get(complaint.policy_hash)
    people = casefile.assignable(work) if {"person", "assignee"} & set(names) else []
    return Choices(policy, screen.speech, people)


def due_form(
    screen: Screen,
    work: Work,
    case: CaseFile,
    task: Task,
    given: Mapping[str, Any] | None = None,
    faults: Mapping[str, str] | None = None,
) -> DueForm:
    """The form of a step, filled with what was sent, else the draft, else what is known."""
    kind = StepKind(task.step.kind)
    model = FORMS[kind]
    draft = drafts.of(task.step)
    begun = draft.entries if draft.at else {**_known(case, kind), **draft.entries}  # what somebody emptied stays empty
    values = begun if given is None else given
    made = fields.build(model, screen.label, choices(screen, work, case.complaint, *model.model_fields), values, faults)
    if kind is not StepKind.RESPONSE:
        return DueForm(task, made, draft, faults or {}, [])
    body = str(values.get("body", ""))
    checks = response.checklist(work, case.complaint, body)
    subject = response.subject_for(case.complaint, case.whole.complainants[0])
    return DueForm(task, made, draft, faults or {}, checks, subject, body)


def _may_be_merged_into(case: CaseFile, relation: Relation) -> bool:
    other = case.around.get(relation.reference)
    return relation.kind == LinkKind.DUPLICATE and relation.outgoing and other is not None and other.status in OPEN


def _known(case: CaseFile, kind: StepKind) -> dict[str, Any]:
    """What the case says already: the classifier's proposal, the findings that were sent back."""
    complaint, findings = case.complaint, case.whole.findings
    match kind:
        case StepKind.TRIAGE:
            likely = [r.reference for r in case.whole.relations if _may_be_merged_into(case, r)]
            return {
                "category": complaint.category,
                "severity": complaint.severity,
                "team": complaint.team,
                "solution": complaint.solution,
                "merge_into": likely[0] if likely else None,
            }
        case StepKind.INVESTIGATION if findings:
            last = findings[-1]
            return {name: getattr(last, name) for name in ("finding", "summary", "root_cause", "responsible_unit")}
        case StepKind.REVIEW:
            return {"finding": complaint.finding}
    return {}


@dataclass(frozen=True)
class Deed:
    """An action with its form."""

    action: str
    title: str
    picture: str
    follows: str
    confirmed: bool
    fields: list[Field]
    faults: Mapping[str, str]
    once: str
    version: int
    seen: int
    takes: Mapping[str, int]  #: what is gone afterwards, and how much of it


def deed(
    screen: Screen,
    work: Work,
    complaint: Complaint,
    action: str,
    given: Mapping[str, Any] | None = None,
    faults: Mapping[str, str] | None = None,
) -> Deed:
    """The form of an action, filled with what was sent."""
    model = COMMANDS[action]
    offered = choices(screen, work, complaint, *model.model_fields)
    if "clock" in model.model_fields:
        offered.of["clock"] = _clocks(screen, work, complaint)
    if action in _REMEDIES:
        offered.of["remedy"] = [
            (str(r.id), screen.speech.pair(screen.label("remedy", r.kind), r.description))
            for r in decision.remedies(work, complaint)
            if r.state == _REMEDIES[action]
        ]
    return Deed(
        action=action,
        title=screen.label("action", action),
        picture=PICTURES[action],
        follows=screen.speech.say(FOLLOWS[action]) if action in FOLLOWS else "",
        confirmed=action in CONFIRMED,
        fields=fields.build(model, screen.label, offered, given or {}, faults),
        faults=faults or {},
        once=token_hex(16),
        version=complaint.version,
        seen=complaint.event_count,
        takes=disposal.extent(work, complaint) if action == "erase" else {},
    )


def _clocks(screen: Screen, work: Work, complaint: Complaint) -> list[tuple[str, str]]:
    words = CaseWords(screen.label, work.policies.get(complaint.policy_hash))
    running = [c for c in clocks.of(work, complaint) if c.state in ("running", "paused")]
    return [(f"{c.profile}.{c.name}", f"{screen.label('clock', c.name)} · {words.profile(c.profile)}") for c in running]


def told(form: list[Field], speech: Speech, prefix: str = "") -> list[tuple[str, str, str]]:
    """Each answered question of a form: its name, its label, the answer in words."""
    found: list[tuple[str, str, str]] = []
    for one in form:
        label = f"{prefix}{one.label}"
        if one.widget == "group":
            found += told(one.parts, speech, f"{label}{speech.colon}")
        elif one.widget == "list":
            for n, row in enumerate(one.rows, 1):
                found += told(row, speech, f"{label} {n}{speech.colon}")
        else:
            found.append((one.name, label, dict(one.options).get(one.value, one.value)))
    return found


def number(entries: Mapping[str, Any], name: str) -> int | None:
    """A version that a form carries; None where it carries none."""
    text = str(entries.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
