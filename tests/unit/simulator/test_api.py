"""The simulated API: the answers a client gets as time passes."""

from __future__ import annotations

import socket
from datetime import timedelta

import httpx
import pytest

from tests.doubles import START, ManualClock
from watcher.errors import ConfigurationError
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Script, Step

JOB = "/fine_tuning/jobs/ftjob-1"


def a_life(*steps: Step) -> JobScript:
    return JobScript("ftjob-1", steps)


async def status_of(client: httpx.AsyncClient) -> str:
    status = (await client.get(JOB)).raise_for_status().json()["status"]
    assert isinstance(status, str)
    return status


async def test_a_timed_step_lasts_as_long_as_the_clock_says(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("queued", timedelta(seconds=2)), Step("running", timedelta(hours=1)), Step("succeeded")))
    seen = []
    for seconds in (0, 1.9, 0.1, 3_599.9, 0.1, 86_400):
        clock.move(seconds=seconds)
        seen.append(await status_of(client))
    assert seen == ["queued", "queued", "running", "running", "succeeded", "succeeded"]


async def test_steps_that_nobody_saw_took_their_time_all_the_same(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    api.add_job(a_life(Step("queued", timedelta(seconds=2)), Step("running", timedelta(seconds=5)), Step("succeeded")))
    clock.move(minutes=1)
    job = (await client.get(JOB)).json()
    assert job["status"] == "succeeded"
    assert job["finished_at"] == job["created_at"] + 7


async def test_a_step_of_some_polls_lasts_for_so_many_answers(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    api.add_job(a_life(Step("queued", polls=1), Step("running", polls=2), Step("cancelled")))
    seen = [await status_of(client) for _ in range(5)]
    assert seen == ["queued", "running", "running", "cancelled", "cancelled"]


async def test_the_jobs_of_the_script_begin_when_the_server_does(clock: ManualClock) -> None:
    script = Script((a_life(Step("queued", timedelta(seconds=2)), Step("running")),))
    waiting = FineTuningApi(script, clock=clock)
    clock.move(seconds=5)
    async with waiting as api:
        assert api.status("ftjob-1") == "queued"
        clock.move(seconds=2)
        assert api.status("ftjob-1") == "running"


async def test_a_status_set_by_hand_stays(api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock) -> None:
    api.add_job(a_life(Step("queued", timedelta(seconds=2)), Step("running")))
    api.set_status("ftjob-1", "paused")
    clock.move(hours=1)
    assert await status_of(client) == "paused"


async def test_an_unchanged_job_is_the_same_to_the_byte(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    api.add_job(JobScript("ftjob-1"))
    first, second = await client.get(JOB), await client.get(JOB)
    assert first.content == second.content


async def test_requests_are_kept_as_they_arrived(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    await client.get(JOB, params={"a": "b"}, headers={"OpenAI-Project": "proj_1"})
    (received,) = api.requests
    assert (received.method, received.path, received.query) == ("GET", "/v1" + JOB, "a=b")
    assert received.headers["openai-project"] == "proj_1"
    assert received.at == START


async def test_a_long_run_keeps_the_latest_requests() -> None:
    async with (
        FineTuningApi(requests_kept=2) as api,
        httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client,
    ):
        for number in range(5):
            await client.get("/", params={"n": number})
        assert [received.query for received in api.requests] == ["n=2", "n=3", "n=4"]


async def test_every_answer_has_a_request_id_of_its_own(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    api.add_job(JobScript("ftjob-1"))
    answers = [await client.get(JOB), await client.get("/elsewhere"), await client.get(JOB)]
    assert [answer.headers["x-request-id"] for answer in answers] == ["req_1", "req_2", "req_3"]


async def test_answers_take_as_long_as_the_latency() -> None:
    slow = Script((JobScript("ftjob-1"),), latency=timedelta(milliseconds=100))
    async with FineTuningApi(slow) as api, httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(JOB, timeout=httpx.Timeout(5, read=0.02))
        assert (await client.get(JOB)).elapsed >= timedelta(milliseconds=100)


async def test_an_unknown_job_is_answered_as_openai_does(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fine_tuning/jobs/123")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "message": "Could not find fine tune: 123",
            "type": "invalid_request_error",
            "param": "fine_tune_id",
            "code": "fine_tune_not_found",
        }
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/models"), ("POST", JOB), ("HEAD", JOB), ("GET", JOB + "/results"), ("GET", "/..")],
)
async def test_nothing_else_is_served(api: FineTuningApi, client: httpx.AsyncClient, method: str, path: str) -> None:
    api.add_job(JobScript("ftjob-1"))
    answer = await client.request(method, path)
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json()["error"]["message"].startswith(f"Invalid URL ({method} /")


async def test_the_right_key_is_let_in() -> None:
    script = Script((JobScript("ftjob-1"),), api_key="sk-right")
    async with FineTuningApi(script) as api, httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        assert (await client.get(JOB, headers={"authorization": "Bearer sk-right"})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code", "beginning"),
    [
        ({"authorization": "Bearer sk-wrong-key"}, "invalid_api_key", "Incorrect API key provided: sk-w****-key."),
        ({"authorization": "Bearer short"}, "invalid_api_key", "Incorrect API key provided: *****."),
        ({"api-key": "sk-right"}, None, "You didn't provide an API key."),
        ({"authorization": "Basic c2stcmlnaHQ="}, None, "You didn't provide an API key."),
        ({}, None, "You didn't provide an API key."),
    ],
)
async def test_a_wrong_key_is_answered_as_openai_does(
    headers: dict[str, str], code: str | None, beginning: str
) -> None:
    script = Script((JobScript("ftjob-1", (Step("queued", polls=1), Step("running"))),), api_key="sk-right")
    async with FineTuningApi(script) as api, httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        answer = await client.get(JOB, headers=headers)
        assert api.status("ftjob-1") == "queued"
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["message"].startswith(beginning)


async def test_a_port_in_use_is_reported_in_clear_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is in use"):
            await FineTuningApi(port=port).__aenter__()


async def test_a_port_that_was_asked_for_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with FineTuningApi(port=port) as api:
        assert api.base_url == f"http://127.0.0.1:{port}/v1"


def test_a_job_that_does_not_exist_cannot_be_moved() -> None:
    with pytest.raises(KeyError, match="ftjob-1"):
        FineTuningApi().set_status("ftjob-1", "running")
