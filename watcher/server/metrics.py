"""What happened, in numbers: the metrics that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from watcher.domain.deliveries import Settlement, SettlementReason
from watcher.domain.health import HealthSnapshot
from watcher.domain.polling_policy import PollOutcome
from watcher.domain.states import JobState, is_terminal
from watcher.domain.transitions import Reason, Transition
from watcher.errors import StoreError
from watcher.server.context import ServerContext

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_PREFIX = "finetune_watcher_"
_WITHIN_A_POLL = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60)
_WITHIN_A_TRANSACTION = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WITHIN_HOURS = (1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600, 72 * 3600)

_LISTED = "listed"
"""The outcome of polls that a list page answered."""
_OUTCOMES: Mapping[SettlementReason, str] = {
    SettlementReason.ACCEPTED: "delivered",
    SettlementReason.RETRY_SCHEDULED: "failed",
    SettlementReason.NOTIFIER_BROKE: "failed",
    SettlementReason.RECEIVER_ASKED_TO_WAIT: "failed",
    SettlementReason.REJECTED: "rejected",
    SettlementReason.GAVE_UP: "gave_up",
    SettlementReason.SUPERSEDED: "superseded",
}


class PrometheusTelemetry:
    """Implements `Telemetry`. It has its own registry, and may be called on any thread."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._polls = Counter(
            _PREFIX + "polls", "Polls, by what they came to.", ["source", "outcome"], registry=registry
        )
        self._poll_seconds = Histogram(
            _PREFIX + "poll_duration_seconds",
            "How long polls took, with the attempts within each.",
            ["source"],
            buckets=_WITHIN_A_POLL,
            registry=registry,
        )
        self._transitions = Counter(
            _PREFIX + "transitions",
            "Recorded changes of a job's status, by its states.",
            ["source", "from", "to"],
            registry=registry,
        )
        self._detection_seconds = Histogram(
            _PREFIX + "detection_delay_seconds",
            "From the moment the API gives for a change to the poll that saw it; only where it gives one.",
            ["source"],
            buckets=_WITHIN_HOURS,
            registry=registry,
        )
        self._discovered = Counter(
            _PREFIX + "discovered_jobs", "Jobs that a rule of discovery has brought.", ["rule"], registry=registry
        )
        self._deliveries = Counter(
            _PREFIX + "deliveries",
            "Attempts to deliver, by what they came to.",
            ["notifier", "outcome"],
            registry=registry,
        )
        self._delivery_seconds = Histogram(
            _PREFIX + "delivery_latency_seconds",
            "From the poll that saw a change to its delivery.",
            ["notifier"],
            buckets=_WITHIN_HOURS,
            registry=registry,
        )
        self._store_seconds = Histogram(
            _PREFIX + "store_transaction_seconds",
            "How long committed transactions of the store took.",
            ["operation"],
            buckets=_WITHIN_A_TRANSACTION,
            registry=registry,
        )
        self._store_errors = Counter(
            _PREFIX + "store_errors", "Transactions of the store that failed.", ["operation"], registry=registry
        )

    def polled(self, source: str, outcome: PollOutcome, seconds: float) -> None:
        """See `Telemetry`."""
        self._polls.labels(source, outcome.value).inc()
        self._poll_seconds.labels(source).observe(seconds)

    def listed(self, source: str, jobs: int) -> None:
        """See `Telemetry`."""
        self._polls.labels(source, _LISTED).inc(jobs)

    def discovered(self, rule: str, jobs: int) -> None:
        """See `Telemetry`."""
        self._discovered.labels(rule).inc(jobs)

    def moved(self, transition: Transition) -> None:
        """See `Telemetry`."""
        source = transition.key.source
        before, after = state_label(transition.previous_state), state_label(transition.state)
        self._transitions.labels(source, before, after).inc()
        happened_at = _happened_at(transition)
        if happened_at and happened_at <= transition.observed_at:
            self._detection_seconds.labels(source).observe((transition.observed_at - happened_at).total_seconds())

    def attempted(self, settlement: Settlement, at: datetime) -> None:
        """See `Telemetry`."""
        notifier, observed_at = settlement.delivery.notifier, settlement.delivery.event.at
        self._deliveries.labels(notifier, _OUTCOMES[settlement.why]).inc()
        if settlement.why is SettlementReason.ACCEPTED:
            self._delivery_seconds.labels(notifier).observe(max((at - observed_at).total_seconds(), 0))

    def stored(self, operation: str, seconds: float) -> None:
        """See `Telemetry`."""
        self._store_seconds.labels(operation).observe(seconds)

    def store_failed(self, operation: str) -> None:
        """See `Telemetry`."""
        self._store_errors.labels(operation).inc()

    async def exposition(self, context: ServerContext) -> bytes:
        """Return all metrics as Prometheus reads them. While the store cannot be read, what it knows is left out."""
        health, now = context.health(), context.clock()
        families = list(_of_pipeline(context.version, health, now))
        try:
            families += await _of_record(context, health, now)
        except StoreError as error:
            context.log.debug("metrics without the store", error=str(error))
        return generate_latest(_Exposition(self._registry, families))


