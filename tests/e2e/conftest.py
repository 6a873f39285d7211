"""One running system for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running import System, running


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, up."""
    with running(tmp_path_factory.mktemp("e2e")) as up:
        yield up
