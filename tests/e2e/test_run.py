"""`watcher run`: what happens to jobs arrives, and a signal loses nothing and sends nothing twice."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

import pytest

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import jobs, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.script import JobScript, Step
from watcher.simulator.server import Manner, Received, Reply

JOB = "ftjob-run"
HANG = Reply(manner=Manner.HANG)
SLOW = Reply(200, body=b"ok", manner=Manner.DRIP, pause=timedelta(seconds=0.5))
PROMPTLY = timedelta(seconds=5)
"""Less than the ten seconds for which sends under way are waited for."""

signals = pytest.mark.parametrize("number", [SIGTERM, SIGINT])


def bodies(receiver: Receiver) -> list[dict[str, object]]:
    return [json.loads(message.body) for message in receiver.received]


@pytest.fixture
def life() -> tuple[str, ...]:
    return ("validating_files", "queued", "running", "succeeded")


@pytest.fixture(params=["asyncio", "uvloop"])
def service(watcher: Command, api: FineTuningApi, receiver: Receiver, request: pytest.FixtureRequest) -> Command:
    """A service that watches one job and has one webhook notifier, on either event loop."""
    watcher.event_loop = request.param
    watcher.configure(
        settings(api.base_url, watcher.database, jobs=jobs(JOB), notifiers={"pager": webhook(receiver.url)})
    )
    return watcher


async def test_every_transition_arrives_signed_and_in_order(
    service: Command, api: FineTuningApi, receiver: Receiver, life: tuple[str, ...]
) -> None:
    api.add_job(JobScript(JOB, (*(Step(status, polls=2) for status in life[:-1]), Step(life[-1]))))
    async with service.start("run") as running:
        await receiver.wait_for(len(life), LIMIT)
        await running.until_logged("delivery accepted", status="succeeded")
        loaded = Path(f"/proc/{running.pid}/maps").read_text()
        ended = await running.stop()
    assert ("uvloop" in loaded) is (service.event_loop == "uvloop")
    assert ended.code == 0
    assert ended.out == ""
    assert ended.events()[-1] == "stopped"
    told = bodies(receiver)
    assert statuses(told) == list(life)
    assert [body["type"] for body in told] == [f"fine_tuning.job.{status}" for status in life]
    assert all(message.verified for message in receiver.received)
    assert [message.headers["webhook-id"] for message in receiver.received] == [body["id"] for body in told]
    assert len({body["id"] for body in told}) == len(life)


@signals
async def test_a_signal_lets_the_send_under_way_finish_and_the_rest_wait_for_the_next_start(
    service: Command, api: FineTuningApi, receiver: Receiver, number: Signals
) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    receiver.answers = [SLOW, ACCEPTED]
    async with service.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        api.set_status(JOB, "succeeded")
        await running.until_logged("transition", status="succeeded")
        ended = await running.stop(number)
    assert ended.code == 0
    events = ended.events()
    assert events.index("stopping") < events.index("delivery accepted") < events.index("stopped")
    assert statuses(bodies(receiver)) == ["running"]

    async with service.start("run") as running:
        await running.until_logged("delivery accepted", status="succeeded")
        assert (await running.stop()).code == 0
    assert statuses(bodies(receiver)) == ["running", "succeeded"]


@signals
async def test_a_second_signal_ends_it_at_once(
    service: Command, api: FineTuningApi, receiver: Receiver, number: Signals
) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    receiver.answers = [HANG]
    async with service.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        running.signal(number)
        await running.until_logged("stopping", signal=number.name)
        ended = await running.stop(number, within=PROMPTLY)
    assert ended.code == 128 + number
    assert "stopped" not in ended.events()


async def test_a_receiver_that_hangs_is_left_after_ten_seconds(
    service: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """Takes the ten seconds: less than the fifteen after which the notifier itself would give up."""
    api.add_job(JobScript(JOB, (Step("running"),)))
    receiver.answers = [HANG]
    async with service.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        ended = await running.stop()
    assert ended.code == 0
    assert ended.events("warning") == ["sends in flight are left for later"]
    listed = await service.run("deliveries", "list", "--json")
    (left,) = json.loads(listed.out)
    assert (left["state"], left["attempts"]) == ("pending", 0)


async def test_one_receiver_that_hangs_delays_neither_another_one_nor_polling(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    notifiers = {"hanging": webhook(f"{receiver.url}/hanging"), "quick": webhook(f"{receiver.url}/quick")}
    watcher.configure(settings(api.base_url, watcher.database, jobs=jobs(JOB), notifiers=notifiers))
    api.add_job(JobScript(JOB, (Step("queued", polls=2), Step("running", polls=2), Step("succeeded"))))

    def answer(received: Received) -> Reply:
        return HANG if received.path.endswith("/hanging") else ACCEPTED

    receiver.answers = answer
    async with watcher.start("run") as running:
        await receiver.wait_for(4, LIMIT)
        await running.until_logged("delivery accepted", notifier="quick", status="succeeded")
    quick = [json.loads(message.body) for message in receiver.received if message.path.endswith("/quick")]
    assert statuses(quick) == ["queued", "running", "succeeded"]


async def test_a_failed_send_is_tried_again_with_the_same_id_and_a_new_signature(
    service: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """The schedule waits for 5 s, then for 30 s: time enough for `deliveries retry` to shorten that on any machine."""
    api.add_job(JobScript(JOB, (Step("running"),)))
    receiver.answers = [Reply(503), Reply(503), ACCEPTED]
    async with service.start("run") as running:
        await running.until_logged("delivery retry scheduled", attempt=1, error="503 Service Unavailable")
        await running.until_logged("delivery retry scheduled", attempt=2)
        assert (await service.run("deliveries", "retry", "--notifier", "pager")).out == "1 to be sent again\n"
        accepted = await running.until_logged("delivery accepted")
    assert accepted["attempt"] == 3
    first, _, last = receiver.received
    assert first.headers["webhook-id"] == last.headers["webhook-id"]
    assert first.body == last.body
    assert last.verified
