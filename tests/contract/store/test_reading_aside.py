"""What is read for people and for learning holds up neither polls nor deliveries, on both databases."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from sqlalchemy import event

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import DELIVERED, NOON, SECOND, claim, claim_jobs, key, move, settle, watch


async def test_a_reading_that_takes_long_holds_up_nothing(store: OpenStore) -> None:
    (job,) = await watch(store, key(1))
    begun, go_on = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        begun.set()
        go_on.wait(20)

    event.listen(store.view_engine, "before_cursor_execute", wait)
    reading = asyncio.create_task(store.jobs())
    await asyncio.to_thread(begun.wait, 20)
    try:
        assert len(await claim_jobs(store)) == 1
        assert await store.record([move(job, "running", NOON + SECOND, ["pager"])]) == set()
        await settle(store, await claim(store), DELIVERED)
        assert not reading.done()
    finally:
        go_on.set()
    assert len(await reading) == 1


async def test_what_was_written_is_read_at_once(store: OpenStore) -> None:
    for number in range(20):
        await watch(store, key(number))
        assert len(await store.jobs()) == number + 1
