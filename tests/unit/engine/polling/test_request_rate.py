"""The requests of the last minute are counted, each when it has got its turn."""

from __future__ import annotations

from watcher.engine.polling.request_rate import RequestRate


class World:
    """Time that is moved by hand, and turns that take a second each."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited = 0

    async def wait(self) -> None:
        self.waited += 1
        self.now += 1

    def steady(self) -> float:
        return self.now


async def test_requests_of_the_last_minute_are_counted() -> None:
    world = World()
    rate = RequestRate(None, world.steady)
    for second in (0, 0.5, 10, 59):
        world.now = 1000 + second
        await rate.turn()
    assert rate.in_last_minute() == 4
    world.now = 1060
    assert rate.in_last_minute() == 2
    await rate.turn()
    world.now = 1119
    assert rate.in_last_minute() == 1
    world.now = 1300
    assert rate.in_last_minute() == 0


async def test_a_request_counts_once_its_turn_has_come() -> None:
    world = World()
    rate = RequestRate(world.wait, world.steady)
    for _ in range(100):
        await rate.turn()
    assert (world.waited, rate.in_last_minute()) == (100, 60)
