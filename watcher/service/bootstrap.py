"""The composition root: the only place that picks concrete classes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from watcher.domain.deliveries import PATIENT
from watcher.domain.jobs import JobSpec
from watcher.domain.polling_policy import Rhythm
from watcher.engine.ports import Edges, Log, Meter, NoMeter
from watcher.errors import ConfigurationError
from watcher.settings.conversion import job_spec, rhythm, routes, source_configs
from watcher.sources.openai.config import DEFAULT_SOURCE, SourceConfig

if TYPE_CHECKING:
    # Loaded where they are used: `watch` without a configuration needs none of them.
    from watcher.engine.delivery.direct import Announce
    from watcher.engine.delivery.dispatcher import Deliver
    from watcher.engine.polling.poller import Observe
    from watcher.engine.polling.source_state import Lane
    from watcher.engine.ports import Notifier
    from watcher.engine.self_monitoring import Supervise
    from watcher.server.context import Standing
    from watcher.server.serving import Listen
    from watcher.service.heartbeat import Heartbeat
    from watcher.settings.model import Settings
    from watcher.sources.openai.source import OpenAISource
    from watcher.store.sql import SqlStore

POLLS_AT_ONCE = 128
"""Polls under way at one source. At an API that takes 100 ms, this is about what one core can do."""
NOTIFIER_TIMEOUT = timedelta(seconds=15)
"""How long a receiver may take over a message."""
NOTIFIER_CONNECTIONS = 16
"""Connections of one notifier; how many messages it sends at once is its own choice."""
NOTIFIER_ANSWER_LIMIT = 64 * 1024
"""Bytes of a receiver's answer that are read."""


def utc_now() -> datetime:
    """Tell the time: aware, UTC."""
    return datetime.now(UTC)


def real_edges(log: Log, meter: Meter | None = None) -> Edges:
    """Return the real clock and real chance."""
    return Edges(utc_now, lambda: random.uniform(-1, 1), log, meter or NoMeter())  # noqa: S311 - jitter is no secret


def open_meter(settings: Settings) -> Meter:
    """Make the meter: one that counts if somebody can look at it."""
    if settings.http.listen is None:
        return NoMeter()
    from watcher.server.metrics import PrometheusMeter

    return PrometheusMeter()


def open_source(config: SourceConfig, edges: Edges, turn: Callable[[], Awaitable[None]] | None = None) -> OpenAISource:
    """Make the source that a configuration describes; it waits for its turn before each request."""
    from watcher.sources.openai.source import OpenAISource

    return OpenAISource(config, edges.clock, edges.log, at_once=POLLS_AT_ONCE, turn=turn)


async def open_notifiers(
    settings: Settings, names: Iterable[str], edges: Edges, stack: AsyncExitStack
) -> Mapping[str, Notifier]:
    """Build notifiers, each with a client of its own, so that none can hold up another one."""
    from watcher.http import Bounds, HttpClient, Pacer, tls_context
    from watcher.plugins.notifier import Context
    from watcher.plugins.registry import plugin

    pacer, tls = Pacer(), tls_context()
    bounds = Bounds(NOTIFIER_TIMEOUT, NOTIFIER_CONNECTIONS, NOTIFIER_ANSWER_LIMIT, keeps_connections=False)
    notifiers: dict[str, Notifier] = {}
    for name in names:
        if name not in settings.notifiers:
            known = ", ".join(sorted(settings.notifiers)) or "none"
            raise ConfigurationError(f"no notifier is named {name!r}; the configuration has: {known}")
        chosen = settings.notifiers[name]
        kind = plugin(chosen.kind)
        http = await stack.enter_async_context(HttpClient(bounds, tls=tls))
        notifiers[name] = kind.build(chosen, Context(name, http, pacer, edges.clock))
    return notifiers


