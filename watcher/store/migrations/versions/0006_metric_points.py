"""Metric points of jobs, and where the reading of each job's events stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import Number, UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0006"
down_revision = "0005"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see; a job that they delete takes its points along."""
    op.create_table(
        "metric_point",
        sa.Column("job", Number, sa.ForeignKey("job.id", name="metric_point_job", ondelete="CASCADE"), nullable=False),
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("step", Number, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("job", "series", "step"),
    )
    op.create_table(
        "event_reading",
        sa.Column(
            "job", Number, sa.ForeignKey("job.id", name="event_reading_job", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("cursor", sa.Text),
        sa.Column("read_at", UtcTime, nullable=False),
    )
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))
