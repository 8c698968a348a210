"""The composition root: the only place that picks concrete classes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.domain.deliveries import SERVICE_RETRY_POLICY
from watcher.domain.jobs import JobSpec
from watcher.engine.ports import NoTelemetry, Runtime, SecretiveLog, Telemetry
from watcher.errors import ConfigurationError
from watcher.plugins.source import CONCURRENT_REQUESTS, DEFAULT_SOURCE, SourceContext
from watcher.settings.conversion import job_spec, polling_policy, routes, sources_used

if TYPE_CHECKING:
    # Loaded where they are used: `watch` without a configuration needs none of them.
    from watcher.domain.health import HealthSnapshot
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.engine.delivery.dispatcher import Dispatcher
    from watcher.engine.polling.poller import Poller
    from watcher.engine.polling.source_state import SourceState
    from watcher.engine.ports import Notifier
    from watcher.engine.self_monitoring import SelfMonitoring
    from watcher.plugins.source import Source
    from watcher.server.listening import Listen
    from watcher.service.heartbeat import Heartbeat
    from watcher.settings.model import Settings, SourceSettings
    from watcher.store.sql import SqlStore

NOTIFIER_TIMEOUT = timedelta(seconds=15)
"""How long a receiver may take over a message."""
NOTIFIER_CONNECTIONS = 16
"""Connections of one notifier; how many messages it sends at once is its own choice."""
NOTIFIER_ANSWER_LIMIT = 64 * 1024
"""Bytes of a receiver's answer that are read."""


def utc_now() -> datetime:
    """Tell the time: aware, UTC."""
    return datetime.now(UTC)


def real_runtime(log: SecretiveLog, telemetry: Telemetry | None = None) -> Runtime:
    """Return the real clock and real chance."""
    jitter = partial(random.uniform, -1, 1)
    return Runtime(utc_now, jitter, log, telemetry or NoTelemetry(), hide_secret=log.hide)


def open_telemetry(settings: Settings) -> Telemetry:
    """Make the telemetry: it counts only where metrics are served."""
    if settings.http.listen is None:
        return NoTelemetry()
    from watcher.server.metrics import PrometheusTelemetry

    return PrometheusTelemetry()


def open_source(
    name: str, settings: SourceSettings, runtime: Runtime, turn: Callable[[], Awaitable[None]] | None = None
) -> Source:
    """Make the source that the settings describe; it waits for its turn before each request.

    Raises ConfigurationError.
    """
    from watcher.plugins.registry import sources

    plugin = sources.plugin(settings.kind)
    hide, word = runtime.hide_secret, plugin.event_word
    context = SourceContext(
        name, runtime.clock, runtime.log, settings.timeout, turn=turn, hide_secret=hide, event_word=word
    )
    return plugin.build(settings, context)


def default_source(
    environment: Mapping[str, str], *, base_url: str | None, key_file: Path | None
) -> Callable[[Runtime], Source]:
    """Return what makes the default source as the environment alone describes it, without what only settings need.

    `key_file` is where the key in the environment was read from, if it was. Raises ConfigurationError.
    """
    from watcher.sources.http_source import HttpSource
    from watcher.sources.openai.dialect import OpenAIDialect
    from watcher.sources.openai.endpoint import access_from_environment

    endpoint = access_from_environment(environment, base_url=base_url, key_file=key_file).endpoint(DEFAULT_SOURCE)

    def make(runtime: Runtime) -> Source:
        context = SourceContext(DEFAULT_SOURCE, runtime.clock, runtime.log, hide_secret=runtime.hide_secret)
        return HttpSource(endpoint, OpenAIDialect(), context)

    return make


