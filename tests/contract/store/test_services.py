"""A service leaves a sign of life in its store: commands say whether anything watches. On both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import KEY, MINUTE, NOON, SECOND, key
from watcher.store.living_services import KEPT, Named


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


async def test_a_service_learns_what_the_settings_of_the_other_living_ones_name(store: OpenStore) -> None:
    assert await store.named_by_others("w1", NOON) == Named()
    await store.note_settings("w1", "1.0", Named(frozenset({"nlp"}), frozenset({KEY})), NOON)
    await store.note_settings("w2", "1.0", Named(frozenset({"vision"}), frozenset({key(2)})), NOON)
    await store.note_settings("w2", "1.0", Named(frozenset({"é"}), frozenset({key(2), key(3)})), NOON)
    await store.note_settings("w3", "1.0", Named(frozenset({"gone"})), NOON - SECOND)
    assert await store.named_by_others("w1", NOON) == Named(frozenset({"é"}), frozenset({key(2), key(3)}))
    assert await store.named_by_others("w2", NOON) == Named(frozenset({"nlp"}), frozenset({KEY}))
    await store.forget_service("w2")
    assert await store.named_by_others("w1", NOON) == Named()
    assert await store.count_rows("service_settings") == 2


async def test_what_a_living_program_of_before_wants_is_not_known(store: OpenStore) -> None:
    await store.note_service("old", "0.9", NOON)
    await store.note_settings("w1", "1.0", Named(), NOON)
    assert await store.named_by_others("w1", NOON) is None
    assert await store.named_by_others("w1", NOON + SECOND) == Named()


async def test_the_settings_of_a_service_that_died_go_with_its_sign(store: OpenStore) -> None:
    await store.note_settings("w1", "1.0", Named(), NOON)
    await store.note_settings("w2", "1.0", Named(), NOON + KEPT + SECOND)
    assert await store.statement("SELECT service FROM service_settings") == [("w2",)]
