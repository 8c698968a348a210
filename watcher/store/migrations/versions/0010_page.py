"""What the page shows and reads: who made a silence, and an index that says which jobs come first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0010"
down_revision = "0009"
oldest_reader = "0001"

_SORTED_BY = ["status_since", "source", "job_id", "status", "seq", "described_seq", "state", "missing"]


def upgrade() -> None:
    """Add a column that programs of before leave null, and an index that they keep without knowing."""
    op.add_column("silence", sa.Column("created_by", sa.Text))
    is_watched = sa.text("removed_at IS NULL")
    op.create_index("job_overview", "job", _SORTED_BY, sqlite_where=is_watched, postgresql_where=is_watched)
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
