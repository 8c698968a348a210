"""How faults are told: RFC 9457, every mistake at once, nothing of the inside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.doubles import RecordingLog
from tests.unit.server.running_server import Site, watch
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = "/api/v1/jobs"
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem that an answer tells of, which must have this status."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"]) == (status, status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) - {"mistakes"} == {"type", "title", "status", "detail"}
    return body


def mistakes(answer: httpx.Response) -> dict[str, str]:
    return {each["where"]: each["why"] for each in problem(answer, 422)["mistakes"]}


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1", f"{JOBS}/", f"{JOBS}/openai", f"{JOBS}/openai/x", f"{JOBS}/OpenAI/x", f"{JOBS}/a/%00"],
)
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    async with site() as client:
        problem(await client.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/livez", {"GET", "HEAD"}),
        ("PUT", JOBS, {"GET", "HEAD", "POST"}),
        ("PATCH", f"{JOBS}/openai/x", {"GET", "HEAD", "DELETE"}),
        ("DELETE", "/api/v1/deliveries", {"GET", "HEAD"}),
    ],
    ids=["POST to a probe", "PUT to the jobs", "PATCH of a job", "DELETE of deliveries"],
)
async def test_another_method_is_told_which_there_are(site: Site, method: str, path: str, allowed: set[str]) -> None:
    async with site() as client:
        answer = await client.request(method, path)
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("path", "query", "wrong"),
    [
        (JOBS, "limit=0", {"limit"}),
        (JOBS, "limit=1001", {"limit"}),
        (JOBS, "limit=ten", {"limit"}),
        (JOBS, "limit=%C2%B2", {"limit"}),
        (JOBS, "limit=1&limit=2", {"limit"}),
        (JOBS, "limit=-1&after=x&source=No&status=&state=dead", {"limit", "after", "source", "status", "state"}),
        (JOBS, "status=a%00b", {"status"}),
        (f"{JOBS}/openai/x", "limit=0&status=queued", {"limit", "status"}),
        (
            "/api/v1/deliveries",
            "after=openai/x&state=lost&notifier=A&status=dead",
            {"after", "state", "notifier", "status"},
        ),
        ("/api/v1/deliveries", "after=9999999999999999999", {"after"}),
    ],
)
async def test_every_mistake_of_a_query_is_told(site: Site, path: str, query: str, wrong: set[str]) -> None:
    async with site() as client:
        assert set(mistakes(await client.get(f"{path}?{query}"))) == wrong


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ({}, {"/id"}),
        ({"id": ".."}, {"/id"}),
        (
            {"id": 7, "source": "nowhere", "name": 8, "labels": 9, "nmae": ""},
            {"/id", "/source", "/name", "/labels", "/nmae"},
        ),
        ({"id": "x", "source": None}, {"/source"}),
        ({"id": "x", "source": "@watcher"}, {"/source"}),
        ({"id": "x", "name": "a\nb"}, {"/name"}),
        ({"id": "x", "name": ""}, {"/name"}),
        ({"id": "x", "name": "\u202etob"}, {"/name"}),
        ({"id": "x", "labels": {"team": ""}}, {"/labels/team"}),
        ({"id": "x", "labels": {"team": "\u2066a"}}, {"/labels/team"}),
        ({"id": "x", "name": "\ud800"}, {"/name"}),
        ({"id": "x", "name": "n" * 201}, {"/name"}),
        (
            {"id": "x", "labels": {"team": 1, "": "x", "ok": "ok", "\x1b": "x"}},
            {"/labels/team", "/labels/", "/labels/\\x1b"},
        ),
        ({"id": "x", "labels": {"team": "n" * 201}}, {"/labels/team"}),
    ],
    ids=[
        "nothing",
        "an id that is none",
        "everything wrong",
        "no source",
        "our own source",
        "a line end",
        "an empty name",
        "an override of direction",
        "a label without a value",
        "a label that isolates its direction",
        "half a character",
        "a long name",
        "labels of all kinds",
        "a long label",
    ],
)
async def test_every_mistake_of_a_new_job_is_told(
    site: Site, store: SqlStore, document: dict[str, object], wrong: set[str]
) -> None:
    async with site() as client:
        answer = await client.post(JOBS, content=json.dumps(document), headers=JSON)
    assert set(mistakes(answer)) == wrong
    assert await store.jobs() == []


async def test_a_query_of_more_parameters_than_there_can_be_is_refused_as_a_whole(site: Site) -> None:
    async with site() as client:
        answer = await client.get(f"{JOBS}?{'&'.join(f'a{number}' for number in range(33))}")
    assert problem(answer, 422)["detail"] == "The query has more than 32 parameters."


async def test_of_thousands_of_mistakes_the_first_are_told(site: Site) -> None:
    document = {"id": "x", "labels": {"n" * 300 + str(number): 1 for number in range(200)}}
    async with site() as client:
        answer = await client.post(JOBS, json=document)
    assert problem(answer, 422)["detail"] == "The request has 200 mistakes; the first 32 are named."
    assert len(answer.json()["mistakes"]) == 32
    assert len(answer.content) < 10_000


async def test_the_sources_that_there_are_are_named(site: Site) -> None:
    async with site() as client:
        told = mistakes(await client.post(JOBS, json={"id": "x", "source": "opeani"}))
    assert told["/source"] == "expected the name of a source; there are: openai"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"id": "x"}', {}, 415),
        (b'{"id": "x"}', {"Content-Type": "text/plain"}, 415),
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b"\xff", JSON, 400),
        (b'{"id": NaN}', JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b"1" * 60_000, JSON, 400),
        (b'["x"]', JSON, 422),
        (b'{"id": "x"}' + b" " * 70_000, JSON, 413),
    ],
    ids=[
        "no content type",
        "another content type",
        "no body",
        "half a body",
        "no text",
        "not a number",
        "nested too deep",
        "a number too long",
        "a list",
        "too large",
    ],
)
async def test_a_body_that_cannot_be_used_is_refused(
    site: Site, store: SqlStore, content: bytes, headers: dict[str, str], status: int
) -> None:
    async with site() as client:
        problem(await client.post(JOBS, content=content, headers=headers), status)
    assert await store.jobs() == []


async def test_json_may_name_its_charset(site: Site) -> None:
    async with site() as client:
        kind = {"Content-Type": "Application/JSON; charset=utf-8"}
        answer = await client.post(JOBS, content=b'{"id": "x"}', headers=kind)
    assert answer.status_code == 201


async def test_a_body_of_unknown_length_is_cut_off(site: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    async with site() as client:
        problem(await client.post(JOBS, content=endless(), headers=JSON), 413)


async def test_a_body_that_does_not_arrive_is_not_waited_for(site: Site) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(0.3)

    async with site(body_timeout=timedelta(seconds=0.05)) as client:
        problem(await client.post(JOBS, content=stalled(), headers=JSON), 408)


async def test_a_fault_of_ours_is_logged_and_shows_nothing(site: Site, store: SqlStore, log: RecordingLog) -> None:
    class Broken:
        async def page_of_jobs(self, **_query: object) -> None:
            raise RuntimeError("the inside")

    async with site(instead=Broken()) as client:
        answer = await client.get(JOBS)
    problem(answer, 500)
    assert "inside" not in answer.text
    assert log.events("exception") == ["request failed with an internal error"]


async def test_the_server_does_not_say_what_it_is(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    async with site() as client:
        answer = await client.get(JOBS)
    assert "server" not in answer.headers
