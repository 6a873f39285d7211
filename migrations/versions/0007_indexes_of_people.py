"""an index of each person's work; the one by team answers joins from itself; two that others cover are gone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_AT_WORK = sa.text("status <> all (array['closed', 'archived', 'erased'])")


def upgrade() -> None:
    op.drop_index("complaint_team")
    op.create_index("complaint_team", "complaint", ["team", "status", "due_at"], postgresql_include=["id"])
    op.drop_index("ix_complaint_received_at")
    op.drop_index("ix_complaint_created_at")
    op.create_index("complaint_work_mine", "complaint", ["assignee_id", "due_at", "id"], postgresql_where=_AT_WORK)


def downgrade() -> None:
    op.drop_index("complaint_work_mine")
    op.create_index("ix_complaint_created_at", "complaint", ["created_at"])
    op.create_index("ix_complaint_received_at", "complaint", ["received_at"])
    op.drop_index("complaint_team")
    op.create_index("complaint_team", "complaint", ["team", "status", "due_at"])
