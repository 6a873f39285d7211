"""temporary passwords end"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("password_until", sa.DateTime(timezone=True)))
    op.execute("update person set password_until = now() + interval '7 days' where password_temporary")
    op.drop_column("person", "password_temporary")


def downgrade() -> None:
    op.add_column("person", sa.Column("password_temporary", sa.Boolean(), nullable=False, server_default="false"))
    op.execute("update person set password_temporary = true where password_until is not null")
    op.drop_column("person", "password_until")
