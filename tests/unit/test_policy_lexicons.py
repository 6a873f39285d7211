"""The demonstration's policy takes everything but its waiting times, lexicons too, from the default policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from complaints.domain.errors import PolicyInvalid
from config.lexicons import load_lexicon
from config.policy import load
from deployments.cli import app

POLICIES = Path(__file__).resolve().parents[2] / "config" / "policies"


def test_the_demonstration_is_the_default_in_seconds() -> None:
    demo, default = load(POLICIES / "demo"), load(POLICIES / "default")
    assert demo.lifecycle.timings.confirm_within.total_seconds() < 10
    assert default.lifecycle.timings.confirm_within.days == 14
    assert demo.lifecycle.solutions == default.lifecycle.solutions
    assert (demo.taxonomy, demo.routing, demo.authority) == (default.taxonomy, default.routing, default.authority)


def test_lexicons_come_from_the_nearest_policy_that_has_them(tmp_path: Path) -> None:
    assert load_lexicon(POLICIES / "demo").files == load_lexicon(POLICIES / "default").files
    (tmp_path / "lexicons").mkdir()
    (tmp_path / "lexicons" / "en.toml").write_text('language = "en"', encoding="utf-8")
    (tmp_path / "policy.toml").write_text(f'extends = "{POLICIES / "default"}"', encoding="utf-8")
    assert len(load_lexicon(tmp_path).files) == 1


@pytest.mark.parametrize("manifest", ["", 'extends = "."', 'extends = "nowhere"'])
def test_a_policy_without_lexicons_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "policy.toml").write_text(manifest, encoding="utf-8")
    with pytest.raises(PolicyInvalid, match="folder lexicons"):
        load_lexicon(tmp_path)


def test_words_that_cannot_be_read_are_told_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(f'extends = "{POLICIES / "default"}"', encoding="utf-8")
    assert CliRunner().invoke(app, ["policy", "check", str(tmp_path)]).exit_code == 0
    (tmp_path / "lexicons").mkdir()
    (tmp_path / "lexicons" / "en.toml").write_text('language = "tlh"', encoding="utf-8")
    told = CliRunner().invoke(app, ["policy", "check", str(tmp_path), "--json"])
    assert told.exit_code == 1
    (problem,) = json.loads(told.stdout)["problems"]
    assert problem["file"] == "lexicons"
    assert problem["message"].startswith(f"{tmp_path / 'lexicons' / 'en.toml'}: language: ")
