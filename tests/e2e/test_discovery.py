"""Rules of discovery: jobs are watched without being named, over restarts and reloads, and nothing old is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from signal import SIGHUP, SIGKILL
from typing import Any

import pytest

from tests.e2e.processes import LIMIT, Command, Running
from tests.e2e.settings import jobs, settings, webhook
from tests.evidence.postgresql import postgresql
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step

DRAWN = "the line of a rule is drawn: from now on every new job that it matches is watched"
NLP: Mapping[str, Any] = {
    "rule": "nlp",
    "match": {"metadata": {"team": "nlp"}},
    "labels_from": ["team"],
    "name": "{suffix}",
}


def a_job(job_id: str, status: str, team: str = "nlp") -> JobScript:
    return JobScript(job_id, (Step(status),), suffix=f"bot-{job_id}", metadata={"team": team})


def told(receiver: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(message.body) for message in receiver.received]
    return [(body["data"]["id"], body["data"]["status"]) for body in bodies if "id" in body["data"]]


async def watched(watcher: Command) -> list[str]:
    listed = json.loads((await watcher.run("jobs", "list", "--json")).out)
    return [row["id"] for row in listed]


async def origins(watcher: Command) -> dict[str, list[str]]:
    listed = json.loads((await watcher.run("jobs", "list", "--json")).out)
    return {row["id"]: row["origins"] for row in listed}


async def scans(running: Running, api: FineTuningApi, count: int = 2) -> None:
    """Wait until the list was asked for some more times."""
    seen = len(api.requests)

    def are_done() -> bool:
        return sum(request.path.endswith("/jobs") for request in api.requests[seen:]) >= count

    await running.until(are_done, "scans of the list")


async def test_jobs_of_a_rule_are_watched_and_what_had_ended_before_is_not_told(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    for job in (a_job("old", "failed"), a_job("going", "running"), a_job("other", "running", team="vision")):
        api.add_job(job)
    watcher.configure(settings(api.base_url, watcher.database, watch=[NLP], notifiers={"hook": webhook(receiver.url)}))
    async with watcher.start("run") as running:
        drawn = await running.until_logged(DRAWN, rule="nlp")
        await receiver.wait_for(1, LIMIT)
        api.add_job(a_job("brief", "succeeded"))
        await receiver.wait_for(2, LIMIT)
        api.set_status("going", "succeeded")
        await receiver.wait_for(3, LIMIT)
        await running.stop()

    assert (drawn["listed"], drawn["adopted"], drawn["ended_before"]) == (2, 1, 1)  # the service filters
    assert told(receiver) == [("going", "running"), ("brief", "succeeded"), ("going", "succeeded")]
    first = json.loads(receiver.received[0].body)["data"]
    assert (first["name"], first["labels"]) == ("bot-going", {"team": "nlp"})


async def test_a_restart_keeps_the_line_even_after_a_kill(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """What came and ended while nobody looked is told; what a person has removed does not come back."""
    for job in (a_job("old", "failed"), a_job("going", "running"), a_job("unwanted", "running")):
        api.add_job(job)
    watcher.configure(settings(api.base_url, watcher.database, watch=[NLP], notifiers={"hook": webhook(receiver.url)}))
    async with watcher.start("run") as running:
        await receiver.wait_for(2, LIMIT)
        await watcher.run("jobs", "remove", "unwanted")
        await running.stop(SIGKILL)
    api.add_job(a_job("meanwhile", "succeeded"))
    async with watcher.start("run") as running:
        await receiver.wait_for(3, LIMIT)
        await scans(running, api)
        await running.stop()

    assert sorted(told(receiver)) == [("going", "running"), ("meanwhile", "succeeded"), ("unwanted", "running")]
    assert await origins(watcher) == {"going": ["rule:nlp"], "meanwhile": ["rule:nlp"]}


async def test_a_rule_that_is_taken_away_ends_the_watching_of_what_only_it_brought(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    for job in (a_job("theirs", "running"), a_job("named", "running"), a_job("added", "running")):
        api.add_job(job)
    before = settings(api.base_url, watcher.database, watch=[NLP], jobs=jobs("named"))
    watcher.configure(before | {"notifiers": {"hook": webhook(receiver.url)}})
    async with watcher.start("run") as running:
        await receiver.wait_for(3, LIMIT)
        await watcher.run("jobs", "add", "added")
        watcher.configure(before | {"watch": []})
        running.signal(SIGHUP)
        gone = await running.until_logged("a rule is gone: what only it brought is watched no more")
        after_reload = await watched(watcher)
        watcher.configure(before)
        running.signal(SIGHUP)
        await running.until_logged(DRAWN)
        await scans(running, api)
        after_return = await watched(watcher)
        await running.stop()
    watcher.configure(before | {"watch": []})
    async with watcher.start("run") as running:
        await running.until_logged("watching")
        after_restart = await watched(watcher)
        await running.stop()

    assert (gone["rule"], gone["jobs"]) == ("nlp", 1)
    assert after_reload == ["added", "named"]
    assert after_return == ["added", "named", "theirs"]
    assert after_restart == ["added", "named"]


@pytest.mark.postgresql
async def test_replicas_on_one_database_bring_a_job_once(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    with postgresql() as server:
        url = server.new_database()
        watcher.configure(
            settings(api.base_url, watcher.database, watch=[NLP], notifiers={"hook": webhook(receiver.url)})
            | {"store": {"url": url}}
        )
        async with watcher.start("run") as one, watcher.start("run") as two:
            for running in (one, two):
                await running.until_logged("watching")
            await scans(one, api)
            for number in range(40):
                api.add_job(a_job(f"job-{number:02}", "succeeded" if number % 2 else "running"))
            await receiver.wait_for(40, LIMIT)
            await scans(one, api, count=6)
            ended = [await running.stop() for running in (one, two)]

    assert sorted(told(receiver)) == [
        (f"job-{number:02}", "succeeded" if number % 2 else "running") for number in range(40)
    ]
    brought = [entry["jobs"] for each in ended for entry in each.log if entry["event"] == "jobs discovered"]
    assert sum(brought) == 40


async def test_ten_thousand_old_jobs_cost_one_reading_of_the_list_and_a_page_a_scan_after_that(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    for number in range(10_000):
        api.add_job(a_job(f"old-{number}", "succeeded"))
    given = settings(api.base_url, watcher.database, watch=[{"rule": "all"}])
    watcher.configure(given | {"notifiers": {"hook": webhook(receiver.url)}, "polling": {"interval": "1s"}})
    async with watcher.start("run") as running:
        drawn = await running.until_logged(DRAWN)
        at_first = [request.query for request in api.requests]
        api.add_job(a_job("new", "running"))
        await receiver.wait_for(1, LIMIT)
        await scans(running, api, count=3)
        await running.stop()
    async with watcher.start("run") as running:
        await running.until_logged("watching")
        await scans(running, api, count=2)
        await running.stop()

    assert (drawn["listed"], drawn["adopted"], drawn["ended_before"]) == (10_000, 0, 10_000)
    assert len([query for query in at_first if "after=" in query]) == 99
    later = [request for request in api.requests[len(at_first) :] if request.path.endswith("/jobs")]
    assert {request.query for request in later} == {"limit=100"}
    assert told(receiver) == [("new", "running")]
