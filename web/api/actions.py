"""Everything that can be done to a complaint: one documented operation for each command of the domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Response

from complaints.domain.commands import COMMANDS
from complaints.domain.forms import Form
from complaints.services import access
from complaints.services import actions as verbs
from web.api import shapes
from web.api.body import json_body, takes
from web.api.params import Reference, Version
from web.auth import Doer, Product, Reader
from web.problems import documented

router = APIRouter(tags=["actions"])


@router.get("/complaints/{reference}/actions", summary="What can be done now", responses=documented(404))
def allowed(product: Product, actor: Reader, reference: Reference) -> shapes.Allowed:
    """The actions that the complaint's status and your roles allow now."""
    with product.store.reading(actor) as work:
        complaint = access.see(work, reference)
        return _allowed(complaint, verbs.allowed_for(work, complaint))


def _allowed(complaint: Any, actions: list[str]) -> shapes.Allowed:
    return shapes.Allowed(
        reference=complaint.reference, status=complaint.status, version=complaint.version, actions=actions
    )


def _operation(action: str, form: type[Form]) -> Callable[..., shapes.Allowed]:
    body = Depends(json_body(form))

    def do(
        product: Product,
        actor: Doer,
        reference: Reference,
        version: Version,
        response: Response,
        command: Form = body,
    ) -> shapes.Allowed:
        with product.store.work(actor) as work:
            access.see(work, reference)
            complaint = verbs.act(work, reference, action, command.model_dump(exclude_unset=True), version)
            answer = _allowed(complaint, verbs.allowed_for(work, complaint))
        response.headers["ETag"] = f'"{answer.version}"'
        return answer

    return do


for _action, _form in COMMANDS.items():
    router.add_api_route(
        f"/complaints/{{reference}}/actions/{_action}",
        _operation(_action, _form),
        methods=["POST"],
        name=_action,
        operation_id=f"action_{_action}",
        summary=_action.replace("_", " ").capitalize(),
        description=_form.__doc__,
        response_model=shapes.Allowed,
        responses={200: {"description": "Done; says what can be done next."}, **documented(404, 409, 412, 413, 415)},
        openapi_extra=takes(_form),
    )
