"""Canned texts: what agents write again and again, kept once, with `{placeholders}` that the complaint fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from uuid import UUID

from pydantic import Field, ValidationError
from sqlmodel import col, select

from complaints.domain import placeholders
from complaints.domain.errors import InvalidInput, NotFound, StaleVersion
from complaints.domain.forms import Form, Line, OptionalWords, Words
from complaints.domain.validation import problems_of
from complaints.domain.vocabulary import Language
from complaints.services import administration
from complaints.services.context import letter_context
from complaints.store.columns import new_id
from complaints.store.tables import CannedText, Complainant, Complaint
from complaints.store.unit import Work


class TextForm(Form):
    """A canned text as its form sends it."""

    title: Line = Field(description="Name in the list.")
    language: Language = Field(description="Language of the text.")
    body: Words = Field(description="The text; placeholders such as {name} are filled from the complaint.")
    purpose: OptionalWords = Field(default="", description="Step or action it is meant for; empty: any.")
    active: bool = Field(default=True, description="Offered for insertion.")


def everything(work: Work) -> list[CannedText]:
    """All texts, also those no longer offered, by title."""
    return list(work.session.exec(select(CannedText).order_by(CannedText.title, col(CannedText.id))).all())


def for_purpose(work: Work, purpose: str, language: str) -> list[CannedText]:
    """What is offered for a step or action in a language: first the texts meant for it, then those for any."""
    return list(
        work.session.exec(
            select(CannedText)
            .where(
                col(CannedText.active).is_(True),
                CannedText.language == language,
                col(CannedText.purpose).in_([purpose, ""]),
            )
            .order_by(col(CannedText.purpose).desc(), CannedText.title)
        ).all()
    )


def values(
    work: Work, complaint: Complaint, language: Language, day: Callable[[datetime | date], str]
) -> dict[str, str]:
    """What the complaint fills in; `day` writes a date as the reader does."""
    context = letter_context(work, complaint, language)
    who = work.session.get_one(Complainant, complaint.complainant_id)
    due = context["answer_due_on"]
    return {
        "name": who.name,
        "reference": complaint.reference,
        "subject": complaint.subject,
        "received_on": day(complaint.received_at),
        "answer_by": day(due) if due else "",
        "agent": work.actor.name,
        "remedies": "\n".join(f"- {remedy['description']}" for remedy in context["remedies"]),
        **{name: str(context[name]) for name in ("category", "team", "signatory", "external_body", "summary")},
    }


def create(work: Work, given: Mapping[str, object]) -> CannedText:
    """Add a text; `InvalidInput` names each wrong field."""
    form = _checked(given)
    row = CannedText(id=new_id(work.now), changed_at=work.now, changed_by=work.actor.name, **form.model_dump())
    work.session.add(row)
    administration.note(work, "text_created", row.title, {"id": str(row.id)})
    return row


def change(work: Work, text_id: UUID, given: Mapping[str, object], version: int | None = None) -> CannedText:
    """Replace a text; `StaleVersion` when somebody changed it since the caller saw `version`."""
    form = _checked(given)
    row = work.session.get(CannedText, text_id, with_for_update=True)
    if row is None:
        raise NotFound("text", text_id)
    if version is not None and version != row.version:
        raise StaleVersion(version, row.version)
    before = {name: getattr(row, name) for name in TextForm.model_fields}
    row.sqlmodel_update(form.model_dump())
    row.version, row.changed_at, row.changed_by = row.version + 1, work.now, work.actor.name
    work.session.add(row)
    changed = {n: [v, getattr(row, n)] for n, v in before.items() if v != getattr(row, n)}
    administration.note(work, "text_changed", row.title, {"id": str(row.id), **changed})
    return row


def _checked(given: Mapping[str, object]) -> TextForm:
    try:
        form = TextForm.model_validate(dict(given))
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    if missing := placeholders.unknown(form.body):
        raise InvalidInput(f"not known: {', '.join(missing)}; known are: {', '.join(placeholders.NAMES)}", "body")
    return form
