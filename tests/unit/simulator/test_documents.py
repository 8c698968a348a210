"""The official SDK retrieves the simulated jobs, and finds in them what the reference promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest
from openai.types.fine_tuning import FineTuningJob

from tests.doubles import ManualClock
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Grader, JobScript, Method, Step

FIELDS = {
    "id",
    "created_at",
    "error",
    "fine_tuned_model",
    "finished_at",
    "hyperparameters",
    "model",
    "object",
    "organization_id",
    "result_files",
    "seed",
    "status",
    "trained_tokens",
    "training_file",
    "validation_file",
    "estimated_finish",
    "integrations",
    "metadata",
    "method",
}
"""The fields of the reference."""


async def retrieve(sdk: openai.AsyncOpenAI) -> FineTuningJob:
    """Retrieve the job as a user of the SDK does."""
    job = await sdk.fine_tuning.jobs.retrieve("ftjob-1")
    assert isinstance(job, FineTuningJob)
    return job


async def retrieve_document(api: FineTuningApi) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        document = (await client.get("/fine_tuning/jobs/ftjob-1")).json()
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("method", Method)
async def test_the_sdk_retrieves_every_method(
    api: FineTuningApi, sdk: openai.AsyncOpenAI, clock: ManualClock, method: Method
) -> None:
    api.add_job(JobScript("ftjob-1", (Step("running"),), method=method, metadata={"team": "nlp"}))
    job = await retrieve(sdk)
    assert (job.id, job.object, job.status) == ("ftjob-1", "fine_tuning.job", "running")
    assert job.created_at == clock().timestamp()
    assert job.metadata == {"team": "nlp"}
    assert job.integrations
    assert job.integrations[0].wandb.project
    assert job.method is not None
    assert job.method.type == method
    settings = getattr(job.method, method.value)
    assert all(value is not None for value in settings.hyperparameters.model_dump().values())


@pytest.mark.parametrize("grader", Grader)
async def test_the_sdk_retrieves_every_grader(api: FineTuningApi, sdk: openai.AsyncOpenAI, grader: Grader) -> None:
    api.add_job(JobScript("ftjob-1", method=Method.REINFORCEMENT, grader=grader))
    method = (await retrieve(sdk)).method
    assert method is not None
    assert method.reinforcement is not None
    assert method.reinforcement.grader.type == grader
    assert method.reinforcement.grader.name


async def test_a_multi_grader_maps_names_to_graders_of_every_type(api: FineTuningApi) -> None:
    api.add_job(JobScript("ftjob-1", method=Method.REINFORCEMENT, grader=Grader.MULTI))
    graders = (await retrieve_document(api))["method"]["reinforcement"]["grader"]["graders"]
    assert {grader["type"] for grader in graders.values()} == {*Grader, "label_model"} - {Grader.MULTI}


@pytest.mark.parametrize("method", Method)
async def test_every_field_of_the_reference_is_there(api: FineTuningApi, method: Method) -> None:
    """Only a reinforcement job lacks its old hyperparameters, as the real ones do."""
    api.add_job(JobScript("ftjob-1", method=method))
    missing = FIELDS - set(await retrieve_document(api))
    assert missing == ({"hyperparameters"} if method is Method.REINFORCEMENT else set())


@pytest.mark.parametrize("method", Method)
async def test_auto_turns_into_numbers_after_validation(api: FineTuningApi, clock: ManualClock, method: Method) -> None:
    api.add_job(JobScript("ftjob-1", (Step("validating_files", timedelta(seconds=2)), Step("queued")), method=method))

    async def hyperparameters() -> dict[str, Any]:
        job = await retrieve_document(api)
        chosen = job["method"][method.value]["hyperparameters"]
        assert method is not Method.SUPERVISED or job["hyperparameters"] == chosen
        return {name: value for name, value in chosen.items() if name != "reasoning_effort"}

    assert set((await hyperparameters()).values()) == {"auto"}
    clock.move(seconds=2)
    assert all(isinstance(value, int | float) for value in (await hyperparameters()).values())


async def test_a_job_that_failed_in_validation_never_knew_its_numbers(api: FineTuningApi) -> None:
    api.add_job(JobScript("ftjob-1", (Step("validating_files", polls=1), Step("failed"))))
    await retrieve_document(api)
    assert (await retrieve_document(api))["hyperparameters"]["n_epochs"] == "auto"


async def test_a_running_job_knows_when_it_will_be_done(
    api: FineTuningApi, sdk: openai.AsyncOpenAI, clock: ManualClock
) -> None:
    api.add_job(JobScript("ftjob-1", (Step("running", timedelta(minutes=5)), Step("succeeded"))))
    running = await retrieve(sdk)
    assert running.estimated_finish == running.created_at + 300
    assert (running.finished_at, running.fine_tuned_model, running.trained_tokens) == (None, None, None)
    clock.move(minutes=5)
    succeeded = await retrieve(sdk)
    assert succeeded.estimated_finish is None
    assert succeeded.finished_at == running.estimated_finish


async def test_a_job_that_succeeded_shows_its_model(api: FineTuningApi, sdk: openai.AsyncOpenAI) -> None:
    api.add_job(JobScript("ftjob-1", (Step("succeeded"),), suffix="support-bot"))
    job = await retrieve(sdk)
    assert job.fine_tuned_model is not None
    assert job.fine_tuned_model.startswith("ft:gpt-4o-mini-2024-07-18:simulated:support-bot:")
    assert job.trained_tokens
    assert job.result_files[0].startswith("file-")
    assert job.error is not None
    assert job.error.message is None


async def test_a_job_that_failed_says_why_and_not_when(api: FineTuningApi, sdk: openai.AsyncOpenAI) -> None:
    why = {"code": "bad_file", "message": "Line 7 is not valid JSON.", "param": "training_file"}
    api.add_job(JobScript("ftjob-1", (Step("failed"),), error=why))
    job = await retrieve(sdk)
    assert job.error is not None
    assert job.error.to_dict() == why
    assert (job.finished_at, job.fine_tuned_model) == (None, None)


async def test_a_job_that_failed_has_a_usual_reason(api: FineTuningApi) -> None:
    api.add_job(JobScript("ftjob-1", (Step("failed"),)))
    assert all((await retrieve_document(api))["error"].values())


async def test_fields_can_be_given_other_values_for_a_job_and_for_a_step(api: FineTuningApi) -> None:
    api.add_job(
        JobScript(
            "ftjob-1",
            (Step("running", polls=1, fields={"seed": None}), Step("succeeded")),
            fields={"seed": 7, "organization_id": None},
        )
    )
    first, second = await retrieve_document(api), await retrieve_document(api)
    assert (first["seed"], first["organization_id"]) == (None, None)
    assert (second["seed"], second["organization_id"]) == (7, None)


async def test_the_sdk_raises_its_own_errors_for_refusals(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.fine_tuning.jobs.retrieve("ftjob-unknown")
    assert (caught.value.code, caught.value.param) == ("fine_tune_not_found", "fine_tune_id")
    assert caught.value.request_id == "req_1"