def open_store(settings: Settings, meter: Meter | None = None) -> SqlStore:
    """Make the record that the settings name; enter it to open it."""
    from watcher.store.sql import SqlStore

    return SqlStore(settings.store.resolved_url(), meter)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The running parts between the sources, the record and the notifiers."""

    observe: Observe
    deliver: Deliver
    supervise: Supervise
    emergency: Announce
    """Tells of a record that cannot be written, without it."""
    heartbeat: Heartbeat | None
    rhythm: Rhythm
    """How often a job is polled."""
    configured: Sequence[JobSpec]
    """The jobs that the configuration names."""
    retention: timedelta
    """How long the record keeps what is over."""


class Blueprint:
    """How a service is put together from settings. A reload makes a new one, for the same record."""

    def __init__(self, settings: Settings, edges: Edges, adopt: Callable[[], None] = lambda: None) -> None:
        """`adopt` is called when the settings take effect.

        Raises ConfigurationError for settings that no service can be made of.
        """
        self.settings = settings
        self.adopt = adopt
        self._edges = edges
        self._sources = source_configs(settings)
        self._listen = listen_of(settings)

    def open_store(self) -> SqlStore:
        """Make the record; enter it to open it."""
        return open_store(self.settings, self._edges.meter)

    @asynccontextmanager
    async def open_pages(self, store: SqlStore, standing: Callable[[], Standing]) -> AsyncIterator[None]:
        """Serve the pages, if they are wanted. Raises ConfigurationError when they cannot be."""
        if self._listen is None:
            yield
            return
        from watcher import __version__
        from watcher.server.app import make_app
        from watcher.server.context import Panel
        from watcher.server.metrics import PrometheusMeter
        from watcher.server.serving import serving

        edges, token = self._edges, self.settings.http.token
        meter = edges.meter if isinstance(edges.meter, PrometheusMeter) else PrometheusMeter()
        panel = Panel(store, edges.clock, edges.log, __version__, standing)
        app = make_app(panel, meter, token.get_secret_value() if token else None)
        async with serving(app, self._listen, edges.log):
            yield

    @asynccontextmanager
    async def open_pipeline(self, store: SqlStore) -> AsyncIterator[Pipeline]:
        """Open the sources and the notifiers, and put the pipeline between them. Raises ConfigurationError."""
        from watcher.engine.delivery.direct import Announce
        from watcher.engine.delivery.dispatcher import Deliver
        from watcher.engine.polling.poller import Observe
        from watcher.engine.self_monitoring import Supervise
        from watcher.service.heartbeat import Heartbeat

        settings, edges = self.settings, self._edges
        async with AsyncExitStack() as stack:
            notifiers = await open_notifiers(settings, settings.notifiers, edges, stack)
            deliver = Deliver(store, notifiers, PATIENT, edges)
            wanted = routes(settings)
            observe = Observe(store, edges, routes=wanted, on_owed=deliver.wake)
            for config in self._sources.values():
                observe.add_lane(await self._open_lane(config, stack))
            supervise = Supervise(
                store,
                edges,
                routes=wanted,
                stuck_after=settings.supervision.stuck_after,
                on_owed=deliver.wake,
            )
            observe.tell_missing(supervise.note_missing)
            beat = settings.heartbeat.url
            yield Pipeline(
                observe,
                deliver,
                supervise,
                emergency=Announce(notifiers, wanted, edges),
                heartbeat=await stack.enter_async_context(Heartbeat(beat.get_secret_value())) if beat else None,
                rhythm=rhythm(settings, DEFAULT_SOURCE),
                configured=[job_spec(job) for job in settings.jobs],
                retention=settings.store.retention,
            )

    async def _open_lane(self, config: SourceConfig, stack: AsyncExitStack) -> Lane:
        from watcher.engine.polling.rate_limit import Budget
        from watcher.engine.polling.source_state import Lane

        chosen = self.settings.sources[config.name]
        budget = Budget(chosen.max_requests_per_minute) if chosen.max_requests_per_minute else None
        turn = budget.turn if budget else None
        source = await stack.enter_async_context(open_source(config, self._edges, turn))
        return Lane(
            config.name,
            source,
            rhythm(self.settings, config.name),
            POLLS_AT_ONCE,
            strategy=chosen.strategy,
            budget=budget,
        )

    async def watch_jobs(self, store: SqlStore, before: Blueprint | None = None) -> None:
        """Watch the configured jobs; no longer those that only the configuration before named."""
        now, log = self._edges.clock(), self._edges.log
        specs = {spec.key: spec for spec in map(job_spec, self.settings.jobs)}
        await store.upsert_jobs(list(specs.values()), now)
        for job in before.settings.jobs if before else ():
            if (key := job_spec(job).key) not in specs:
                await store.remove_job(key, now)
        jobs = await store.jobs()
        log.info(
            "watching",
            jobs=len(jobs),
            sources=sorted(self._sources),
            notifiers=sorted(self.settings.notifiers),
            interval_seconds=self.settings.polling.interval.total_seconds(),
            store=store.name,
        )
        if lost := sorted({job.key.source for job in jobs} - set(self._sources)):
            log.warning("jobs of sources that are not in the configuration are not polled", sources=lost)

    def fixed_changes(self, before: Blueprint) -> list[str]:
        """Name what is set otherwise than before, but cannot change while the service runs."""
        new, old = self.settings, before.settings
        changes = {
            "store.url": new.store.resolved_url() != old.store.resolved_url(),
            "http": new.http != old.http,
        }
        return [name for name, has_changed in changes.items() if has_changed]


def listen_of(settings: Settings) -> Listen | None:
    """Take from the settings where to serve pages; None for nowhere. Raises ConfigurationError."""
    if settings.http.listen is None:
        return None
    from watcher.server.serving import check_exposure, parse_listen

    listen = parse_listen(settings.http.listen)
    check_exposure(listen, has_token=settings.http.token is not None)
    return listen


async def check_settings(settings: Settings, edges: Edges) -> None:
    """Refuse what the service would refuse at start, without touching the record. Raises ConfigurationError."""
    listen_of(settings)
    async with AsyncExitStack() as stack:
        for config in source_configs(settings).values():
            await stack.enter_async_context(open_source(config, edges))
        await open_notifiers(settings, settings.notifiers, edges, stack)
