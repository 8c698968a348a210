"""A service without a kind of its own, asked and read as its settings say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.doubles import ManualClock, RecordingLog
from tests.loopback import LoopbackReceiver, Reply
from watcher.domain.jobs import JobError, JobFacts, Observation
from watcher.domain.states import JobState
from watcher.errors import MalformedResponseError, TransientError
from watcher.plugins.source import Source, SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Script, Step
from watcher.sources.http.config import Config
from watcher.sources.http.plugin import plugin

SETTINGS: dict[str, Any] = {
    "url": "/api/runs/{id}",
    "status_path": "run.status",
    "states": {"true": "succeeded", "2": "running", "Gone": "cancelled", "Broken": "failed", "DONE": "succeeded"},
}
PATHS = {
    "created_path": "run.times.begin",
    "finished_path": "run.times.end",
    "model_path": "run.model",
    "result_path": "run.result",
    "error_path": "run.error",
    "name_path": "run.title",
}


async def at_once(seconds: float) -> None:
    """Wait not at all between attempts."""


def source(at: str, **settings: Any) -> Source:
    given = {**SETTINGS, **settings}
    given["url"] = at + given["url"]
    if "list" in given:
        given["list"] = {**given["list"], "url": at + given["list"]["url"]}
    config = Config.model_validate(given)
    return plugin.build(config, SourceContext("forge", ManualClock(), RecordingLog(), sleep=at_once))


@asynccontextmanager
async def asking(reply: Reply | Any, **settings: Any) -> AsyncIterator[tuple[Source, LoopbackReceiver]]:
    async with LoopbackReceiver() as server:
        server.replies = [reply if isinstance(reply, Reply) else Reply(body=json.dumps(reply).encode())]
        async with source(server.url, **settings) as asked:
            yield asked, server


async def observed(run: Any, **settings: Any) -> Observation:
    async with asking({"run": run}, **settings) as (asked, _):
        observation = await asked.retrieve("7")
    assert observation is not None
    return observation


@pytest.mark.parametrize(
    ("status", "word", "state"),
    [
        (True, "true", JobState.SUCCEEDED),
        (False, "false", JobState.UNKNOWN),
        (2, "2", JobState.RUNNING),
        ("done", "done", JobState.SUCCEEDED),
        ("Gone", "Gone", JobState.CANCELLED),
        ("gone fishing", "gone fishing", JobState.UNKNOWN),
    ],
)
async def test_a_status_may_be_a_number_or_a_flag(status: object, word: str, state: JobState) -> None:
    seen = await observed({"status": status})
    assert (seen.status, seen.state) == (word, state)


@pytest.mark.parametrize("status", [None, [], {"word": "DONE"}, 1.5])
async def test_what_is_no_status_is_said_to_be_none(status: object) -> None:
    with pytest.raises(MalformedResponseError, match=r"it has no status at run\.status"):
        await observed({"status": status})


async def test_all_that_messages_speak_of_is_found() -> None:
    run = {
        "status": "DONE",
        "times": {"begin": 1772442300000, "end": "2026-03-02T10:05:00Z"},
        "model": "base-7b",
        "result": "base-7b-mine",
        "error": "of an earlier attempt",
        "title": "mine",
    }
    facts = (await observed(run, **PATHS)).facts
    assert facts == JobFacts(
        model="base-7b",
        fine_tuned_model="base-7b-mine",
        created_at=datetime(2026, 3, 2, 9, 5, tzinfo=UTC),
        finished_at=datetime(2026, 3, 2, 10, 5, tzinfo=UTC),
        suffix="mine",
    )


async def test_a_result_that_is_named_at_creation_is_no_success() -> None:
    assert (await observed({"status": 2, "result": "base-7b-mine"}, **PATHS)).facts.fine_tuned_model is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("out of memory", JobError(message="out of memory")),
        ({"message": "out of memory", "code": 137}, JobError(code="137", message="out of memory")),
        (["out", {"message": "of memory"}], JobError(message="out; of memory")),
        ([137], JobError(message="[137]")),
        ({}, None),
        (None, None),
        ("", None),
    ],
)
async def test_the_reason_of_a_failure_is_told(error: object, told: JobError | None) -> None:
    assert (await observed({"status": "Broken", "error": error}, **PATHS)).facts.error == told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("run.percent", (42, 100, "percent")),
        ("[run.done, run.total]", (3, 8, "steps")),
        ("[run.total, run.done]", None),
        ("[run.done]", None),
        ("[run.done, run.missing]", None),
        ("run.title", None),
        ("run.missing", None),
    ],
)
async def test_progress_is_a_percentage_or_two_numbers(path: str, told: tuple[int, int, str] | None) -> None:
    run = {"status": 2, "percent": 42.7, "done": 3, "total": 8, "title": "mine"}
    progress = (await observed(run, progress_path=path)).progress
    assert (progress and (progress.done, progress.total, progress.unit)) == told


async def test_an_expression_that_does_not_fit_the_answer_is_told() -> None:
    with pytest.raises(MalformedResponseError, match=r"'length\(run\.n\)' cannot be applied"):
        await observed({"status": "DONE", "n": 5}, model_path="length(run.n)")


async def test_an_id_may_stand_in_the_query_and_is_quoted() -> None:
    async with asking({"run": {"status": 2, "id": 7}}, url="/s?job={id}&full=1", id_path="run.id") as (asked, server):
        assert await asked.retrieve("7") is not None
        with pytest.raises(MalformedResponseError, match="it is about another job: 7"):
            await asked.retrieve("7&full=0")
    assert [request.target for request in server.requests[:2]] == ["/s?job=7&full=1", "/s?job=7%26full%3D0&full=1"]


async def test_headers_go_with_every_request_and_into_no_error() -> None:
    secret = "s3cret-of-the-forge"
    headers = {"headers": {"X-Token": secret}, "key_header": "X-Key", "key_prefix": "", "api_key": "k"}
    async with asking(Reply(500, f'{{"message": "no: {secret}"}}'.encode()), **headers) as (asked, server):
        with pytest.raises(TransientError, match=r"HTTP 500: no: \*+"):
            await asked.retrieve("7")
    assert (server.requests[0].headers["x-token"], server.requests[0].headers["x-key"]) == (secret, "k")


LIST = {"url": "/api/runs?size=2", "jobs_path": "runs", "id_path": "id", "status_path": "state", "next_path": "next"}


@pytest.mark.parametrize(
    ("after", "target"), [("/api/runs?page=3", "/api/runs?page=3"), ("?page=3&x=a%20b", "/api/runs?page=3&x=a+b")]
)
async def test_a_url_leads_to_the_next_page(after: str, target: str) -> None:
    page = {"runs": [{"id": 7, "state": 2, "tags": {"team": "nlp"}, "model": "m"}], "next": after}
    listed = {**LIST, "metadata_path": "tags", "model_path": "model"}
    async with asking(page, list=listed) as (asked, server):
        first = await asked.page()
        again = await asked.page(first.after)
    assert {job_id: job.status for job_id, job in first.jobs.items()} == {"7": "2"}
    assert first.jobs["7"][2:] == ("m", None, {"team": "nlp"})
    assert again.after is None  # it leads nowhere
    assert [request.target for request in server.requests] == ["/api/runs?size=2", target]


async def test_a_page_at_another_host_is_not_asked_for() -> None:
    """The key would go there."""
    async with asking({"runs": [], "next": "https://h.example/"}, list=LIST) as (asked, _):
        with pytest.raises(MalformedResponseError, match=r"another host: https://h\.example/"):
            await asked.page()


async def test_an_answer_may_be_the_list_itself() -> None:
    async with asking([{"id": "a", "run": {"status": "DONE"}}], list={"url": "/api/runs"}) as (asked, _):
        page = await asked.page()
    assert (list(page.jobs), page.after) == (["a"], None)


def test_without_a_list_none_is_asked_for() -> None:
    assert not source("http://h").capabilities.lists
    assert source("http://h", list=LIST).capabilities.lists


async def test_it_could_watch_openai_as_well() -> None:
    jobs = (JobScript("ftjob-1", (Step("running"),)), JobScript("ftjob-2", (Step("succeeded"),)))
    async with FineTuningApi(Script(jobs, api_key="sk-1")) as api:
        settings = {
            "url": f"{api.base_url}/fine_tuning/jobs/{{id}}",
            "api_key": "sk-1",
            "status_path": "status",
            "states": {"running": "running", "succeeded": "succeeded"},
            "result_path": "fine_tuned_model",
            "list": {
                "url": f"{api.base_url}/fine_tuning/jobs?limit=1",
                "jobs_path": "data",
                "next_path": "has_more && data[-1].id || `null`",
                "next_parameter": "after",
            },
        }
        config = Config.model_validate(settings)
        async with plugin.build(config, SourceContext("it", ManualClock(), RecordingLog())) as asked:
            seen = await asked.retrieve("ftjob-2")
            first = await asked.page()
            last = await asked.page(first.after)
    assert seen is not None
    assert seen.facts.fine_tuned_model
    assert (list(first.jobs), first.after, list(last.jobs), last.after) == (["ftjob-2"], "ftjob-2", ["ftjob-1"], None)
