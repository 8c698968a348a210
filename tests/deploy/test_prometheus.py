"""The alerts and the dashboard: Prometheus's own tools accept them, and every metric that they use exists."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.machine import REPOSITORY
from tests.deploy.programs import needed, succeed
from tests.doubles import START, ManualClock, RecordingLog, a_transition
from tests.unit.server.running_server import find_job
from watcher.domain.deliveries import Delivered, Delivery, DeliveryState, after_attempt
from watcher.domain.health import DiscoveryHealth, HealthSnapshot
from watcher.domain.polling_policy import PollOutcome
from watcher.domain.states import JobState
from watcher.server.context import ServerContext, Store
from watcher.server.metrics import PrometheusTelemetry

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules.yml"
DASHBOARD = PROMETHEUS / "dashboard.json"
SEVERITIES = {"critical", "warning", "info"}

METRICS = {
    "finetune_watcher_polls_total": {"source", "outcome"},
    "finetune_watcher_poll_duration_seconds": {"source"},
    "finetune_watcher_jobs": {"source", "state"},
    "finetune_watcher_transitions_total": {"source", "from", "to"},
    "finetune_watcher_detection_delay_seconds": {"source"},
    "finetune_watcher_discovered_jobs_total": {"rule"},
    "finetune_watcher_last_discovery_age_seconds": {"rule"},
    "finetune_watcher_deliveries_total": {"notifier", "outcome"},
    "finetune_watcher_pending_deliveries": {"notifier"},
    "finetune_watcher_oldest_pending_delivery_age_seconds": {"notifier"},
    "finetune_watcher_delivery_latency_seconds": {"notifier"},
    "finetune_watcher_store_transaction_seconds": {"operation"},
    "finetune_watcher_store_errors_total": {"operation"},
    "finetune_watcher_last_successful_poll_age_seconds": {"source"},
    "finetune_watcher_source_rejecting": {"source"},
    "finetune_watcher_build_info": {"version"},
}
"""The metrics that the watcher defines, each with its labels."""
TARGET_LABELS = {"job", "instance"}
"""What Prometheus adds to each."""

SERIES = re.compile(r"\b(finetune_watcher_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*[=!]~?\s*"')
GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
LEGEND_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    """Yield each expression of the dashboard with the title of its panel, for a Prometheus that knows no Grafana."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def expressions() -> list[Any]:
    of_rules = [(rule["alert"], rule["expr"]) for rule in alerts()]
    return [pytest.param(expression, id=where) for where, expression in [*of_rules, *dashboard_expressions()]]


def metric_of(series: str) -> str:
    """Return the metric that a time series belongs to: a histogram makes several."""
    return series if series in METRICS else re.sub(r"_(bucket|count|sum)$", "", series)


def labels_of(metrics: set[str]) -> set[str]:
    return TARGET_LABELS.union(*(METRICS[metric] for metric in metrics))


class EventfulRecord:
    """The part of the store that metrics read: a job and a pending delivery."""

    async def job_counts(self) -> dict[tuple[str, JobState | None], int]:
        return {("openai", JobState.RUNNING): 1}

    async def pending_deliveries(self) -> dict[str, SimpleNamespace]:
        return {"chat": SimpleNamespace(count=1, oldest=START)}


async def exposition_after_one_of_each() -> str:
    """Return the metrics of a watcher after every counted event has happened once."""
    telemetry = PrometheusTelemetry()
    transition = a_transition()
    delivery = Delivery(1, "chat", transition, DeliveryState.PENDING, 0, START, START)
    telemetry.polled("openai", PollOutcome.ANSWERED, seconds=0.1)
    telemetry.moved(transition)
    telemetry.discovered("every", 1)
    telemetry.attempted(after_attempt(delivery, Delivered(), START, jitter=0), START)
    telemetry.stored("record", seconds=0.01)
    telemetry.store_failed("record")
    health = HealthSnapshot(
        START, timedelta(seconds=30), (), 1, {"openai": START}, {}, ("chat",), None, has_condition=False
    )
    health = replace(health, discovery=(DiscoveryHealth("every", "openai", 1, START),))
    record = cast("Store", EventfulRecord())
    return (
        await telemetry.exposition(
            ServerContext(record, ManualClock(), RecordingLog(), "1.0.0", lambda: health, find_job)
        )
    ).decode()


