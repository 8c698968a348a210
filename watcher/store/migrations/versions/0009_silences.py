"""Silences, which mute events for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import Number, UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0009"
down_revision = "0008"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see: they mute nothing."""
    op.create_table(
        "silence",
        sa.Column("id", Number, primary_key=True),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("until", UtcTime, nullable=False),
        sqlite_autoincrement=True,
    )
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
