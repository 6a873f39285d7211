"""Bringing our database to the schema this code knows: Alembic's head, never beyond it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

import migrations
from deployments.stack.errors import StackError

#: Two systems that start on one database migrate one after the other. Any number that nobody else uses.
_TURN = 0x636F6D706C61


def upgrade(url: str) -> str:
    """Migrate to the head and return its revision. StackError when the schema is newer than this code.

    `url` is a SQLAlchemy URL. Everything happens in one transaction: a migration that fails leaves the old schema.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    scripts = ScriptDirectory.from_config(config)
    head = str(scripts.get_current_head())
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            _migrate(connection, config, scripts, head)
    except DBAPIError as error:
        raise StackError(f"The schema cannot be migrated to {head}: {error.orig}") from error
    return head


def _migrate(connection: Connection, config: Config, scripts: ScriptDirectory, head: str) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise StackError(
            f"The database {connection.engine.url.database} has schema {current}, newer than {head}, the last one this "
            f"version of Complaints knows; install the newer version, or restore a backup made before the upgrade."
        )
    if current != head:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
