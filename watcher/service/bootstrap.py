"""The composition root: the only place that picks concrete classes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.domain.jobs import JobSpec
from watcher.engine.runtime import NoTelemetry, Runtime, SecretiveLog, Telemetry
from watcher.plugins.source import DEFAULT_SOURCE, SourceContext
from watcher.service.notifiers import USUAL_LIMITS, NotifierLimits, open_notifiers

if TYPE_CHECKING:
    # Loaded where they are used: `watch` without a configuration needs none of them.
    from watcher.domain.health import HealthSnapshot
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.engine.delivery.dispatcher import Dispatcher
    from watcher.engine.polling.poller import Poller
    from watcher.engine.self_monitoring import SelfMonitoring
    from watcher.plugins.source import Source
    from watcher.server.listening import Listen
    from watcher.service.heartbeat import Heartbeat
    from watcher.settings.model import Settings, SourceSettings
    from watcher.store.sql import SqlStore


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
    name: str,
    settings: SourceSettings,
    runtime: Runtime,
    turn: Callable[[], Awaitable[None]] | None = None,
    *,
    matches_jobs: bool = True,
) -> Source:
    """Make the source that the settings describe; it waits for its turn before each request.

    `matches_jobs` says whether rules match what its list says. Raises ConfigurationError.
    """
    from watcher.plugins.registry import sources

    plugin = sources.plugin(settings.kind)
    context = SourceContext(
        name=name,
        clock=runtime.clock,
        log=runtime.log,
        timeout=settings.timeout,
        turn=turn,
        hide_secret=runtime.hide_secret,
        event_word=plugin.event_word,
        private_fields=() if settings.private_fields else plugin.private_fields,
        shows_addresses=settings.private_fields,
        matches_jobs=matches_jobs,
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
    from watcher.sources.openai.endpoint import access_from_environment, pages_of

    access = access_from_environment(environment, base_url=base_url, key_file=key_file)
    endpoint, pages = access.endpoint(DEFAULT_SOURCE), pages_of(access.base_url)

    def make(runtime: Runtime) -> Source:
        context = SourceContext(DEFAULT_SOURCE, runtime.clock, runtime.log, hide_secret=runtime.hide_secret)
        return HttpSource(endpoint, OpenAIDialect(pages=pages), context)

    return make


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
    rules: frozenset[str]
    """The names of the rules that the configuration has."""
    sources: Sequence[str]
    """The sources that are polled."""
    find_job: FindJob
    retention: timedelta
    """How long the store keeps what is over."""
    metrics_retention: timedelta
    """How long it keeps what such jobs measured."""


class ServicePlan:
    """How a service is put together from settings. A reload makes a new one, for the same store."""

    def __init__(
        self,
        settings: Settings,
        runtime: Runtime,
        adopt: Callable[[], None] = lambda: None,
        *,
        service: str = "",
        limits: NotifierLimits = USUAL_LIMITS,
    ) -> None:
        """`adopt` is called when the settings take effect; `service` names this process among replicas.

        Raises ConfigurationError for settings that no service can be made of.
        """
        from watcher.settings.conversion import sources_used

        self.settings = settings
        self.adopt = adopt
        self._runtime = runtime
        self._service = service
        self._limits = limits
        self._sources = sources_used(settings)
        for name, source in self._sources.items():
            open_source(name, source, runtime)  # refuses now what it would refuse later
        self._listen = listen_of(settings)

    def open_store(self) -> SqlStore:
        """Make the store; enter it to open it."""
        return open_store(self.settings, self._runtime.telemetry)

    @asynccontextmanager
    async def open_server(
        self, store: SqlStore, health: Callable[[], HealthSnapshot], pipeline: Callable[[], Pipeline]
    ) -> AsyncIterator[None]:
        """Serve probes, metrics, the API and the page, if that is wanted.

        `pipeline` returns the one that runs. Raises ConfigurationError when it cannot be done.
        """
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
        context = ServerContext(
            store,
            runtime.clock,
            runtime.log,
            __version__,
            health,
            # Looked up at each request: a reload exchanges the pipeline.
            find_job=lambda source, job_id: pipeline().find_job(source, job_id),
            polling_policy=lambda source: pipeline().poller.sources.policy_of(source),  # noqa: PLW0108 - see above
            webhooks=lambda: pipeline().poller.wake_ups,
            budget=lambda source: pipeline().poller.sources.budget_of(source),  # noqa: PLW0108 - see above
            requests=lambda source: pipeline().poller.sources.requests_of(source),  # noqa: PLW0108 - see above
            stuck_after=lambda: pipeline().self_monitoring.stuck_after,
            send_test=lambda notifier: pipeline().deliver.send_test(notifier),  # noqa: PLW0108 - see above
        )
        token = http.token.get_secret_value() if http.token else None
        hosts = None if self._listen.path else (self._listen.host, *http.allowed_hosts)
        app = make_app(context, telemetry, Access(token, hosts, http.trusted_user_header))
        async with serving(app, self._listen, runtime.log):
            yield

    @asynccontextmanager
    async def open_pipeline(self, store: SqlStore) -> AsyncIterator[Pipeline]:
        """Open the sources and the notifiers, and put the pipeline between them. Raises ConfigurationError."""
        from watcher.domain.deliveries import SERVICE_RETRY_POLICY
        from watcher.engine.delivery.direct import DirectDelivery
        from watcher.engine.delivery.dispatcher import Dispatcher
        from watcher.engine.delivery.live_progress import LiveProgress
        from watcher.engine.polling.poller import Poller
        from watcher.engine.self_monitoring import SelfMonitoring
        from watcher.service.digests import PresentJobs
        from watcher.service.heartbeat import Heartbeat
        from watcher.service.source_states import open_source_state
        from watcher.settings.conversion import discovery_rules, routes
        from watcher.settings.job_lookup import find_job

        settings, runtime = self.settings, self._runtime
        async with AsyncExitStack() as stack:
            notifiers = await open_notifiers(
                settings, settings.notifiers, runtime, stack, self._limits, points=store.metric_points
            )
            wanted = routes(settings)
            present = PresentJobs(store, wanted, settings.supervision.stuck_after, runtime)
            deliver = Dispatcher(store, notifiers, SERVICE_RETRY_POLICY, runtime, present=present)
            self_monitoring = SelfMonitoring(
                store,
                runtime,
                routes=wanted,
                stuck_after=settings.supervision.stuck_after,
                wake_delivery=deliver.wake,
                watcher=self._service,
            )
            shown = await stack.enter_async_context(LiveProgress(store, notifiers, runtime))
            poller = Poller(
                store,
                runtime,
                routes=wanted,
                wake_delivery=deliver.wake,
                metrics=store,
                audience=shown,
                stuck_after=settings.supervision.stuck_after,
            )
            for name in self._sources:
                poller.sources.add(await open_source_state(name, settings, store, runtime, stack))
            beat = settings.heartbeat.url
            yield Pipeline(
                poller,
                deliver,
                self_monitoring,
                emergency=DirectDelivery(notifiers, wanted, runtime),
                heartbeat=await stack.enter_async_context(Heartbeat(beat.get_secret_value())) if beat else None,
                service=self._service,
                configured=settings.jobs,
                rules=frozenset(rule.name for rule in discovery_rules(settings)),
                sources=sorted(self._sources),
                find_job=partial(find_job, settings),
                retention=settings.store.retention,
                metrics_retention=settings.store.metrics_retention,
            )

    async def watch_jobs(self, store: SqlStore, before: ServicePlan | None = None) -> None:
        """Watch what the settings name, and no longer what only they named before."""
        from watcher.service.watched_jobs import WatchedJobs

        watched = WatchedJobs(store, self._runtime, self._service)
        await watched.settle(self.settings, before.settings if before else None, sorted(self._sources))

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


async def check_settings(settings: Settings, runtime: Runtime) -> list[str]:
    """Refuse what the service would refuse at start, without touching the store; return the sources without a list.

    Raises ConfigurationError.
    """
    from watcher.settings.conversion import sources_used

    listen_of(settings)
    open_store(settings)
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(open_source(name, source, runtime))
            for name, source in sources_used(settings).items()
        }
        await open_notifiers(settings, settings.notifiers, runtime, stack)
        return [name for name, source in opened.items() if not source.capabilities.lists]