async def open_notifiers(
    settings: Settings, names: Iterable[str], runtime: Runtime, stack: AsyncExitStack
) -> Mapping[str, Notifier]:
    """Build notifiers, each with its own client, so that none can block another."""
    from watcher.http import Bounds, HttpClient, Pacer, tls_context
    from watcher.plugins.notifier import Context
    from watcher.plugins.registry import notifiers as kinds

    pacer, tls = Pacer(), tls_context()
    bounds = Bounds(NOTIFIER_TIMEOUT, NOTIFIER_CONNECTIONS, NOTIFIER_ANSWER_LIMIT, keeps_connections=False)
    notifiers: dict[str, Notifier] = {}
    for name in names:
        if name not in settings.notifiers:
            known = ", ".join(sorted(settings.notifiers)) or "none"
            raise ConfigurationError(f"no notifier is named {name!r}; the configuration has: {known}")
        chosen = settings.notifiers[name]
        kind = kinds.plugin(chosen.kind)
        http = await stack.enter_async_context(HttpClient(bounds, tls=tls))
        notifiers[name] = kind.build(chosen, Context(name, http, pacer, runtime.clock))
    return notifiers


def open_store(settings: Settings, telemetry: Telemetry | None = None) -> SqlStore:
    """Make the store that the settings name; enter it to open it."""
    from watcher.store.sql import SqlStore

    return SqlStore(settings.store.resolved_url(), telemetry)


FindJob = Callable[[str | None, str], JobSpec]
"""Finds the job that is meant by an id, with or without its source. Raises ConfigurationError."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The running parts between the sources, the store and the notifiers."""

    poller: Poller
    deliver: Dispatcher
    self_monitoring: SelfMonitoring
    emergency: DirectDelivery
    """Tells of a store that cannot be written, without it."""
    heartbeat: Heartbeat | None
    service: str
    """What this process is called among replicas."""
    configured: Sequence[JobSpec]
    """The jobs that the configuration names."""
    find_job: FindJob
    retention: timedelta
    """How long the store keeps what is over."""


