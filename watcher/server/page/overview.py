"""The first page: what needs a person, what runs, what ended lately; or the jobs that pass a filter."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from watcher.domain.health import HealthSnapshot
from watcher.domain.job_filter import JobFilter
from watcher.domain.jobs import Job, JobKey
from watcher.domain.states import JobState
from watcher.server.context import ServerContext

PAGE_SIZE = 50
MOST_IN_TROUBLE = 20
MOST_ENDED = 20
FRESH_FAILURE = timedelta(days=1)
"""For how long a failed job needs a person; after that it has ended like others."""
_SHOWN_STATES = (
    JobState.FAILED,
    JobState.RUNNING,
    JobState.PAUSED,
    JobState.QUEUED,
    JobState.VALIDATING,
    JobState.PENDING,
    JobState.UNKNOWN,
    JobState.SUCCEEDED,
    JobState.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: jobs under a heading."""

    heading: str
    jobs: Sequence[Job]
    more: str | None = None
    """Where the rest of them is."""


async def overview(context: ServerContext, wanted: JobFilter, after: JobKey | None) -> dict[str, Any]:
    """Return what the page shows."""
    now = context.clock()
    counts, sections = await asyncio.gather(context.store.views.count_states(), _sections(context, wanted, after, now))
    health = context.health()
    return {
        "now": now,
        "wanted": wanted,
        "totals": [
            (state, counts[state], path_of(JobFilter(state=state))) for state in _SHOWN_STATES if state in counts
        ],
        "watched": sum(counts.values()),
        "headline": _headline(counts),
        "sections": sections,
        "troubles": troubles(health),
        "health": health,
        "sources": sorted(health.last_answers),
        "states": _SHOWN_STATES,
        "is_continued": after is not None,
    }


def path_of(wanted: JobFilter, after: JobKey | None = None) -> str:
    """Return where the jobs that pass a filter are."""
    given = {
        "source": wanted.source,
        "state": wanted.state,
        "label": "=".join(wanted.label) if wanted.label else None,
        "q": wanted.text,
        "after": str(after) if after else None,
    }
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/?{query}" if query else "/"


def troubles(health: HealthSnapshot) -> list[tuple[str, str]]:
    """Say what is wrong with the watcher's own parts, and where to look."""
    found = [(f"The store cannot be used: {health.store_error}", "/sources")] if health.store_error else []
    found += [
        (f"Source {name} refuses the watcher: {why}", "/sources") for name, why in health.rejections.items() if why
    ]
    found += [
        (f"Notifier {each.name} cannot deliver: {each.rejection or each.error}", "/notifiers")
        for each in health.receivers
        if each.rejection or each.failing_since
    ]
    return found


async def _sections(
    context: ServerContext, wanted: JobFilter, after: JobKey | None, now: datetime
) -> Sequence[Section]:
    views = context.store.views
    if not wanted.is_empty:
        return [_page("Jobs", wanted, await views.search(wanted, after, PAGE_SIZE + 1))]
    under_way = _page("Under way", wanted, await views.under_way(after, PAGE_SIZE + 1))
    if after is not None:
        return [under_way]
    since = now - FRESH_FAILURE
    in_trouble = await views.in_trouble(since, MOST_IN_TROUBLE + 1)
    ended = await views.ended(since, MOST_ENDED)
    failed = path_of(JobFilter(state=JobState.FAILED)) if len(in_trouble) > MOST_IN_TROUBLE else None
    return [Section("Needs a person", in_trouble[:MOST_IN_TROUBLE], failed), under_way, Section("Ended lately", ended)]


def _page(heading: str, wanted: JobFilter, jobs: Sequence[Job]) -> Section:
    more = path_of(wanted, jobs[PAGE_SIZE - 1].key) if len(jobs) > PAGE_SIZE else None
    return Section(heading, jobs[:PAGE_SIZE], more)


def _headline(counts: Mapping[JobState | None, int]) -> str:
    """Say in the title of the window what a person wants to know without looking at the page."""
    failed, running = counts.get(JobState.FAILED, 0), counts.get(JobState.RUNNING, 0)
    return (f"✘ {failed} failed, " if failed else "") + f"{running} running"


def without(wanted: JobFilter, condition: str) -> str:
    """Return where the jobs are that pass all but one condition of a filter."""
    return path_of(replace(wanted, **{condition: None}))
