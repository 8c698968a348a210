"""What is Together's own: why a job failed, when it ended, and how far it has come."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.domain.jobs import JobError, JobFacts, JobKey, Progress
from watcher.domain.states import JobState
from watcher.domain.telemetry import Milestone
from watcher.errors import MalformedResponseError
from watcher.sources.together.events import parse_events
from watcher.sources.together.wire import parse, parse_page

NOW = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
OUTPUT = "example/Meta-Llama-3.1-8B-Instruct-Reference-30b975fd"


def facts(status: str, **fields: Any) -> JobFacts:
    document = {"id": "ft-1", "status": status, "model_output_name": OUTPUT, **fields}
    return parse(json.dumps(document).encode(), JobKey("together", "ft-1"), NOW).facts


def event(minute: int, message: str, **fields: Any) -> dict[str, Any]:
    return {"created_at": f"2026-03-02T09:{minute:02}:00Z", "level": "info", "message": message, "type": "x"} | fields


@pytest.mark.parametrize(
    ("status", "told"),
    [("pending", None), ("running", None), ("uploading", None), ("error", None), ("completed", OUTPUT)],
)
def test_the_name_of_the_result_is_no_sign_of_success(status: str, told: str | None) -> None:
    assert facts(status).fine_tuned_model == told


@pytest.mark.parametrize(
    "of", [{"level": "error"}, {"level": "legacy_ierror"}, {"type": "JOB_USER_ERROR"}, {"type": "billing_limit"}]
)
def test_the_reason_is_the_last_event_that_tells_of_an_error(of: dict[str, str]) -> None:
    events = [
        event(1, "first", level="error"),
        event(3, "the reason", **of),
        event(2, "second", level="error"),
        event(4, "refunded", type="refund"),
        None,
        event(5, "", level="error"),
    ]
    error = facts("user_error", events=events).error
    assert error == JobError(code=of.get("type", "x"), message="the reason")


def test_a_failure_without_such_an_event_has_no_reason() -> None:
    assert facts("error", events=[event(1, "fine")]).error is None
    assert facts("error", events="none").error is None


def test_a_job_that_goes_on_has_no_reason_to_fail() -> None:
    assert facts("running", events=[event(1, "restarted", level="error")]).error is None


def test_a_job_that_was_cancelled_by_the_service_says_why() -> None:
    error = facts("cancelled", events=[event(1, "insufficient balance", level="error")]).error
    assert error is not None
    assert error.message == "insufficient balance"


def test_it_ended_when_it_last_changed() -> None:
    times = {"created_at": "2026-03-02T09:00:00.000Z", "updated_at": "2026-03-02T09:06:00.123456789Z"}
    assert facts("running", **times).finished_at is None
    ended = facts("completed", **times)
    assert ended.created_at == NOW - timedelta(minutes=5)
    assert ended.finished_at == datetime(2026, 3, 2, 9, 6, 0, 123456, UTC)


@pytest.mark.parametrize(
    ("progress", "seconds"),
    [
        ({"estimate_available": True, "seconds_remaining": 120}, 120),
        ({"estimate_available": False, "seconds_remaining": 120}, None),
        ({"estimate_available": True, "seconds_remaining": 0}, None),
        ({"estimate_available": True, "seconds_remaining": 10**15}, 365 * 86_400),
        ({}, None),
        (None, None),
        ("soon", None),
    ],
)
def test_the_time_that_remains_is_reckoned_from_the_answer(progress: object, seconds: int | None) -> None:
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert facts("running", progress=progress).estimated_finish == expected
    assert facts("completed", progress=progress).estimated_finish is None


def test_progress_is_that_of_the_newest_event_that_says_both_steps() -> None:
    events = [
        event(1, "start", step=0, total_steps=0),
        event(3, "epoch", step=48, total_steps=72),
        event(2, "epoch", step=24, total_steps=72),
        event(9, "done", step=0, total_steps=0),
        event(9, "odd", step=99, total_steps=72),
    ]
    progress = parse_events(json.dumps({"data": events}).encode(), None).progress
    assert progress is not None
    assert (progress.done, progress.total) == (48, 72)
    assert parse_events(b'{"data": null}', None).progress is None


def test_all_jobs_come_in_one_page_that_leads_nowhere() -> None:
    jobs = [{"id": f"ft-{number}", "status": "running"} for number in range(1000)]
    page = parse_page(json.dumps({"data": jobs, "has_more": True}).encode())
    assert (len(page.jobs), page.after) == (1000, None)


def test_a_listed_job_is_named_by_the_model_it_makes() -> None:
    job = {"id": "ft-1", "status": "running", "model": "llama", "model_output_name": "me/llama-bot-1", "name": "x"}
    listed = parse_page(json.dumps({"data": [job | {"created_at": "2026-03-02T09:00:00.000Z"}]}).encode()).jobs["ft-1"]
    assert (listed.model, listed.name) == ("llama", "me/llama-bot-1")
    assert listed.created_at == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(MalformedResponseError, match="it has no data"):
        parse_page(b"{}")


def test_the_object_says_when_states_began_and_how_far_it_has_come() -> None:
    events = [
        *(event(0, "created", type="job_pending"), event(1, "started", type="JOB_START"), None),
        event(4, "epoch 1", type="epoch_complete", step=24, total_steps=72),
    ]
    document = {"id": "ft-1", "status": "uploading", "started_at": "2026-03-02T09:04:30Z", "events": events}
    key = JobKey("together", "ft-1")
    seen = parse(json.dumps(document).encode(), key, NOW)
    assert seen.progress == Progress(24, 72, NOW - timedelta(minutes=1))
    assert seen.milestones == (
        Milestone(JobState.QUEUED, NOW - timedelta(minutes=5)),
        Milestone(JobState.RUNNING, NOW - timedelta(minutes=4)),
        Milestone(JobState.RUNNING, NOW - timedelta(seconds=30)),
    )
    ended = parse(json.dumps({**document, "status": "completed", "events": None}).encode(), key, NOW)
    assert (ended.progress, ended.milestones) == (None, ())
