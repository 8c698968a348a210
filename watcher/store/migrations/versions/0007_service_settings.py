"""What the settings of each living service name, so that none lets go of what another one wants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0007"
down_revision = "0006"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see."""
    op.create_table(
        "service_settings",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("jobs", sa.Text, nullable=False),
    )
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
