"""The tables, as the newest revision leaves them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from watcher.store.columns import AnyText, Number, UtcTime

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
"""Every revision of the schema, the oldest first: one file each in `migrations/versions`.

A revision only adds: columns that may be null, tables, indexes. So programs of the revision before work on while and
after it is made, as a rolling upgrade needs, and it names the oldest such program in OLDEST_READER. What takes away
or renames has to wait until no program that needs it is left, and then names a younger one.
"""
HEAD = REVISIONS[-1]
"""The revision that this program works with."""
VERSION_TABLE = "watcher_version"
"""Where a database says its revision, in its column `version_num`."""
OLDEST_READER = "oldest_reader"
"""The column beside it that says which revision a program must know at least to work with the database."""
HEAD_OLDEST_READER = "0001"
"""What the newest revision says there."""

metadata = MetaData()

version = Table(
    VERSION_TABLE,
    MetaData(),  # Alembic's own, which it changes beside the others
    Column("version_num", String(32), nullable=False),
    Column(OLDEST_READER, Text),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)

job = Table(
    "job",
    metadata,
    Column("id", Number, primary_key=True),
    Column("source", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("name", AnyText),
    Column("labels", Text, nullable=False),  # JSON
    Column("status", AnyText),
    Column("seq", Number, nullable=False),
    Column("status_since", UtcTime),
    Column("added_at", UtcTime, nullable=False),
    Column("due_at", UtcTime),
    Column("failures", Integer, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("last_error", Text),
    Column("removed_at", UtcTime),  # no longer watched; its history stays
    Column("asserted_at", UtcTime),  # when it was last added or configured
    Column("forecast_at", UtcTime),
    Column("forecast_basis", Text),  # with it, there is a forecast
    Column("forecast_made_at", UtcTime),
    # An older program moves a job and leaves what follows: that holds only while `described_seq` is `seq`.
    Column("described_seq", Number),
    Column("state", Text),
    Column("is_since_exact", Boolean),
    Column("origin", Text),  # what wants it watched: config, command, api, rule:NAME, by spaces; null: not known
    Column("facts", Text),  # JSON: what the last observation said
    UniqueConstraint("source", "job_id", name="job_key"),
    sqlite_autoincrement=True,
)
Index(
    "job_due",
    job.c.source,
    job.c.due_at,
    sqlite_where=text("due_at IS NOT NULL AND removed_at IS NULL"),
)

_SORTED_BY = ("status_since", "source", "job_id", "status", "seq", "described_seq", "state", "missing")
"""All that says which jobs the page shows first; the rows are much longer."""
Index("job_overview", *(job.c[of] for of in _SORTED_BY), sqlite_where=text("removed_at IS NULL"))

transition = Table(
    "transition",
    metadata,
    Column("job", Number, ForeignKey("job.id", name="transition_job"), primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False),
    Column("previous_status", AnyText),
    Column("status", AnyText, nullable=False),
    Column("reason", Text, nullable=False),
    Column("skipped", Text, nullable=False),  # JSON
    Column("observed_at", UtcTime, nullable=False),
    Column("previous_since", UtcTime),
    Column("name", AnyText),
    Column("labels", Text, nullable=False),  # JSON
    Column("facts", Text, nullable=False),  # JSON
    Column("document", Text, nullable=False),  # JSON, as the API gave it
    Column("state", Text),  # null: as above
    Column("previous_state", Text),
    Column("is_previous_exact", Boolean),
    Column("event_word", Text),  # null: the status
    Column("happened_at", UtcTime),  # not used: see `milestone`
    Column("more_facts", Text),  # JSON; older programs refuse facts that they do not know
    UniqueConstraint("event_id", name="transition_event_id"),
)
Index("transition_observed_at", transition.c.observed_at)

condition = Table(
    "condition",
    metadata,
    Column("id", Number, primary_key=True),
    Column("subject", AnyText, nullable=False),
    Column("state", AnyText),  # of the last event; null: none
    Column("seq", Number, nullable=False),
    Column("good_at", UtcTime),  # when a watcher last found all well
    Column("good_by", Text),
    UniqueConstraint("subject", name="condition_subject"),
    sqlite_autoincrement=True,
)

condition_event = Table(
    "condition_event",
    metadata,
    Column("condition", Number, ForeignKey("condition.id", name="condition_event_condition"), primary_key=True),
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False),
    Column("state", AnyText, nullable=False),
    Column("type", Text, nullable=False),
    Column("title", AnyText, nullable=False),
    Column("is_good", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("labels", Text, nullable=False),  # JSON
    Column("facts", Text, nullable=False),  # JSON
    Column("data", Text, nullable=False),  # JSON
    Column("raised_at", UtcTime),  # null: with this event
    Column("reminder", Number),  # how often it was told again by then; null: it has changed
    UniqueConstraint("event_id", name="condition_event_event_id"),
)
Index("condition_event_at", condition_event.c.at)

condition_telling = Table(  # what notifiers have been owed of a condition since it was raised
    "condition_telling",
    metadata,
    Column("condition", Number, ForeignKey("condition.id", name="condition_telling_condition"), primary_key=True),
    Column("notifier", Text, primary_key=True),
    Column("told_at", UtcTime, nullable=False),  # when the last of it could go out
    Column("is_heard", Boolean, nullable=False),  # whether any of it was not muted
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Number, primary_key=True),
    Column("job", Number),  # with `seq`: a transition
    Column("condition", Number),  # with `seq`: a condition event
    Column("seq", Number, nullable=False),
    Column("notifier", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("give_up_at", UtcTime, nullable=False),
    Column("claimed_until", UtcTime),
    Column("last_error", Text),
    Column("settled_at", UtcTime),
    Column("group_key", Text),  # what is owed to a notifier under one key is sent as one message
    Column("hold_until", UtcTime),
    Column("reason", Text),  # why it is held back or muted
    Column("answer", Text),  # the receiver's, when it accepted the message
    ForeignKeyConstraint(
        ["condition", "seq"], ["condition_event.condition", "condition_event.seq"], name="delivery_condition_event"
    ),
    ForeignKeyConstraint(["job", "seq"], ["transition.job", "transition.seq"], name="delivery_transition"),
    UniqueConstraint("job", "notifier", "seq", name="delivery_key"),
    UniqueConstraint("condition", "notifier", "seq", name="delivery_condition_key"),
    sqlite_autoincrement=True,
)
Index(
    "delivery_due",
    delivery.c.notifier,
    delivery.c.next_at,
    sqlite_where=text("state = 'pending'"),
)
Index("delivery_state", delivery.c.state, delivery.c.notifier)
Index(
    "delivery_settled_at",
    delivery.c.settled_at,
    sqlite_where=text("settled_at IS NOT NULL"),
)
Index("delivery_transition", delivery.c.job, delivery.c.seq)
Index(
    "delivery_condition_event",
    delivery.c.condition,
    delivery.c.seq,
    sqlite_where=text("condition IS NOT NULL"),
)
# Whether an earlier one of the same subject and notifier is pending.
for _subject in (delivery.c.job, delivery.c.condition):
    Index(
        f"delivery_{_subject.name}_pending",
        _subject,
        delivery.c.notifier,
        delivery.c.seq,
        sqlite_where=text("state = 'pending'"),
    )

receipt = Table(
    "receipt",
    metadata,
    Column("notifier", Text, primary_key=True),
    Column("subject", AnyText, primary_key=True),  # the thread of the events: a job with its conditions
    Column("receipt", AnyText, nullable=False),  # what the notifier needs to update its message about the subject
    Column("updated_at", UtcTime, nullable=False),
)

silence = Table(
    "silence",
    metadata,
    Column("id", Number, primary_key=True),
    Column("labels", Text, nullable=False),  # JSON
    Column("source", Text),
    Column("reason", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("created_by", Text),
    sqlite_autoincrement=True,
)

metric_point = Table(
    "metric_point",
    metadata,
    Column("job", Number, ForeignKey("job.id", name="metric_point_job", ondelete="CASCADE"), nullable=False),
    Column("series", Text, nullable=False),
    Column("step", Number, nullable=False),
    Column("value", Text, nullable=False),  # as Python writes it: SQLite has no NaN
    Column("at", UtcTime, nullable=False),
    PrimaryKeyConstraint("job", "series", "step"),
)

event_reading = Table(
    "event_reading",
    metadata,
    Column("job", Number, ForeignKey("job.id", name="event_reading_job", ondelete="CASCADE"), primary_key=True),
    Column("cursor", Text),  # where the reading of the job's events stands
    Column("read_at", UtcTime, nullable=False),
)

milestone = Table(
    "milestone",
    metadata,
    Column("job", Number, ForeignKey("job.id", name="milestone_job", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),
    Column("at", UtcTime, nullable=False),  # when the job entered it, as its service says
    PrimaryKeyConstraint("job", "state", "at"),
)

discovery_rule = Table(
    "discovery_rule",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("seq", Number, nullable=False),  # the version of what follows
    Column("fingerprint", Text, nullable=False),  # what the rule was when it last looked
    Column("before", UtcTime, nullable=False),  # jobs created before then are decided
    Column("recent", Text, nullable=False),  # JSON: further jobs that are decided, with the times of their creation
    Column("undecided", Text, nullable=False),  # JSON: jobs that are not, whenever they were created
    Column("is_drawn", Boolean, nullable=False),  # whether the whole list was read once
    Column("scanned_at", UtcTime, nullable=False),
)

service = Table(
    "service",
    metadata,
    Column("id", Text, primary_key=True),  # a running `watcher run`
    Column("version", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

service_settings = Table(  # apart from the signs of life, which are written often
    "service_settings",
    metadata,
    Column("service", Text, primary_key=True),
    Column("rules", Text, nullable=False),  # JSON: names
    Column("jobs", Text, nullable=False),  # JSON: [source, id]
)


@event.listens_for(metadata, "before_create")
def _state_conditions(_metadata: MetaData, connection: Connection, **_how: Any) -> None:
    """State the conditions of indexes for PostgreSQL, too.

    Beside those for SQLite they would load that dialect in every process: 3 MB.
    """
    if connection.dialect.name == "postgresql":
        for index in (index for table in metadata.tables.values() for index in table.indexes):
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
