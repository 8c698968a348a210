"""What services really answered, or are documented to answer: lists, refusals, and what of a job is told on."""

from __future__ import annotations

import json

import pytest

from tests.contract.sources.clouds import BEDROCK, CLOUDS, FIREWORKS, REPLICATE, VERTEX
from tests.contract.sources.conftest import SAMPLES, TOGETHER, Make, World
from tests.contract.sources.trial import Trial
from tests.doubles import statuses_on
from tests.loopback import Reply
from watcher.domain.jobs import Job
from watcher.domain.messages import encode, message_of
from watcher.domain.transitions import detect
from watcher.errors import MissingError


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("trial", "name", "statuses", "after"),
    [
        (FIREWORKS, "fireworks-list", {"krj8aa92": "JOB_STATE_RUNNING"}, "token-for-the-next-page"),
        (VERTEX, "vertex-list", {"1234567890123456789": "JOB_STATE_QUEUED"}, "token-for-the-next-page"),
        (BEDROCK, "bedrock-list", {"second": "Completed", "testjobformodel2": "Failed"}, None),
        (
            TOGETHER,
            "together-list",
            {"ft-66592697-0a37-44d1-b6ea-9908d1c81fbd": "running", "ft-3758bcdc-7d52": "completed"},
            None,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_lists_are_read(
    trial: Trial, name: str, statuses: dict[str, str], after: str | None, make: Make, world: World
) -> None:
    world.answer(Reply(body=sample(name)))
    async with make(trial) as source:
        page = await source.page()
    assert (statuses_on(page), page.after) == (statuses, after)
    assert all(job.created_at and job.model for job in page.jobs.values())


@pytest.mark.parametrize(
    ("trial", "name", "told"),
    [
        (VERTEX, "vertex-error-404", "HTTP 404: The TuningJob does not exist. (NOT_FOUND)"),
        (BEDROCK, "bedrock-error-404", "HTTP 404: The requested resource was not found."),
        (TOGETHER, "together-error-404", "HTTP 404: Fine-tuning job not found (invalid_request_error)"),
        (REPLICATE, "replicate-error-404", "HTTP 404: The specified training destination does not exist"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_job_that_is_not_there_is_missing(trial: Trial, name: str, told: str, make: Make, world: World) -> None:
    world.answer(Reply(404, sample(name)))
    async with make(trial) as source:
        with pytest.raises(MissingError) as caught:
            await source.retrieve("job-1")
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("trial", "name"),
    [pytest.param(trial, name, id=name) for trial in CLOUDS for name in trial.samples],
)
async def test_what_is_private_in_a_job_is_not_told_on(trial: Trial, name: str, make: Make, world: World) -> None:
    document = json.loads(sample(name))
    world.answer(Reply(body=sample(name)))
    async with make(trial) as source:
        observation = await source.retrieve(trial.id_of(document))
    assert observation is not None
    assert json.loads(observation.document) == document
    transition = detect(Job(observation.key), observation)
    assert transition is not None
    told = json.loads(encode(message_of(transition)))["data"]["job"]
    assert told.keys() == document.keys() - set(observation.private_fields)
    assert "@" not in json.dumps(told).replace("@1", "")  # `@1` is the version of a model
