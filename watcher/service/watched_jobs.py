"""What is watched when settings take effect: what they name comes, and what only they named goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from watcher.domain.jobs import CONFIG
from watcher.engine.ports import Runtime
from watcher.settings.conversion import discovery_rules, job_spec, watches_all
from watcher.settings.model import Settings

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore


async def settle_watched(
    store: SqlStore, runtime: Runtime, settings: Settings, before: Settings | None, sources: Sequence[str]
) -> None:
    """Watch the jobs that the settings name; no longer those that only the settings before, or a rule now gone, named.

    `sources` are those that are polled.
    """
    now, log = runtime.clock(), runtime.log
    specs = {spec.key: spec for spec in map(job_spec, settings.jobs)}
    rules = discovery_rules(settings)
    await store.upsert_jobs(list(specs.values()), now, origin=CONFIG)
    gone = [key for job in (before.jobs if before else ()) if (key := job_spec(job).key) not in specs]
    await store.drop_origin(gone, CONFIG, now)
    ended = await store.end_rules([rule.name for rule in rules], sources, now)
    for rule, jobs in ended.items():
        log.info("a rule is gone: what only it brought is watched no more", rule=rule, jobs=jobs)
    watched = await store.jobs()
    log.info(
        "watching",
        jobs=len(watched),
        rules=[rule.name for rule in rules],
        sources=list(sources),
        notifiers=sorted(settings.notifiers),
        interval_seconds=settings.polling.interval.total_seconds(),
        store=store.name,
    )
    if rules and watches_all(settings):
        log.info("nothing says what to watch, so every job is, from now on", sources=[rule.source for rule in rules])
    if lost := sorted({job.key.source for job in watched} - set(sources)):
        log.warning("jobs of sources that are not in the configuration are not polled", sources=lost)
