"""Who has made a silence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0010"
down_revision = "0009"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before leave null."""
    op.add_column("silence", sa.Column("created_by", sa.Text))
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
