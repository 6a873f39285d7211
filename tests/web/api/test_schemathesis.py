"""The OpenAPI document keeps its word: schemathesis against the running API, all checks, no finding.

COMPLAINTS_TEST_EXAMPLES draws more inputs per operation, for a long look.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from complaints.services import people
from config.wiring import App
from tests.web.api.conftest import SUBMISSION, make_key, walked
from tests.web.api.server import serving
from web.app import create_app

#: Drawn inputs per operation; every boundary of the schema is tried beside them (phase "coverage").
_EXAMPLES = int(os.environ.get("COMPLAINTS_TEST_EXAMPLES", "20"))
_CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.timeout(600)
def test_schemathesis_has_no_finding(product: App, tmp_path: Path) -> None:
    key = make_key(product, *people.SCOPES)
    with serving(create_app(product)) as url:
        made = httpx.post(f"{url}/api/v1/complaints", json=SUBMISSION, headers={"Authorization": f"Bearer {key}"})
        reference = made.json()["reference"]
        walked(product, reference)
        runs = [
            _start(
                url,
                key,
                tmp_path / "actions",
                reference,
                "--include-path-regex=^/api/v1/complaints/.*/actions/",
                "--phases=coverage,fuzzing",
                "-n2",
            ),
            _start(url, key, tmp_path / "others", None, "--exclude-path-regex=^/api/v1/complaints/.*/actions/", "-n3"),
        ]
        answers = [run.communicate(timeout=500)[0] for run in runs]
    for run, answer in zip(runs, answers, strict=True):
        assert run.returncode == 0, answer[-20_000:]
        assert " passed" in answer


def _start(url: str, key: str, folder: Path, reference: str | None, *options: str) -> subprocess.Popen[str]:
    """One run, in a process and folder of its own; with `reference`, every operation meets that complaint."""
    folder.mkdir()
    known = f'[parameters]\n"path.reference" = "{reference}"\n' if reference else ""
    config = folder / "schemathesis.toml"
    config.write_text(known + _CONFIG.read_text())
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={config}",
        "run",
        f"{url}/openapi.json",
        f"--header=Authorization: Bearer {key}",
        "--checks=all",
        "--continue-on-failure",
        f"--max-examples={_EXAMPLES}",
        "--no-color",
        *options,
    ]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
