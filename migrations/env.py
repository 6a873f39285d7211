"""Alembic's environment: runs on the connection that `deployments.stack.migrate` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import complaints.store.tables  # noqa: F401  registers the tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