def state_label(state: JobState | None) -> str:
    """Return a state as a label; `unseen` for a job whose source has not said anything yet."""
    return "unseen" if state is None else state.value


class _Exposition(Collector):
    """What was counted, without the times at which counting began, and what was just read."""

    def __init__(self, counted: Collector, read: Iterable[Metric]) -> None:
        self._counted = counted
        self._read = read

    def collect(self) -> Iterator[Metric]:
        for family in self._counted.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
        yield from self._read


def _happened_at(transition: Transition) -> datetime | None:
    """Return when the API says that this status began; it does so for the ends of a job.

    A first sight has none: the job was not watched when its status began, so nothing was detected late.
    """
    if transition.reason is Reason.FIRST_SEEN or not is_terminal(transition.state):
        return None
    return transition.facts.finished_at


def _of_pipeline(version: str, health: HealthSnapshot, now: datetime) -> Iterator[Metric]:
    yield InfoMetricFamily(_PREFIX + "build", "The version that runs.", {"version": version})
    ages = GaugeMetricFamily(
        _PREFIX + "last_successful_poll_age_seconds",
        "Since a source last answered a poll; if it never did, since the start.",
        labels=["source"],
    )
    rejecting = GaugeMetricFamily(
        _PREFIX + "source_rejecting", "Whether a source refuses the watcher until a person acts.", labels=["source"]
    )
    for source, answer in health.last_answers.items():
        ages.add_metric([source], _age(answer or health.since, now))
        rejecting.add_metric([source], 1 if health.rejections.get(source) else 0)
    scans = GaugeMetricFamily(
        _PREFIX + "last_discovery_age_seconds",
        "Since a rule of discovery last saw the list of its source; if it never did, since the start.",
        labels=["rule"],
    )
    for each in health.discovery:
        scans.add_metric([each.rule], _age(each.scanned_at or health.since, now))
    yield from (ages, rejecting, scans)


async def _of_record(context: ServerContext, health: HealthSnapshot, now: datetime) -> list[Metric]:
    counts = await context.store.job_counts()
    recipients = await context.store.pending_deliveries()
    jobs = GaugeMetricFamily(_PREFIX + "jobs", "Watched jobs, by their state.", labels=["source", "state"])
    for (source, state), count in counts.items():
        jobs.add_metric([source, state_label(state)], count)
    pending = GaugeMetricFamily(
        _PREFIX + "pending_deliveries", "Deliveries that are owed to a notifier.", labels=["notifier"]
    )
    ages = GaugeMetricFamily(
        _PREFIX + "oldest_pending_delivery_age_seconds",
        "Since the oldest delivery that is owed to a notifier could have gone out; 0 when none could.",
        labels=["notifier"],
    )
    for notifier in sorted({*health.notifiers, *recipients}):
        its = recipients.get(notifier)
        pending.add_metric([notifier], its.count if its else 0)
        ages.add_metric([notifier], _age(its.oldest, now) if its else 0)
    return [jobs, pending, ages]


def _age(moment: datetime, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0)
