"""What is given on the command line: text, JSON, files; and what a form or an action wants to be given."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.table import Table

from complaints.domain.errors import InvalidInput
from complaints.domain.validation import CODE, CURRENCY
from deployments.commands.output import table

_CHUNK = 1 << 18
#: What stands for a text of this pattern or format in an example.
_FOR_EXAMPLE = {CODE: "billing", CURRENCY: "CNY", "uuid": "01a21c14-0000-7000-8000-000000000000"}


def read_text(text: str, name: str) -> str:
    """A text given on the command line; `-` reads standard input. `InvalidInput` when that is not UTF-8."""
    if text != "-":
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"standard input is not UTF-8 (byte {error.start + 1}); convert it first", name) from None


def read_json(text: str, name: str) -> dict[str, Any]:
    """A JSON object given on the command line; `-` reads standard input, `@file` a file."""
    text = _read_file(Path(text[1:]), name) if text.startswith("@") else read_text(text, name)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", name) from None
    except RecursionError:
        raise InvalidInput("not JSON of ours: it is nested too deeply", name) from None
    if not isinstance(value, dict):
        raise InvalidInput('give a JSON object, e.g. \'{"reason": "…"}\'', name)
    return value


def _read_file(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 (byte {error.start + 1}); save it as UTF-8", name) from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {_why(error)}", name) from None


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in pieces; `InvalidInput` when it cannot be read."""
    try:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"cannot be read: {_why(error)}", str(path)) from None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


# -- what is wanted


def wanted(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The fields of a form: name, whether it is required, what it takes, what it means."""
    schema = model.model_json_schema()
    return [
        {
            "field": name,
            "required": name in schema.get("required", ()),
            "takes": _takes(field, schema.get("$defs", {})),
            "meaning": field.get("description", ""),
        }
        for name, field in schema["properties"].items()
    ]


def wanted_table(title: str, model: type[BaseModel]) -> Table:
    """The same for a person."""
    rows = [(w["field"], "yes" if w["required"] else "", w["takes"], w["meaning"]) for w in wanted(model)]
    return table(title, ("field", "required", "takes", "meaning"), rows)


def example(model: type[BaseModel]) -> dict[str, Any]:
    """The least that the form takes, and every yes or no, filled in."""
    schema = model.model_json_schema()
    told: list[dict[str, Any]] = schema.get("examples", [])
    made: dict[str, Any] = told[0] if told else _example(schema, schema.get("$defs", {}))
    return made


def _resolved(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The schema itself where it is a reference; of alternatives the first that is not null."""
    if "$ref" in schema:
        return dict(known[schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema and "properties" not in schema:
        return _resolved(next(one for one in schema["anyOf"] if one.get("type") != "null"), known)
    return schema


def _takes(schema: dict[str, Any], known: dict[str, Any]) -> str:
    plain = _resolved(schema, known)
    if choices := plain.get("enum") or ([plain["const"]] if "const" in plain else None):
        return " | ".join(map(str, choices))
    match plain.get("type"):
        case "boolean":
            return "true | false"
        case "integer":
            return f"whole number, {plain.get('minimum', '…')} to {plain.get('maximum', '…')}"
        case "number":
            return "number"
        case "array":
            return f"list of {_takes(plain['items'], known)}"
        case "object":
            return f"{{{', '.join(plain['properties'])}}}"
        case _:
            return "id" if plain.get("format") == "uuid" else "text"


def _example(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    plain = _resolved(schema, known)
    if choices := plain.get("enum") or ([plain["const"]] if "const" in plain else None):
        return choices[0]
    match plain.get("type"):
        case "object":
            needed = [*plain.get("required", ()), *plain.get("anyOf", [{}])[0].get("required", ())]
            fields = plain["properties"].items()
            shown = [(n, f) for n, f in fields if n in needed or _resolved(f, known).get("type") == "boolean"]
            return {name: _example(field, known) for name, field in shown}
        case "boolean":
            return True
        case "integer" | "number":
            return plain.get("minimum", 1)
        case "array":
            return []
        case _:
            return _FOR_EXAMPLE.get(plain.get("format") or plain.get("pattern", ""), "…")