async def test_the_watcher_has_these_metrics_with_these_labels() -> None:
    exposed: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(await exposition_after_one_of_each()):
        for sample in family.samples:
            if sample.name.startswith("finetune_watcher_"):
                exposed.setdefault(metric_of(sample.name), set()).update(sample.labels.keys() - {"le"})
    assert exposed == METRICS


async def test_promtool_finds_no_fault_with_the_metrics(promtool: str) -> None:
    text = await exposition_after_one_of_each()
    assert succeed(promtool, "check", "metrics", stdin=text) == ""


@pytest.fixture
def promtool() -> str:
    return needed("promtool", "Debian's prometheus")


def test_promtool_accepts_the_rules(promtool: str) -> None:
    assert f"{len(alerts())} rules found" in succeed(promtool, "check", "rules", RULES)


def test_each_alert_fires_when_it_should_and_not_otherwise(promtool: str) -> None:
    succeed(promtool, "test", "rules", PROMETHEUS / "rules.test.yml")


def test_each_alert_is_tested_both_ways() -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules.test.yml").read_text(encoding="utf-8"))["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts()}
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == names
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == names


def test_promtool_accepts_the_configuration(promtool: str, tmp_path: Path) -> None:
    """The file of the token is laid beside it first, as the comment there says."""
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "watcher-token").write_text("a-token", encoding="utf-8")
    assert "1 rule files found" in succeed(promtool, "check", "config", tmp_path / "prometheus.yml")


def test_amtool_accepts_the_configuration_of_alertmanager() -> None:
    amtool = needed("amtool", "Debian's prometheus-alertmanager")
    succeed(amtool, "check-config", PROMETHEUS / "alertmanager.yml")


def test_alertmanager_silences_alerts_that_exist() -> None:
    """A misspelt name in an inhibition would have no effect, without any error."""
    rules = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8"))["inhibit_rules"]
    matchers = [matcher for rule in rules for matcher in rule["source_matchers"] + rule["target_matchers"]]
    names = [rule["alert"] for rule in alerts()]
    for matcher in matchers:
        label, pattern = re.split(r"\s*=~?\s*", matcher)
        assert label == "alertname"
        assert any(re.fullmatch(pattern.strip('"'), name) for name in names), matcher


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in alerts()])
def test_an_alert_says_what_how_bad_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"deploy/README.md#alert-{rule['alert'].lower()}"


@pytest.mark.parametrize("name", [rule["alert"] for rule in alerts()])
def test_the_guide_has_a_section_for_each_alert(name: str) -> None:
    """The heading `Alert: Name` is what the anchor `#alert-name` leads to."""
    guide = (REPOSITORY / "deploy" / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^#+ Alert: {name}$", guide, re.MULTILINE)


@pytest.mark.parametrize("expression", expressions())
def test_metrics_and_labels_asked_for_exist(expression: str) -> None:
    series = SERIES.findall(expression)
    assert series or "up{" in expression
    for name, matchers in series:
        assert metric_of(name) in METRICS
        assert set(MATCHER.findall(matchers)) <= labels_of({metric_of(name)})
    metrics = {metric_of(name) for name, _ in series}
    for names in GROUPING.findall(expression):
        assert set(re.split(r",\s*", names)) <= labels_of(metrics) | {"le"}


def test_each_metric_has_a_panel() -> None:
    shown = {metric_of(name) for _, expression in dashboard_expressions() for name, _ in SERIES.findall(expression)}
    assert shown == METRICS.keys()


def test_promtool_parses_the_expressions_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    """Each is given to it as a rule, since it reads no dashboards."""
    rules = [{"record": f"panel:{i}", "expr": expr} for i, (_, expr) in enumerate(dashboard_expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in succeed(promtool, "check", "rules", file)


@pytest.mark.parametrize("panel", [pytest.param(panel, id=panel["title"]) for panel in panels()])
def test_a_panel_is_explained_and_its_legend_names_labels_it_kept(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    for target in panel["targets"]:
        kept = {label for names in GROUPING.findall(target["expr"]) for label in re.split(r",\s*", names)}
        assert set(LEGEND_LABEL.findall(target["legendFormat"])) <= kept


def test_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
