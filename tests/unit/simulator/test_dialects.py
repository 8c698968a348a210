"""The same script in the words of each service, asked through the source of that kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import ManualClock, RecordingLog
from watcher.domain.states import JobState
from watcher.errors import MissingError, RejectedError
from watcher.plugins.registry import sources
from watcher.plugins.source import Source, SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, JobScript, Script, Step
from watcher.simulator.script_file import load_script

KEY = "sk-right-0123"
SETTINGS: dict[DialectName, Callable[[str], dict[str, Any]]] = {
    DialectName.OPENAI: lambda url: {"base_url": url},
    DialectName.AZURE: lambda url: {"endpoint": url},
    DialectName.TOGETHER: lambda url: {"base_url": url},
}
LIFE = JobScript(
    "ft-1",
    (
        *(Step("validating_files", lasts=timedelta(minutes=1)), Step("queued", lasts=timedelta(minutes=1))),
        *(Step("running", lasts=timedelta(minutes=10)), Step("succeeded")),
    ),
    suffix="mine",
)
every_dialect = pytest.mark.parametrize("dialect", DialectName)


class World:
    """A simulated service, and the source of its kind."""

    def __init__(self, api: FineTuningApi, source: Source, clock: ManualClock) -> None:
        self.api = api
        self.source = source
        self.clock = clock


@asynccontextmanager
async def world(dialect: DialectName, *jobs: JobScript, key: str = KEY) -> AsyncIterator[World]:
    clock = ManualClock()
    async with FineTuningApi(Script(jobs, api_key=KEY, dialect=dialect), clock=clock) as api:
        plugin = sources.plugin(dialect)
        config = plugin.config.model_validate({"api_key": key, **SETTINGS[dialect](api.base_url)})
        async with plugin.build(config, SourceContext("lab", clock, RecordingLog())) as source:
            yield World(api, source, clock)


@every_dialect
async def test_a_job_lives_as_its_script_says(dialect: DialectName) -> None:
    lived = []
    async with world(dialect, LIFE) as w:
        for minutes in (0, 1, 1, 10):
            w.clock.move(minutes=minutes)
            observation = await w.source.retrieve("ft-1")
            assert observation is not None
            lived.append(observation)
    first = JobState.QUEUED if dialect is DialectName.TOGETHER else JobState.VALIDATING
    assert [seen.state for seen in lived] == [first, JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
    running, end = lived[2].facts, lived[3].facts
    assert end.fine_tuned_model
    assert [seen.facts.fine_tuned_model for seen in lived[:3]] == [None] * 3
    assert (end.finished_at, end.error, end.trained_tokens) == (lived[3].at, None, 1_234_567)
    assert (
        running.estimated_finish is None
        if dialect is DialectName.AZURE
        else running.estimated_finish == end.finished_at
    )


@every_dialect
async def test_a_failure_has_a_reason(dialect: DialectName) -> None:
    job = JobScript("ft-1", (Step("failed"),), error={"message": "line 3 is not valid JSON", "code": "bad_file"})
    async with world(dialect, job) as w:
        observation = await w.source.retrieve("ft-1")
    assert observation is not None
    assert observation.state is JobState.FAILED
    assert observation.facts.error is not None
    assert observation.facts.error.message == "line 3 is not valid JSON"


@every_dialect
async def test_the_list_says_what_a_retrieve_says(dialect: DialectName) -> None:
    words = ["queued", "running", "succeeded", "failed", "cancelled"]
    jobs = [JobScript(f"ft-{word}", (Step(word),)) for word in words]
    async with world(dialect, *jobs) as w:
        page = await w.source.page()
        for job in jobs:
            observation = await w.source.retrieve(job.id)
            assert observation is not None
            assert observation.status == page.jobs[job.id].status


@every_dialect
async def test_progress_is_told_as_far_as_the_service_tells_it(dialect: DialectName) -> None:
    async with world(dialect, LIFE) as w:
        w.clock.move(minutes=7)
        progress = (await w.source.events("ft-1")).progress
    assert progress is not None
    steps = 40 if dialect is DialectName.TOGETHER else 50
    total = None if dialect is DialectName.AZURE else 100
    assert (progress.done, progress.total) == (steps, total)


@every_dialect
async def test_a_job_that_is_not_there_is_missing(dialect: DialectName) -> None:
    async with world(dialect) as w:
        with pytest.raises(MissingError, match="ft-9"):
            await w.source.retrieve("ft-9")


@every_dialect
async def test_a_wrong_key_is_refused(dialect: DialectName) -> None:
    async with world(dialect, LIFE, key="sk-wrong-99") as w:
        with pytest.raises(RejectedError, match="HTTP 401"):
            await w.source.retrieve("ft-1")


@every_dialect
async def test_words_of_the_service_stay_as_they_are(dialect: DialectName) -> None:
    async with world(dialect, JobScript("ft-1", (Step("cancel_requested"),))) as w:
        observation = await w.source.retrieve("ft-1")
    assert observation is not None
    assert (observation.status, observation.state) == ("cancel_requested", JobState.UNKNOWN)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/v1/fine_tuning/jobs/ft-1", 200),
        ("/openai/v1/fine_tuning/jobs/ft-1?api-version=preview", 200),
        ("/openai/fine_tuning/jobs/ft-1?api-version=2024-10-21", 200),
        ("/api/projects/example/openai/v1/fine_tuning/jobs/ft-1", 200),
        ("/openai/fine_tuning/jobs/ft-1", 404),
        ("/v1/fine_tuning/jobs/ft-1", 404),
    ],
)
async def test_azure_is_found_at_its_paths(path: str, status: int) -> None:
    async with world(DialectName.AZURE, LIFE) as w, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(w.api.base_url + path, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == status
    if status == 404:
        assert answer.json() == {"error": {"code": "404", "message": "Resource not found"}}


async def test_a_result_has_its_name_from_the_beginning_at_together() -> None:
    async with world(DialectName.TOGETHER, LIFE) as w:
        observation = await w.source.retrieve("ft-1")
    assert observation is not None
    assert json.loads(observation.document)["model_output_name"]


def test_a_script_file_names_its_dialect(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    path.write_text('dialect = "together"\n[[jobs]]\nid = "ft-1"\n[[jobs.steps]]\nstatus = "queued"\n')
    assert load_script(path).dialect is DialectName.TOGETHER
