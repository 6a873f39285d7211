"""What all tests share: one real PostgreSQL per session, and a migrated database of its own for whoever asks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from complaints.store.engine import make_engine
from deployments.stack import migrate
from deployments.stack.embedded_postgres import EmbeddedPostgres

_TEMPLATE = "complaints_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """A server; call it with a database's name for its `postgresql://` URL. `COMPLAINTS_TEST_DATABASE_URL` replaces it."""
    given = os.environ.get("COMPLAINTS_TEST_DATABASE_URL")
    if given:
        base = given.rsplit("/", 1)[0]
        yield lambda name: f"{base}/{name}"
        return
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("postgres")), durable=False).start(databases=())
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def fresh_database(postgres: Callable[[str], str]) -> Callable[[], str]:
    """Makes a new, migrated, empty database each time it is called, and gives its `postgresql://` URL."""
    with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
        connection.execute(f"drop database if exists {_TEMPLATE}")
        connection.execute(f"create database {_TEMPLATE}")
    engine = make_engine(sqlalchemy_url(postgres(_TEMPLATE)))
    migrate.upgrade(engine)
    engine.dispose()

    def make() -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template {_TEMPLATE}")
        return postgres(name)

    return make


def sqlalchemy_url(url: str) -> str:
    """The same URL, for SQLAlchemy with psycopg 3."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]
