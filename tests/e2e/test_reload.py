"""SIGHUP: the configuration changes while the service runs, and nothing is dropped or said twice."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from pathlib import Path
from signal import SIGHUP, SIGTERM

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import jobs, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step
from watcher.simulator.server import Reply

FIRST, SECOND = "ftjob-first", "ftjob-second"
MANY = 3_000


def told(receiver: Receiver, job: str) -> list[str]:
    bodies = [json.loads(message.body) for message in receiver.received]
    return statuses(body for body in bodies if body["data"].get("id") == job)


async def test_jobs_and_notifiers_change_without_losing_or_repeating_anything(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    for job in (FIRST, SECOND):
        api.add_job(JobScript(job, (Step("running"),)))
    before = settings(api.base_url, watcher.database, jobs=jobs(FIRST), notifiers={"old": webhook(receiver.url)})
    watcher.configure(before)
    async with Receiver() as other, watcher.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        watcher.configure(before | {"jobs": jobs(FIRST, SECOND), "notifiers": {"new": webhook(other.url)}})
        running.signal(SIGHUP)
        await running.until_logged("configuration reloaded")
        await other.wait_for(1, LIMIT)
        api.set_status(FIRST, "succeeded")
        api.set_status(SECOND, "failed")
        await other.wait_for(3, LIMIT)
        ended = await running.stop()
        assert ended.code == 0
        assert told(receiver, FIRST) == ["running"]
        assert told(other, FIRST) == ["succeeded"]
        assert told(other, SECOND) == ["running", "failed"]


async def test_jobs_and_notifiers_that_come_together_find_each_other(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """The pipeline before must not poll a new job: it would tell its own notifiers, and the new one never hears."""
    new = [f"ftjob-new-{number}" for number in range(5)]
    for job in (FIRST, *new):
        api.add_job(JobScript(job, (Step("running"),)))
    before = settings(api.base_url, watcher.database, polling={"interval": "0.02s"})
    # So many that starting to watch them takes longer than a tick of the pipeline before.
    before["sources"] |= {"slow": before["sources"]["openai"] | {"max_requests_per_minute": 1}}
    others = [{"id": f"ftjob-{number}", "source": "slow"} for number in range(MANY)]
    watcher.configure(
        before | {"jobs": [{"id": FIRST, "source": "openai"}], "notifiers": {"old": webhook(receiver.url)}}
    )
    async with Receiver() as other, watcher.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        named = [{"id": job, "source": "openai"} for job in (FIRST, *new)]
        watcher.configure(before | {"jobs": [*named, *others], "notifiers": {"new": webhook(other.url)}})
        running.signal(SIGHUP)
        await other.wait_for(len(new), LIMIT)
        await running.stop()
    assert {job for job in new if told(other, job)} == set(new)
    assert len(receiver.received) == 1


async def test_a_job_that_the_configuration_no_longer_names_is_polled_no_more(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    for job in (FIRST, SECOND):
        api.add_job(JobScript(job, (Step("running"),)))
    before = settings(api.base_url, watcher.database, jobs=jobs(FIRST, SECOND))
    watcher.configure(before)
    async with watcher.start("run") as running:
        await running.until_logged("transition", job=f"openai/{SECOND}")
        watcher.configure(before | {"jobs": jobs(FIRST)})
        running.signal(SIGHUP)
        await running.until_logged("configuration reloaded")
        listed = json.loads((await watcher.run("jobs", "list", "--json")).out)
        await running.stop()

    assert [row["id"] for row in listed] == [FIRST]


async def test_a_configuration_with_mistakes_is_told_of_and_changes_nothing(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    api.add_job(JobScript(FIRST, (Step("running"),)))
    before = settings(api.base_url, watcher.database, jobs=jobs(FIRST), notifiers={"hook": webhook(receiver.url)})
    watcher.configure(before)
    async with watcher.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        watcher.configure(before | {"polling": {"intervall": "1s"}, "jobs": [{"id": "a b"}]})
        running.signal(SIGHUP)
        entry = await running.until_logged("configuration not reloaded, the one before stays")
        api.set_status(FIRST, "succeeded")
        await receiver.wait_for(2, LIMIT)
        watcher.configure(before)
        await running.stop()

    assert [mistake.split(": ")[1] for mistake in sorted(entry["mistakes"])] == ["jobs[0].id", "polling.intervall"]
    assert told(receiver, FIRST) == ["running", "succeeded"]


async def test_what_a_missing_notifier_is_owed_stays_and_goes_out_when_it_is_back(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    api.add_job(JobScript(FIRST, (Step("running"),)))
    receiver.answers = [Reply(503)]
    before = settings(api.base_url, watcher.database, jobs=jobs(FIRST), notifiers={"hook": webhook(receiver.url)})
    watcher.configure(before)
    async with watcher.start("run") as running:
        await running.until_logged("delivery retry scheduled")
        watcher.configure(before | {"notifiers": {}})
        running.signal(SIGHUP)
        await running.until_logged("configuration reloaded")
        orphaned = json.loads((await watcher.run("deliveries", "list", "--json")).out)
        receiver.answers = [Reply(200)]
        watcher.configure(before)
        running.signal(SIGHUP)
        await receiver.wait_for(2, LIMIT)
        await running.stop()

    assert [row["next_attempt"] for row in orphaned] == ["orphaned: no notifier of this name is configured"]
    ids = Counter(json.loads(message.body)["id"] for message in receiver.received)
    assert list(ids.values()) == [2]


async def test_what_cannot_change_while_it_runs_is_named(watcher: Command, api: FineTuningApi) -> None:
    before = settings(api.base_url, watcher.database)
    watcher.configure(before)
    async with watcher.start("run") as running:
        await running.until_logged("watching")
        watcher.configure(before | {"store": {"url": f"sqlite:///{watcher.database}.other"}, "log": {"level": "info"}})
        running.signal(SIGHUP)
        entry = await running.until_logged("some changes need a restart")
        await running.stop()

    assert entry["settings"] == ["store.url"]


async def test_systemd_hears_of_every_stage(watcher: Command, api: FineTuningApi, tmp_path: Path) -> None:
    api.add_job(JobScript(FIRST, (Step("running"),)))
    watcher.configure(settings(api.base_url, watcher.database, jobs=jobs(FIRST)))
    loop = asyncio.get_running_loop()
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        async def until_heard(beginning: str) -> str:
            async with asyncio.timeout(LIMIT.total_seconds()):
                while True:
                    heard.append((await loop.sock_recv(manager, 1000)).decode())
                    if heard[-1].startswith(beginning):
                        return heard[-1]

        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        async with watcher.start("run", env=env) as running:
            ready = await until_heard("READY=1")
            await until_heard("WATCHDOG=1")
            running.signal(SIGHUP)
            await until_heard("RELOADING=1\nMONOTONIC_USEC=")
            await until_heard("READY=1")
            await until_heard("WATCHDOG=1")
            running.signal(SIGTERM)
            await until_heard("STOPPING=1")
            assert (await running.ended()).code == 0

    assert "STATUS=" in ready
    assert "deliveries pending" in ready


async def test_a_source_that_rejects_the_watcher_is_told_through_the_notifiers(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    watcher.configure(
        settings(api.base_url, watcher.database, jobs=jobs(FIRST), notifiers={"hook": webhook(receiver.url)})
        | {"sources": {"openai": {"base_url": api.base_url, "api_key": "sk-of-somebody-else"}}}
    )
    async with watcher.start("run") as running:
        message = (await receiver.wait_for(1, LIMIT))[0]
        await running.stop()

    event = json.loads(message.body)
    assert message.verified
    assert event["type"] == "watcher.source.rejected"
    assert "HTTP 401" in event["data"]["error"]
    assert "sk-of-somebody-else" not in message.body.decode()
