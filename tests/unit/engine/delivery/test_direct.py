"""`watch --notify` delivers before it ends, within a minute."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import pytest

from tests.doubles import HangingNotifier, ManualClock, ScriptedNotifier, job_in, observation, runtime, until
from watcher.domain.deliveries import Failed, Rejected
from watcher.domain.routing import FirstSeen, Route
from watcher.domain.transitions import Transition, detect
from watcher.engine.delivery import direct as announce_module
from watcher.engine.delivery.direct import DirectDelivery
from watcher.engine.ports import Runtime
from watcher.errors import OutputClosedError


@pytest.fixture(autouse=True)
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce_module, "TICK_SECONDS", 0.001)


def transition(before: str | None, after: str) -> Transition:
    found = detect(job_in(before), observation(after))
    assert found is not None
    return found


def flying_edges() -> Runtime:
    """Return edges whose time runs on by itself, a second at each look."""
    clock = ManualClock()
    return runtime(lambda: clock.move(seconds=1))


async def test_leaving_waits_until_everything_arrived() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503")])
    async with DirectDelivery({"chat": notifier}, [Route("chat")], flying_edges()) as direct:
        direct.tell(transition("queued", "running"))
        direct.tell(transition("running", "succeeded"))

    assert [message.type.rpartition(".")[2] for message in notifier.received] == ["running", "running", "succeeded"]
    assert direct.undelivered() == []


async def test_a_receiver_that_stays_down_is_given_up_within_a_minute() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503", timedelta(hours=1))] * 99)
    async with DirectDelivery({"chat": notifier}, [Route("chat")], flying_edges()) as direct:
        direct.tell(transition("running", "failed"))

    assert 1 < len(notifier.received) < 10
    assert [delivery.last_error for delivery in direct.undelivered()] == ["HTTP 503"]


async def test_only_what_a_notifier_wants_is_sent() -> None:
    notifier = ScriptedNotifier([Rejected("HTTP 410")])
    routes = [Route("chat", statuses=frozenset({"failed"}), first_seen=FirstSeen.NEVER)]
    async with DirectDelivery({"chat": notifier}, routes, flying_edges()) as direct:
        direct.tell(transition(None, "failed"))
        direct.tell(transition("queued", "running"))

    assert notifier.received == []


async def test_an_interruption_does_not_wait() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503")] * 99)
    clock = ManualClock()
    with contextlib.suppress(KeyboardInterrupt):
        async with DirectDelivery({"chat": notifier}, [Route("chat")], runtime(clock)) as direct:
            direct.tell(transition("running", "failed"))
            raise KeyboardInterrupt

    assert len(notifier.received) <= 1


async def test_closed_output_is_passed_on() -> None:
    notifier = ScriptedNotifier([OutputClosedError("closed")])
    with pytest.raises(OutputClosedError):
        async with DirectDelivery({"console": notifier}, [Route("console")], flying_edges()) as direct:
            direct.tell(transition("running", "failed"))


async def test_being_cancelled_while_it_waits_ends_it() -> None:
    notifier = HangingNotifier()

    async def announcing() -> None:
        async with DirectDelivery({"chat": notifier}, [Route("chat")], runtime(ManualClock())) as direct:
            direct.tell(transition("running", "failed"))

    task = asyncio.create_task(announcing())
    await until(lambda: notifier.received)
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_can_be_entered_again() -> None:
    notifier = ScriptedNotifier()
    direct = DirectDelivery({"chat": notifier}, [Route("chat")], flying_edges())
    for status in ("failed", "succeeded"):
        async with direct:
            direct.tell(transition("running", status))

    assert len(notifier.received) == 2
