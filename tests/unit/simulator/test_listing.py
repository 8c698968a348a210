"""The list of the simulated jobs: cut into pages, the newest first, as the official SDK reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import openai
import pytest

from tests.doubles import START, ManualClock
from watcher.simulator.api import FineTuningApi
from watcher.simulator.course import Course
from watcher.simulator.documents import Moment
from watcher.simulator.script import Endpoint, JobScript, Script, Step

JOBS = "/fine_tuning/jobs"


async def page(client: httpx.AsyncClient, path: str = JOBS, **query: str) -> tuple[list[str], bool]:
    """Ask for a page; return the ids on it, and whether there is another."""
    answer = (await client.get(path, params=query)).raise_for_status().json()
    assert answer["object"] == "list"
    return [entry["id"] for entry in answer["data"]], answer["has_more"]


def add_jobs(api: FineTuningApi, count: int) -> None:
    for number in range(count):
        api.add_job(JobScript(f"ftjob-{number}"))


async def test_the_official_sdk_walks_through_all_pages(api: FineTuningApi, sdk: openai.AsyncOpenAI) -> None:
    add_jobs(api, 45)
    found = [job.id async for job in await sdk.fine_tuning.jobs.list()]
    assert found == [f"ftjob-{number}" for number in reversed(range(45))]
    assert [request.query for request in api.requests] == ["", "after=ftjob-25", "after=ftjob-5"]


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ({"limit": "2"}, ["ftjob-4", "ftjob-3"], True),
        ({"limit": "5"}, ["ftjob-4", "ftjob-3", "ftjob-2", "ftjob-1", "ftjob-0"], False),
        ({"limit": "2", "after": "ftjob-3"}, ["ftjob-2", "ftjob-1"], True),
        ({"limit": "2", "after": "ftjob-2"}, ["ftjob-1", "ftjob-0"], False),
        ({"after": "ftjob-0"}, [], False),
    ],
)
async def test_a_page_has_so_many_jobs_after_an_id(
    api: FineTuningApi, client: httpx.AsyncClient, query: dict[str, str], ids: list[str], *, has_more: bool
) -> None:
    add_jobs(api, 5)
    assert await page(client, **query) == (ids, has_more)


async def test_the_metadata_of_jobs_may_be_asked_for(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    for number in range(6):
        metadata = {"team": "nlp" if number % 2 else "sql", "run": str(number)}
        api.add_job(JobScript(f"ftjob-{number}", metadata=metadata))
    api.add_job(JobScript("ftjob-6"))
    assert await page(client, limit="2", **{"metadata[team]": "nlp"}) == (["ftjob-5", "ftjob-3"], True)
    assert await page(client, after="ftjob-3", **{"metadata[team]": "nlp"}) == (["ftjob-1"], False)
    assert await page(client, **{"metadata[team]": "nlp", "metadata[run]": "3"}) == (["ftjob-3"], False)
    assert await page(client, **{"metadata[team]": ""}) == ([], False)


async def test_a_job_that_is_added_again_is_the_newest(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    add_jobs(api, 3)
    assert await page(client) == (["ftjob-2", "ftjob-1", "ftjob-0"], False)
    api.add_job(JobScript("ftjob-1"))
    assert await page(client) == (["ftjob-1", "ftjob-2", "ftjob-0"], False)


async def test_an_entry_is_what_a_retrieve_of_the_job_says(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    api.add_job(JobScript("ftjob-1", (Step("running", polls=2), Step("succeeded"))))
    (entry,) = (await client.get(JOBS)).json()["data"]
    assert entry == (await client.get(JOBS + "/ftjob-1")).json()


@pytest.mark.parametrize("path", [JOBS, JOBS + "/ftjob-1/events"])
@pytest.mark.parametrize("limit", ["0", "-1", "many", "", "1.5", "9" * 5000, "\u0663"])
async def test_a_limit_that_is_none_is_refused(
    api: FineTuningApi, client: httpx.AsyncClient, path: str, limit: str
) -> None:
    add_jobs(api, 2)
    answer = await client.get(path, params={"limit": limit})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", "limit")
    assert error["message"].startswith("Invalid value for 'limit'")


@pytest.mark.parametrize(
    ("path", "status_code"), [(JOBS, 404), (JOBS + "/ftjob-1/events", 400)], ids=["jobs", "events"]
)
async def test_an_unknown_id_to_come_after_is_refused(
    api: FineTuningApi, client: httpx.AsyncClient, path: str, status_code: int
) -> None:
    add_jobs(api, 2)
    answer = await client.get(path, params={"after": "ft-unknown"})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (status_code, "invalid_request_error", "after")
    assert "ft-unknown" in error["message"]


@pytest.mark.parametrize(
    ("path", "moves"), [(JOBS, True), (JOBS + "/ftjob-1", True), (JOBS + "/ftjob-1/events", False)]
)
async def test_every_answer_that_says_the_status_counts(
    api: FineTuningApi, client: httpx.AsyncClient, path: str, *, moves: bool
) -> None:
    api.add_job(JobScript("ftjob-1", (Step("queued", polls=2), Step("running"))))
    for _ in range(2):
        assert api.status("ftjob-1") == "queued"
        await client.get(path)
    assert api.status("ftjob-1") == ("running" if moves else "queued")


async def test_a_job_that_is_not_on_the_page_is_not_counted(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    for job_id in ("ftjob-1", "ftjob-2"):
        api.add_job(JobScript(job_id, (Step("queued", polls=1), Step("running"))))
    await page(client, limit="1")
    assert (api.status("ftjob-1"), api.status("ftjob-2")) == ("queued", "running")


PATHS: Mapping[Endpoint, str] = {
    Endpoint.RETRIEVE: JOBS + "/ftjob-1",
    Endpoint.LIST: JOBS,
    Endpoint.EVENTS: JOBS + "/ftjob-1/events",
}


@pytest.mark.parametrize("endpoint", Endpoint)
async def test_a_service_may_know_one_endpoint_only(endpoint: Endpoint, clock: ManualClock) -> None:
    script = Script((JobScript("ftjob-1"),), endpoints=frozenset({endpoint}))
    async with (
        FineTuningApi(script, clock=clock) as api,
        httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client,
    ):
        for path in PATHS.values():
            answer = await client.get(path)
            if path == PATHS[endpoint]:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 404
                assert answer.json()["error"]["message"].startswith("Invalid URL (GET /v1")


async def test_nobody_gets_a_list_without_the_key() -> None:
    script = Script((JobScript("ftjob-1", (Step("queued", polls=1), Step("running"))),), api_key="sk-right")
    async with FineTuningApi(script) as api, httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        for path in PATHS.values():
            assert (await client.get(path)).status_code == 401
        assert api.status("ftjob-1") == "queued"


def test_a_body_is_made_once_however_often_it_is_asked_for() -> None:
    made: list[str] = []

    def note(job: JobScript, _moment: Moment) -> dict[str, Any]:
        made.append(job.id)
        return {"id": job.id}

    course = Course(JobScript("ftjob-1"), START, note)
    assert {course.body(START) for _ in range(3)} == {b'{"id": "ftjob-1"}'}
    assert made == ["ftjob-1"]
