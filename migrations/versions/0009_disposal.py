"""the log of an erased case may be deleted; indexes for what is due and for what is not over"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: Deleting is judged row by row: only the log of a complaint that is erased, in this very transaction or before.
_WITH_DISPOSAL = """
create function refuse_removal() returns trigger language plpgsql as $$
begin
    if not exists (select from complaint where id = old.complaint_id and status = 'erased') then
        raise exception 'the case log is append-only' using errcode = 'restrict_violation';
    end if;
    return old;
end $$;
drop trigger event_append_only on event;
create trigger event_append_only before update or truncate on event
    for each statement execute function refuse_change();
create trigger event_kept before delete on event
    for each row execute function refuse_removal();
"""
_WITHOUT = """
drop trigger event_kept on event;
drop function refuse_removal();
drop trigger event_append_only on event;
create trigger event_append_only before update or delete or truncate on event
    for each statement execute function refuse_change();
"""


def upgrade() -> None:
    op.execute(_WITH_DISPOSAL)
    _at_work("status <> all (array['archived', 'erased'])")
    op.create_index(
        "complaint_disposal", "complaint", ["retention_until"], postgresql_where=sa.text("status = 'archived'")
    )


def downgrade() -> None:
    op.drop_index("complaint_disposal")
    _at_work("status <> 'archived'")
    op.execute(_WITHOUT)


def _at_work(condition: str) -> None:
    op.drop_index("complaint_open")
    columns = ["status", "severity", "received_at"]
    op.create_index("complaint_open", "complaint", columns, postgresql_where=sa.text(condition))
