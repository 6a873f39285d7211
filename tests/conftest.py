"""Fixtures every test may use: one real PostgreSQL for the session, and databases made from a migrated template."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from config.settings import PREFIX, Settings
from tests.databases import Databases

if TYPE_CHECKING:
    from tests.running import System

# No test may reach what this installation's own settings name, in the environment or in `.env`.
os.environ |= {f"{PREFIX}{name.upper()}": "" for name in Settings.model_fields}

#: These folders share one running system; they come last, when nothing else wants the machine.
_ON_A_RUNNING_SYSTEM = ("e2e", "chaos")
#: These have a server or a browser of their own, and take long: they come first.
_LONG = ("flows", "stories")


class Together(LoadScopeScheduling):
    """Tests side by side (`pytest -n`): what shares something dear is run by one process, in its order."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        folder = path.split("/")[-2]
        return "system" if folder in _ON_A_RUNNING_SYSTEM else folder if folder in _LONG else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Whatever `--dist` says."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order above."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.path.parent.name
    if folder in _ON_A_RUNNING_SYSTEM:
        return 2 + _ON_A_RUNNING_SYSTEM.index(folder)
    return 0 if folder in _LONG else 1


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, up, with people who can be put to work."""
    from tests.running import running  # imports all of it, which tests of a part do without

    with running(tmp_path_factory.mktemp("system")) as up:
        yield up


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The server of this test session: embedded, or the one of COMPLAINTS_TEST_DATABASE_URL."""
    with Databases.open(Path(tmp_path_factory.mktemp("pg")), os.environ.get("COMPLAINTS_TEST_DATABASE_URL")) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres(databases: Databases) -> str:
    """URL (libpq form, `postgresql://…`) of the server's maintenance database; the role may create databases."""
    return databases.admin


@pytest.fixture(scope="session")
def fresh_database(databases: Databases) -> Callable[[], str]:
    """Call it for the SQLAlchemy URL (`postgresql+psycopg://…`) of a new, migrated, empty database (some 30 ms)."""
    return databases.fresh


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """SQLAlchemy URL of a new, migrated, empty database that is dropped after the test."""
    url = databases.fresh()
    yield url
    databases.drop(url)
