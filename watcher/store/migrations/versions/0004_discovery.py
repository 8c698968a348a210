"""What rules of discovery have decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import Number, UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0004"
down_revision = "0003"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see, and do without."""
    op.create_table(
        "discovery_rule",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("seq", Number, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("before", UtcTime, nullable=False),
        sa.Column("recent", sa.Text, nullable=False),
        sa.Column("undecided", sa.Text, nullable=False),
        sa.Column("is_drawn", sa.Boolean, nullable=False),
        sa.Column("scanned_at", UtcTime, nullable=False),
    )
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
