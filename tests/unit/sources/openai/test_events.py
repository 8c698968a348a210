"""The progress of a job is read from its newest metrics, in any order and among other events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.domain.jobs import Progress
from watcher.errors import MalformedResponseError
from watcher.sources.openai.events import parse_events

CREATED = 1_795_521_600
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def metrics(step: object = 30, total_steps: object = 90, created_at: object = CREATED) -> dict[str, object]:
    data = {"step": step, "total_steps": total_steps, "train_loss": 0.5}
    return {"object": "fine_tuning.job.event", "created_at": created_at, "type": "metrics", "data": data}


def message(created_at: int = CREATED + 100, data: object = None) -> dict[str, object]:
    return {"object": "fine_tuning.job.event", "created_at": created_at, "type": "message", "data": data}


def progress_in(given: bytes) -> Progress | None:
    return parse_events(given, None).progress


def body(*events: object) -> bytes:
    return json.dumps({"object": "list", "data": events, "has_more": True}).encode()


def test_the_newest_metrics_say_how_far_the_job_has_come() -> None:
    older, newer = metrics(step=20, created_at=CREATED - 10), metrics(step=30)
    for events in ([newer, older], [older, newer]):
        assert progress_in(body(message(), *events, message(data={}))) == Progress(30, 90, AT)


def test_of_events_in_the_same_second_the_furthest_step_counts() -> None:
    assert progress_in(body(metrics(31), metrics(33), metrics(32))) == Progress(33, 90, AT)


def test_a_job_that_has_begun_anew_is_where_its_newest_metrics_say() -> None:
    assert progress_in(body(metrics(5), metrics(80, created_at=CREATED - 10))) == Progress(5, 90, AT)


def test_other_services_write_the_time_and_numbers_in_their_own_way() -> None:
    assert progress_in(body(metrics("30", 90.0, "2026-11-24T12:00:00Z"))) == Progress(30, 90, AT)


def test_a_job_may_be_at_the_first_step_or_the_last() -> None:
    assert progress_in(body(metrics(0, 90))) == Progress(0, 90, AT)
    assert progress_in(body(metrics(90, 90))) == Progress(90, 90, AT)


@pytest.mark.parametrize(
    "unusable",
    [
        None,
        "event",
        {},
        metrics(step=91),
        metrics(step=-1),
        metrics(step=None),
        metrics(step=True),
        metrics(step=1.5),
        metrics(created_at=None),
        metrics(created_at=0),
        message(),
        message(data={}),
        message(data=[1]),
    ],
    ids=str,
)
def test_an_event_that_does_not_say_is_passed_over(unusable: object) -> None:
    assert progress_in(body(unusable, metrics(step=7))) == Progress(7, 90, AT)
    assert progress_in(body(unusable)) is None


@pytest.mark.parametrize("empty", [body(), b'{"data": null}'])
def test_no_events_say_nothing(empty: bytes) -> None:
    assert progress_in(empty) is None


@pytest.mark.parametrize("given_body", [b"", b"<html>", b"[]", b"{}", b'{"data": 3}', b"\xff"])
def test_what_is_no_list_is_malformed(given_body: bytes) -> None:
    with pytest.raises(MalformedResponseError, match="malformed answer: it"):
        progress_in(given_body)


ANY_VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.lists(st.builds(metrics, ANY_VALUE, ANY_VALUE, ANY_VALUE | st.just(CREATED)) | ANY_VALUE))
def test_whatever_the_events_say_the_progress_is_possible(events: list[Any]) -> None:
    progress = progress_in(body(*events))
    assert progress is None or 0 <= progress.done <= (progress.total or progress.done)
