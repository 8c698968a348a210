"""What is watched when settings take effect: what they name comes, what no living service's settings name goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher import __version__
from watcher.domain.discovery import Rule
from watcher.domain.jobs import CONFIG, JobKey
from watcher.engine.runtime import Runtime
from watcher.settings.conversion import discovery_rules, watches_all
from watcher.settings.model import Settings
from watcher.store.living_services import KEPT, Named

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

OTHERS_COUNT_FOR = timedelta(minutes=10)
"""How long after its last sign of life a service's wishes count for one that has left its own signs all that time.

The clocks of their hosts may differ.
"""


@dataclass(frozen=True, slots=True)
class WatchedJobs:
    """What the settings of one service have watched in a store, beside those of other services there."""

    store: SqlStore
    runtime: Runtime
    service: str
    """What this process is called among replicas."""

    async def settle(self, settings: Settings, replaced: Settings | None, sources: Sequence[str]) -> None:
        """Watch what the settings name; let go of what neither they nor those of another living service name.

        `replaced` are those of this process until now, `sources` those that are polled.
        """
        now, log = self.runtime.clock(), self.runtime.log
        rules = discovery_rules(settings)
        named = Named(frozenset(rule.name for rule in rules), frozenset(spec.key for spec in settings.jobs))
        # First this: of two services that start at once, each then sees what the other one wants.
        await self.store.note_settings(self.service, __version__, named, now)
        await self.store.upsert_jobs(settings.jobs, now, origin=CONFIG)
        before = frozenset(spec.key for spec in replaced.jobs) if replaced else frozenset()
        await self.let_go(named, sources, before, others_seen_since=now - KEPT)
        counts = await self.store.job_counts()
        log.info(
            "watching",
            jobs=sum(counts.values()),
            rules=[rule.name for rule in rules],
            sources=list(sources),
            notifiers=sorted(settings.notifiers),
            interval_seconds=settings.polling.interval.total_seconds(),
            store=self.store.name,
        )
        self._tell_surprises(settings, rules, {source for source, _ in counts} - set(sources))

    async def let_go(
        self,
        named: Named,
        sources: Sequence[str],
        replaced: frozenset[JobKey] = frozenset(),
        *,
        others_seen_since: datetime,
    ) -> None:
        """Watch no more what only a configuration wanted, and end the rules, that no living service's settings name.

        `named` is what this service names, `replaced` the jobs that it named until now; a service counts as living
        that was seen since `others_seen_since` and has not ended. While one does that does not say what it wants,
        a program of an earlier version, only `replaced` are let go.
        """
        others = await self.store.named_by_others(self.service, others_seen_since)
        wanted = replaced if others is None else replaced | await self.store.watched_keys(CONFIG)
        gone = wanted - named.jobs - (others.jobs if others else frozenset())
        if gone and (count := await self.store.drop_origin(gone, CONFIG, self.runtime.clock())):
            self.runtime.log.info("jobs that no configuration names any more are watched no more", jobs=count)
        if others is not None:
            await self._end_rules(named.rules | others.rules, sources)

    async def _end_rules(self, kept: frozenset[str], sources: Sequence[str]) -> None:
        ended = await self.store.end_rules(kept, sources, self.runtime.clock())
        for rule, jobs in ended.items():
            self.runtime.log.info("a rule is gone: what only it brought is watched no more", rule=rule, jobs=jobs)

    def _tell_surprises(self, settings: Settings, rules: Sequence[Rule], unpolled: set[str]) -> None:
        log = self.runtime.log
        if rules and watches_all(settings):
            log.info(
                "nothing says what to watch, so every job is, from now on", sources=[rule.source for rule in rules]
            )
        if unpolled:
            log.warning("jobs of sources that are not in the configuration are not polled", sources=sorted(unpolled))
