"""Indexes for what is asked of each delivery: whether an earlier one is pending, and which ones an event owes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0005"
down_revision = "0004"
oldest_reader = "0001"


def upgrade() -> None:
    """Add the indexes. Programs of before use them without knowing."""
    op.create_index("delivery_transition", "delivery", ["job", "seq"])
    _create_partial_index("delivery_condition_event", ["condition", "seq"], "condition IS NOT NULL")
    for of in ("job", "condition"):
        _create_partial_index(f"delivery_{of}_pending", [of, "notifier", "seq"], "state = 'pending'")
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))


def _create_partial_index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "delivery", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
