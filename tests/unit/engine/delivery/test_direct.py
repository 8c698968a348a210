"""`watch --notify` delivers before it ends, within a minute."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from functools import partial

import pytest

from tests.doubles import HangingNotifier, ManualClock, ScriptedNotifier, job_in, observation, runtime, until
from watcher.domain.deliveries import Failed, Rejected
from watcher.domain.routing import FirstSeen, Route
from watcher.domain.transitions import Transition, detect
from watcher.engine.delivery.direct import DirectDelivery
from watcher.engine.runtime import Runtime
from watcher.errors import OutputClosedError

direct_delivery = partial(DirectDelivery, tick_seconds=0.001)


def transition(before: str | None, after: str) -> Transition:
    found = detect(job_in(before), observation(after))
    assert found is not None
    return found


def a_runtime_whose_time_runs() -> Runtime:
    """Return a runtime whose time runs on by itself, a second at each look."""
    clock = ManualClock()
    return runtime(lambda: clock.move(seconds=1))


async def test_leaving_waits_until_everything_arrived() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503")])
    async with direct_delivery({"chat": notifier}, [Route("chat")], a_runtime_whose_time_runs()) as direct:
        direct.tell(transition("queued", "running"))
        direct.tell(transition("running", "succeeded"))

    assert [message.type.rpartition(".")[2] for message in notifier.received] == ["running", "running", "succeeded"]
    assert direct.undelivered() == []


async def test_a_receiver_that_stays_down_is_given_up_within_a_minute() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503", timedelta(hours=1))] * 99)
    async with direct_delivery({"chat": notifier}, [Route("chat")], a_runtime_whose_time_runs()) as direct:
        direct.tell(transition("running", "failed"))

    assert 1 < len(notifier.received) < 10
    assert [delivery.last_error for delivery in direct.undelivered()] == ["HTTP 503"]


async def test_only_what_a_notifier_wants_is_sent() -> None:
    notifier = ScriptedNotifier([Rejected("HTTP 410")])
    routes = [Route("chat", statuses=frozenset({"failed"}), first_seen=FirstSeen.NEVER)]
    async with direct_delivery({"chat": notifier}, routes, a_runtime_whose_time_runs()) as direct:
        direct.tell(transition(None, "failed"))
        direct.tell(transition("queued", "running"))

    assert notifier.received == []


async def test_an_interruption_does_not_wait() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503")] * 99)
    clock = ManualClock()
    with contextlib.suppress(KeyboardInterrupt):
        async with direct_delivery({"chat": notifier}, [Route("chat")], runtime(clock)) as direct:
            direct.tell(transition("running", "failed"))
            raise KeyboardInterrupt

    assert len(notifier.received) <= 1


async def test_closed_output_is_passed_on() -> None:
    notifier = ScriptedNotifier([OutputClosedError("closed")])
    with pytest.raises(OutputClosedError):
        async with direct_delivery({"console": notifier}, [Route("console")], a_runtime_whose_time_runs()) as direct:
            direct.tell(transition("running", "failed"))


async def test_being_cancelled_while_it_waits_ends_it() -> None:
    notifier = HangingNotifier()

    async def deliver() -> None:
        async with direct_delivery({"chat": notifier}, [Route("chat")], runtime(ManualClock())) as direct:
            direct.tell(transition("running", "failed"))

    task = asyncio.create_task(deliver())
    await until(lambda: notifier.received)
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_can_be_entered_again() -> None:
    notifier = ScriptedNotifier()
    direct = direct_delivery({"chat": notifier}, [Route("chat")], a_runtime_whose_time_runs())
    for status in ("failed", "succeeded"):
        async with direct:
            direct.tell(transition("running", status))

    assert len(notifier.received) == 2
