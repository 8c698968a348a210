"""What receivers answered when they accepted a message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0012"
down_revision = "0011"
oldest_reader = "0001"


def upgrade() -> None:
    """Add a column that programs of before leave null."""
    op.add_column("delivery", sa.Column("answer", sa.Text))
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
