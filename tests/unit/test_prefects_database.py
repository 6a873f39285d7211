"""The address of Prefect's database as its server reads it, which knows other parameters than we do."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import make_url

from deployments.stack.external_postgres import for_asyncpg


@pytest.mark.parametrize(
    ("given", "handed_over", "environment"),
    [
        (
            "postgresql://u:p%40%25@db.example:6000/prefect",
            {"user": "u", "password": "p@%", "host": "db.example", "port": 6000, "database": "prefect"},
            {},
        ),
        (
            "postgresql://complaints:pw@/prefect?host=/run/my home&port=5433",
            {"user": "complaints", "password": "pw", "host": "/run/my home", "port": 5433, "database": "prefect"},
            {},
        ),
        (
            "postgresql://u:p@db/prefect?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=3&channel_binding=require",
            {"user": "u", "password": "p", "host": "db", "database": "prefect"},
            {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ca.pem"},
        ),
    ],
)
def test_asyncpg_is_given_what_it_knows(
    given: str, handed_over: dict[str, object], environment: dict[str, str]
) -> None:
    url, transport = for_asyncpg(given)
    assert PGDialect_asyncpg().create_connect_args(make_url(url))[1] == handed_over
    assert transport == environment
