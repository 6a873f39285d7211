"""Who has a task, and with it the complaint. The one place where a task changes hands.

The assignee of a complaint is whoever handles it: lists, letters and access ask for that one column.
"""

from __future__ import annotations

from uuid import UUID

from sqlmodel import col, select

from complaints.domain.vocabulary import StepKind, StepState
from complaints.services import opening
from complaints.store.tables import Complaint, Event, Step
from complaints.store.unit import Work

#: Whoever has one of these handles the complaint. What an approver, a lead or the customer has is beside that.
_HANDLING = (StepKind.TRIAGE, StepKind.INVESTIGATION)


def give(work: Work, complaint: Complaint, step: Step, person: UUID | None, *, taken: bool = False) -> None:
    """Give the step to somebody, or with None back to its team; `taken` by themselves.

    The complaint goes along: always with triage and investigation, with other tasks when nobody handles it, and when
    its handler gives their last task away. While an approver has the decision the handler stays.
    """
    before = step.assignee_id
    step.assignee_id, step.claimed_at = person, work.now if taken else None
    step.state = StepState.CLAIMED if taken else StepState.OPEN
    if taken or step.briefed_at is not None:  # what nobody was told of yet, nobody has open
        step.version += 1
    work.session.add(step)
    if step.kind not in opening.BLOCKING:
        return
    follows = person is not None and (complaint.assignee_id is None or step.kind in _HANDLING)
    if follows or (complaint.assignee_id == before and not _has_more(work, complaint, before)):
        complaint.assignee_id = person
        work.session.add(complaint)


def _has_more(work: Work, complaint: Complaint, person: UUID | None) -> bool:
    return any(s.assignee_id == person for s in opening.open_steps(work, complaint) if s.kind in opening.BLOCKING)


def triaged(work: Work, complaint: Complaint, step: Step) -> None:
    """Triage is done: whoever did it goes on with the complaint only if it was assigned to them as a whole."""
    if complaint.assignee_id is None or complaint.assignee_id != step.assignee_id:
        return
    assigned = work.session.exec(
        select(Event.data)
        .where(Event.complaint_id == complaint.id, Event.kind == "assign")
        .order_by(col(Event.seq).desc())
        .limit(1)
    ).first()
    if assigned is None or "gate" in assigned or assigned.get("person_id") != str(complaint.assignee_id):
        complaint.assignee_id = None
        work.session.add(complaint)
