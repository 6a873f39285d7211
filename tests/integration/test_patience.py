"""A flow run outlasts an outage of the product's own database; what is wrong for good it does not repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from complaints.store.engine import make_engine
from flows.complaint import _patiently
from tests.ports import free_port


def test_a_database_that_is_away_is_waited_for(fresh_database: Callable[[], str]) -> None:
    here = make_url(fresh_database())
    nowhere = here.set(host="127.0.0.1", port=free_port(), query={})
    tries: list[str] = []

    def look(name: str) -> int:
        url = nowhere if not tries else here
        tries.append(name)
        with make_engine(url.render_as_string(hide_password=False)).connect() as connection:
            return int(connection.execute(text("select 42")).scalar_one())

    assert asyncio.run(_patiently(look, "row")) == 42
    assert tries == ["row", "row"]


def test_so_is_one_that_ends_the_session_under_a_statement(fresh_database: Callable[[], str]) -> None:
    engine = make_engine(fresh_database())
    tries: list[int] = []

    def die_once() -> int:
        with engine.connect() as connection:
            tries.append(1)
            if len(tries) == 1:
                connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
            return int(connection.execute(text("select 42")).scalar_one())

    assert asyncio.run(_patiently(die_once)) == 42
    assert len(tries) == 2


def test_what_is_wrong_for_good_is_not_repeated(fresh_database: Callable[[], str]) -> None:
    engine = make_engine(fresh_database())
    tries: list[int] = []

    def wrong() -> None:
        tries.append(1)
        with engine.connect() as connection:
            connection.execute(text("select nothing from nowhere"))

    with pytest.raises(ProgrammingError):
        asyncio.run(_patiently(wrong))
    assert len(tries) == 1


def test_an_error_does_not_tell_what_people_wrote(fresh_database: Callable[[], str]) -> None:
    """It ends in logs, and as the message of a run that failed in Prefect."""
    with pytest.raises(ProgrammingError) as caught, make_engine(fresh_database()).connect() as connection:
        connection.execute(text("select :words from nowhere"), {"words": "my daughter was burnt"})
    assert "nowhere" in str(caught.value)
    assert "burnt" not in f"{caught.value} {caught.value!r}"
