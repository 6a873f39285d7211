"""JSON bodies, read strictly: `"1"` is no number, `0` is no boolean, an unknown field is a mistake.

FastAPI's own reading is lenient (it turns texts into numbers) and would say yes to what the OpenAPI document forbids.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from complaints.domain.errors import InvalidInput, UnsupportedType
from complaints.domain.validation import NO_NUL, problems_of
from web import problems

Model = TypeVar("Model", bound=BaseModel)
_REF = "#/components/schemas/{model}"
_documented: dict[str, type[BaseModel]] = {"Problem": problems.Problem}
_NOT_BLANK = r"^[^\x00]*[^\s\x00][^\x00]*$"


def json_body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A dependency that reads the body as `model`; `InvalidInput` names each wrong field."""

    async def read(request: Request) -> Model:
        raw = await json_bytes(request)
        try:
            return model.model_validate_json(raw, strict=True)
        except ValidationError as error:
            raise InvalidInput(problems_of(error)) from None

    return read


async def json_bytes(request: Request) -> bytes:
    """The raw body of a request that says it is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedType("Send JSON, with `Content-Type: application/json`.")
    return await request.body()


def takes(*models: type[BaseModel], required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of an operation whose JSON body is one of `models`."""
    for model in models:
        _documented[model.__name__] = model
    refs = [{"$ref": _REF.format(model=m.__name__)} for m in models]
    schema: dict[str, Any] = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def add_schemas(document: dict[str, Any]) -> None:
    """Put the models of all bodies into the OpenAPI document."""
    _, found = models_json_schema([(m, "validation") for m in _documented.values()], ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in found["$defs"].items():
        _not_blank(schema)
        schemas[name] = schema


def _not_blank(schema: Any) -> None:
    """Texts that must not be empty are trimmed first: say so in their pattern."""
    if isinstance(schema, dict):
        if schema.get("pattern") == NO_NUL and schema.get("minLength"):
            schema["pattern"] = _NOT_BLANK
        for value in schema.values():
            _not_blank(value)
    elif isinstance(schema, list):
        for value in schema:
            _not_blank(value)
