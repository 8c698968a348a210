"""Each kind of fault does on the wire what it says, when it is meant to, and as often."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from tests.doubles import ManualClock
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Endpoint, Fault, FaultKind, JobScript, Script, Step

JOBS = "/fine_tuning/jobs"
JOB = JOBS + "/ftjob-1"
EVENTS = JOB + "/events"


@pytest.fixture
async def running(api: FineTuningApi) -> FineTuningApi:
    """An API with a job that runs for ever."""
    api.add_job(JobScript("ftjob-1", (Step("running"),)))
    return api


async def test_a_status_comes_with_its_headers_and_error(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    error = {"code": "slow_down", "type": "server_error", "message": "Slow down."}
    running.add_fault(Fault(status_code=429, headers={"Retry-After": "7"}, error=error), "ftjob-1")
    answer = await client.get(JOB)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-request-id"] == "req_1"
    assert answer.json() == {"error": {**error, "param": None}}


@pytest.mark.parametrize(
    ("status_code", "code"),
    [(400, None), (429, "rate_limit_exceeded"), (500, None), (503, "server_is_overloaded")],
)
async def test_a_status_has_a_usual_error(
    running: FineTuningApi, client: httpx.AsyncClient, status_code: int, code: str | None
) -> None:
    running.add_fault(Fault(status_code=status_code))
    answer = await client.get(JOB)
    assert answer.status_code == status_code
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code


async def test_a_status_may_have_a_body_of_its_own(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(status_code=502, body="<h1>Bad Gateway</h1>", headers={"Content-Type": "text/html"}))
    answer = await client.get(JOB)
    assert (answer.status_code, answer.text) == (502, "<h1>Bad Gateway</h1>")
    assert answer.headers["content-type"] == "text/html"


async def test_a_hang_is_no_answer(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(FaultKind.HANG))
    with pytest.raises(httpx.ReadTimeout):
        await client.get(JOB, timeout=0.1)
    assert (await client.get(JOB)).status_code == 200


async def test_a_reset_is_no_answer(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(FaultKind.RESET))
    with pytest.raises(httpx.ReadError):
        await client.get(JOB)
    assert (await client.get(JOB)).status_code == 200


async def test_a_reset_mid_body_comes_after_half_of_it(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    whole = (await client.get(JOB)).content
    running.add_fault(Fault(FaultKind.RESET_MID_BODY))
    came = b""
    async with client.stream("GET", JOB) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadError):  # noqa: PT012 - what came before the error matters
            async for chunk in answer.aiter_raw():
                came += chunk
    assert came == whole[: len(whole) // 2]


async def test_a_drip_is_whole_in_the_end(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    whole = (await client.get(JOB)).content
    running.add_fault(Fault(FaultKind.DRIP, pause=timedelta(milliseconds=0.01)))
    async with client.stream("GET", JOB) as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]
    assert b"".join(chunks) == whole
    assert len(chunks) > len(whole) / 2


async def test_a_drip_outlives_a_timeout_between_bytes(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(FaultKind.DRIP, pause=timedelta(seconds=5)))
    async with client.stream("GET", JOB, timeout=0.1) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            await answer.aread()


async def test_malformed_is_html_with_200(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(FaultKind.MALFORMED))
    answer = await client.get(JOB)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


async def test_truncated_json_is_a_whole_answer(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    whole = (await client.get(JOB)).text
    running.add_fault(Fault(FaultKind.TRUNCATED_JSON))
    answer = await client.get(JOB)
    assert answer.status_code == 200
    assert whole.startswith(answer.text)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_a_wrong_id_is_all_that_is_wrong(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    right = (await client.get(JOB)).json()
    running.add_fault(Fault(FaultKind.WRONG_ID))
    wrong = (await client.get(JOB)).json()
    assert wrong != right
    assert {**wrong, "id": "ftjob-1"} == right


async def test_a_missing_status_is_all_that_is_wrong(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    right = (await client.get(JOB)).json()
    running.add_fault(Fault(FaultKind.NO_STATUS))
    wrong = (await client.get(JOB)).json()
    assert "status" not in wrong
    assert {**wrong, "status": "running"} == right


async def test_an_oversized_body_is_the_same_object(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    right = (await client.get(JOB)).json()
    running.add_fault(Fault(FaultKind.OVERSIZED, size=100_000))
    answer = await client.get(JOB)
    assert len(answer.content) == 100_000
    assert answer.json() == right


async def test_an_oversized_body_is_usually_more_than_the_watcher_takes(
    running: FineTuningApi, client: httpx.AsyncClient
) -> None:
    running.add_fault(Fault(FaultKind.OVERSIZED))
    assert len((await client.get(JOB)).content) > 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("fault", "status_code", "location"),
    [
        (Fault(FaultKind.REDIRECT), 302, "/login"),
        (Fault(FaultKind.REDIRECT, status_code=307, headers={"location": "/there"}), 307, "/there"),
    ],
)
async def test_a_redirect_leads_elsewhere(
    running: FineTuningApi, client: httpx.AsyncClient, fault: Fault, status_code: int, location: str
) -> None:
    running.add_fault(fault)
    answer = await client.get(JOB)
    assert (answer.status_code, answer.headers["location"]) == (status_code, location)


async def codes(client: httpx.AsyncClient, count: int, path: str = JOB) -> list[int]:
    """Ask so many times, and return the status codes."""
    return [(await client.get(path)).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(), [503, 200, 200, 200]),
        (Fault(times=2), [503, 503, 200, 200]),
        (Fault(times=None), [503, 503, 503, 503]),
        (Fault(at=3), [200, 200, 503, 200]),
        (Fault(at=2, times=2), [200, 503, 503, 200]),
    ],
)
@pytest.mark.parametrize("job_id", ["ftjob-1", None], ids=["of the job", "of all jobs"])
async def test_a_fault_meets_the_requests_it_is_for(
    running: FineTuningApi, client: httpx.AsyncClient, fault: Fault, expected: list[int], job_id: str | None
) -> None:
    running.add_fault(fault, job_id)
    assert await codes(client, 4) == expected


async def test_faults_that_are_due_together_come_one_after_the_other(
    running: FineTuningApi, client: httpx.AsyncClient
) -> None:
    for fault, job_id in ((Fault(status_code=500), None), (Fault(status_code=501), "ftjob-1"), (Fault(), "ftjob-1")):
        running.add_fault(fault, job_id)
    assert await codes(client, 4) == [501, 503, 500, 200]


async def test_a_fault_of_one_job_leaves_others_alone(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_job(JobScript("ftjob-2"))
    running.add_fault(Fault(), "ftjob-2")
    assert await codes(client, 1) == [200]
    assert await codes(client, 2, "/fine_tuning/jobs/ftjob-2") == [503, 200]


async def test_a_fault_of_all_jobs_counts_every_request(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(at=2))
    assert await codes(client, 1, "/fine_tuning/jobs/ftjob-unknown") == [404]
    assert await codes(client, 2) == [503, 200]


async def test_a_fault_before_a_status_comes_before_anybody_sees_it(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    fault = Fault(before="succeeded", times=2)
    api.add_job(JobScript("ftjob-1", (Step("running", timedelta(seconds=2)), Step("succeeded")), (fault,)))
    assert await codes(client, 2) == [200, 200]
    clock.move(seconds=2)
    assert await codes(client, 3) == [503, 503, 200]


@pytest.mark.parametrize(("endpoint", "path"), [("retrieve", JOB), ("list", JOBS), ("events", EVENTS)])
async def test_a_fault_of_one_endpoint_leaves_the_others_alone_and_counts_its_own_requests(
    running: FineTuningApi, client: httpx.AsyncClient, endpoint: str, path: str
) -> None:
    running.add_fault(Fault(endpoint=Endpoint(endpoint), at=2))
    running.add_fault(Fault(endpoint=Endpoint(endpoint), status_code=502))
    for other in {JOB, JOBS, EVENTS} - {path}:
        assert await codes(client, 3, other) == [200, 200, 200]
    assert await codes(client, 3, path) == [502, 503, 200]


async def test_a_fault_of_all_endpoints_counts_every_request(running: FineTuningApi, client: httpx.AsyncClient) -> None:
    running.add_fault(Fault(at=3))
    assert [(await client.get(path)).status_code for path in (JOB, JOBS, EVENTS, JOB)] == [200, 200, 503, 200]


async def test_a_fault_of_a_job_meets_its_object_and_its_events_but_no_page(
    running: FineTuningApi, client: httpx.AsyncClient
) -> None:
    running.add_fault(Fault(times=2), "ftjob-1")
    assert [(await client.get(path)).status_code for path in (JOBS, EVENTS, JOBS, JOB, JOB)] == [
        200,
        503,
        200,
        503,
        200,
    ]


async def test_a_fault_before_a_status_meets_a_page_that_would_say_it(
    api: FineTuningApi, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    """Events say no status: they are not met."""
    api.add_job(JobScript("ftjob-1", (Step("running", timedelta(seconds=2)), Step("succeeded"))))
    api.add_job(JobScript("ftjob-2"))
    api.add_fault(Fault(before="succeeded"))
    assert await codes(client, 1, JOBS) == [200]
    clock.move(seconds=2)
    assert await codes(client, 1, EVENTS) == [200]
    assert await codes(client, 2, JOBS) == [503, 200]


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        (FaultKind.WRONG_ID, {"id": "ftjob-another-one", "status": "queued"}),
        (FaultKind.NO_STATUS, {"id": "ftjob-2"}),
    ],
)
async def test_the_first_entry_of_a_page_is_spoiled_alone(
    running: FineTuningApi, client: httpx.AsyncClient, kind: FaultKind, first: dict[str, str]
) -> None:
    running.add_job(JobScript("ftjob-2", (Step("queued"),)))
    running.add_fault(Fault(kind))
    page = (await client.get(JOBS)).json()
    told = [{key: entry[key] for key in ("id", "status") if key in entry} for entry in page["data"]]
    assert told == [first, {"id": "ftjob-1", "status": "running"}]


@pytest.mark.parametrize("kind", [FaultKind.WRONG_ID, FaultKind.NO_STATUS])
async def test_an_empty_page_has_no_entry_to_spoil(
    api: FineTuningApi, client: httpx.AsyncClient, kind: FaultKind
) -> None:
    api.add_fault(Fault(kind))
    assert (await client.get(JOBS)).json() == {"object": "list", "data": [], "has_more": False}


async def test_a_spoiled_page_does_not_count_as_an_answer(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    api.add_job(JobScript("ftjob-1", (Step("queued", polls=1), Step("running"))))
    api.add_fault(Fault(endpoint=Endpoint.LIST))
    assert await codes(client, 1, JOBS) == [503]
    assert api.status("ftjob-1") == "queued"
    assert await codes(client, 1, JOBS) == [200]
    assert api.status("ftjob-1") == "running"


async def test_a_spoiled_answer_does_not_count_as_a_poll(api: FineTuningApi, client: httpx.AsyncClient) -> None:
    api.add_job(JobScript("ftjob-1", (Step("queued", polls=1), Step("running")), (Fault(times=3),)))
    assert await codes(client, 3) == [503, 503, 503]
    assert api.status("ftjob-1") == "queued"
    assert await codes(client, 1) == [200]
    assert api.status("ftjob-1") == "running"


@pytest.mark.parametrize("kind", [FaultKind.WRONG_ID, FaultKind.NO_STATUS])
async def test_a_refusal_has_no_object_to_spoil(api: FineTuningApi, client: httpx.AsyncClient, kind: FaultKind) -> None:
    api.add_fault(Fault(kind))
    answer = await client.get(JOB)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "fine_tune_not_found"


async def test_a_script_brings_its_faults_along() -> None:
    script = Script((JobScript("ftjob-1", faults=(Fault(status_code=500),)),), (Fault(status_code=502),))
    async with FineTuningApi(script) as api, httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        assert await codes(client, 3) == [500, 502, 200]
