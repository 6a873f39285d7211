"""Telling complainants what they must be told: by mail where we may, else by a person who calls or posts a letter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import col, func, select

from complaints.domain.errors import Conflict
from complaints.domain.vocabulary import IntentState, StepKind, StepState
from complaints.services import notices, opening
from complaints.services.contact import way_to_reach
from complaints.store.tables import Complaint, Outbox, Person, Step
from complaints.store.unit import Work

#: The letter that must be out before the old time is over.
_NOTICE = "extension_notice"


def inform(
    work: Work,
    complaint: Complaint,
    kind: str,
    once: str,
    context: Mapping[str, Any] | None = None,
    *,
    before: datetime | None = None,
) -> None:
    """Record a letter of `kind` for every party, and for each without an address a task to tell them.

    The task is due at `before`, where it matters. `Conflict` where this company does not send such letters: then
    nobody would be told.
    """
    if kind in work.policy.notifications.silent_kinds:
        raise Conflict(f"The policy silences letters of the kind '{kind}' (silent_kinds), but they must be sent.")
    notices.tell_complainants(work, complaint, kind, once, context)
    for person in notices.parties(work, complaint):
        way = way_to_reach(person)
        if way.kind == "email":
            continue
        step = opening.open_step(
            work,
            complaint,
            StepKind.INFORM,
            context={"letter": kind, "name": person.name, "way": way.kind, **dict(context or {})},
            due_in=before - work.now if before else None,
            briefed=True,
        )
        step.assignee_id = complaint.assignee_id
        handler = work.session.get(Person, step.assignee_id) if step.assignee_id else None
        notices.tell_of_step(work, complaint, step, handler, ["team", step.team])


def late_notices(work: Work) -> list[tuple[Complaint, str]]:
    """Complaints with a notice of more time that had not gone out when the old time was over; each notice is told once.

    Beside the complaint: what tells the notice from others.
    """
    letters = work.session.exec(
        select(Outbox)
        .where(
            col(Outbox.state).in_([IntentState.PENDING, IntentState.DEAD]),
            Outbox.payload["template"].as_string() == _NOTICE,
            func.coalesce(Outbox.payload["context"]["old_due_at"].as_string(), "") != "",
            Outbox.payload["late"].as_string().is_(None),
        )
        .with_for_update(skip_locked=True)
    ).all()
    tasks = work.session.exec(
        select(Step).where(
            Step.kind == StepKind.INFORM,
            col(Step.state).in_([StepState.OPEN, StepState.CLAIMED]),
            col(Step.due_at) <= work.now,
            Step.context["letter"].as_string() == _NOTICE,
            Step.context["late"].as_string().is_(None),
        )
    ).all()
    found = []
    for letter in letters:
        if datetime.fromisoformat(letter.payload["context"]["old_due_at"]) <= work.now:
            letter.payload = {**letter.payload, "late": True}
            work.session.add(letter)
            found.append((work.session.get_one(Complaint, letter.complaint_id), str(letter.id)))
    for task in tasks:
        task.context = {**task.context, "late": True}
        work.session.add(task)
        found.append((work.session.get_one(Complaint, task.complaint_id), str(task.id)))
    return found
