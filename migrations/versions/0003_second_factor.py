"""recovery codes of the second factor; wrong passwords by network address"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recoverycode",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("person_id", "hash"),
    )
    op.create_index(
        "sign_in_wrong", "signin", ["address", "at"], unique=False, postgresql_where=sa.text("outcome = 'wrong'")
    )


def downgrade() -> None:
    raise RuntimeError("people would lose their second factor; restore a backup instead")
