"""The watched jobs over HTTP."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.doubles import START, ManualClock
from tests.unit.server.running_server import Site, a_health_snapshot, as_query, see, watch
from watcher.domain.jobs import JobError, JobFacts, JobKey, JobSpec
from watcher.domain.telemetry import MetricPoint
from watcher.errors import ConfigurationError
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = "/api/v1/jobs"


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


async def test_a_row_is_what_the_commands_show_with_times_for_programs(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "queued")
    clock.move(seconds=90)
    async with site() as client:
        (row,) = (await client.get(JOBS)).json()["data"]
    assert row == {
        "source": "openai",
        "id": "ftjob-1",
        "name": None,
        "title": "ftjob-1",
        "labels": {},
        "status": "queued",
        "state": "queued",
        "for": "at least 1m 30s",
        "for_seconds": 90.0,
        "status_since": "2026-11-24T12:00:00+00:00",
        "is_since_exact": False,
        "next_poll": "now",
        "next_poll_at": "2026-11-24T12:00:00+00:00",
        "trouble": None,
        "model": None,
        "fine_tuned_model": None,
        "error": None,
    }


async def test_pages_follow_each_other_to_the_end(site: Site, store: SqlStore) -> None:
    await watch(store, *(f"ftjob-{number}" for number in range(5)))
    await watch(store, "ftjob-0", source="azure")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    async with site() as client:
        while query.get("after", "") is not None:
            answer = await client.get(JOBS, params=query)
            seen += [f"{row['source']}/{row['id']}" for row in answer.json()["data"]]
            query["after"] = answer.json()["next"]
    assert seen == ["azure/ftjob-0", *(f"openai/ftjob-{number}" for number in range(5))]


async def test_whatever_a_service_calls_its_jobs_can_be_paged_and_shown(site: Site, store: SqlStore) -> None:
    """Resource names, ARNs and base64 are ids."""
    names = ["a/b+c==", "arn:aws:bedrock:us-east-1:1:model-customization-job/m:0:300k/abc", "x" * 1024]
    await watch(store, *names)
    async with site() as client:
        pages, after = [], None
        for _ in names:
            answer = await client.get(JOBS, params={"limit": 1} | ({"after": after} if after else {}))
            pages += ids(answer)
            after = answer.json()["next"]
        shown = [(await client.get(f"{JOBS}/openai/{quote(name, safe='')}")).json()["id"] for name in names]
    assert pages == names
    assert shown == names


async def test_paging_neither_repeats_nor_misses_when_jobs_come_and_go(site: Site, store: SqlStore) -> None:
    await watch(store, "b", "d", "f", "h")
    async with site() as client:
        first = await client.get(JOBS, params={"limit": 2})
        await watch(store, "a", "e")
        await store.remove_job(JobKey("openai", "d"), ManualClock()())
        second = await client.get(JOBS, params={"limit": 3, "after": first.json()["next"]})
    assert ids(first) == ["b", "d"]
    assert ids(second) == ["e", "f", "h"]
    assert second.json()["next"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"source": "openai"}, ["one", "three", "two"]),
        ({"source": "azure"}, ["four"]),
        ({"source": "nowhere"}, []),
        ({"status": "queued"}, ["one"]),
        ({"status": "paused"}, ["two"]),
        ({"status": "not seen yet"}, ["four", "three"]),
        ({"status": "not seen yet", "source": "openai"}, ["three"]),
    ],
    ids=as_query,
)
async def test_a_list_can_be_narrowed(site: Site, store: SqlStore, query: dict[str, str], expected: list[str]) -> None:
    await watch(store, "one", "two", "three")
    await watch(store, "four", source="azure")
    await see(store, "one", "queued")
    await see(store, "two", "paused")
    async with site() as client:
        assert ids(await client.get(JOBS, params=query)) == expected


async def test_a_job_is_shown_with_its_history(site: Site, store: SqlStore, clock: ManualClock) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "queued", "running", "succeeded")
    clock.move(hours=1)
    async with site() as client:
        job = (await client.get(f"{JOBS}/openai/ftjob-1")).json()
    assert (job["status"], job["next_poll_at"]) == ("succeeded", None)
    assert [(each["status"], each["reason"], each["lasted"]) for each in job["history"]] == [
        ("succeeded", "advanced", None),
        ("running", "advanced", "1m"),
        ("queued", "first_seen", "at least 1m"),
    ]


async def test_a_history_comes_in_pages_the_newest_first(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    statuses = [("queued", "running")[number % 2] for number in range(7)]
    await see(store, "ftjob-1", *statuses)
    query: dict[str, Any] = {"limit": 3}
    pages: list[list[dict[str, Any]]] = []
    async with site() as client:
        whole = (await client.get(f"{JOBS}/openai/ftjob-1")).json()
        while query.get("after", "") is not None:
            answer = (await client.get(f"{JOBS}/openai/ftjob-1", params=query)).json()
            pages.append(answer["history"])
            query["after"] = answer["next"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert whole["next"] is None
    assert [row for page in pages for row in page] == whole["history"]
    assert [row["status"] for row in whole["history"]] == statuses[::-1]


async def test_why_a_job_failed_and_what_its_model_is_called_is_shown(site: Site, store: SqlStore) -> None:
    await watch(store, "done", "failed", "new")
    await see(store, "done", "running", "succeeded", facts=JobFacts("gpt-4.1", fine_tuned_model="ft:gpt-4.1:acme::x"))
    error = JobError("invalid_training_file", "Line 7 is no JSON.", "training_file")
    await see(store, "failed", "running", "failed", facts=JobFacts("gpt-4.1", error=error))
    shown = ("model", "fine_tuned_model", "error")
    async with site() as client:
        rows = {row["id"]: row for row in (await client.get(JOBS)).json()["data"]}
        ones = {each: (await client.get(f"{JOBS}/openai/{each}")).json() for each in rows}
        added = (await client.post(JOBS, json={"id": "failed"})).json()
    told = {"code": "invalid_training_file", "message": "Line 7 is no JSON.", "param": "training_file"}
    assert {each: tuple(rows[each][name] for name in shown) for each in rows} == {
        "done": ("gpt-4.1", "ft:gpt-4.1:acme::x", None),
        "failed": ("gpt-4.1", None, told),
        "new": (None, None, None),
    }
    assert {each: [ones[each][name] for name in shown] for each in ones} == {
        each: [rows[each][name] for name in shown] for each in rows
    }
    assert added["error"] == told


async def test_what_was_measured_of_a_job_is_shown(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    points = [MetricPoint("train_loss", 1, 2.5, START), MetricPoint("train_loss", 2, math.inf, START)]
    await store.record_points(JobKey("openai", "ftjob-1"), points, None, START)
    async with site() as client:
        job = (await client.get(f"{JOBS}/openai/ftjob-1")).json()
        every = await client.get("/api/v1/metrics/openai/ftjob-1")
        unknown = await client.get("/api/v1/metrics/openai/none")
    last = {"series": "train_loss", "step": 2, "value": "inf", "at": START.isoformat()}
    assert job["metrics"] == [last]
    assert every.json() == {"data": [last | {"step": 1, "value": 2.5}, last]}
    assert unknown.status_code == 404


async def test_a_job_is_added_with_its_name_and_labels(site: Site, store: SqlStore) -> None:
    async with site() as client:
        answer = await client.post(JOBS, json={"id": "ftjob-1", "name": "bot v3", "labels": {"team": "nlp"}})
        again = await client.get(answer.headers["location"])
    assert answer.status_code == 201
    assert answer.json() | {"history": [], "next": None, "metrics": []} == again.json()
    job = await store.job(JobKey("openai", "ftjob-1"))
    assert job is not None
    assert (job.name, job.labels) == ("bot v3", {"team": "nlp"})


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645", id="Persian with its half-space"),
        pytest.param("\U0001f469\u200d\U0001f4bb bot", id="an emoji with a joiner"),
    ],
)
async def test_letters_that_need_joiners_are_letters(site: Site, name: str) -> None:
    async with site() as client:
        answer = await client.post(JOBS, json={"id": "ftjob-1", "name": name, "labels": {name: name}})
    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["labels"]) == (name, {name: name})


async def test_a_known_job_gets_the_new_name_and_is_asked_for_once_more(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "succeeded")
    clock.move(hours=1)
    async with site() as client:
        answer = await client.post(JOBS, json={"id": "ftjob-1", "source": "openai", "name": "renamed"})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["next_poll_at"]) == ("renamed", "2026-11-24T13:00:00+00:00")


async def test_what_the_configuration_says_of_a_job_holds(site: Site) -> None:
    """Its source, the short form of its id, its name and labels; what is given besides prevails."""

    def configured(source: str | None, job_id: str) -> JobSpec:
        assert (source, job_id) == (None, "arn:aws:job/7")
        return JobSpec(JobKey("mine", "7"), "bot v3", {"team": "nlp", "tier": "1"})

    health = a_health_snapshot(last_answers={"openai": None, "mine": None})
    async with site(health=health, find_job=configured) as client:
        answer = await client.post(JOBS, json={"id": "arn:aws:job/7", "labels": {"tier": "2"}})
    assert answer.headers["location"] == "/api/v1/jobs/mine/7"
    assert (answer.json()["name"], answer.json()["labels"]) == ("bot v3", {"team": "nlp", "tier": "2"})


async def test_an_id_that_its_source_does_not_know_as_one_is_refused(site: Site, store: SqlStore) -> None:
    def refuse(_source: str | None, _job_id: str) -> JobSpec:
        raise ConfigurationError("expected an ARN")

    async with site(find_job=refuse) as client:
        answer = await client.post(JOBS, json={"id": "x"})
    assert answer.status_code == 422
    assert answer.json()["mistakes"] == [{"where": "/id", "why": "expected an ARN"}]
    assert await store.jobs() == []


async def test_a_job_without_a_source_is_refused_where_the_usual_one_is_not_polled(site: Site, store: SqlStore) -> None:
    async with site(health=a_health_snapshot(last_answers={"mine": None, "other": None})) as client:
        answer = await client.post(JOBS, json={"id": "x"})
    assert answer.json()["mistakes"] == [
        {"where": "/source", "why": "expected the name of a source; there are: mine, other"}
    ]
    assert await store.jobs() == []


@pytest.mark.parametrize("job_id", ["a/b+c", "projects/1/jobs/2", "x" * 1024, "arn:aws:bedrock:job/a%2Fb", "YQ=="])
async def test_an_opaque_id_is_added_shown_paged_and_removed(site: Site, job_id: str) -> None:
    async with site() as client:
        added = await client.post(JOBS, json={"id": job_id})
        await client.post(JOBS, json={"id": "~last"})
        shown = await client.get(added.headers["location"])
        first = await client.get(JOBS, params={"limit": 1})
        second = await client.get(JOBS, params={"limit": 1, "after": first.json()["next"]})
        removed = await client.delete(added.headers["location"])
    assert (added.status_code, shown.json()["id"], removed.status_code) == (201, job_id, 204)
    assert [ids(first), ids(second)] == [[job_id], ["~last"]]


async def test_a_removed_job_is_there_no_more(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    path = f"{JOBS}/openai/ftjob-1"
    async with site() as client:
        answers = [await client.delete(path), await client.get(path), await client.delete(path)]
        assert ids(await client.get(JOBS)) == []
    assert [answer.status_code for answer in answers] == [204, 404, 404]
    assert answers[0].content == b""


async def test_reading_changes_nothing(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    before = await store.job(JobKey("openai", "ftjob-1"))
    async with site() as client:
        for path in ("/livez", "/readyz", "/metrics", JOBS, f"{JOBS}/openai/ftjob-1", "/api/v1/deliveries"):
            head, get = await client.head(path), await client.get(path)
            assert (head.status_code, head.content) == (get.status_code, b"")
    assert await store.job(JobKey("openai", "ftjob-1")) == before
