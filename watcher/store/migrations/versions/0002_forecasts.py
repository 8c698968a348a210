"""Forecasts, when a job was last wanted, and which programs can still work with the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0002"
down_revision = "0001"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see, and do without."""
    op.add_column("job", sa.Column("asserted_at", UtcTime))
    op.add_column("job", sa.Column("forecast_at", UtcTime))
    op.add_column("job", sa.Column("forecast_basis", sa.Text))
    op.add_column("job", sa.Column("forecast_made_at", UtcTime))
    op.add_column(VERSION_TABLE, sa.Column(OLDEST_READER, sa.Text))
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
