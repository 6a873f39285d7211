"""The documentation says what the code says: generated pages are fresh, names exist, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
_TOP = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "AGENTS.md")
PAGES = [ROOT / name for name in _TOP] + sorted((ROOT / "docs").rglob("*.md"))
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(page: str) -> set[str]:
    """Anchors of the headings, as Git forges make them."""
    plain = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    heads = re.findall(r"^#+ +(.+)$", plain, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_reference_is_what_the_code_says(generator: ModuleType) -> None:
    pages = generator.pages()
    stale = [name for name, made in pages.items() if text(ROOT / "docs" / "reference" / name) != made]
    assert stale == [], "run `.venv/bin/python docs/generate.py`"
    assert {path.name for path in (ROOT / "docs" / "reference").glob("*.md")} == set(pages)


def test_every_key_of_a_policy_file_is_explained() -> None:
    assert re.findall(r"^\| `(\w+)` .*\|\s*\|$", text(ROOT / "docs" / "reference" / "policy.md"), re.MULTILINE) == []


def test_every_setting_is_documented() -> None:
    page = text(ROOT / "docs" / "reference" / "settings.md")
    assert [name for name in Settings.model_fields if f"`COMPLAINTS_{name.upper()}`" not in page] == []


def test_every_setting_that_is_named_exists() -> None:
    known = {f"COMPLAINTS_{name.upper()}" for name in Settings.model_fields}
    named = {(path.name, found) for path in PAGES for found in re.findall(r"COMPLAINTS_[A-Z][A-Z_]*[A-Z]", text(path))}
    allowed = {"COMPLAINTS_CRASH_AT"}
    assert sorted((page, name) for page, name in named if name not in known | allowed) == []


def test_every_command_is_documented_and_every_command_that_is_named_exists(generator: ModuleType) -> None:
    known = {name for name, _ in generator.commands()}
    page = text(ROOT / "docs" / "reference" / "commands.md")
    assert [name for name in sorted(known) if f"\n## {name}\n" not in page] == []
    groups = {name.split()[0] for name in known}
    wrong = []
    for path in PAGES:
        for first, second in re.findall(r"`(?:[\w./]*/)?complaints ([a-z]+)(?: ([a-z]+))?", text(path)):
            if first not in groups or (first not in known and second and f"{first} {second}" not in known):
                wrong.append((path.name, f"{first} {second}".strip()))
    assert wrong == []


def test_commands_of_the_readmes_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), flags=re.MULTILINE))
    for path in PAGES:
        named = set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", text(path), flags=re.MULTILINE))
        assert {one or other for one, other in named} <= targets, path.name
    for path in READMES:
        assert "make demo" in text(path)
        assert "make test" in text(path)


def test_decisions_are_numbered_without_gap_or_repeat() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [f.name for f in files if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", f.name)] == []
    numbers = [int(f.name[:4]) for f in files]
    assert [n for n, often in Counter(numbers).items() if often > 1] == []
    assert numbers == list(range(1, len(numbers) + 1))
    for file in files:
        found = text(file)
        assert found.startswith(f"# {file.name[:4]} "), file.name
        assert [part for part in ("## Context", "## Decision", "## Consequence") if part not in found] == [], file.name


@pytest.mark.parametrize("page", names(PAGES))
def test_relative_links_lead_somewhere(page: str) -> None:
    here = ROOT / page
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text(here)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (here.parent / file).resolve() if file else here
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(text(target))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", names(PAGES))
def test_paths_and_tests_that_are_named_exist(page: str) -> None:
    quoted = re.findall(
        r"`((?:tests|complaints|config|deployments|flows|tasks|web|docs)/[\w./-]+\.\w+)(?:::(\w+))?`", text(ROOT / page)
    )
    missing = [path for path, _ in quoted if not (ROOT / path).exists()]
    assert missing == []
    assert [(path, test) for path, test in quoted if test and f"def {test}(" not in text(ROOT / path)] == []
