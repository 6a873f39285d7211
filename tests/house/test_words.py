"""Every word a person reads exists in both languages: screens, forms, refusals."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from pydantic import BaseModel

from complaints.domain.commands import COMMANDS
from complaints.domain.forms import FORMS, RemedyProposal
from complaints.domain.intake import NewComplaint
from complaints.domain.validation import PATTERNS, PLAINER
from complaints.domain.vocabulary import Language
from web.language import CATALOGUES
from web.spoken_errors import GENERAL, LIMITED, spoken

ROOT = Path(__file__).resolve().parents[2]
_FOLDER = CATALOGUES / "zh_CN" / "LC_MESSAGES"
_MAP = [("**.py", "python"), ("templates/**.html", "jinja2")]
_HOLE = re.compile(r"%\(\w+\)s")


def _catalogue(room: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(_FOLDER.glob("*.po")):
        if path.stem.startswith(room):
            with path.open("rb") as source:
                for message in read_po(source, locale="zh_CN", abort_invalid=True):
                    if message.id:
                        said = found.setdefault(str(message.id), str(message.string))
                        assert said == message.string, f"{path.name}: {message.id!r} is translated in two ways"
    return found


def _said_by_console() -> set[str]:
    texts = {str(found[2]) for found in extract_from_dir(ROOT / "web" / "console", method_map=_MAP)}
    texts |= {*GENERAL.values(), *(text for both in LIMITED.values() for text in both)}
    for form in (*FORMS.values(), *COMMANDS.values(), RemedyProposal):
        texts |= {info.description for info in form.model_fields.values() if info.description}
    return texts


def test_the_consoles_texts_are_translated_and_no_translation_is_left_over() -> None:
    catalogue, said = _catalogue("console"), _said_by_console()
    assert sorted(said - set(catalogue)) == []
    assert sorted(set(catalogue) - said) == []


def test_translations_are_complete_and_fill_the_same_holes() -> None:
    for english, chinese in (_catalogue("portal") | _catalogue("console") | _catalogue("errors")).items():
        assert chinese.strip(), english
        assert sorted(_HOLE.findall(english)) == sorted(_HOLE.findall(chinese)), english


def test_every_template_text_of_the_console_is_marked() -> None:
    """Nothing between tags is plain words (names of keys on a keyboard are)."""
    loose = []
    for path in (ROOT / "web" / "console" / "templates").rglob("*.html"):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.S)
        text = re.sub(r"<kbd>.*?</kbd>", "", text)
        text = re.sub(r'[\w-]+="[^"]*"', "", text)
        loose += [(path.name, w) for w in re.findall(r">([^<>]*[A-Za-z]{2}[^<>]*)<", text)]
    assert loose == []


#: What is said to a person by these is in English; readers of other languages get it through `errors.po`.
_SAY = {"InvalidInput", "Forbidden", "Conflict", "LimitExceeded", "UnsupportedType", "FieldProblem", "ValueError"}
_SAY |= {"SignOnFailed"}
#: Said to operators and integrators only: policy files, links, addresses of webhooks.
_NOT_READERS = {"sla_policy.py", "policy.py", "webhooks.py", "tracking.py", "businesstime.py", "calendars.py"}


def _skeleton(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return ""


def _refusals() -> set[str]:
    """Each sentence that domain and services refuse with, its holes as `{}`."""
    found = set()
    rooms = [path for room in ("domain", "services") for path in (ROOT / "complaints" / room).glob("*.py")]
    for path in (*rooms, ROOT / "web" / "edge.py"):
        if path.name not in _NOT_READERS:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                said: list[ast.expr] = []
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    said = (
                        node.args
                        if name in _SAY or (name == "__init__" and path.name in ("errors.py", "signin.py"))
                        else []
                    )
                elif isinstance(node, ast.Return) and path.name == "routing.py" and node.value is not None:
                    said = [node.value]
                found |= {text for text in map(_skeleton, said) if " " in text}
    return {re.sub(r"^[a-z_]+: ", "", text) for text in found} | {*PATTERNS.values(), *PLAINER.values()}


def _patterns(schema: object) -> set[str]:
    """Every regular expression in a JSON Schema."""
    if isinstance(schema, dict):
        own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
        return own.union(*(_patterns(value) for value in schema.values()))
    return set().union(*(_patterns(value) for value in schema)) if isinstance(schema, list) else set()


@pytest.mark.parametrize("form", [NewComplaint, *FORMS.values(), *COMMANDS.values()], ids=lambda form: form.__name__)
def test_no_form_answers_with_a_regular_expression(form: type[BaseModel]) -> None:
    decimals = {p for p in _patterns(form.model_json_schema()) if p.startswith("^(?!")}  # pydantic's own, for decimals
    assert sorted(_patterns(form.model_json_schema()) - decimals - set(PATTERNS)) == []


def test_every_refusal_is_known_in_chinese() -> None:
    known = {_HOLE.sub("{}", english) for english in _catalogue("errors")}
    assert sorted(_refusals() - known) == []
    assert sorted(known - _refusals() - _said_by_console()) == []


def test_a_finished_sentence_finds_its_translation() -> None:
    said = spoken(Language.ZH, "Task triage-1 is claimed by Li Na. Ask them to release it.")
    assert said == "任务 triage-1 已由 Li Na 领取。请对方先退回。"
    assert spoken(Language.ZH, "Something nobody wrote down.") == "Something nobody wrote down."
    assert spoken(Language.EN, "say why") == "say why"
