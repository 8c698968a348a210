"""A full collection looks only at what came since the last one; what is kept is looked at again while it is little."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping

from watcher.service.garbage import look_at_all, short_collections


class Node:
    """An object that may be part of a cycle."""

    def __init__(self) -> None:
        self.other: Node | None = None


def is_looked_at(node: Node) -> bool:
    return any(each is node for each in gc.get_objects())


def test_what_has_survived_a_full_collection_is_not_looked_at_again() -> None:
    with short_collections():
        kept = [Node() for _ in range(10_000)]
        gc.collect()
        assert gc.get_freeze_count() > len(kept)
        assert len(gc.get_objects(generation=2)) < len(kept)


def test_what_becomes_garbage_later_is_found_once_everything_is_looked_at() -> None:
    with short_collections():
        node = Node()
        node.other, seen = node, weakref.ref(node)
        gc.collect()
        del node
        gc.collect()
        assert seen() is not None
        look_at_all(most=gc.get_freeze_count() - 1)
        gc.collect()
        assert seen() is not None
        look_at_all(most=gc.get_freeze_count())
        gc.collect()
        assert seen() is None


def test_what_was_there_before_is_not_looked_at() -> None:
    node = Node()
    assert is_looked_at(node)
    with short_collections():
        assert not is_looked_at(node)


def test_full_collections_come_often_so_that_each_is_short() -> None:
    looked_at: list[int] = []

    def note(phase: str, info: Mapping[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            looked_at.append(len(gc.get_objects()))

    before = gc.get_threshold()
    with short_collections():
        gc.collect()
        gc.callbacks.append(note)
        kept = [Node() for _ in range(500_000)]
        gc.callbacks.remove(note)
    assert max(looked_at) < len(kept) / 5
    assert gc.get_threshold() == before


def test_young_garbage_is_found_at_once() -> None:
    with short_collections():
        gc.collect()
        node = Node()
        node.other, seen = node, weakref.ref(node)
        del node
        gc.collect()
        assert seen() is None


def test_the_jobs_of_a_claim_are_no_reason_for_a_collection() -> None:
    usual = gc.get_threshold()
    with short_collections():
        gc.collect()
        before = gc.get_stats()
        kept = [Node() for _ in range(10_000)]
        assert gc.get_stats() == before
        assert len(kept) == 10_000
    assert gc.get_threshold() == usual


def test_nothing_is_left_out_once_the_service_has_ended() -> None:
    with short_collections():
        node = Node()
        gc.collect()
        assert not is_looked_at(node)
    assert is_looked_at(node)
    gc.collect()
    assert is_looked_at(node)
