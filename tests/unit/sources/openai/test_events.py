"""The progress of a job is read from its newest metrics, in any order and among other events."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.sources.conftest import SAMPLES
from watcher.domain.jobs import JobKey, Progress
from watcher.domain.states import JobState
from watcher.domain.telemetry import Checkpoint, EventPage, Milestone
from watcher.errors import MalformedResponseError
from watcher.sources.openai.events import parse_checkpoints, parse_events
from watcher.sources.openai.wire import parse

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


def test_messages_say_when_the_job_entered_a_state() -> None:
    said = ["Validating training file: f", "Files validated, moving job to queued state", "Fine-tuning job started"]
    events = [{**message(CREATED + number), "message": words} for number, words in enumerate([*said, "Job succeeded."])]
    assert parse_events(body(*events), None).milestones == (
        Milestone(JobState.VALIDATING, AT),
        Milestone(JobState.QUEUED, AT + timedelta(seconds=1)),
        Milestone(JobState.RUNNING, AT + timedelta(seconds=2)),
    )


def numbered(*numbers: int, more: bool = False) -> bytes:
    events = [{**metrics(step=number, created_at=CREATED + number), "id": f"ftevent-{number}"} for number in numbers]
    return json.dumps({"data": events, "has_more": more}).encode()


def steps(page: EventPage) -> list[int]:
    return [point.step for point in page.points]


def test_pages_of_the_newest_first_lead_back_to_what_is_known() -> None:
    first = parse_events(numbered(4, 3), None)
    assert (steps(first), first.has_more) == ([3, 4], False)
    second = parse_events(numbered(9, 8, more=True), first.cursor)
    assert (steps(second), second.has_more) == ([8, 9], True)
    third = parse_events(numbered(7, 6, more=True), second.cursor)
    assert (steps(third), third.has_more) == ([6, 7], True)
    fourth = parse_events(numbered(5, 4, 3, more=True), third.cursor)
    assert (steps(fourth), fourth.has_more) == ([5], False)
    assert parse_events(numbered(9, 8, more=True), fourth.cursor).points == ()


def test_pages_of_the_oldest_first_go_on_behind_what_is_known() -> None:
    first = parse_events(numbered(1, 2, more=True), None)
    assert (steps(first), first.has_more) == ([1, 2], True)
    second = parse_events(numbered(3, 4), first.cursor)
    assert steps(second) == [3, 4]
    nothing = parse_events(body(), second.cursor)
    assert (nothing.has_more, nothing.cursor) == (False, second.cursor)


def test_an_event_that_speaks_of_a_checkpoint_leads_to_the_checkpoints() -> None:
    told = {**message(CREATED), "id": "ftevent-1", "message": "The job has successfully completed"}
    page = parse_events(json.dumps({"data": [told]}).encode(), None)
    assert [event.message for event in page.events] == ["The job has successfully completed"]
    assert page.has_more
    entry = {"id": "ftckpt-1", "step_number": 7, "created_at": CREATED, "metrics": {"step": 7, "full_valid_loss": 0.5}}
    saved = parse_checkpoints(body(entry, {"id": "x y"}, None), page.cursor)
    assert saved.checkpoints == (Checkpoint("ftckpt-1", 7, AT, None, {"full_valid_loss": 0.5}),)
    assert not saved.has_more


def test_a_loss_may_be_no_number_and_stays_so() -> None:
    data = '{"step": 3, "train_loss": NaN, "valid_loss": "Infinity", "note": "x", "on": true, "n": 1e999, "big": 9}'
    text = '{"data": [{"created_at": 1795521600, "data": ' + data.replace("9}", "9" * 400 + "}") + "}]}"
    points = {point.series: point.value for point in parse_events(text.encode(), None).points}
    assert math.isnan(points.pop("train_loss"))
    assert points == {"valid_loss": math.inf, "n": math.inf}


@pytest.mark.parametrize("cursor", ["", "x", "a b c", "a b c d e", "\x00 - - events", " - - events"])
def test_a_cursor_that_cannot_be_read_is_the_beginning(cursor: str) -> None:
    assert steps(parse_events(numbered(2, 1), cursor)) == [1, 2]


def test_the_recorded_events_of_azure_say_the_step_and_no_total() -> None:
    page = parse_events((SAMPLES / "azure-events.json").read_bytes(), None)
    assert page.progress is not None
    assert (page.progress.done, page.progress.total) == (100, None)
    assert {point.series: point.value for point in page.points}["full_valid_loss"] == 2.279
    assert page.events[0].message == "Job succeeded."


@pytest.mark.parametrize(("total", "told"), [(None, None), (4, Progress(3, 4, AT)), (2, None)])
def test_a_job_object_may_say_how_far_the_job_is(total: object, told: Progress | None) -> None:
    recorded = json.loads((SAMPLES / "nebius-running.json").read_bytes())
    document = {**recorded, "trained_steps": 3, "total_steps": total}
    assert parse(json.dumps(document).encode(), JobKey("nebius", recorded["id"]), AT).progress == told


def test_bedrocks_metrics_keep_their_own_names() -> None:
    recorded = json.loads((SAMPLES / "bedrock-mantle-event-metrics.json").read_bytes())
    page = parse_events(json.dumps({"data": [recorded]}).encode(), None)
    assert {point.series for point in page.points} == recorded["data"].keys() - {"step", "total_steps"}
    assert page.progress == Progress(4, 67, datetime.fromtimestamp(recorded["created_at"], UTC))