class ServicePlan:
    """How a service is put together from settings. A reload makes a new one, for the same store."""

    def __init__(
        self, settings: Settings, runtime: Runtime, adopt: Callable[[], None] = lambda: None, *, service: str = ""
    ) -> None:
        """`adopt` is called when the settings take effect; `service` names this process among replicas.

        Raises ConfigurationError for settings that no service can be made of.
        """
        self.settings = settings
        self.adopt = adopt
        self._runtime = runtime
        self._service = service
        self._sources = sources_used(settings)
        for name, source in self._sources.items():
            open_source(name, source, runtime)  # refuses now what it would refuse later
        self._listen = listen_of(settings)

    def open_store(self) -> SqlStore:
        """Make the store; enter it to open it."""
        return open_store(self.settings, self._runtime.telemetry)

    @asynccontextmanager
    async def open_server(
        self, store: SqlStore, health: Callable[[], HealthSnapshot], find_job: FindJob
    ) -> AsyncIterator[None]:
        """Serve probes, metrics and the API, if that is wanted. Raises ConfigurationError when it cannot be done."""
        if self._listen is None:
            yield
            return
        from watcher import __version__
        from watcher.server.app import Access, make_app
        from watcher.server.context import ServerContext
        from watcher.server.metrics import PrometheusTelemetry
        from watcher.server.serving import serving

        runtime, http = self._runtime, self.settings.http
        telemetry = runtime.telemetry if isinstance(runtime.telemetry, PrometheusTelemetry) else PrometheusTelemetry()
        context = ServerContext(store, runtime.clock, runtime.log, __version__, health, find_job)
        token = http.token.get_secret_value() if http.token else None
        hosts = None if self._listen.path else (self._listen.host, *http.allowed_hosts)
        app = make_app(context, telemetry, Access(token, hosts))
        async with serving(app, self._listen, runtime.log):
            yield

    @asynccontextmanager
    async def open_pipeline(self, store: SqlStore) -> AsyncIterator[Pipeline]:
        """Open the sources and the notifiers, and put the pipeline between them. Raises ConfigurationError."""
        from watcher.engine.delivery.direct import DirectDelivery
        from watcher.engine.delivery.dispatcher import Dispatcher
        from watcher.engine.polling.poller import Poller
        from watcher.engine.self_monitoring import SelfMonitoring
        from watcher.service.heartbeat import Heartbeat
        from watcher.settings.job_lookup import find_job

        settings, runtime = self.settings, self._runtime
        async with AsyncExitStack() as stack:
            notifiers = await open_notifiers(settings, settings.notifiers, runtime, stack)
            deliver = Dispatcher(store, notifiers, SERVICE_RETRY_POLICY, runtime)
            wanted = routes(settings)
            self_monitoring = SelfMonitoring(
                store,
                runtime,
                routes=wanted,
                stuck_after=settings.supervision.stuck_after,
                wake_delivery=deliver.wake,
                watcher=self._service,
            )
            poller = Poller(store, runtime, routes=wanted, wake_delivery=deliver.wake)
            for name, source in self._sources.items():
                poller.add_source(await self._open_source_state(name, source, stack))
            beat = settings.heartbeat.url
            yield Pipeline(
                poller,
                deliver,
                self_monitoring,
                emergency=DirectDelivery(notifiers, wanted, runtime),
                heartbeat=await stack.enter_async_context(Heartbeat(beat.get_secret_value())) if beat else None,
                service=self._service,
                configured=[job_spec(job) for job in settings.jobs],
                find_job=partial(find_job, settings),
                retention=settings.store.retention,
            )

    async def _open_source_state(self, name: str, chosen: SourceSettings, stack: AsyncExitStack) -> SourceState:
        from watcher.engine.polling.list_scan import ListScan, Strategy
        from watcher.engine.polling.rate_limit import RateLimit
        from watcher.engine.polling.source_state import SourceState

        rate_limit = RateLimit(chosen.max_requests_per_minute) if chosen.max_requests_per_minute else None
        wait = rate_limit.wait if rate_limit else None
        source = await stack.enter_async_context(open_source(name, chosen, self._runtime, wait))
        can = source.capabilities
        policy = polling_policy(self.settings, name)
        policy = replace(policy, looks_at_progress=policy.looks_at_progress and can.events)
        scan = ListScan(source, strategy=chosen.strategy if can.lists else Strategy.RETRIEVE, interval=policy.interval)
        return SourceState(name, source, policy, CONCURRENT_REQUESTS, scan, rate_limit=rate_limit)

    async def watch_jobs(self, store: SqlStore, before: ServicePlan | None = None) -> None:
        """Watch the configured jobs; no longer those that only the configuration before named."""
        now, log = self._runtime.clock(), self._runtime.log
        specs = {spec.key: spec for spec in map(job_spec, self.settings.jobs)}
        await store.upsert_jobs(list(specs.values()), now)
        named_before = {job_spec(job).key for job in before.settings.jobs} if before else set()
        if dropped := named_before - set(specs):
            await store.remove_jobs(dropped, now)
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

    def fixed_changes(self, before: ServicePlan) -> list[str]:
        """Name what is set otherwise than before, but cannot change while the service runs."""
        new, old = self.settings, before.settings
        changes = {
            "store.url": new.store.resolved_url() != old.store.resolved_url(),
            "http": new.http != old.http,
        }
        return [name for name, has_changed in changes.items() if has_changed]


def listen_of(settings: Settings) -> Listen | None:
    """Take from the settings where to serve HTTP; None for nowhere. Raises ConfigurationError."""
    if settings.http.listen is None:
        return None
    from watcher.server.listening import check_exposure, parse_listen

    listen = parse_listen(settings.http.listen)
    check_exposure(listen, has_token=settings.http.token is not None)
    return listen


async def check_settings(settings: Settings, runtime: Runtime) -> None:
    """Refuse what the service would refuse at start, without touching the store. Raises ConfigurationError."""
    listen_of(settings)
    open_store(settings)
    async with AsyncExitStack() as stack:
        for name, source in sources_used(settings).items():
            await stack.enter_async_context(open_source(name, source, runtime))
        await open_notifiers(settings, settings.notifiers, runtime, stack)
