"""Bringing a database to the schema that this code knows."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from complaints.domain.errors import ComplaintsError

_ROOT = Path(__file__).resolve().parents[2]


class SchemaTooNew(ComplaintsError):
    """The database was migrated by a newer version of this software."""

    code = "schema_too_new"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, on `connection`."""
    made = Config()
    made.set_main_option("script_location", str(_ROOT / "migrations"))
    made.attributes["connection"] = connection
    return made


def upgrade(engine: Engine) -> None:
    """Run what is missing; `SchemaTooNew` when the database knows a revision that this code does not.

    An advisory lock keeps two starts from migrating at once.
    """
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended('complaints/migrate', 0))"))
        current = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
        if current is not None and current not in known:
            raise SchemaTooNew(
                f"The database has schema {current}, which this version does not know. "
                "Install the newer version again, or restore a backup from before the upgrade."
            )
        command.upgrade(config(connection), "head")
