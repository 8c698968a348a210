"""A service leaves a sign of life in its store: commands say whether anything watches. On both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import MINUTE, NOON, SECOND
from watcher.store.services import KEPT


async def test_a_store_without_a_service_says_so(store: OpenStore) -> None:
    assert await store.service_seen() is None
    await store.forget_service("w1")
    assert await store.service_seen() is None


async def test_the_last_sign_of_life_of_any_service_counts(store: OpenStore) -> None:
    await store.note_service("w1", "1.0", NOON)
    await store.note_service("w2", "1.1", NOON - MINUTE)
    assert await store.service_seen() == NOON
    await store.note_service("w2", "1.1", NOON + SECOND)
    assert await store.service_seen() == NOON + SECOND
    assert await store.statement("SELECT id, version FROM service ORDER BY id") == [("w1", "1.0"), ("w2", "1.1")]


async def test_a_service_that_has_ended_leaves_no_sign(store: OpenStore) -> None:
    await store.note_service("w1", "1.0", NOON)
    await store.note_service("w2", "1.0", NOON + MINUTE)
    await store.forget_service("w2")
    assert await store.service_seen() == NOON
    await store.forget_service("w1")
    assert await store.service_seen() is None


async def test_the_sign_of_a_service_that_died_is_kept_for_a_while_and_removed_by_the_next_new_one(
    store: OpenStore,
) -> None:
    await store.note_service("w1", "1.0", NOON)
    await store.note_service("w2", "1.0", NOON + KEPT)
    assert await store.count_rows("service") == 2
    await store.note_service("w3", "1.0", NOON + KEPT + timedelta(microseconds=1))
    assert await store.statement("SELECT id FROM service ORDER BY id") == [("w2",), ("w3",)]


async def test_services_side_by_side_do_not_disturb_each_other(store: OpenStore, url: str) -> None:
    async with OpenStore(url) as other:
        for seconds in range(20):
            now = NOON + seconds * SECOND
            await asyncio.gather(store.note_service("w1", "1.0", now), other.note_service("w2", "1.0", now))
        assert await store.count_rows("service") == 2
        assert await other.service_seen() == now
