"""The machine's side of a complaint: one function per task of the flow, safe to repeat, answering what is next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from sqlmodel import col, select

from complaints.domain.ports import Candidate, Classification, Classifier
from complaints.domain.vocabulary import (
    Audience,
    Finding,
    Flag,
    Language,
    LinkKind,
    Severity,
    Status,
    StepKind,
)
from complaints.domain.walk import Next, Position, next_move
from complaints.services import clocks, decision, holding, notices, opening, routing
from complaints.services.transition import lock, perform, record
from complaints.store.columns import new_id
from complaints.store.tables import Complaint, Investigation, Link, Step
from complaints.store.unit import Work

#: Finds complaints that may be about the same matter, best first.
FindDuplicates = Callable[[Work, Complaint], list[Candidate]]
#: At this likeness and above a person decides whether it is the same matter.
LIKELY_DUPLICATE = 0.6


def run_name(reference: str, number: int) -> str:
    """What Prefect calls the first, second … run of a complaint."""
    return reference if number == 1 else f"{reference} ({number})"


def take_up(work: Work, complaint_id: UUID, run_id: UUID, name: str) -> Next | None:
    """What the run should do, which has just begun or been woken; None where the complaint has another one: somebody
    retried a run that was replaced, or started one by hand. (The next one may begin before the row has its id.)"""
    complaint = work.session.get_one(Complaint, complaint_id)
    if complaint.run_id in (None, run_id) or name == run_name(complaint.reference, complaint.run_round + 1):
        return following(work, complaint)
    return None


def where(work: Work, complaint_id: UUID) -> Next:
    """What the flow run should do now."""
    return following(work, work.session.get_one(Complaint, complaint_id))


def following(work: Work, complaint: Complaint) -> Next:
    """The next move, with the tags that the run should bear."""
    return replace(next_move(position(work, complaint)), tags=tags(complaint))


def tags(complaint: Complaint) -> tuple[str, ...]:
    """What operations filter runs by: category, severity and team, once they are known."""
    return (complaint.category, complaint.severity, complaint.team) if complaint.category else ()


def position(work: Work, complaint: Complaint) -> Position:
    """The complaint's place on the walk, read from its rows."""
    blocking = [s for s in opening.open_steps(work, complaint) if s.kind in opening.BLOCKING]
    step = next((s for s in blocking if s.briefed_at is None), blocking[0] if blocking else None)
    status = Status(complaint.status)
    return Position(
        status=status,
        screened=complaint.screened_at is not None,
        classified=complaint.classified_at is not None,
        acknowledgment_due=complaint.classified_at is not None and _acknowledgment_due(complaint),
        gate=step.gate if step else None,
        step=StepKind(step.kind) if step else None,
        briefed=step is None or step.briefed_at is not None,
    )


def _acknowledgment_due(complaint: Complaint) -> bool:
    if complaint.closing_category in ("withdrawn", "merged"):
        return False
    return complaint.acknowledgment_recorded_at is None


def screen(work: Work, complaint_id: UUID, find_duplicates: FindDuplicates) -> Next:
    """Intake: look for the same matter among earlier complaints and note what was found."""
    complaint = lock(work, complaint_id)
    if complaint.screened_at is None:
        candidates = find_duplicates(work, complaint)
        for candidate in candidates:
            work.session.add(
                Link(
                    id=new_id(work.now),
                    from_id=complaint.id,
                    to_id=candidate.complaint_id,
                    kind=LinkKind.DUPLICATE,
                    score=candidate.score,
                    note=candidate.why,
                    at=work.now,
                )
            )
        if candidates and candidates[0].score >= LIKELY_DUPLICATE:
            complaint.flags = [*complaint.flags, Flag.DUPLICATE.value]
        complaint.screened_at = work.now
        found = [{"reference": c.reference, "score": round(c.score, 3)} for c in candidates]
        record(work, complaint, "screened", data={"duplicates": found})
    return following(work, complaint)


