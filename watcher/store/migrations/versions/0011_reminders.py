"""Reminders of conditions that last, and who was told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import Number, UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0011"
down_revision = "0010"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see: what they record was raised with its event, and reminds of nothing."""
    op.add_column("condition_event", sa.Column("raised_at", UtcTime))
    op.add_column("condition_event", sa.Column("reminder", Number))
    of_condition = sa.ForeignKey("condition.id", name="condition_telling_condition")
    op.create_table(
        "condition_telling",
        sa.Column("condition", Number, of_condition, primary_key=True),
        sa.Column("notifier", sa.Text, primary_key=True),
        sa.Column("told_at", UtcTime, nullable=False),
        sa.Column("is_heard", sa.Boolean, nullable=False),
    )
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
