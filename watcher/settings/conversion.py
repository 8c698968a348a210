"""What the settings mean to the parts of the program: values of the domain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from watcher.domain.discovery import Matcher, Rule, watch_all
from watcher.domain.holding import Digest, Holding, QuietHours
from watcher.domain.polling_policy import LONGEST_INTERVAL, PollingPolicy
from watcher.domain.routing import Route
from watcher.plugins.registry import notifiers
from watcher.plugins.source import DEFAULT_SOURCE

if TYPE_CHECKING:
    # Loading them takes long, and `watch` without a configuration has none.
    from watcher.settings.model import NotifierSettings, Settings, SourceSettings


def sources_used(settings: Settings) -> Mapping[str, SourceSettings]:
    """Take from the settings every source; the default one only if it can be meant."""
    used = {job.key.source for job in settings.jobs} | {rule.source for rule in settings.watch}
    return {
        name: source
        for name, source in settings.sources.items()
        if name in used or name != DEFAULT_SOURCE or _has_key(source) or len(settings.sources) == 1
    }


def _has_key(source: SourceSettings) -> bool:
    return any(value for name, value in source if name in {"api_key", "token", "token_command"})


def discovery_rules(settings: Settings) -> list[Rule]:
    """Take from the settings which jobs are watched without being named.

    Where nothing says what is to be watched, every job of the sources that have a key is.
    """
    if watches_all(settings):
        return [watch_all(name) for name, source in sources_used(settings).items() if _has_key(source)]
    return [
        Rule(
            chosen.rule_name,
            chosen.source,
            Matcher(
                chosen.match.model,
                chosen.match.suffix,
                chosen.match.metadata,
                chosen.match.created_after,
                chosen.match.max_age,
                frozenset(chosen.match.states),
            ),
            labels=chosen.labels,
            labels_from=chosen.labels_from,
            job_name=chosen.name,
            limit=chosen.limit,
            backfill=chosen.backfill or timedelta(),
        )
        for chosen in settings.watch
    ]


def watches_all(settings: Settings) -> bool:
    """Tell whether nothing says what is to be watched. An empty list of rules says that nothing is."""
    return not settings.jobs and "watch" not in settings.model_fields_set


def polling_policy(settings: Settings, source: str) -> PollingPolicy:
    """Take from the settings how often to look at the jobs of a source."""
    polling, chosen = settings.polling, settings.sources[source]
    interval = chosen.interval or polling.interval
    return PollingPolicy(
        interval,
        max(chosen.max_interval or polling.max_interval or LONGEST_INTERVAL, interval),
        is_adaptive=polling.cadence == "adaptive",
        looks_at_progress=chosen.progress,
    )


def usual_source(settings: Settings) -> str:
    """Name the source of a job that is named without one: the only one that was configured, else the default."""
    configured = [name for name in settings.sources if name != DEFAULT_SOURCE]
    is_default_untouched = not settings.sources[DEFAULT_SOURCE].model_fields_set
    return configured[0] if len(configured) == 1 and is_default_untouched else DEFAULT_SOURCE


def routes(settings: Settings) -> list[Route]:
    """Take from the settings what each notifier wants."""
    return [
        Route(
            notifier=name,
            statuses=frozenset(notifier.statuses) if notifier.statuses is not None else None,
            labels=notifier.labels,
            sources=notifier.sources,
            names=notifier.names,
            first_seen=notifier.first_seen,
            events=frozenset(notifier.events),
            holding=_holding(notifier),
            after=notifier.after,
            repeat=notifier.repeat,
        )
        for name, notifier in settings.notifiers.items()
    ]


def _holding(notifier: NotifierSettings) -> Holding:
    from watcher.settings.quiet_hours import zone_of

    zone = zone_of(notifier.timezone)
    quiet, hours = notifier.quiet, None
    if quiet:
        hours = QuietHours(quiet.begin, quiet.end, zone_of(quiet.tz) if quiet.tz else zone, frozenset(quiet.exempt))
    return Holding(
        notifier.batch,
        notifier.batch_by,
        hours,
        Digest(notifier.digest, zone) if notifier.digest else None,
        is_grouped=notifiers.plugin(notifier.kind).takes_groups,
    )
