"""A PostgreSQL server of the reader's own: can it be reached, is it new enough, has it what we need?"""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.engine import make_url

from deployments.stack.errors import StackError

#: Prefect's server needs 14.9; so do we.
OLDEST = 140009
_NO_SUCH_DATABASE = "3D000"


def reach(url: str, setting: str, *, create: bool = False) -> str:
    """Connect once, and give where it is (host and database). `setting` is the variable that a refusal names.

    With `create`, a missing database is created if the role may. StackError in one sentence otherwise.
    """
    try:
        connection = _connect(url)
    except psycopg.Error as error:
        if not create or not _is_missing(url, error):
            raise StackError(f"The database cannot be reached: {reason(error)}. Check {setting}.") from None
        _create(url, setting)
        connection = _connect(url)
    with connection:
        if connection.info.server_version < OLDEST:
            raise StackError(
                f"PostgreSQL 14.9 or newer is needed, {setting} leads to {connection.info.server_version}."
            )
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except psycopg.Error as error:
            raise StackError(
                f"The extension pg_trgm is missing and cannot be added: {reason(error)}. "
                f"Let an administrator run CREATE EXTENSION pg_trgm in the database of {setting}."
            ) from None
        _may_create_tables(connection, setting)
    parsed = make_url(url)
    return f"{parsed.host or 'local socket'}/{parsed.database}"


def _may_create_tables(connection: psycopg.Connection, setting: str) -> None:
    """Since PostgreSQL 15 only the owner may, where nobody has said otherwise. No matter once there are tables."""
    row = connection.execute(
        "SELECT to_regclass('alembic_version') IS NOT NULL OR has_schema_privilege(current_schema(), 'CREATE')"
    ).fetchone()
    if not (row and row[0]):
        role, database = connection.info.user, connection.info.dbname
        raise StackError(
            f"The role {role} may not create tables in the database {database} of {setting}. Let an administrator run "
            f'GRANT ALL ON SCHEMA public TO "{role}" in that database.'
        )


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, connect_timeout=10, autocommit=True)


def _is_missing(url: str, error: psycopg.Error) -> bool:
    name = conninfo_to_dict(url).get("dbname")
    return f'database "{name}" does not exist' in str(error) or error.sqlstate == _NO_SUCH_DATABASE


def _create(url: str, setting: str) -> None:
    name = str(conninfo_to_dict(url)["dbname"])
    try:
        with _connect(make_conninfo(url, dbname="postgres")) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise StackError(
            f"The database {name} does not exist and cannot be created: {reason(error)}. "
            f"Create it, or set {setting} to an existing one."
        ) from None


#: What a URL says of the connection's safety, and where asyncpg looks for it.
_TRANSPORT = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def for_asyncpg(url: str) -> tuple[str, dict[str, str]]:
    """The same database for Prefect's server, which reads it with asyncpg: its URL, and its environment.

    SQLAlchemy hands every parameter of the URL to asyncpg, and that stumbles over those of libpq. The address stays;
    what is about the connection's safety goes by the environment; the rest (`connect_timeout` …) only libpq knows.
    """
    parsed = make_url(url)
    stays = {name: value for name, value in parsed.query.items() if name in ("host", "port")}
    transport = {_TRANSPORT[name]: str(value) for name, value in parsed.query.items() if name in _TRANSPORT}
    address = parsed.set(drivername="postgresql+asyncpg", query=stays)
    return address.render_as_string(hide_password=False), transport


def reason(error: BaseException) -> str:
    """Why a connection failed, as a clause without a full stop: what the server or the network said last.

    libpq adds questions ("Is the server running …?"), which answer nothing, and the server hints.
    """
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.endswith("?") and not line.startswith(("DETAIL:", "HINT:"))]
    return told[-1].removeprefix("connection failed: ").rstrip(".") if told else type(error).__name__
