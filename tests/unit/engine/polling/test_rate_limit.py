"""A budget spaces out requests, so that no minute holds more of them than it allows."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.engine.polling.rate_limit import RateLimit


class Time:
    """A steady clock that moves with each sleep, and a little late."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 100.0
        self.late = late

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds + self.late
        await asyncio.sleep(0)


async def turns(rate_limit: RateLimit, time: Time, count: int) -> list[float]:
    """Let so many requests ask for their turns at once; return when each got it."""
    got: list[float] = []

    async def request() -> None:
        await rate_limit.wait()
        got.append(time())

    await asyncio.gather(*(request() for _ in range(count)))
    return got


@given(st.integers(1, 600), st.integers(1, 150), st.floats(0, 3))
async def test_no_minute_holds_more_requests_than_the_budget(per_minute: int, count: int, late: float) -> None:
    """Wherever that minute begins, and however late the sleepers wake."""
    time = Time(late)
    got = await turns(RateLimit(per_minute, time, time.sleep), time, count)
    for first in got:
        assert sum(first <= other < first + 60 - 1e-6 for other in got) <= per_minute


async def test_a_process_that_has_just_started_waits_for_its_first_turn() -> None:
    """It does not know what the one before it has used: restarting must not refill a budget."""
    time = Time()

    assert await turns(RateLimit(6, time, time.sleep), time, 3) == [110, 120, 130]


async def test_who_asked_first_goes_first_and_who_gives_up_costs_nobody_a_turn() -> None:
    time = Time()
    rate_limit = RateLimit(60, time, time.sleep)
    first, second = asyncio.create_task(rate_limit.wait()), asyncio.create_task(rate_limit.wait())
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([first, second])
    await rate_limit.wait()

    assert time() == 102


@pytest.mark.parametrize(("within", "room"), [(0.5, 0), (1, 1), (1.5, 1), (10, 10)])
async def test_there_is_room_for_what_gets_its_turn_in_time(within: float, room: int) -> None:
    time = Time()

    assert RateLimit(60, time, time.sleep).available(within) == room


async def test_those_who_wait_take_room() -> None:
    time = Time()
    rate_limit = RateLimit(60, time)
    waiting = [asyncio.create_task(rate_limit.wait()) for _ in range(4)]
    await asyncio.sleep(0)

    assert rate_limit.available(10) == 6
    assert rate_limit.available(3) == 0
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert rate_limit.available(10) == 10