def classify(work: Work, complaint_id: UUID, classifier: Classifier) -> Next:
    """Classification: category, severity, team, queue; then route, answer by standard solution, or ask a person."""
    complaint = lock(work, complaint_id)
    if complaint.classified_at is None and complaint.status != Status.CLOSED:
        found = classifier.classify(complaint.subject, complaint.narrative, complaint.product)
        _apply(work, complaint, found)
        if complaint.status == Status.RECEIVED:
            _route(work, complaint, found)
        else:  # it was rejected before the machine looked, and reopened: a person has decided where it goes on
            for step in opening.open_steps(work, complaint):
                step.team = complaint.team
                work.session.add(step)
    return following(work, complaint)


def _route(work: Work, complaint: Complaint, found: Classification) -> None:
    policy = work.policies.get(complaint.policy_hash)
    unsure = found.confidence < policy.routing.min_confidence
    alarming = bool(set(complaint.flags) & {f.value for f in policy.routing.triage_flags})
    fast = policy.lifecycle.fast_track
    if unsure or alarming:
        perform(
            work,
            complaint,
            "refer_to_triage",
            data={"unsure": unsure, "flags": complaint.flags},
        )
    elif (
        found.solution
        and fast.enabled
        and fast.automatic
        and found.confidence >= fast.min_confidence
        and found.severity in fast.severities
    ):
        answer_by_solution(work, complaint, found.solution)
    else:
        perform(work, complaint, "route", data={"team": complaint.team})


def _apply(work: Work, complaint: Complaint, found: Classification) -> None:
    policy = work.policies.get(complaint.policy_hash)
    category = policy.taxonomy.category(found.category) or policy.taxonomy.category(policy.taxonomy.fallback)
    assert category is not None
    flags = [*dict.fromkeys([*complaint.flags, *(f.value for f in found.flags)])]
    complaint.category, complaint.severity = category.key, found.severity
    complaint.confidence, complaint.flags = found.confidence, flags
    complaint.team, complaint.solution = category.team, found.solution
    complaint.queue = policy.routing.queues[Severity(found.severity)]
    complaint.classified_at = work.now
    complaint.classification = {
        "category": found.category,
        "confidence": round(found.confidence, 4),
        "severity": found.severity,
        "evidence": [{"word": e.word, "of": e.of, "weight": e.weight} for e in found.evidence[:40]],
        "alternatives": [[key, round(share, 4)] for key, share in found.alternatives],
    }
    record(
        work,
        complaint,
        "classified",
        data={
            "category": category.key,
            "severity": found.severity,
            "team": category.team,
            "confidence": round(found.confidence, 4),
            "flags": flags,
        },
    )


def answer_by_solution(work: Work, complaint: Complaint, solution: str) -> None:
    """Fast track: a standard solution answers the complaint without an investigation."""
    policy = work.policies.get(complaint.policy_hash)
    article = policy.lifecycle.solution(solution)
    assert article is not None
    complaint.solution = solution
    complaint.finding = Finding.UPHELD
    work.session.add(
        Investigation(
            id=new_id(work.now),
            complaint_id=complaint.id,
            at=work.now,
            source="solution",
            finding=Finding.UPHELD,
            summary=article.body.in_(Language(complaint.language)),
            by_id=work.actor.id,
            by_name=work.actor.name,
        )
    )
    perform(work, complaint, "fast_track", data={"solution": solution})


def acknowledge(work: Work, complaint_id: UUID) -> Next:
    """Acknowledgment: tell every party the reference, what happens next, by when, and how to complain further."""
    complaint = lock(work, complaint_id)
    if _acknowledgment_due(complaint):
        complaint.acknowledgment_recorded_at = work.now
        sent = notices.tell_complainants(work, complaint, "acknowledgment", "1")
        if sent == 0 and complaint.acknowledged_at is None:
            complaint.acknowledged_at = work.now
            record(
                work,
                complaint,
                "acknowledged",
                audience=Audience.COMPLAINANT,
                data={"how": "the reference was given when the complaint was taken; no address to write to"},
            )
        work.session.add(complaint)
    return following(work, complaint)


