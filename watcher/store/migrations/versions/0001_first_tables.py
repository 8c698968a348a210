"""The first tables: job, transition, delivery."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from watcher.store.columns import AnyText, Number, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _create_job()
    _create_transition()
    _create_delivery()


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", Number, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("name", AnyText),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("status", AnyText),
        sa.Column("seq", Number, nullable=False),
        sa.Column("status_since", UtcTime),
        sa.Column("added_at", UtcTime, nullable=False),
        sa.Column("due_at", UtcTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("missing", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("removed_at", UtcTime),
        sa.UniqueConstraint("source", "job_id", name="job_key"),
        sqlite_autoincrement=True,
    )
    _create_partial_index("job_due", "job", ["source", "due_at"], "due_at IS NOT NULL AND removed_at IS NULL")


def _create_transition() -> None:
    op.create_table(
        "transition",
        sa.Column("job", Number, sa.ForeignKey("job.id", name="transition_job"), primary_key=True),
        sa.Column("seq", Number, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("previous_status", AnyText),
        sa.Column("status", AnyText, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("skipped", sa.Text, nullable=False),
        sa.Column("observed_at", UtcTime, nullable=False),
        sa.Column("previous_since", UtcTime),
        sa.Column("name", AnyText),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", name="transition_event_id"),
    )
    op.create_index("transition_observed_at", "transition", ["observed_at"])


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", Number, primary_key=True),
        sa.Column("job", Number, nullable=False),
        sa.Column("seq", Number, nullable=False),
        sa.Column("notifier", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", UtcTime, nullable=False),
        sa.Column("give_up_at", UtcTime, nullable=False),
        sa.Column("claimed_until", UtcTime),
        sa.Column("last_error", sa.Text),
        sa.Column("settled_at", UtcTime),
        sa.ForeignKeyConstraint(["job", "seq"], ["transition.job", "transition.seq"], name="delivery_transition"),
        sa.UniqueConstraint("job", "notifier", "seq", name="delivery_key"),
        sqlite_autoincrement=True,
    )
    _create_partial_index("delivery_due", "delivery", ["notifier", "next_at"], "state = 'pending'")
    op.create_index("delivery_state", "delivery", ["state", "notifier"])
    _create_partial_index("delivery_settled_at", "delivery", ["settled_at"], "settled_at IS NOT NULL")


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
