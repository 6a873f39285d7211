"""Forms on the screen out of the pydantic models that API, command line and Prefect use too.

`build` says which fields a template draws, `read` turns what a browser sends into what the model takes, `faults` puts
each problem beside its field in the reader's language. A field of a list is named `remedies-0-kind`.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from starlette.datastructures import FormData

from complaints.domain.errors import FieldProblem
from complaints.domain.policy import Label, PolicyBundle
from complaints.domain.vocabulary import Severity
from complaints.store.tables import Person
from web.console.labels import TABLES, Labels
from web.language import N_, Speech
from web.spoken_errors import fault

Options = list[tuple[str, str]]
#: Text longer than this gets several lines.
_ONE_LINE = 1_000
#: Up to so many choices are shown at once.
_FEW = 5


@dataclass(frozen=True)
class Field:
    """One question. `rows` of a list, and `parts` of a group, are fields again; `blank` is an empty row to add."""

    name: str
    label: str
    hint: str
    widget: str  #: line, text, number, choice, select, yesno, list, group
    required: bool
    value: str = ""
    options: Options = field(default_factory=list)
    error: str = ""
    longest: int | None = None
    rows: list[list[Field]] = field(default_factory=list)
    parts: list[Field] = field(default_factory=list)
    blank: list[Field] = field(default_factory=list)


class Choices:
    """What can be chosen where a model only says "a code": taken from the policy and from who works here."""

    def __init__(self, policy: PolicyBundle, speech: Speech, people: Iterable[Person] = (), clocks: Iterable[str] = ()):
        def named(things: Iterable[Any]) -> Options:
            return [(thing.key, self._title(thing)) for thing in things]

        self._speech = speech
        everybody = [(str(p.id), p.name) for p in people]
        self.of: dict[str, Options] = {
            "category": named(policy.taxonomy.categories),
            "root_cause": named(policy.taxonomy.root_causes),
            "team": named(policy.routing.teams),
            "solution": named(policy.lifecycle.solutions),
            "person": everybody,
            "assignee": everybody,
            "clock": [(key, key) for key in clocks],
            "jurisdiction": self._jurisdictions(policy),
        }

    def _jurisdictions(self, policy: PolicyBundle) -> Options:
        """Those that some profile is for, by the name of its rule."""
        named = {j: p.title(self._speech.language) for p in policy.sla.profiles for j in p.applies.jurisdictions}
        return sorted((key, self._speech.aside(title, key)) for key, title in named.items())

    def name(self, table: str, key: str | None) -> str:
        """What the policy calls a category, team, root cause or solution; the key where it knows none."""
        return next((title for code, title in self.of.get(table, ()) if code == key), key or "")

    def _title(self, thing: Any) -> str:
        label: Label = getattr(thing, "label", None) or thing.title
        return label.in_(self._speech.language)


def build(
    model: type[BaseModel],
    label: Labels,
    choices: Choices,
    given: Mapping[str, Any] | None = None,
    faults: Mapping[str, str] | None = None,
    prefix: str = "",
) -> list[Field]:
    """The fields of `model`, filled with `given` (as the model would be dumped, or as `read` returned it)."""
    values, wrong = given or {}, faults or {}
    return [
        _field(f"{prefix}{name}", name, info, label, choices, values.get(name), wrong)
        for name, info in model.model_fields.items()
    ]


def _field(
    path: str, name: str, info: FieldInfo, label: Labels, choices: Choices, value: Any, wrong: Mapping[str, str]
) -> Field:
    kind, longest = _kind(info)
    if value is None and info.default is not PydanticUndefined:
        value = info.default
    title, hint = label("field", name), label.speech.say(info.description or "")
    made = Field(
        name=path,
        label=title,
        hint="" if _core(hint) == _core(title) else hint,
        widget="line",
        required=info.is_required(),
        error=wrong.get(path, ""),
        longest=longest,
    )
    if get_origin(kind) is list:
        row = get_args(kind)[0]
        rows = [build(row, label, choices, one, wrong, f"{path}-{n}-") for n, one in enumerate(value or [])]
        return replace(made, widget="list", rows=rows, blank=build(row, label, choices, {}, {}, f"{path}-#-"))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return replace(made, widget="group", parts=build(kind, label, choices, value or {}, wrong, f"{path}-"))
    return replace(made, value=_text(value), **_widget(name, kind, info, label, choices, longest))


def _core(text: str) -> str:
    """A text without what says nothing: a hint that is its label once more helps nobody."""
    return text.casefold().removeprefix("the ").rstrip(".。 ")


def _widget(
    name: str, kind: Any, info: FieldInfo, label: Labels, choices: Choices, longest: int | None
) -> dict[str, Any]:
    if kind is bool:
        return {
            "widget": "yesno",
            "options": [("yes", label.speech.say(N_("Yes"))), ("no", label.speech.say(N_("No")))],
        }
    codes = _codes(kind)
    if codes:
        table = _table(name, codes)
        options = [(code, label(table, code)) for code in codes]
        few = len(options) <= _FEW and (info.is_required() or name == "audience")
        return {"widget": "choice" if few else "select", "options": options}
    if name in choices.of:
        return {"widget": "select", "options": choices.of[name], **({"hint": ""} if name == "clock" else {})}
    if marks := _marks(info) if kind is int else []:
        none = [] if info.is_required() else [("", "–")]
        return {"widget": "choice", "options": none + [(mark, mark) for mark in marks]}
    if kind in (int, Decimal):
        return {"widget": "number"}
    return {"widget": "text" if (longest or 0) > _ONE_LINE else "line"}


def _kind(info: FieldInfo) -> tuple[Any, int | None]:
    """The type behind `Annotated` and `| None`, and the greatest length of a text."""
    kind, longest = info.annotation, _longest(info.metadata)
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            kind, *rest = get_args(kind)
            longest = longest or _longest(rest)
        elif origin in (Union, types.UnionType):
            kind = next(k for k in get_args(kind) if k is not type(None))
        else:
            return kind, longest


def _longest(metadata: Iterable[Any]) -> int | None:
    for item in metadata:
        if isinstance(item, StringConstraints | MaxLen) and item.max_length:
            return item.max_length
    return None


def _marks(info: FieldInfo) -> list[str]:
    """A scale of few marks, such as 1 to 5: each can be shown."""
    lowest = next((int(str(m.ge)) for m in info.metadata if isinstance(m, Ge)), None)
    highest = next((int(str(m.le)) for m in info.metadata if isinstance(m, Le)), None)
    if lowest is None or highest is None or highest - lowest >= _FEW:
        return []
    return [str(mark) for mark in range(lowest, highest + 1)]


def _codes(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [item.value for item in kind]
    if get_origin(kind) is Literal:
        return [str(item) for item in get_args(kind)]
    return []


def _table(name: str, codes: list[str]) -> str:
    """Where the words for these codes are."""
    if set(codes) == {s.value for s in Severity}:
        return "severity"
    known = {"kind": "remedy", "finding": "finding", "audience": "audience"}
    table = known.get(name, "decision")
    return table if set(codes) <= set(TABLES[table]) else "link"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, StrEnum):
        return value.value
    return "" if value is None else str(value)


def read(model: type[BaseModel], form: FormData | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What was sent, as `model` takes it: empty fields are left out, empty rows of lists too."""
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        kind, _ = _kind(info)
        path = f"{prefix}{name}"
        if get_origin(kind) is list:
            row = get_args(kind)[0]
            rows = [read(row, form, f"{path}-{n}-") for n in _numbers(form, path)]
            found[name] = [one for one in rows if _filled(row, one)]
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            found[name] = read(kind, form, f"{path}-")
        else:
            text = str(form.get(path, "")).strip().replace("\r\n", "\n")
            if text:
                found[name] = {"yes": True, "no": False}.get(text, text) if kind is bool else text
    return found


def _numbers(form: FormData | Mapping[str, Any], path: str) -> list[int]:
    pattern = re.compile(rf"{re.escape(path)}-(\d{{1,2}})-")
    return sorted({int(hit[1]) for name in form if (hit := pattern.match(name))})


def _filled(model: type[BaseModel], row: Mapping[str, Any]) -> bool:
    """Whether somebody wrote something into a row beside what was there already."""
    defaults = {n: _text(i.default) for n, i in model.model_fields.items() if not i.is_required()}
    return any(_text(value) != defaults.get(name, "") for name, value in row.items())


def faults(problems: Iterable[FieldProblem], speech: Speech) -> dict[str, str]:
    """What is wrong with each field, by its name on the screen; the key "" is for the form as a whole."""
    return {p.field.replace(".", "-"): fault(speech.language, p) for p in problems}
