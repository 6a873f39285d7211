"""People who work here, and API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints

from complaints.domain.errors import InvalidInput
from complaints.domain.forms import Code, Form, Line
from complaints.domain.intake import Email
from complaints.domain.vocabulary import Language, Role
from complaints.services import people as verbs
from complaints.store.tables import Person
from web.api import shapes
from web.api.body import json_body, takes
from web.auth import Administrator, Colleague, Product
from web.problems import documented

router = APIRouter(tags=["people and keys"])

Staff = Literal[Role.AGENT, Role.LEAD, Role.APPROVER, Role.MANAGER, Role.AUDITOR, Role.ADMIN]
Scope = Literal["complaints:submit", "complaints:read", "complaints:act", "tasks", "admin"]


class NewPerson(Form):
    """A new colleague."""

    login: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._@\-]{0,63}$")] = Field(
        description="Short unique name to log in with.", examples=["li.na"]
    )
    name: Line = Field(description="Name, as colleagues and letters use it.", examples=["李娜"])
    email: Email | None = Field(default=None, description="Address for internal messages.")
    language: Language | None = Field(
        default=None, description="Language of screens and messages; empty: the installation's."
    )
    roles: list[Staff] = Field(min_length=1, max_length=6, description="What they may do.")
    teams: list[Code] = Field(default=[], max_length=50, description="Teams, as in the policy.")


class NewKey(Form):
    """A new API key."""

    name: Line = Field(description="What it is for.", examples=["web shop"])
    scopes: list[Scope] = Field(min_length=1, max_length=5, description="What it may do.")
    person_id: UUID | None = Field(
        default=None, description="It acts as this person; empty: as an integrator, which can submit and read."
    )
    valid_days: int | None = Field(default=None, ge=1, le=3650, description="Days until it expires; empty: never.")


@router.get("/people", summary="List people", responses=documented())
def everybody(product: Product, actor: Colleague) -> list[shapes.PersonShape]:
    """All people, by login."""
    with product.store.reading(actor) as work:
        return [shapes.PersonShape.model_validate(p) for p in verbs.everybody(work)]


@router.post(
    "/people",
    status_code=201,
    summary="Add a person",
    responses=documented(409, 413, 415),
    openapi_extra=takes(NewPerson),
)
def add(
    product: Product, actor: Administrator, new: Annotated[NewPerson, Depends(json_body(NewPerson))]
) -> shapes.PersonShape:
    """A new colleague. They work with a key of their own, or log in to the console."""
    speaks = new.language or product.settings.language
    with product.store.work(actor) as work:
        person = verbs.add_person(
            work, new.login, new.name, roles=new.roles, teams=new.teams, email=new.email, language=speaks
        )
        return shapes.PersonShape.model_validate(person)


@router.post(
    "/keys", status_code=201, summary="Make an API key", responses=documented(413, 415), openapi_extra=takes(NewKey)
)
def make_key(
    product: Product, actor: Administrator, new: Annotated[NewKey, Depends(json_body(NewKey))]
) -> shapes.NewKeyShape:
    """A new key. Its secret is in this answer and nowhere else."""
    valid_for = timedelta(days=new.valid_days) if new.valid_days else None
    with product.store.work(actor) as work:
        person = work.session.get(Person, new.person_id) if new.person_id else None
        if new.person_id and (person is None or not person.active):
            raise InvalidInput("no such active person", "person_id")
        row, secret = verbs.create_key(work, new.name, new.scopes, person=person, valid_for=valid_for)
        return shapes.NewKeyShape.model_validate(row.model_dump() | {"secret": secret})


@router.delete("/keys/{key_id}", status_code=204, summary="Revoke an API key", responses=documented(404))
def revoke_key(product: Product, actor: Administrator, key_id: UUID, request: Request) -> None:
    """From now on the key opens nothing; other web processes follow within five seconds."""
    with product.store.work(actor) as work:
        verbs.revoke_key(work, key_id)
    request.app.state.keys.forget()
