"""States beside statuses, conditions as events of their own, notifications that can be held, receipts, services."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import AnyText, Number, UtcTime
from watcher.store.schema import OLDEST_READER, VERSION_TABLE

revision = "0003"
down_revision = "0002"
oldest_reader = "0001"


def upgrade() -> None:
    """Add what programs of before do not see, and do without.

    They may claim a delivery of a condition, and leave it: it is sent when their claim has expired.
    """
    _add_columns()
    _create_condition()
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_delivery()
    else:
        _extend_delivery()
    _create_receipt_and_service()
    version = sa.table(VERSION_TABLE, sa.column(OLDEST_READER))
    op.execute(version.update().values({OLDEST_READER: oldest_reader}))


def _add_columns() -> None:
    op.add_column("job", sa.Column("described_seq", Number))
    op.add_column("job", sa.Column("state", sa.Text))
    op.add_column("job", sa.Column("is_since_exact", sa.Boolean))
    op.add_column("job", sa.Column("origin", sa.Text))
    op.add_column("job", sa.Column("facts", sa.Text))
    op.add_column("transition", sa.Column("state", sa.Text))
    op.add_column("transition", sa.Column("previous_state", sa.Text))
    op.add_column("transition", sa.Column("is_previous_exact", sa.Boolean))
    op.add_column("transition", sa.Column("event_word", sa.Text))
    op.add_column("transition", sa.Column("happened_at", UtcTime))
    op.add_column("transition", sa.Column("more_facts", sa.Text))


def _create_condition() -> None:
    op.create_table(
        "condition",
        sa.Column("id", Number, primary_key=True),
        sa.Column("subject", AnyText, nullable=False),
        sa.Column("state", AnyText),
        sa.Column("seq", Number, nullable=False),
        sa.Column("good_at", UtcTime),
        sa.Column("good_by", sa.Text),
        sa.UniqueConstraint("subject", name="condition_subject"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "condition_event",
        sa.Column(
            "condition", Number, sa.ForeignKey("condition.id", name="condition_event_condition"), primary_key=True
        ),
        sa.Column("seq", Number, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("state", AnyText, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", AnyText, nullable=False),
        sa.Column("is_good", sa.Boolean, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", name="condition_event_event_id"),
    )
    op.create_index("condition_event_at", "condition_event", ["at"])


_NEW_COLUMNS = ("condition", "group_key", "hold_until", "reason")
_EVENT = (["condition", "seq"], ["condition_event.condition", "condition_event.seq"])


def _extend_delivery() -> None:
    op.alter_column("delivery", "job", nullable=True)
    op.add_column("delivery", sa.Column("condition", Number))
    op.add_column("delivery", sa.Column("group_key", sa.Text))
    op.add_column("delivery", sa.Column("hold_until", UtcTime))
    op.add_column("delivery", sa.Column("reason", sa.Text))
    op.create_foreign_key(
        "delivery_condition_event", "delivery", "condition_event", ["condition", "seq"], ["condition", "seq"]
    )
    op.create_unique_constraint("delivery_condition_key", "delivery", ["condition", "notifier", "seq"])


def _rebuild_delivery() -> None:
    """SQLite cannot let a column be null that was not: the table is written anew. Its ids go on where they were."""
    for index in ("delivery_due", "delivery_state", "delivery_settled_at"):
        op.drop_index(index, "delivery")
    op.rename_table("delivery", "delivery_before")
    op.create_table(
        "delivery",
        sa.Column("id", Number, primary_key=True),
        sa.Column("job", Number),
        sa.Column("condition", Number),
        sa.Column("seq", Number, nullable=False),
        sa.Column("notifier", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", UtcTime, nullable=False),
        sa.Column("give_up_at", UtcTime, nullable=False),
        sa.Column("claimed_until", UtcTime),
        sa.Column("last_error", sa.Text),
        sa.Column("settled_at", UtcTime),
        sa.Column("group_key", sa.Text),
        sa.Column("hold_until", UtcTime),
        sa.Column("reason", sa.Text),
        sa.ForeignKeyConstraint(*_EVENT, name="delivery_condition_event"),
        sa.ForeignKeyConstraint(["job", "seq"], ["transition.job", "transition.seq"], name="delivery_transition"),
        sa.UniqueConstraint("job", "notifier", "seq", name="delivery_key"),
        sa.UniqueConstraint("condition", "notifier", "seq", name="delivery_condition_key"),
        sqlite_autoincrement=True,
    )
    kept = "id, job, seq, notifier, state, attempts, next_at, give_up_at, claimed_until, last_error, settled_at"
    op.execute(f"INSERT INTO delivery ({kept}) SELECT {kept} FROM delivery_before")  # noqa: S608 - names of columns
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'delivery'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'delivery', seq FROM sqlite_sequence"
        " WHERE name = 'delivery_before'"
    )
    op.drop_table("delivery_before")
    op.create_index("delivery_due", "delivery", ["notifier", "next_at"], sqlite_where=sa.text("state = 'pending'"))
    op.create_index("delivery_state", "delivery", ["state", "notifier"])
    op.create_index("delivery_settled_at", "delivery", ["settled_at"], sqlite_where=sa.text("settled_at IS NOT NULL"))


def _create_receipt_and_service() -> None:
    op.create_table(
        "receipt",
        sa.Column("notifier", sa.Text, primary_key=True),
        sa.Column("subject", AnyText, primary_key=True),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at", UtcTime, nullable=False),
        sa.Column("seen_at", UtcTime, nullable=False),
    )
