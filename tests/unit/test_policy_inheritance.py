"""Policy folders that extend another."""

from __future__ import annotations

from pathlib import Path

import pytest

from complaints.domain.errors import PolicyInvalid
from complaints.domain.policy import LifecyclePolicy
from config.inheritance import chain, section, subfolder

POLICIES = Path(__file__).resolve().parents[2] / "config" / "policies"


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content, encoding="utf-8")
    return folder


def test_tables_merge_and_lists_are_replaced(tmp_path: Path) -> None:
    _write(tmp_path / "base", lifecycle='names = ["a", "b"]\n[timings]\none = 1\ntwo = 2', routing="x = 1")
    child = _write(
        tmp_path / "child", policy='extends = "../base"', lifecycle='names = ["c"]\n[timings]\ntwo = 3\nthree = 4'
    )
    assert section(child, "lifecycle") == {"names": ["c"], "timings": {"one": 1, "two": 3, "three": 4}}
    assert section(child, "routing") == {"x": 1}
    assert section(child, "absent") is None


def test_circles_and_missing_parents_are_refused(tmp_path: Path) -> None:
    a = _write(tmp_path / "a", policy='extends = "../b"')
    _write(tmp_path / "b", policy='extends = "../a"')
    with pytest.raises(PolicyInvalid, match="circle"):
        chain(a)
    lost = _write(tmp_path / "lost", policy='extends = "../nowhere"')
    with pytest.raises(PolicyInvalid, match="no such folder"):
        chain(lost)
    wrong = _write(tmp_path / "wrong", policy="extends = 3")
    with pytest.raises(PolicyInvalid, match="in quotes"):
        chain(wrong)


def test_the_demonstration_is_the_default_in_seconds() -> None:
    demo = LifecyclePolicy.model_validate(section(POLICIES / "demo", "lifecycle"))
    default = LifecyclePolicy.model_validate(section(POLICIES / "default", "lifecycle"))
    assert demo.timings.confirm_within.total_seconds() < 10 < default.timings.confirm_within.total_seconds()
    assert demo.solutions == default.solutions
    assert subfolder(POLICIES / "demo", "lexicons") == POLICIES / "default" / "lexicons"
    with pytest.raises(PolicyInvalid, match="no_such"):
        subfolder(POLICIES / "demo", "no_such")
