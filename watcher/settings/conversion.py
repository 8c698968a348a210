"""What the settings mean to the parts of the program: values of the domain, and of the sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.routing import Route
from watcher.sources.openai.config import DEFAULT_SOURCE, SourceConfig

if TYPE_CHECKING:
    # Loading them takes long, and `watch` without a configuration has none.
    from watcher.settings.model import JobSettings, Settings, SourceSettings


def source_config(name: str, settings: SourceSettings) -> SourceConfig:
    """Take from the settings what a source needs."""
    return SourceConfig(
        name=name,
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value() if settings.api_key else None,
        organization=settings.organization,
        project=settings.project,
        auth=settings.auth,
        api_version=settings.api_version,
        timeout=settings.timeout,
        client_cert_file=str(settings.client_cert_file) if settings.client_cert_file else None,
        client_key_file=str(settings.client_key_file) if settings.client_key_file else None,
    )


def source_configs(settings: Settings) -> Mapping[str, SourceConfig]:
    """Take from the settings every source; the default one only if it can be meant."""
    used = {job.source for job in settings.jobs}
    return {
        name: source_config(name, source)
        for name, source in settings.sources.items()
        if name in used or name != DEFAULT_SOURCE or source.api_key or len(settings.sources) == 1
    }


def polling_policy(settings: Settings, source: str) -> PollingPolicy:
    """Take from the settings how often to look at the jobs of a source."""
    polling, chosen = settings.polling, settings.sources.get(source)
    return PollingPolicy(
        polling.interval,
        polling.resolved_max_interval(),
        is_adaptive=polling.cadence == "adaptive",
        looks_at_progress=chosen is not None and chosen.progress,
    )


def usual_source(settings: Settings) -> str:
    """Name the source of a job that is named without one: the only one that was configured, else the default."""
    named = settings.named_sources
    return next(iter(named)) if len(named) == 1 else DEFAULT_SOURCE


def job_spec(settings: JobSettings) -> JobSpec:
    """Take from the settings what a watched job is."""
    return JobSpec(JobKey(settings.source, settings.id), settings.name, settings.labels)


def routes(settings: Settings) -> list[Route]:
    """Take from the settings what each notifier wants."""
    return [
        Route(
            notifier=name,
            statuses=frozenset(notifier.statuses) if notifier.statuses is not None else None,
            labels=notifier.labels,
            first_seen=notifier.first_seen,
            events=frozenset(notifier.events),
        )
        for name, notifier in settings.notifiers.items()
    ]
