"""The metrics that Prometheus reads."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.programs import needed
from tests.doubles import START, ManualClock, a_transition
from tests.unit.server.running_server import Site, a_health_snapshot, see, watch
from watcher.domain.deliveries import (
    Broken,
    Delivered,
    Delivery,
    DeliveryState,
    Failed,
    Outcome,
    Rejected,
    Settlement,
    SettlementReason,
    after_attempt,
)
from watcher.domain.health import DiscoveryHealth
from watcher.domain.jobs import JobFacts
from watcher.domain.polling_policy import PollOutcome
from watcher.domain.transitions import Reason
from watcher.engine.ports import ClaimRequest
from watcher.errors import StoreError, StoreUnavailableError
from watcher.server.metrics import PrometheusTelemetry
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREFIX = "finetune_watcher_"
MINUTE = timedelta(minutes=1)

LABELS = {
    "polls": {"source", "outcome"},
    "poll_duration_seconds": {"source", "le"},
    "jobs": {"source", "state"},
    "transitions": {"source", "from", "to"},
    "detection_delay_seconds": {"source", "le"},
    "deliveries": {"notifier", "outcome"},
    "pending_deliveries": {"notifier"},
    "oldest_pending_delivery_age_seconds": {"notifier"},
    "delivery_latency_seconds": {"notifier", "le"},
    "store_transaction_seconds": {"operation", "le"},
    "store_errors": {"operation"},
    "last_successful_poll_age_seconds": {"source"},
    "source_rejecting": {"source"},
    "build_info": {"version"},
    "discovered_jobs": {"rule"},
    "last_discovery_age_seconds": {"rule"},
}
"""Every family of ours, with all its labels."""

Samples = Mapping[tuple[str, ...], float]
"""Values by name, without the prefix, and values of labels in the order of their names."""


async def scrape(site: Site, **parts: object) -> Samples:
    async with site(**parts) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples_of(answer.text)


def samples_of(text: str) -> Samples:
    return {
        (sample.name.removeprefix(PREFIX), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def attempt(telemetry: PrometheusTelemetry, outcome: Outcome, at: datetime = START + 90 * timedelta(seconds=1)) -> None:
    """Tell of an attempt to deliver a transition that was observed at the start."""
    delivery = Delivery(
        1, "pager", a_transition(observed_at=START), DeliveryState.PENDING, 0, START, START + timedelta(hours=72)
    )
    telemetry.attempted(after_attempt(delivery, outcome, at, 0), at)


def use_everything(telemetry: PrometheusTelemetry) -> None:
    """Tell of at least one of everything that can be told."""
    telemetry.polled("openai", PollOutcome.ANSWERED, 0.3)
    telemetry.moved(a_transition())
    attempt(telemetry, Delivered())
    telemetry.stored("record", 0.002)
    telemetry.store_failed("record")
    telemetry.discovered("nlp", 2)


async def test_polls_are_counted_by_outcome_and_timed(site: Site, telemetry: PrometheusTelemetry) -> None:
    for outcome in (*PollOutcome, PollOutcome.ANSWERED):
        telemetry.polled("openai", outcome, 0.3)
    samples = await scrape(site)
    counts = {outcome: samples["polls_total", outcome, "openai"] for outcome in PollOutcome}
    assert counts == {"answered": 2, "failed": 1, "missing": 1, "rejected": 1}
    assert samples["poll_duration_seconds_bucket", "0.25", "openai"] == 0
    assert samples["poll_duration_seconds_bucket", "0.5", "openai"] == 5
    assert samples["poll_duration_seconds_sum", "openai"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("before", "after", "labels"),
    [
        (None, "queued", ("unseen", "queued")),
        ("running", "succeeded", ("running", "succeeded")),
        ("validating_files", "compressing", ("validating", "unknown")),
    ],
)
async def test_transitions_are_counted_by_a_closed_set_of_states(
    site: Site, telemetry: PrometheusTelemetry, before: str | None, after: str, labels: tuple[str, str]
) -> None:
    telemetry.moved(a_transition(previous_status=before, status=after))
    assert (await scrape(site))["transitions_total", labels[0], "openai", labels[1]] == 1


@pytest.mark.parametrize(
    ("status", "reason", "facts", "delay"),
    [
        ("succeeded", Reason.ADVANCED, JobFacts(created_at=START - 9 * MINUTE, finished_at=START - 2 * MINUTE), 120),
        ("failed", Reason.ADVANCED, JobFacts(created_at=START - 9 * MINUTE), None),
        ("queued", Reason.FIRST_SEEN, JobFacts(created_at=START - MINUTE), None),
        ("succeeded", Reason.FIRST_SEEN, JobFacts(finished_at=START - 360 * MINUTE), None),
        ("running", Reason.ADVANCED, JobFacts(created_at=START - MINUTE), None),
        ("succeeded", Reason.ADVANCED, JobFacts(finished_at=START + MINUTE), None),
        ("succeeded", Reason.ADVANCED, JobFacts(finished_at=START), 0),
    ],
)
async def test_the_delay_of_detection_is_told_where_the_api_gives_a_time(
    site: Site, telemetry: PrometheusTelemetry, status: str, reason: Reason, facts: JobFacts, delay: float | None
) -> None:
    telemetry.moved(a_transition(status=status, reason=reason, facts=facts, observed_at=START))
    assert (await scrape(site)).get(("detection_delay_seconds_sum", "openai")) == delay


@pytest.mark.parametrize(
    ("outcome", "at", "label"),
    [
        (Delivered(), START, "delivered"),
        (Failed("503"), START, "failed"),
        (Failed("429", retry_after=MINUTE), START, "failed"),
        (Rejected("410"), START, "rejected"),
        (Failed("503"), START + timedelta(hours=73), "gave_up"),
        (Broken("internal error"), START, "failed"),
    ],
)
async def test_attempts_to_deliver_are_counted_by_outcome(
    site: Site, telemetry: PrometheusTelemetry, outcome: Outcome, at: datetime, label: str
) -> None:
    attempt(telemetry, outcome, at)
    counted = {key: value for key, value in (await scrape(site)).items() if key[0] == "deliveries_total"}
    assert counted == {("deliveries_total", "pager", label): 1}


@pytest.mark.parametrize("why", SettlementReason)
async def test_whatever_an_attempt_came_to_is_counted(
    site: Site, telemetry: PrometheusTelemetry, why: SettlementReason
) -> None:
    delivery = Delivery(1, "pager", a_transition(), DeliveryState.PENDING, 0, START, START)
    telemetry.attempted(Settlement(delivery, DeliveryState.PENDING, why, START, None), START)
    assert sum(value for key, value in (await scrape(site)).items() if key[0] == "deliveries_total") == 1


async def test_only_what_was_delivered_has_a_latency(site: Site, telemetry: PrometheusTelemetry) -> None:
    attempt(telemetry, Failed("503"))
    attempt(telemetry, Delivered())
    samples = await scrape(site)
    assert (samples["delivery_latency_seconds_sum", "pager"], samples["delivery_latency_seconds_count", "pager"]) == (
        90,
        1,
    )


async def test_jobs_and_what_is_owed_are_read_from_the_record(site: Site, store: SqlStore, clock: ManualClock) -> None:
    await watch(store, "one", "two", "three", "four")
    await watch(store, "five", source="azure")
    await see(store, "one", "queued", recipients=("pager", "gone"))
    await see(store, "two", "paused")
    await see(store, "three", "compressing", recipients=("gone",))
    clock.move(seconds=50)
    samples = await scrape(site, health=a_health_snapshot(notifiers=("pager", "chat")))
    assert {key: value for key, value in samples.items() if key[0] == "jobs"} == {
        ("jobs", "azure", "unseen"): 1,
        ("jobs", "openai", "queued"): 1,
        ("jobs", "openai", "paused"): 1,
        ("jobs", "openai", "unknown"): 1,
        ("jobs", "openai", "unseen"): 1,
    }
    pending = {name: samples["pending_deliveries", name] for name in ("pager", "chat", "gone")}
    assert pending == {"pager": 1, "chat": 0, "gone": 2}
    ages = {name: samples["oldest_pending_delivery_age_seconds", name] for name in ("pager", "chat", "gone")}
    assert ages == {"pager": 50, "chat": 0, "gone": 50}


async def test_the_age_of_the_last_answer_counts_from_the_start_where_there_was_none(
    site: Site, clock: ManualClock
) -> None:
    clock.move(seconds=100)
    answers = {"openai": START + MINUTE, "azure": None}
    samples = await scrape(
        site, health=a_health_snapshot(last_answers=answers, rejections={"azure": "401", "openai": None})
    )
    assert samples["last_successful_poll_age_seconds", "openai"] == 40
    assert samples["last_successful_poll_age_seconds", "azure"] == 100
    assert (samples["source_rejecting", "openai"], samples["source_rejecting", "azure"]) == (0, 1)


async def test_rules_tell_what_they_brought_and_when_they_looked(
    site: Site, telemetry: PrometheusTelemetry, clock: ManualClock
) -> None:
    clock.move(seconds=100)
    telemetry.discovered("nlp", 2)
    telemetry.discovered("nlp", 3)
    rules = [DiscoveryHealth("nlp", "openai", 5, START + MINUTE), DiscoveryHealth("new", "openai", 0, None)]
    samples = await scrape(site, health=a_health_snapshot(discovery=rules))
    assert samples["discovered_jobs_total", "nlp"] == 5
    assert samples["last_discovery_age_seconds", "nlp"] == 40
    assert samples["last_discovery_age_seconds", "new"] == 100


async def test_the_version_and_the_process_are_shown(site: Site) -> None:
    samples = await scrape(site)
    assert samples["build_info", "1.2.3"] == 1
    assert samples["process_resident_memory_bytes",] > 1_000_000
    assert any(name == "python_info" for name, *_ in samples)


async def test_the_store_times_its_transactions_and_counts_those_that_failed(
    site: Site, store: SqlStore, tmp_path: Path
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "queued", recipients=("pager",))
    await store.claim_due({"openai": ClaimRequest(1, START)}, START)
    (claimed,) = await store.claim({"pager": 1}, START, START + MINUTE)
    await store.settle([after_attempt(claimed, Delivered(), START, 0)])
    with closing(sqlite3.connect(tmp_path / "watcher.db")) as connection:
        connection.execute("ALTER TABLE delivery RENAME TO lost")
    with pytest.raises(StoreError):
        await store.deliveries()
    samples = await scrape(site)
    for operation in ("upsert_jobs", "claim_due", "record", "claim", "settle"):
        assert samples["store_transaction_seconds_count", operation] == 1, operation
    assert samples["store_errors_total", "list_deliveries"] == 1
    assert ("store_transaction_seconds_count", "list_deliveries") not in samples


async def test_without_the_record_the_rest_is_still_shown(site: Site, telemetry: PrometheusTelemetry) -> None:
    class Unavailable:
        async def job_counts(self) -> None:
            raise StoreUnavailableError("busy")

    use_everything(telemetry)
    samples = await scrape(site, instead=Unavailable())
    assert samples["store_errors_total", "record"] == 1
    assert not any(name in {"jobs", "pending_deliveries"} for name, *_ in samples)


async def test_there_are_exactly_these_metrics_with_these_labels(
    site: Site, store: SqlStore, telemetry: PrometheusTelemetry
) -> None:
    use_everything(telemetry)
    await watch(store, "ftjob-1")
    async with site() as client:
        text = (await client.get("/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(family.name, set()).update(sample.labels)
    assert {name.removeprefix(PREFIX): labels for name, labels in found.items() if name.startswith(PREFIX)} == LABELS
    assert "_created" not in text
    assert "ftjob" not in text


async def test_two_meters_count_apart(site: Site, telemetry: PrometheusTelemetry) -> None:
    use_everything(PrometheusTelemetry())
    assert ("polls_total", "answered", "openai") not in await scrape(site)


async def test_prometheus_finds_nothing_to_complain_of(
    site: Site, store: SqlStore, telemetry: PrometheusTelemetry
) -> None:
    promtool = needed("promtool", "Debian's package prometheus")
    use_everything(telemetry)
    await watch(store, "ftjob-1")
    async with site() as client:
        text = (await client.get("/metrics")).content
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)  # noqa: ASYNC221 - nothing else waits
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
