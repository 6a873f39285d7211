"""indexes for parts of references, for the worst first, and for whose interest a complaint touches"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AT_WORK = sa.text("status <> all (array['closed', 'archived', 'erased'])")
_RANK = sa.text("(case severity when 'critical' then 0 when 'serious' then 1 when 'moderate' then 2 else 3 end)")


def upgrade() -> None:
    op.create_index("complaint_work_severity", "complaint", [_RANK, "received_at", "id"], postgresql_where=_AT_WORK)
    op.create_index(
        "complaint_reference_part", "complaint", [sa.text("lower(reference) gin_trgm_ops")], postgresql_using="gin"
    )
    op.create_index("complainant_email_plain", "complainant", [sa.text("lower(email)")])
    op.create_index("complainant_name_plain", "complainant", [sa.text("lower(name)")])


def downgrade() -> None:
    op.drop_index("complainant_name_plain")
    op.drop_index("complainant_email_plain")
    op.drop_index("complaint_reference_part")
    op.drop_index("complaint_work_severity")
