"""When jobs entered states, as the events of their services say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import Number, UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0008"
down_revision = "0007"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see; a job that they delete takes its milestones along."""
    op.create_table(
        "milestone",
        sa.Column("job", Number, sa.ForeignKey("job.id", name="milestone_job", ondelete="CASCADE"), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("job", "state", "at"),
    )
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
