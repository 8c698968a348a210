"""Batches at OpenAI and Azure: asked for by their ids, told as OpenAI's own webhooks tell of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.doubles import ManualClock, RecordingLog
from watcher.domain.jobs import Job, JobError, Observation
from watcher.domain.messages import message_of
from watcher.domain.states import JobState
from watcher.domain.telemetry import EventPage
from watcher.domain.transitions import Reason, detect, moved
from watcher.errors import MalformedResponseError, MissingError
from watcher.plugins.registry import sources
from watcher.plugins.source import Source, SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, JobScript, Script, Step

BATCH = "batch_1"
WORDS = {
    "validating": JobState.VALIDATING,
    "in_progress": JobState.RUNNING,
    "finalizing": JobState.RUNNING,
    "cancelling": JobState.UNKNOWN,
    "completed": JobState.SUCCEEDED,
    "failed": JobState.FAILED,
    "expired": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
}
LIFE = JobScript(
    BATCH,
    (
        *(Step("validating", lasts=timedelta(minutes=1)), Step("in_progress", lasts=timedelta(hours=2))),
        *(Step("finalizing", lasts=timedelta(minutes=5)), Step("completed")),
    ),
)
every_service = pytest.mark.parametrize("dialect", [DialectName.OPENAI, DialectName.AZURE])


async def at_once(seconds: float) -> None:
    """Wait not at all between attempts."""


@asynccontextmanager
async def asking(
    dialect: DialectName, *jobs: JobScript, **settings: Any
) -> AsyncIterator[tuple[Source, FineTuningApi, ManualClock]]:
    clock = ManualClock()
    async with FineTuningApi(Script(jobs, api_key="sk-1", dialect=dialect), clock=clock) as api:
        plugin = sources.plugin(dialect)
        address = "endpoint" if dialect is DialectName.AZURE else "base_url"
        config = plugin.config.model_validate({address: api.base_url, "api_key": "sk-1", **settings})
        context = SourceContext("lab", clock, RecordingLog(), event_word=plugin.event_word, sleep=at_once)
        async with plugin.build(config, context) as source:
            yield source, api, clock


async def observed(job: JobScript, dialect: DialectName = DialectName.OPENAI) -> Observation:
    async with asking(dialect, job) as (source, _, _clock):
        observation = await source.retrieve(job.id)
    assert observation is not None
    return observation


@every_service
@pytest.mark.parametrize(("status", "state"), WORDS.items())
async def test_each_status_has_a_state_and_the_type_of_openais_webhooks(
    status: str, state: JobState, dialect: DialectName
) -> None:
    seen = await observed(JobScript(BATCH, (Step(status),)), dialect)
    assert (seen.status, seen.state) == (status, state)
    transition = detect(Job(seen.key), seen)
    assert transition is not None
    assert transition.type == f"batch.{status}"
    assert message_of(transition).data["status"] == status


@every_service
async def test_a_batch_lives_without_skipping_what_there_is_not(dialect: DialectName) -> None:
    job, told = Job(key=(await observed(LIFE, dialect)).key), []
    async with asking(dialect, LIFE) as (source, _, clock):
        for minutes in (0, 1, 120, 5):
            clock.move(minutes=minutes)
            seen = await source.retrieve(BATCH)
            assert seen is not None
            transition = detect(job, seen)
            assert transition is not None
            job = moved(job, transition)
            told.append((transition.status, transition.reason, transition.skipped))
    assert told == [
        ("validating", Reason.FIRST_SEEN, ()),
        ("in_progress", Reason.ADVANCED, ()),
        ("finalizing", Reason.ADVANCED, ()),
        ("completed", Reason.ADVANCED, ()),
    ]
    assert seen is not None
    facts = seen.facts
    assert (facts.finished_at, facts.error, facts.fine_tuned_model) == (seen.at, None, None)
    assert facts.created_at == seen.at - timedelta(minutes=126)


async def test_a_completed_batch_tells_of_the_requests_that_failed() -> None:
    seen = await observed(JobScript(BATCH, (Step("completed"),)))
    transition = detect(Job(seen.key), seen)
    assert transition is not None
    facts = {fact.label: fact.value for fact in message_of(transition).facts}
    assert facts["Requests"] == "97 of 100 completed, 3 failed"
    assert facts["Error file"].startswith("file-")
    assert facts["Output file"].startswith("file-")


async def test_without_failures_there_are_none_told_of() -> None:
    counts = {"request_counts": {"total": 1200, "completed": 1200, "failed": 0}, "error_file_id": ""}
    seen = await observed(JobScript(BATCH, (Step("completed"),), fields=counts))
    assert [label for label, _ in seen.facts.more] == ["Requests", "Output file"]
    assert seen.facts.more[0][1] == "1,200 of 1,200 completed"


LINE = {"code": "invalid_json_line", "message": "not JSON", "param": None, "line": 3}


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([LINE], JobError("invalid_json_line", "line 3: not JSON")),
        ([LINE, LINE, 5], JobError("invalid_json_line", "line 3: not JSON (and 1 more)")),
        ([{"code": "empty_file", "message": "empty"}], JobError("empty_file", "empty")),
        ([{"code": "empty_file"}], JobError("empty_file")),
        ([], None),
        (None, None),
    ],
)
async def test_the_first_error_is_told(errors: Any, told: JobError | None) -> None:
    fields = {"errors": {"object": "list", "data": errors}}
    assert (await observed(JobScript(BATCH, (Step("failed"),), fields=fields))).facts.error == told


@every_service
async def test_a_batch_and_a_job_lie_at_their_own_paths(dialect: DialectName) -> None:
    jobs = (JobScript(BATCH, (Step("validating"),)), JobScript("ftjob-1", (Step("running"),)))
    async with asking(dialect, *jobs) as (source, api, _):
        for job_id in (BATCH, "ftjob-1"):
            assert await source.retrieve(job_id) is not None
        with pytest.raises(MissingError):
            await source.retrieve("batch_2")
    base = "/openai/v1" if dialect is DialectName.AZURE else "/v1"
    paths = [f"{base}/batches/{BATCH}", f"{base}/fine_tuning/jobs/ftjob-1", f"{base}/batches/batch_2"]
    assert [request.path for request in api.requests] == paths


@every_service
async def test_the_list_is_that_of_jobs_or_that_of_batches(dialect: DialectName) -> None:
    numbers = range(101)
    jobs = [JobScript("ftjob-1", (Step("running"),))]
    jobs += [JobScript(f"batch_{number}", (Step("validating"),), metadata={"team": "nlp"}) for number in numbers]
    async with asking(dialect, *jobs) as (source, _, _clock):
        assert list((await source.page()).jobs) == ["ftjob-1"]
    async with asking(dialect, *jobs, lists="batches") as (source, _, _clock):
        assert not source.capabilities.filters
        first = await source.page()
        rest = await source.page(first.after)
    assert [*first.jobs, *rest.jobs] == [f"batch_{number}" for number in reversed(numbers)]
    assert rest.after is None
    assert (first.jobs["batch_100"].status, first.jobs["batch_100"].metadata) == ("validating", {"team": "nlp"})


async def test_a_batch_has_no_events() -> None:
    async with asking(DialectName.OPENAI, LIFE) as (source, api, _):
        assert await source.events(BATCH) == EventPage()
    assert api.requests == []


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"total": 100, "completed": 40, "failed": 2}, (42, 100, "requests")),
        ({"total": 100, "completed": None, "failed": None}, (0, 100, "requests")),
        ({"total": 1, "completed": 2, "failed": 0}, None),
        ({"total": 0, "completed": 0, "failed": 0}, None),
        (None, None),
    ],
)
async def test_the_requests_that_were_tried_are_its_progress(counts: Any, told: tuple[int, int, str] | None) -> None:
    seen = await observed(JobScript(BATCH, (Step("in_progress"),), fields={"request_counts": counts}))
    assert (seen.progress and (seen.progress.done, seen.progress.total, seen.progress.unit)) == told


async def test_another_batch_and_no_batch_are_refused() -> None:
    for fields, complaint in ({"id": "batch_2"}, "another job"), ({"status": " "}, "its status is empty"):
        with pytest.raises(MalformedResponseError, match=complaint):
            await observed(JobScript(BATCH, (Step("validating"),), fields=fields))


async def test_the_simulated_object_is_that_of_the_sdk() -> None:
    from openai.types import Batch

    for status in WORDS:
        seen = await observed(JobScript(BATCH, (Step(status),)))
        Batch.model_validate(json.loads(seen.document), strict=True)
