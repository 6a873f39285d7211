"""an index of requested disposals; telephone numbers stored before get the one spelling that new ones have"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("event_disposal", "event", ["id"], postgresql_where=sa.text("kind = 'request_disposal'"))
    # as `complaints.domain.intake.plain_number` spells them; what stood between the digits says nothing
    op.execute(r"update complainant set phone = regexp_replace(phone, '[ ()/-]', '', 'g') where phone ~ '[ ()/-]'")


def downgrade() -> None:
    op.drop_index("event_disposal")
