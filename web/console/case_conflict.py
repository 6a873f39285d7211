"""Two people on one case: what the other one saved, beside what was just sent, and ways to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_hex
from typing import Any
from uuid import UUID

from fastapi.responses import Response
from starlette.datastructures import FormData

from complaints.domain.errors import AlreadyDone, Conflict, Forbidden, StaleVersion
from complaints.domain.forms import FORMS
from complaints.domain.vocabulary import StepKind, StepState
from complaints.services import access, casefile, drafts
from complaints.services.drafts import DraftChanged
from complaints.store.tables import Complaint, Step
from complaints.store.unit import Work
from web.console import case_forms, fields
from web.console.case_words import CaseWords
from web.console.pages import Screen
from web.console.resume import kept
from web.console.route import said_of
from web.language import N_


@dataclass(frozen=True)
class Row:
    """One question with both answers."""

    label: str
    theirs: str
    yours: str


def sentence(screen: Screen, error: Exception) -> str:
    """What stands in the way, in the reader's words."""
    speech = screen.speech
    if isinstance(error, AlreadyDone):
        said = N_("This was already done by %(who)s on %(time)s. What you sent was not saved; it stands below.")
        return speech.say(said, who=error.by, time=speech.moment(error.at))
    if isinstance(error, DraftChanged) and error.draft.at is not None:
        said = N_("%(who)s has written in this form too, at %(time)s. Yours was not saved over it.")
        return speech.say(said, who=error.draft.by, time=speech.clock(error.draft.at))
    if isinstance(error, StaleVersion):
        return speech.say(N_("The task has changed since you opened it. Look at what is new and send yours again."))
    return said_of(speech, error)


def show(
    screen: Screen,
    reference: str,
    step_id: UUID,
    given: Mapping[str, Any],
    error: Conflict | Forbidden,
    entries: FormData,
) -> Response:
    """Both versions side by side; nothing that was written is lost."""
    with screen.reading() as work:
        complaint = access.see(work, reference)
        step = work.session.get_one(Step, step_id)
        draft = drafts.of(step)
        theirs = step.answer if step.state == StepState.DONE else draft.entries
        seen = case_forms.number(entries, "seen")
        words = CaseWords(screen.label, work.policies.get(complaint.policy_hash))
        rows = _rows(screen, work, complaint, step, theirs, given)
        events = casefile.since(work, complaint, seen) if seen is not None else []
        again = isinstance(error, DraftChanged | StaleVersion) and step.state in (StepState.OPEN, StepState.CLAIMED)
    values = {
        "one": complaint,
        "step": step,
        "rows": rows,
        "events": [(event, words.event(event)) for event in events],
        "said": sentence(screen, error),
        "who": step.completed_by if step.state == StepState.DONE else draft.by,
        "again": again,
        "kept": [(n, v) for n, v in kept(entries) if n not in ("version", "draft_seen", "once", "seen")],
        "version": step.version,
        "draft_seen": draft.mark,
        "note": "\n".join(screen.speech.pair(row.label, row.yours) for row in rows if row.yours),
        "once": token_hex(16),
    }
    return screen.page("case_conflict.html", HTTPStatus.CONFLICT, **values)


def _rows(
    screen: Screen,
    work: Work,
    complaint: Complaint,
    step: Step,
    theirs: Mapping[str, Any],
    yours: Mapping[str, Any],
) -> list[Row]:
    model = FORMS[StepKind(step.kind)]
    offered = case_forms.choices(screen, work, complaint, *model.model_fields)
    both = [
        {name: (label, text) for name, label, text in case_forms.told(form, screen.speech)}
        for form in (fields.build(model, screen.label, offered, one) for one in (theirs, yours))
    ]
    names = list(dict.fromkeys([*both[0], *both[1]]))
    found = [
        Row((both[0].get(n) or both[1][n])[0], both[0].get(n, ("", ""))[1], both[1].get(n, ("", ""))[1]) for n in names
    ]
    return [row for row in found if row.theirs or row.yours]
