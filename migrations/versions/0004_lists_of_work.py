"""indexes of the lists of work; Chinese words of two letters become findable"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from complaints.domain.searchtext import searchable

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_AT_WORK = sa.text("status <> all (array['closed', 'archived', 'erased'])")
_CHUNK = 1_000


def upgrade() -> None:
    op.create_index("complaint_work_due", "complaint", ["due_at", "id"], postgresql_where=_AT_WORK)
    op.create_index("complaint_work_team", "complaint", ["team", "due_at", "id"], postgresql_where=_AT_WORK)
    op.create_index("complaint_work_received", "complaint", ["received_at", "id"], postgresql_where=_AT_WORK)
    connection = op.get_bind()
    rows = connection.execute(sa.text("select id, search from complaint where search ~ '[\u3400-\u9fff]'")).all()
    update = sa.text("update complaint set search = :search where id = :id")
    for first in range(0, len(rows), _CHUNK):
        part = rows[first : first + _CHUNK]
        connection.execute(update, [{"id": key, "search": searchable(text)} for key, text in part])


def downgrade() -> None:
    op.drop_index("complaint_work_received")
    op.drop_index("complaint_work_team")
    op.drop_index("complaint_work_due")
