"""How long jobs were in their statuses, as far as their transitions tell it."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import closing
from datetime import timedelta

from sqlalchemy import Connection, bindparam, func, or_, select

from watcher.domain.forecast import Stay
from watcher.domain.states import Status
from watcher.domain.transitions import Reason
from watcher.store.database import connect
from watcher.store.schema import job, transition

KEPT = 50
"""How many durations of each status are kept."""
LOOKED_AT = 1_000
"""How many of a source's transitions are looked at, the newest."""
LOOKED_THROUGH = 10_000
"""How many transitions of all sources are looked through for them: a seldom used source may come off worse."""

_INTERRUPTED = (Status.CANCELLED.value, "pausing", "paused")
"""Statuses that a person brings about: how long the one before would have lasted is not known."""
_ONLY_QUEUED = json.dumps([Status.QUEUED.value])
"""Queueing takes seconds, and is seldom seen; any other status that was skipped may have taken hours."""

_COLUMNS = (
    transition.c.job,
    transition.c.seq,
    transition.c.previous_status,
    transition.c.status,
    transition.c.reason,
    transition.c.skipped,
    transition.c.observed_at,
    transition.c.previous_since,
    transition.c.facts,
)
_newest = select(*_COLUMNS).order_by(transition.c.observed_at.desc()).limit(LOOKED_THROUGH).subquery("newest")
_entry, _earlier = transition.alias("entry"), transition.alias("earlier")
# The greatest number below is found at once by the primary key; all numbers below would be looked through.
_entry_seq = (
    select(func.max(_earlier.c.seq))
    .where(_earlier.c.job == _newest.c.job, _earlier.c.seq < _newest.c.seq)
    .correlate(_newest)
    .scalar_subquery()
)
# A status in which the job was first seen had begun before.
_entry_was_seen = (
    select(_entry.c.seq)
    .where(
        _entry.c.job == _newest.c.job,
        _entry.c.seq == _entry_seq,
        _entry.c.observed_at == _newest.c.previous_since,
        _entry.c.reason != Reason.FIRST_SEEN.value,
    )
    .exists()
)
_STAYS = (
    select(_newest.c.previous_status, _newest.c.previous_since, _newest.c.observed_at, _newest.c.facts)
    .join(job, job.c.id == _newest.c.job)
    .where(
        job.c.source == bindparam("of_source"),
        _newest.c.reason.in_([Reason.ADVANCED.value, Reason.SKIPPED.value, Reason.UNRECOGNISED.value]),
        or_(_newest.c.reason != Reason.SKIPPED.value, _newest.c.skipped == _ONLY_QUEUED),
        _newest.c.status.not_in(_INTERRUPTED),
        _entry_was_seen,
    )
    .order_by(_newest.c.observed_at.desc())
    .limit(LOOKED_AT)
)


def durations(connection: Connection, source: str, kept: int = KEPT) -> dict[str, list[timedelta]]:
    """Return how long jobs of the source were in each status lately, the newest `kept`: what was seen whole.

    Not what began before the first sight, what a person cut short, what went back, nor what hides a skipped status.
    """
    lengths: dict[str, list[timedelta]] = {}
    for status, since, until, _ in connection.execute(_STAYS, {"of_source": source}):
        known = lengths.setdefault(status, [])
        if len(known) < kept:
            known.append(until - since)
    return lengths


def read_stays(url: str, sources: Collection[str]) -> dict[str, list[Stay]]:
    """Return by source how long its jobs were in each status lately, from a record that is left as it is.

    Neither made nor migrated: where there is none, or one of another program, it says nothing. Raises WatcherError.
    """
    with closing(connect(url)) as database:
        if database.path and not database.path.exists():
            return {}
        with database.reading() as connection:
            return {source: stays(connection, source) for source in sources}


def stays(connection: Connection, source: str) -> list[Stay]:
    """Return how long jobs of the source were in each status lately, the newest first: what was seen whole."""
    return [
        Stay(status, json.loads(facts).get("model"), until - since)
        for status, since, until, facts in connection.execute(_STAYS, {"of_source": source})
    ]
