"""The same script in the words of each service, asked through the source of that kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.doubles import ManualClock, RecordingLog
from tests.simulated import settings_for
from watcher.domain.states import JobState
from watcher.domain.telemetry import points_of_checkpoints
from watcher.errors import MalformedResponseError, MissingError, RejectedError
from watcher.plugins.registry import sources
from watcher.plugins.source import Source, SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, Endpoint, Fault, FaultKind, JobScript, Script, Step
from watcher.simulator.script_file import load_script

KEY = "sk-right-0123"


@dataclass(frozen=True)
class Facts:
    """What a service says, and does not say, of a job."""

    first: tuple[JobState, JobState]
    """The states of what a script calls `validating_files` and `queued`."""
    tokens: bool = False
    estimate: bool = False
    result: bool = True
    end: bool = True
    """Whether it says when a job ended."""
    refusal: int = 401
    steps: tuple[int, int | None] | None = None
    """What its events or its object say of how far a job has come that is half through."""
    saved: tuple[int, ...] = ()
    """The steps of the checkpoints of a job that has ended."""
    own_points: bool = True
    """Whether metrics stand elsewhere than with the checkpoints."""
    own_word: str = "cancel_requested"
    """A word of the service, or of none, which means no state."""


AS_OPENAI = (JobState.VALIDATING, JobState.QUEUED)
WAITING = (JobState.QUEUED, JobState.QUEUED)
FACTS = {
    DialectName.OPENAI: Facts(AS_OPENAI, tokens=True, estimate=True, steps=(50, 100), saved=(100,)),
    DialectName.AZURE: Facts(AS_OPENAI, tokens=True, steps=(50, None), saved=(100,)),
    DialectName.TOGETHER: Facts(WAITING, tokens=True, estimate=True, steps=(40, 100)),
    DialectName.FIREWORKS: Facts(AS_OPENAI, steps=(50, 100), own_word="JOB_STATE_IDLE"),
    DialectName.VERTEX: Facts(WAITING, tokens=True, steps=(50, 100), own_word="JOB_STATE_CANCELLING"),
    DialectName.BEDROCK: Facts((JobState.RUNNING, JobState.RUNNING), refusal=403, own_word="Stopping"),
    DialectName.REPLICATE: Facts(WAITING),
    DialectName.HUGGINGFACE: Facts(WAITING, result=False),
    DialectName.MISTRAL: Facts(AS_OPENAI, tokens=True, steps=(40, 100), saved=(20, 40, 60, 80, 100), own_points=False),
    DialectName.LOCALAI: Facts(WAITING, end=False),
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


async def no_pause(_seconds: float) -> None:
    """Let attempts follow each other at once."""


@asynccontextmanager
async def world(dialect: DialectName, *jobs: JobScript, key: str = KEY) -> AsyncIterator[World]:
    clock = ManualClock()
    async with FineTuningApi(Script(jobs, api_key=KEY, dialect=dialect), clock=clock) as api:
        plugin = sources.plugin(dialect)
        config = plugin.config.model_validate({"api_key": key, **settings_for(api)})
        async with plugin.build(config, SourceContext("lab", clock, RecordingLog(), sleep=no_pause)) as source:
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
    says = FACTS[dialect]
    assert [seen.state for seen in lived] == [*says.first, JobState.RUNNING, JobState.SUCCEEDED]
    running, end = lived[2].facts, lived[3].facts
    assert bool(end.fine_tuned_model) is says.result
    assert [seen.facts.fine_tuned_model for seen in lived[:3]] == [None] * 3
    assert (end.finished_at, end.error) == (lived[3].at if says.end else None, None)
    assert end.trained_tokens == (1_234_567 if says.tokens else None)
    assert running.estimated_finish == (end.finished_at if says.estimate else None)


@every_dialect
async def test_a_failure_has_a_reason(dialect: DialectName) -> None:
    job = JobScript("ft-1", (Step("failed"),), error={"message": "line 3 is not valid JSON", "code": "bad_file"})
    async with world(dialect, job) as w:
        observation = await w.source.retrieve("ft-1")
    assert observation is not None
    assert observation.state is JobState.FAILED
    if dialect is DialectName.MISTRAL:
        assert observation.facts.error is None  # it gives none
        return
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
async def test_pages_lead_to_all_jobs(dialect: DialectName) -> None:
    jobs = [JobScript(f"ft-{number}", (Step("running"),)) for number in range(450)]
    async with world(dialect, *jobs) as w:
        pages = [await w.source.page()]
        while pages[-1].after is not None:
            pages.append(await w.source.page(pages[-1].after))
    listed = [job_id for page in pages for job_id in page.jobs]
    assert sorted(listed) == sorted(job.id for job in jobs)


@pytest.mark.parametrize("dialect", [DialectName.OPENAI, DialectName.HUGGINGFACE])
async def test_a_list_is_narrowed_by_metadata_where_the_service_filters(dialect: DialectName) -> None:
    teams = ["nlp", "nlp", "vision"] * 100
    jobs = [
        JobScript(f"ft-{number}", (Step("running"),), metadata={"team": team, "run": "a=b&c"})
        for number, team in enumerate(teams)
    ]
    async with world(dialect, *jobs) as w:
        wanted = {"team": "nlp", "run": "a=b&c"}
        pages = [await w.source.page(metadata=wanted)]
        while pages[-1].after is not None:
            pages.append(await w.source.page(pages[-1].after, metadata=wanted))
    assert len({job_id for page in pages for job_id in page.jobs}) == teams.count("nlp")


@every_dialect
async def test_progress_is_told_as_far_as_the_service_tells_it(dialect: DialectName) -> None:
    async with world(dialect, LIFE) as w:
        w.clock.move(minutes=7)
        observation = await w.source.retrieve("ft-1")
        assert observation is not None
        progress = (await w.source.events("ft-1")).progress if w.source.capabilities.events else observation.progress
    assert (progress and (progress.done, progress.total)) == FACTS[dialect].steps


@every_dialect
@pytest.mark.parametrize("kind", [FaultKind.WRONG_ID, FaultKind.NO_STATUS])
async def test_an_object_is_spoilt_in_any_dialect(dialect: DialectName, kind: FaultKind) -> None:
    async with world(dialect, LIFE, JobScript("ft-2", (Step("running"),))) as w:
        w.api.add_fault(Fault(kind, times=None), "ft-1")
        page = await w.source.page()
        assert page.jobs.keys() == {"ft-1", "ft-2"}
        w.api.add_fault(Fault(kind, endpoint=Endpoint.LIST))
        page = await w.source.page()
        assert len(page.jobs.keys() & {"ft-1", "ft-2"}) == 1
        with pytest.raises(MalformedResponseError):
            await w.source.retrieve("ft-1")


@every_dialect
async def test_points_and_checkpoints_are_told_page_by_page(dialect: DialectName) -> None:
    async with world(dialect, LIFE) as w:
        if not w.source.capabilities.metrics:
            return
        w.clock.move(days=1)
        pages = [await w.source.events("ft-1")]
        while pages[-1].has_more:
            assert len(pages) < 9
            pages.append(await w.source.events("ft-1", pages[-1].cursor))
        further = await w.source.events("ft-1", pages[-1].cursor)
        assert (further.points, further.checkpoints) == ((), ())
    says, checkpoints = FACTS[dialect], [checkpoint for page in pages for checkpoint in page.checkpoints]
    points = [point for page in pages for point in page.points if point.series == "valid_loss"]
    assert sorted(point.step for point in points) == (list(range(1, 101)) if says.own_points else [])
    assert tuple(checkpoint.step for checkpoint in checkpoints) == says.saved
    measured = [point for point in points_of_checkpoints(checkpoints) if point.series == "valid_loss"]
    assert len(measured) == len(says.saved)


@every_dialect
async def test_a_job_that_is_not_there_is_missing(dialect: DialectName) -> None:
    async with world(dialect) as w:
        with pytest.raises(MissingError, match="ft-9"):
            await w.source.retrieve("ft-9")


@every_dialect
async def test_a_wrong_key_is_refused(dialect: DialectName) -> None:
    async with world(dialect, LIFE, key="sk-wrong-99") as w:
        with pytest.raises(RejectedError, match=f"HTTP {FACTS[dialect].refusal}"):
            await w.source.retrieve("ft-1")


@every_dialect
async def test_words_of_the_service_stay_as_they_are(dialect: DialectName) -> None:
    word = FACTS[dialect].own_word
    async with world(dialect, JobScript("ft-1", (Step(word),))) as w:
        observation = await w.source.retrieve("ft-1")
    assert observation is not None
    assert (observation.status, observation.state) == (word, JobState.UNKNOWN)


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
