"""From rows to the shapes of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from complaints.domain.forms import FORMS
from complaints.domain.vocabulary import StepKind
from complaints.services import view
from complaints.store.tables import Attachment, Complaint, Outbox, Step
from complaints.store.unit import Work
from web.api import shapes

PREFIX = "/api/v1"


def links(reference: str) -> dict[str, str]:
    """Where everything of a complaint is."""
    base = f"{PREFIX}/complaints/{reference}"
    parts = ("timeline", "thread", "steps", "remedies", "attachments", "actions")
    return {"self": base} | {part: f"{base}/{part}" for part in parts}


def receipt(complaint: Complaint) -> shapes.Receipt:
    """What a submission is answered with."""
    return shapes.Receipt.model_validate({**_fields(complaint, shapes.Receipt), "links": links(complaint.reference)})


def summary(complaint: Complaint) -> shapes.Summary:
    """A complaint in a list."""
    return shapes.Summary.model_validate(complaint)


def task(step: Step, complaint: Complaint) -> shapes.Task:
    """A human step in a list."""
    return shapes.Task.model_validate(_task(step, complaint, shapes.Task))


def task_detail(step: Step, complaint: Complaint) -> shapes.TaskDetail:
    """A human step with its form."""
    form = FORMS[StepKind(step.kind)].model_json_schema()
    return shapes.TaskDetail.model_validate(_task(step, complaint, shapes.TaskDetail) | {"form": form})


def _task(step: Step, complaint: Complaint, shape: type[shapes.Shape]) -> dict[str, Any]:
    return _fields(step, shape) | {
        "reference": complaint.reference,
        "subject": complaint.subject,
        "severity": complaint.severity,
    }


def detail(work: Work, complaint: Complaint, ui_url: str) -> shapes.Detail:
    """Everything about a complaint that the actor may read."""
    found = view.whole(work, complaint)
    internal = view.audiences(work) == view.EVERYTHING
    findings = [shapes.FindingShape.model_validate(f) for f in found.findings]
    if not internal:
        findings = [f.model_copy(update={"internal_note": ""}) for f in findings]
    return shapes.Detail.model_validate(
        _fields(complaint, shapes.Detail)
        | {
            "complainants": _each(shapes.ComplainantShape, found.complainants),
            "merged_into": found.merged_into,
            "findings": findings,
            "decisions": _each(shapes.DecisionShape, found.decisions),
            "remedies": _each(shapes.RemedyShape, found.remedies),
            "surveys": _each(shapes.SurveyShape, found.surveys),
            "relations": _each(shapes.RelationShape, found.relations),
            "open_tasks": [task(s, complaint) for s in found.open_steps],
            "allowed_actions": found.allowed,
            "run": shapes.RunShape(
                id=complaint.run_id,
                number=complaint.run_round,
                launched_at=complaint.launched_at,
                url=f"{ui_url}/runs/flow-run/{complaint.run_id}" if complaint.run_id else None,
            ),
            "archive": shapes.ArchiveShape.model_validate(complaint),
            "links": links(complaint.reference),
        }
    )


def attachment(row: Attachment, reference: str) -> shapes.AttachmentShape:
    """A file, with where it can be had."""
    where = f"{PREFIX}/complaints/{reference}/attachments/{row.id}"
    return shapes.AttachmentShape.model_validate(row).model_copy(update={"links": {"content": where}})


def intent(row: Outbox, reference: str | None) -> shapes.IntentShape:
    """An intent, without the letter itself."""
    return shapes.IntentShape.model_validate(
        _fields(row, shapes.IntentShape)
        | {"reference": reference, "template": row.payload.get("template", ""), "to": row.payload.get("to", "")}
    )


def _fields(row: object, shape: type[shapes.Shape]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in shape.model_fields if hasattr(row, name)}


def _each(shape: type[shapes.Shape], rows: Sequence[object]) -> list[shapes.Shape]:
    return [shape.model_validate(row) for row in rows]
