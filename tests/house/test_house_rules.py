"""What holds everywhere in the code: one place that commits, one that reads the clock, one that sets a status…"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("complaints", "config", "channels", "web", "tasks", "flows")
ALL = (*PRODUCT, "deployments", "migrations")
_CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def sources(*rooms: str) -> list[Path]:
    """Python files of these top folders."""
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def tree(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def places(rooms: tuple[str, ...], wanted: object, *, allowed: tuple[str, ...] = ()) -> list[str]:
    """`file:line` of every node for which `wanted(node)`, outside the allowed files."""
    assert callable(wanted)
    return [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in sources(*rooms)
        if str(path.relative_to(ROOT)) not in allowed
        for node in tree(path)
        if wanted(node)
    ]


def test_only_the_unit_of_work_commits() -> None:
    def commits(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"

    assert places(ALL, commits, allowed=("complaints/store/unit.py",)) == []
    assert places(("complaints",), commits) != []


def test_only_the_composition_root_reads_the_clock() -> None:
    def reads(node: ast.AST) -> bool:
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            return any(alias.name == "time" for alias in node.names)
        if not isinstance(node, ast.Attribute):
            return False
        owner = node.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        return (name, node.attr) in _CLOCKS

    assert places(PRODUCT, reads, allowed=("config/wiring.py",)) == []
    assert places(("config",), reads) != []


def test_only_the_transition_sets_a_status() -> None:
    def sets(node: ast.AST) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        return isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and any(
            isinstance(target, ast.Attribute) and target.attr == "status" for target in targets
        )

    # web/edge.py notes the HTTP status of an answer.
    assert places(ALL, sets, allowed=("complaints/services/transition.py", "web/edge.py")) == []
    assert places(("complaints",), sets) != []


def test_only_flows_tasks_and_deployments_import_prefect() -> None:
    def imports(node: ast.AST) -> bool:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        return any(name.split(".")[0] == "prefect" for name in names)

    assert places(("complaints", "config", "channels", "web", "migrations"), imports) == []
    assert places(("flows",), imports) != []


def test_every_flow_has_a_deployment_and_every_deployment_a_flow() -> None:
    def is_flow(decorator: ast.expr) -> bool:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        return isinstance(target, ast.Name) and target.id == "flow"

    written = {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{node.name}"
        for path in sources("flows")
        for node in tree(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(is_flow, node.decorator_list))
    }
    manifest = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))
    assert {declared["entrypoint"] for declared in manifest["deployments"]} == written


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    # Prefect's file-path entrypoints put folders on sys.path; such a module would hide the real one.
    names = [path.parent if path.name == "__init__.py" else path for path in sources(*ALL, "tests", "bench")]
    assert [str(p.relative_to(ROOT)) for p in names if p.stem in sys.stdlib_module_names] == []


@pytest.mark.parametrize("host", ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "registry." + "npmjs"])
def test_no_file_names_a_package_registry(host: str) -> None:
    skipped = {".git", ".venv", "var", "build"}
    suffixes = {
        ".py",
        ".toml",
        ".md",
        ".lock",
        ".txt",
        ".yaml",
        ".yml",
        ".sh",
        ".cfg",
        ".ini",
        ".html",
        ".js",
        ".css",
        "",
    }
    guilty = [
        str(path.relative_to(ROOT))
        for top in sorted(ROOT.iterdir())
        if top.name not in skipped and not top.name.endswith("_cache") and not top.name.endswith(".egg-info")
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file() and path.suffix in suffixes and host in path.read_text(encoding="utf-8", errors="ignore")
    ]
    assert guilty == []
