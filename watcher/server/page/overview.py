"""The first page: what needs a person, what runs, what ended lately; or the jobs that pass a filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from watcher.curves.sparkline import Sparkline, sparkline
from watcher.domain.health import HealthSnapshot
from watcher.domain.job_filter import Concerns, JobFilter, Limits, Overview
from watcher.domain.jobs import Basis, Job, JobKey
from watcher.domain.states import JobState, is_terminal, mark
from watcher.server.context import ServerContext
from watcher.server.page.concerns import concern_of
from watcher.server.page.templates import lasting

PAGE_SIZE = 50
MOST_IN_TROUBLE = 20
MOST_ENDED = 20
SPARKLINE_POINTS = 16
_LIMITS = Limits(MOST_IN_TROUBLE + 1, PAGE_SIZE + 1, MOST_ENDED, SPARKLINE_POINTS)
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


_BASES: Mapping[Basis, str] = {
    Basis.ESTIMATED_FINISH: "the service's estimate",
    Basis.PROGRESS: "from its steps so far",
    Basis.HISTORY: "as long as earlier jobs",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One job of the overview, with what is known of its way."""

    job: Job
    concern: str | None
    """Why it needs a person, where its error does not say so."""
    percent: int | None
    """How much of its status is over, by the forecast; None without one."""
    left: str | None
    """How long its status is expected to last."""
    basis: str | None
    """What says so."""
    loss: Sparkline | None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: jobs under a heading."""

    heading: str
    lines: Sequence[Line]
    more: str | None = None
    """Where the rest of them is."""

    @property
    def has_way(self) -> bool:
        """Whether it is known of any of them how far it has come, or how it trains."""
        return any(line.percent is not None or line.loss for line in self.lines)


async def overview(context: ServerContext, wanted: JobFilter, after: JobKey | None) -> dict[str, Any]:
    """Return what the page shows."""
    now, views = context.clock(), context.store.views
    limits = context.stuck_after()
    if wanted.is_empty:
        concerns = Concerns(now - FRESH_FAILURE, {status: now - limit for status, limit in limits.items()})
        read = await views.overview(concerns, after, _LIMITS)
    else:
        read = await views.found(wanted, after, _LIMITS)
    counts, losses, found = read.counts, read.losses, _parts(read, wanted, after)
    sections = [
        Section(heading, [_line(job, now, limits, sparkline(losses.get(job.key, ()))) for job in jobs], more)
        for heading, jobs, more in found
    ]
    health = context.health()
    return {
        "now": now,
        "wanted": wanted,
        "totals": [
            (state, counts[state], path_of(JobFilter(state=state))) for state in _SHOWN_STATES if state in counts
        ],
        "watched": sum(counts.values()),
        "headline": _headline(len(found[0][1]) if len(found) > 1 else 0, counts.get(JobState.RUNNING, 0)),
        "sections": sections,
        "troubles": troubles(health, read.dead),
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


def troubles(health: HealthSnapshot, dead: int) -> list[tuple[str, str]]:
    """Say what is wrong with the watcher's own parts, and where to look."""
    found = [(f"The store cannot be used: {health.store_error}", "/sources")] if health.store_error else []
    found += [
        (f"Source {name} refuses the watcher: {why}", "/sources") for name, why in health.rejections.items() if why
    ]
    found += [
        (f"Source {each.name} does not answer: {each.error}", "/sources")
        for each in health.sources
        if each.failing_since and not each.rejection
    ]
    found += [
        (f"Notifier {each.name} cannot deliver: {each.rejection or each.error}", "/notifiers")
        for each in health.receivers
        if each.rejection or each.failing_since
    ]
    if dead:
        what = "1 message was" if dead == 1 else f"{dead:,} messages were"
        found.append((f"{what} given up before a receiver accepted it", "/deliveries?state=dead"))
    return found


_Found = tuple[str, Sequence[Job], str | None]
"""A heading, the jobs under it, and where the rest of them is."""


def _parts(read: Overview, wanted: JobFilter, after: JobKey | None) -> Sequence[_Found]:
    if not wanted.is_empty:
        return [_page("Jobs", wanted, read.page)]
    under_way = _page("Under way", wanted, read.page)
    if after is not None:
        return [under_way]
    failed = path_of(JobFilter(state=JobState.FAILED)) if len(read.in_trouble) > MOST_IN_TROUBLE else None
    return [
        ("Needs a person", read.in_trouble[:MOST_IN_TROUBLE], failed),
        under_way,
        ("Ended lately", read.ended, None),
    ]


def _page(heading: str, wanted: JobFilter, jobs: Sequence[Job]) -> _Found:
    more = path_of(wanted, jobs[PAGE_SIZE - 1].key) if len(jobs) > PAGE_SIZE else None
    return heading, jobs[:PAGE_SIZE], more


def _line(job: Job, now: datetime, limits: Mapping[str, timedelta], loss: Sparkline | None) -> Line:
    forecast, since = job.forecast, job.status_since
    concern = concern_of(job, now, limits)
    if is_terminal(job.state) or forecast is None or forecast.at is None or since is None or forecast.at <= since:
        return Line(job, concern, None, None, None, loss)
    percent = min(max(int((now - since) / (forecast.at - since) * 100), 0), 99)
    left = f"≈ {lasting(forecast.at - now)}" if forecast.at > now else "any moment"
    return Line(job, concern, percent, left, _BASES[forecast.basis], loss)


def _headline(in_trouble: int, running: int) -> str:
    """Say in the title of the window what a person wants to know without looking at the page."""
    some = f"{in_trouble}+" if in_trouble == MOST_IN_TROUBLE else str(in_trouble)
    need = "needs" if in_trouble == 1 else "need"
    return (f"{mark(JobState.FAILED)} {some} {need} a person, " if in_trouble else "") + f"{running:,} running"
