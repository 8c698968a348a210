"""The events of a simulated job: the recorded milestones, and progress as a function of time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest

from tests.doubles import ManualClock
from watcher.simulator.api import FineTuningApi
from watcher.simulator.events import TURNING_STEP
from watcher.simulator.script import JobScript, Step, Training

EVENTS = "/fine_tuning/jobs/ftjob-1/events"
QUEUED = "Files validated, moving job to queued state"
STARTED = "Fine-tuning job started"


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def a_life(*steps: Step, **others: Any) -> JobScript:
    return JobScript("ftjob-1", steps, **others)


async def events(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    """Ask for events; return them as listed, the newest first."""
    listed = (await client.get(EVENTS, params=query)).raise_for_status().json()["data"]
    assert isinstance(listed, list)
    return listed


async def messages(client: httpx.AsyncClient) -> list[str]:
    """Return what happened but for the metrics, the oldest first."""
    return [event["message"] for event in reversed(await events(client, limit="500")) if event["type"] == "message"]


async def steps(client: httpx.AsyncClient) -> list[int]:
    """Tell the training steps that were done, the first one first."""
    return [event["data"]["step"] for event in reversed(await events(client, limit="500")) if event["data"]]


async def test_the_milestones_come_in_the_recorded_order(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    life = [Step(status, seconds(10)) for status in ("validating_files", "queued", "running")]
    api.add_job(a_life(*life, Step("succeeded")))
    counts = []
    for _ in range(4):
        counts.append(len(await messages(client)))
        clock.move(seconds=10)
    assert counts == [2, 3, 4, 6]
    told = await messages(client)
    assert told[0] == "Created fine-tuning job: ftjob-1"
    assert told[1].startswith("Validating training file: file-")
    assert told[2:4] == [QUEUED, STARTED]
    assert told[4].startswith("New fine-tuned model created: ft:")
    assert told[5] == "The job has successfully completed"


async def test_milestones_tell_of_the_files_and_the_model_that_the_job_tells_of(
    api: FineTuningApi, client: httpx.AsyncClient
) -> None:
    api.add_job(a_life(Step("succeeded"), suffix="support-bot"))
    job = (await client.get("/fine_tuning/jobs/ftjob-1")).json()
    told = await messages(client)
    assert f"Validating training file: {job['training_file']}" in told
    assert f"New fine-tuned model created: {job['fine_tuned_model']}" in told


async def test_statuses_that_are_skipped_have_left_their_milestones(
    api: FineTuningApi, client: httpx.AsyncClient
) -> None:
    api.add_job(a_life(Step("running", polls=1), Step("succeeded")))
    assert len(await messages(client)) == 4
    await client.get("/fine_tuning/jobs/ftjob-1")
    assert (await messages(client))[-1] == "The job has successfully completed"


async def test_a_status_that_comes_again_or_is_unknown_is_told_as_it_stands(
    api: FineTuningApi, client: httpx.AsyncClient
) -> None:
    api.add_job(a_life(Step("running")))
    for status in ("paused", "queued", "running", "cancelled"):
        api.set_status("ftjob-1", status)
    assert (await messages(client))[4:] == [
        "The job is now paused",
        "The job is now queued",
        "The job is now running",
        "The job is now cancelled",
    ]


@pytest.mark.parametrize(
    ("error", "words"), [({"message": "Line 7."}, "Line 7."), (None, "The job failed due"), ({}, "The job failed")]
)
async def test_a_failure_is_an_error_that_says_why(
    api: FineTuningApi, client: httpx.AsyncClient, error: dict[str, str] | None, words: str
) -> None:
    api.add_job(a_life(Step("validating_files", polls=1), Step("failed"), error=error))
    await client.get("/fine_tuning/jobs/ftjob-1")
    newest, *others = await events(client)
    assert newest["level"] == "error"
    assert newest["message"].startswith(words)
    assert {event["level"] for event in others} == {"info"}


async def test_progress_is_a_function_of_the_time_that_the_job_has_run(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("queued", seconds(60)), Step("running", seconds(1000)), Step("succeeded")))
    clock.move(seconds=60)
    assert await steps(client) == []
    clock.move(seconds=9.9)
    assert await steps(client) == []
    clock.move(seconds=0.1)
    assert await steps(client) == [1]
    clock.move(seconds=365)
    assert await steps(client) == [*range(1, 38)]
    clock.move(hours=1)
    assert await steps(client) == [*range(1, 101)]


async def test_metrics_are_of_the_moment_at_which_their_step_was_done(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("running", seconds(1000)), Step("succeeded")))
    began = int(clock().timestamp())
    clock.move(seconds=425)
    newest = (await events(client))[0]
    assert newest["created_at"] == began + 420
    assert newest["type"] == "metrics"
    assert newest["message"].startswith("Step 42/100: training loss=")
    assert {"step": 42, "total_steps": 100}.items() <= newest["data"].items()
    assert set(newest["data"]) == {"step", "total_steps", "train_loss", "valid_loss", "train_mean_token_accuracy"}


async def test_the_metrics_of_a_job_that_pauses_go_on_where_they_stood(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    running = Step("running", seconds(30))
    api.add_job(a_life(running, Step("paused", seconds(500)), Step("running", seconds(70)), Step("succeeded")))
    clock.move(seconds=200)
    assert await steps(client) == [*range(1, 31)]
    clock.move(seconds=350)
    newest = (await events(client))[0]
    assert newest["data"]["step"] == 50
    assert newest["created_at"] == int(clock().timestamp())
    clock.move(seconds=50)
    assert await steps(client) == [*range(1, 101)]


@pytest.mark.parametrize("step", [Step("running"), Step("running", polls=9), Step("training", seconds(9))], ids=str)
async def test_a_job_tells_no_progress_when_nobody_knows_how_long_it_runs(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock, step: Step
) -> None:
    api.add_job(a_life(step, Step("succeeded")))
    clock.move(hours=1)
    assert await steps(client) == []


async def test_a_job_that_is_stopped_half_way_makes_no_further_steps(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("running", seconds(100)), Step("succeeded")))
    clock.move(seconds=40)
    api.set_status("ftjob-1", "cancelled")
    clock.move(hours=1)
    assert await steps(client) == [*range(1, 41)]
    assert (await events(client))[0]["message"] == "The job is now cancelled"


async def test_a_status_set_by_hand_comes_after_what_had_happened_unseen(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("queued", seconds(5)), Step("running", seconds(100)), Step("succeeded")))
    clock.move(seconds=15)
    api.set_status("ftjob-1", "paused")
    assert await steps(client) == [*range(1, 11)]
    assert (await messages(client))[-2:] == [STARTED, "The job is now paused"]


async def test_a_job_that_never_leaves_its_last_step_makes_no_more_steps_than_there_are(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("running", seconds(100))))
    clock.move(hours=1)
    assert await steps(client) == [*range(1, 101)]


async def test_a_clock_that_is_set_back_does_not_break_the_steps(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("running", seconds(100)), Step("succeeded")))
    clock.move(hours=-1)
    assert await steps(client) == []


async def test_what_has_happened_stays_as_it_was_told(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("queued", seconds(5)), Step("running", seconds(50)), Step("succeeded")))
    told: list[dict[str, Any]] = []
    for _ in range(7):
        now = (await events(client, limit="500"))[::-1]
        assert now[: len(told)] == told
        told = now
        clock.move(seconds=10)
    assert len({event["id"] for event in told}) == len(told) == 106
    assert [event["created_at"] for event in told] == sorted(event["created_at"] for event in told)


async def test_events_come_page_by_page(api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock) -> None:
    api.add_job(a_life(Step("running", seconds(100)), Step("succeeded")))
    clock.move(seconds=30)
    whole = await events(client, limit="34")
    assert len(whole) == 34
    first, second = await events(client), await events(client, after=whole[19]["id"])
    assert (len(first), len(second)) == (20, 14)
    assert first + second == whole
    more = [(await client.get(EVENTS, params={"limit": limit})).json()["has_more"] for limit in ("33", "34")]
    assert more == [True, False]
    assert await events(client, after=whole[-1]["id"]) == []


async def test_the_official_sdk_lists_the_events(
    api: FineTuningApi, sdk: openai.AsyncOpenAI, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("running", seconds(100)), Step("succeeded")))
    clock.move(seconds=30)
    found = [event async for event in await sdk.fine_tuning.jobs.list_events("ftjob-1")]
    assert len(found) == 34
    assert {event.object for event in found} == {"fine_tuning.job.event"}
    assert {event.type for event in found} == {"message", "metrics"}
    assert all(event.id.startswith("ftevent-") for event in found)


async def test_an_unknown_job_has_no_events(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fine_tuning/jobs/ftjob-unknown/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "fine_tune_not_found")


async def test_a_job_may_train_badly(api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock) -> None:
    life = (Step("running", seconds(100)), Step("succeeded"))
    losses = {}
    for training in Training:
        api.add_job(a_life(*life, training=training))
        clock.move(seconds=101)
        told = [event["data"] for event in reversed(await events(client, limit="500")) if event["data"]]
        losses[training] = [data["train_loss"] for data in told]
    assert losses[Training.CONVERGES] == sorted(losses[Training.CONVERGES], reverse=True)
    assert losses[Training.STALLS] == losses[Training.CONVERGES][:TURNING_STEP]
    assert losses[Training.DIVERGES][:TURNING_STEP] == losses[Training.STALLS]
    climbing = losses[Training.DIVERGES][TURNING_STEP:]
    assert climbing == sorted(climbing)
