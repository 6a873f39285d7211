"""indexes that answer the dashboards from the index alone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_AT_WORK = sa.text("status <> all (array['closed', 'archived', 'erased'])")
_NARROWED = ["team", "category", "severity", "id"]


def upgrade() -> None:
    op.create_index(
        "complaint_backlog",
        "complaint",
        ["received_at"],
        postgresql_include=["severity", "due_at", "team", "category", "id"],
        postgresql_where=_AT_WORK,
    )
    op.create_index("complaint_arrived", "complaint", ["received_at"], postgresql_include=_NARROWED)
    op.create_index(
        "complaint_ended",
        "complaint",
        ["closed_at"],
        postgresql_include=["category", "root_cause", "finding", "team", "severity", "id"],
        postgresql_where=sa.text("closed_at is not null"),
    )
    for name, column in (("complaint_answered", "responded_at"), ("complaint_confirmed", "acknowledged_at")):
        op.create_index(
            name,
            "complaint",
            [column],
            postgresql_include=["received_at", *_NARROWED],
            postgresql_where=sa.text(f"{column} is not null"),
        )
    op.create_index(
        "complaint_unit",
        "complaint",
        [sa.text("lower(responsible_unit)")],
        postgresql_where=sa.text("responsible_unit is not null"),
    )
    op.create_index(
        "clock_ended",
        "clock",
        ["stopped_at"],
        postgresql_include=["profile", "name", "state", "complaint_id"],
        postgresql_where=sa.text("state in ('met', 'missed')"),
    )
    op.create_index("ix_survey_at", "survey", ["at"])


def downgrade() -> None:
    op.drop_index("ix_survey_at")
    for name in ("clock_ended", "complaint_unit", "complaint_confirmed"):
        op.drop_index(name)
    for name in ("complaint_answered", "complaint_ended", "complaint_arrived", "complaint_backlog"):
        op.drop_index(name)
