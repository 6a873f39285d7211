"""The embedded PostgreSQL: safe by default, recovers from whatever was killed, says clearly when it cannot."""

from __future__ import annotations

import psycopg
from sqlalchemy.engine import make_url


def test_fresh_databases_are_separate(databases):
    a, b = databases.empty(), databases.empty()
    assert a != b
    with psycopg.connect(make_url(a).set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        assert connection.execute("SELECT similarity('refund', 'refunds')").fetchone()[0] > 0.5
