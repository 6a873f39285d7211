"""cases of a complainant, for conflicts of interest"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_party_complainant_id", "party", ["complainant_id"])


def downgrade() -> None:
    op.drop_index("ix_party_complainant_id")
