"""Receipts are kept for each thread, and an overtaken update is known as such. On both databases."""

from __future__ import annotations

import asyncio

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import KEY, MINUTE, NOON, SECOND, claim, move, owe, settle, the_job
from tests.doubles import ManualClock, RecordingLog, planned, runtime
from tests.slack_api import TOKEN, Workspace
from tests.unit.notifiers.conftest import RecordingPacer
from watcher.domain.conditions import missing_condition
from watcher.domain.deliveries import SERVICE_RETRY_POLICY, Delivered, DeliveryState, superseded
from watcher.engine.delivery.dispatcher import Dispatcher
from watcher.engine.ports import Finding
from watcher.http import Bounds, HttpClient
from watcher.notifiers.slack.plugin import Config, plugin
from watcher.plugins.notifier import Context


async def test_a_condition_of_the_job_is_of_the_same_thread(store: OpenStore) -> None:
    await owe(store, ["running"])
    await settle(store, await claim(store), Delivered(receipt="r1"))
    found = missing_condition(await the_job(store), NOON)
    await store.record_findings([Finding(found, NOON, planned("pager"))], "w1")
    (claimed,) = await claim(store)
    assert claimed.event.thread == str(KEY)
    assert claimed.previous_receipt == "r1"


async def test_what_a_newer_due_event_has_overtaken_is_said_and_can_be_settled_so(store: OpenStore) -> None:
    await owe(store, ["queued", "running"], "pager", "chat")
    (first,) = await claim(store, pager=1)
    assert first.is_overtaken
    await store.settle([superseded(first, NOON)])
    (second,) = await claim(store, pager=1)
    assert not second.is_overtaken
    last = [each for each in await store.deliveries() if each.notifier == "pager"][-1]
    assert (last.state, last.attempts, last.settled_at) == (DeliveryState.SUPERSEDED, 0, NOON)


async def test_what_waits_has_overtaken_nothing(store: OpenStore) -> None:
    await owe(store, ["queued", "running"])
    (first,) = await claim(store, NOON + SECOND / 2)
    assert not first.is_overtaken


async def test_a_bot_goes_on_with_its_message_after_a_restart(store: OpenStore, url: str) -> None:
    """Slack is away for the first steps; a process posts, another one edits, and nothing that must be told is lost."""

    async def live(process: OpenStore, until_settled: int) -> None:
        clock = ManualClock(NOON + 10 * MINUTE)
        async with HttpClient(Bounds(MINUTE, concurrency=2, size_limit=100_000)) as http:
            config = Config(token=TOKEN, channel="#ml", api_url=f"{workspace.url}/api")
            bot = plugin.build(config, Context("chat", http, RecordingPacer(), clock))
            deliver = Dispatcher(process, {"chat": bot}, SERVICE_RETRY_POLICY, runtime(clock, RecordingLog()))
            running = asyncio.create_task(deliver.run())
            settled = 0
            while settled < until_settled:
                deliver.wake()
                await asyncio.sleep(0.01)
                settled = sum(each.state is not DeliveryState.PENDING for each in await process.deliveries())
            deliver.stop()
            await running

    async with Workspace() as workspace:
        await owe(store, ["validating_files", "queued", "running"], "chat")
        await live(store, 3)
        [root] = workspace.roots()
        assert root.headline.endswith("ftjob-1: running")
        async with OpenStore(url) as another:
            job = await the_job(another)
            await another.record([move(job, "failed", NOON + MINUTE, ["chat"])])
            await live(another, 4)

    assert [each.state.value for each in await store.deliveries()] == [
        "delivered",
        "delivered",
        "superseded",
        "superseded",
    ]
    assert workspace.roots() == [root]
    assert root.headline.endswith("ftjob-1: failed")
    assert [answer.headline for answer in workspace.thread_of(root)] == [root.headline]