def brief(work: Work, complaint_id: UUID) -> Next:
    """Hand every open step that nobody was told about to somebody, and tell them."""
    complaint = lock(work, complaint_id)
    for step in opening.open_steps(work, complaint):
        if step.briefed_at is not None:
            continue
        if work.policies.get(complaint.policy_hash).routing.auto_assign and step.assignee_id is None:
            _hand_over(work, complaint, step)
        step.briefed_at = work.now
        work.session.add(step)
    work.session.flush()
    return following(work, complaint)


def _hand_over(work: Work, complaint: Complaint, step: Step) -> None:
    person = routing.choose(work, complaint, step)
    if person is None:
        notices.tell_staff(
            work,
            complaint,
            _letter(step),
            step.gate,
            tags=["team", step.team],
            context=_step_context(work, complaint, step),
        )
        return
    before = complaint.assignee_id
    holding.give(work, complaint, step, person.id)
    if step.kind == StepKind.INVESTIGATION and complaint.assignee_id != before:
        perform(
            work,
            complaint,
            "assign",
            data={"to": person.name, "person_id": str(person.id), "gate": step.gate},
        )
    notices.tell_staff(
        work,
        complaint,
        _letter(step),
        step.gate,
        people=[person],
        context=_step_context(work, complaint, step),
    )


def _letter(step: Step) -> str:
    return "call_back_request" if step.kind == StepKind.CALL_BACK else "step_assigned"


def _step_context(work: Work, complaint: Complaint, step: Step) -> dict[str, object]:
    due = step.due_at
    if due == complaint.due_at:  # the step has no time of its own; the acknowledgment is being sent at this moment
        due = clocks.due_once(work, complaint, "acknowledged")
    return {"step": step.kind, "gate": step.gate, "due_at": due.isoformat() if due else None}


def survey(work: Work, complaint_id: UUID) -> Next:
    """Ask the complainant whether they accept the outcome; once per round."""
    complaint = lock(work, complaint_id)
    for step in opening.open_steps(work, complaint):
        if step.kind == StepKind.CONFIRMATION and step.briefed_at is None:
            step.briefed_at = work.now
            work.session.add(step)
            until = complaint.waiting_until.isoformat() if complaint.waiting_until else None
            notices.tell_complainants(work, complaint, "survey", step.gate, {"answer_until": until})
    work.session.flush()
    return following(work, complaint)


def decide(work: Work, complaint_id: UUID) -> Next:
    """Decision: by the machine where policy allows, else the approval step is opened and handed over."""
    complaint = lock(work, complaint_id)
    if complaint.status == Status.DECIDING and not any(
        s.kind == StepKind.APPROVAL for s in opening.open_steps(work, complaint)
    ):
        why = decision.approval_needed(work, complaint)
        if why:
            opening.open_step(work, complaint, StepKind.APPROVAL, context={"why": why})
            return brief(work, complaint_id)
        decision.decide(
            work,
            complaint,
            "decide",
            outcome="automatic",
            reason="within the investigator's authority",
        )
    return following(work, complaint)


def stuck(work: Work) -> list[Complaint]:
    """Open complaints whose status needs a step that does not exist: nothing would ever move them (for `doctor`)."""
    needs = [
        Status.TRIAGE,
        Status.INVESTIGATING,
        Status.REVIEWING,
        Status.EXTERNAL,
        Status.CONFIRMING,
        Status.REMEDYING,
    ]
    live = select(Step.complaint_id).where(col(Step.state).in_(["open", "claimed"]))
    return list(
        work.session.exec(
            select(Complaint).where(col(Complaint.status).in_(needs), col(Complaint.id).not_in(live)).limit(1000)
        ).all()
    )
