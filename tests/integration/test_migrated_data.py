"""Migrations that change what is stored: rows of an earlier version, after the upgrade."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import NullPool, create_engine, text

from complaints.domain.intake import plain_number
from deployments.stack.migrate import upgrade
from tests.databases import Databases

#: As people wrote their numbers, and as an earlier version stored them.
WRITTEN = ("138 0013 8000", "+44 (20) 7946-0000", "010/6552-9988", "13800138001", None)


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    made = databases.fresh()
    yield made
    databases.drop(made)


def test_telephone_numbers_get_the_spelling_in_which_they_are_looked_for(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:  # as it was before 0010
        connection.execute(text("alter table person drop column password_until"))
        connection.execute(text("alter table person add column password_temporary boolean not null default false"))
        connection.execute(text("drop index event_disposal"))
        connection.execute(text("update alembic_version set version_num = '0009'"))
        for number, phone in enumerate(WRITTEN):
            connection.execute(
                text(
                    "insert into complainant (id, name, phone, language, needs, safe_contact, created_at)"
                    " values (gen_random_uuid(), :name, :phone, 'en', '[]', '', now())"
                ),
                {"name": str(number), "phone": phone},
            )
    upgrade(url)
    with engine.connect() as connection:
        found = connection.execute(text("select phone from complainant order by name")).scalars().all()
    assert found == [None if phone is None else plain_number(phone) for phone in WRITTEN]
