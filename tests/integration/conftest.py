"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from complaints.store.blobs import Blobs
from tests.integration.desk import Desk, bundle


@pytest.fixture(scope="session")
def _desk(fresh_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    opened = Desk(fresh_database(), tmp_path_factory.mktemp("bags"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def desk(_desk: Desk, tmp_path: Path) -> Desk:
    """An empty desk; all tests of a session share its database, one after another."""
    _desk.clear()
    _desk.bags, _desk.blobs = tmp_path, Blobs(tmp_path / "attachments")
    _desk.begin(bundle())
    return _desk
