"""Events come whole, metrics from a step on; a page holds what is new of either."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.contract.sources.conftest import SAMPLES
from watcher.domain.states import JobState
from watcher.domain.telemetry import Checkpoint, MetricPoint
from watcher.errors import MalformedResponseError
from watcher.sources.together.dialect import TogetherDialect
from watcher.sources.together.events import parse_events, parse_metrics

AT = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)


def test_the_recorded_answers_are_read_one_after_the_other() -> None:
    events = parse_events((SAMPLES / "together-events.json").read_bytes(), None)
    assert events.has_more
    assert events.progress is not None
    assert (events.progress.done, events.progress.total) == (24, 72)
    begun = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert [(each.state, (each.at - begun).total_seconds()) for each in events.milestones] == [
        (JobState.QUEUED, 0),
        (JobState.RUNNING, 60),
        (JobState.SUCCEEDED, 750),
    ]
    metrics = parse_metrics((SAMPLES / "together-metrics.json").read_bytes(), events.cursor)
    assert not metrics.has_more
    assert MetricPoint("train_loss", 24, 1.234, AT) in metrics.points
    assert MetricPoint("valid_loss", 24, 1.301, AT) in metrics.points
    assert TogetherDialect().events("ft-1", events.cursor).query == ()
    again = parse_events((SAMPLES / "together-events.json").read_bytes(), metrics.cursor)
    assert (again.events, again.progress) == ((), None)
    assert TogetherDialect().events("ft-1", again.cursor).query == (("global_step_from", "25"),)


def test_a_checkpoint_is_told_by_its_event() -> None:
    event = {"created_at": "2026-03-02T09:05:00Z", "step": 24, "checkpoint_path": "s3://a/b"}
    page = parse_events(json.dumps({"data": [event, {**event, "checkpoint_path": "x" * 1025}]}).encode(), None)
    assert page.checkpoints == (Checkpoint("s3://a/b", 24, AT),)


def test_events_that_have_become_fewer_are_all_new() -> None:
    event = {"created_at": "2026-03-02T09:05:00Z", "message": "Job started"}
    assert len(parse_events(json.dumps({"data": [event]}).encode(), "5 - events").events) == 1


@pytest.mark.parametrize("timestamp", [None, True, "soon", -1, 10**40, 0])
def test_a_point_without_a_time_that_can_be_is_left_out(timestamp: object) -> None:
    entry = {"timestamp": timestamp, "train/global_step": 3, "train/loss": 1}
    assert parse_metrics(json.dumps({"metrics": [entry, None, 5]}).encode(), None).points == ()


@pytest.mark.parametrize("cursor", ["", "x", "-1 - metrics", "1 x metrics", "٣ - metrics", "9" * 20 + " - metrics"])
def test_a_cursor_that_cannot_be_read_is_the_beginning(cursor: str) -> None:
    assert TogetherDialect().events("ft-1", cursor).path == "/fine-tunes/ft-1/events"


def test_what_is_no_list_of_metrics_is_refused() -> None:
    with pytest.raises(MalformedResponseError):
        parse_metrics(b"{}", None)
