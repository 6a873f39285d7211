"""What all tests of the web share: one database, emptied before each test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from complaints.store.engine import make_engine
from config.policy import load
from tests.databases import Databases, empty_tables
from web.templating import Templates

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def web_database(databases: Databases) -> Iterator[str]:
    """SQLAlchemy URL of the database that these tests use one after the other."""
    url = databases.fresh()
    yield url
    databases.drop(url)


@pytest.fixture
def database(web_database: str, databases: Databases) -> str:
    """SQLAlchemy URL of an empty database, as if it were new; whoever a former test left connected is sent away."""
    databases.disconnect(web_database)
    engine = create_engine(web_database, poolclass=NullPool)
    empty_tables(engine)
    return web_database


@pytest.fixture(scope="session", autouse=True)
def policies_read_once() -> Iterator[None]:
    """A policy folder says the same to every test: reading and checking it takes 50 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("config.wiring.load_policy", cache(load))
        yield


class _Compiled(BytecodeCache):
    """Templates as Python, kept in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """All tests use one database, so one engine will do, which knows the SQL of former tests; its pool is renewed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("config.wiring.make_engine", cache(make_engine))
        yield


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once() -> Iterator[None]:
    """Each test has an application of its own, but its templates are the same: the page of a complaint takes 400 ms."""
    kept: defaultdict[int, _Compiled] = defaultdict(_Compiled)  # what is compiled has the texts of its catalogue in it
    make = Templates.__init__

    def once(self: Templates, folder: Path, catalogue: Any, *more: Any) -> None:
        make(self, folder, catalogue, *more)
        self.bytecode_cache = kept[id(catalogue)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Templates, "__init__", once)
        patch.setattr("complaints.notify.render.Environment", partial(Environment, bytecode_cache=_Compiled()))
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium. It ends with the module: its event loop holds the thread, in which later tests have theirs."""
    from tests.web.browsing import chromium  # imports Playwright and axe, which most tests do without

    with chromium() as opened:
        yield opened
