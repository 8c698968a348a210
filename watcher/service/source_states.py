"""A source with all that polling keeps of it, as the settings describe it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from watcher.engine.polling.circuit_breaker import CircuitBreaker
from watcher.engine.polling.discovery import Discovery, SourceRules
from watcher.engine.polling.list_scan import ListScan, Strategy
from watcher.engine.polling.look_allowance import LookAllowance
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.polling.request_rate import RequestRate
from watcher.engine.polling.source_state import SourceState
from watcher.engine.ports import DiscoveryStore, JobSource
from watcher.engine.runtime import Runtime
from watcher.plugins.registry import sources
from watcher.plugins.source import CONCURRENT_REQUESTS
from watcher.service.bootstrap import open_source
from watcher.settings.conversion import discovery_rules, polling_policy
from watcher.settings.model import Settings


async def open_source_state(
    name: str, settings: Settings, store: DiscoveryStore, runtime: Runtime, stack: AsyncExitStack
) -> SourceState:
    """Open a source of the settings. Raises ConfigurationError."""
    chosen = settings.sources[name]
    rules = _rules(name, settings)
    rate_limit = RateLimit(chosen.max_requests_per_minute) if chosen.max_requests_per_minute else None
    requests = RequestRate(rate_limit.wait if rate_limit else None, runtime.steady)
    opened = open_source(name, chosen, runtime, requests.turn, matches_jobs=rules is not None)
    source = await stack.enter_async_context(opened)
    can, policy = source.capabilities, polling_policy(settings, name)
    policy = replace(policy, looks_at_progress=policy.looks_at_progress and can.events)
    strategy = chosen.strategy if can.lists else Strategy.RETRIEVE
    return SourceState(
        name,
        source,
        policy,
        CONCURRENT_REQUESTS,
        scan=ListScan(source, strategy=strategy, interval=policy.interval, steady=runtime.steady),
        breaker=CircuitBreaker(runtime.steady),
        rate_limit=rate_limit,
        looks=LookAllowance(chosen.max_requests_per_minute, runtime.steady),
        requests=requests,
        discovery=_discovery(name, rules, source, store, runtime),
    )


def _rules(name: str, settings: Settings) -> SourceRules | None:
    """Return the rules for a source; None where there is none."""
    rules = tuple(rule for rule in discovery_rules(settings) if rule.source == name)
    if not rules:
        return None
    chosen = settings.sources[name]
    states = sources.plugin(chosen.kind).states_at(chosen)
    return SourceRules(rules, states, polling_policy(settings, name).interval)


def _discovery(
    name: str, rules: SourceRules | None, source: JobSource, store: DiscoveryStore, runtime: Runtime
) -> Discovery | None:
    """Put together what finds the jobs that rules adopt; None where there is no rule, or no list."""
    if rules is None:
        return None
    if not source.capabilities.lists:
        runtime.log.warning("the source has no list, so its rules find no jobs", source=name)
        return None
    return Discovery(source, rules, store=store, runtime=runtime)
