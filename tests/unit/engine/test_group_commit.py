"""What is ready is committed together, and what is refused is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.doubles import RecordingLog, until
from watcher.engine.group_commit import GroupCommit
from watcher.errors import StoreUnavailableError


class Record:
    """A store that can be held up, and can refuse."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refusals: list[Exception] = []
        self.heard: list[str] = []
        self.breaks_after = False
        self.open = asyncio.Event()
        self.open.set()

    def committed(self, items: Sequence[str], result: object) -> None:
        self.heard += items
        if self.breaks_after:
            raise ZeroDivisionError
        assert result is None

    def key_of(self, item: str) -> str:
        return item[:1]

    async def commit(self, batch: Sequence[str]) -> None:
        await self.open.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.batches.append(list(batch))


async def test_what_gathers_during_a_commit_is_committed_together() -> None:
    record = Record()
    async with GroupCommit("items", record.commit, record, RecordingLog()) as commits:
        record.open.clear()
        commits.put("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for item in "bcd":
            commits.put(item)
        record.open.set()

    assert record.batches == [["a"], ["b", "c", "d"]]


async def test_leaving_waits_for_the_last_commit() -> None:
    record = Record()
    async with GroupCommit("items", record.commit, record, RecordingLog()) as commits:
        commits.put("a")

    assert record.batches == [["a"]]


async def test_a_refused_batch_is_kept_in_order_and_told_of_once() -> None:
    record, log = Record(), RecordingLog()
    record.refusals = [StoreUnavailableError("disk full")] * 3
    async with GroupCommit("items", record.commit, record, log, 0.001) as commits:
        commits.put("a")
        await until(lambda: len(record.refusals) == 2)
        commits.put("b")
        await until(lambda: record.batches)

    assert [item for batch in record.batches for item in batch] == ["a", "b"]
    assert log.events("error") == ["the store cannot be written, keeping what it lacks"]
    assert log.events("info") == ["the store can be written again"]


async def test_leaving_does_not_wait_for_a_record_that_refuses() -> None:
    record, log = Record(), RecordingLog()
    record.refusals = [StoreUnavailableError("read-only")] * 9
    async with GroupCommit("items", record.commit, record, log) as commits:
        commits.put("a")

    assert record.batches == []
    assert log.events("error")[-1] == "stopped with unrecorded items"


class Poison:
    """A store whose commits break while they hold certain items."""

    def __init__(self, *poison: str) -> None:
        self.poison = set(poison)
        self.written: list[str] = []
        self.tries = 0
        self.open = asyncio.Event()
        self.open.set()

    async def commit(self, batch: Sequence[str]) -> None:
        self.tries += 1
        await self.open.wait()
        if self.poison & set(batch):
            raise ValueError("cannot be written")
        self.written += batch


async def test_one_item_that_breaks_its_commit_does_not_hold_up_the_others_and_is_kept() -> None:
    record, poison, log = Record(), Poison("b1"), RecordingLog()
    async with GroupCommit("items", poison.commit, record, log, 0.001) as commits:
        for item in ("a1", "b1", "c1"):
            commits.put(item)
        await until(lambda: poison.written == ["a1", "c1"])
        assert str(commits.stuck) == (
            "items cannot be recorded: of b (ValueError); they are kept and tried again, the log has the reason"
        )
        assert commits.refusal is None
        poison.poison.clear()
        await until(lambda: commits.stuck is None)

    assert record.heard == ["a1", "c1", "b1"]
    assert log.events("exception") == ["item cannot be recorded, kept and tried again"]
    assert log.events("info") == ["recorded after all"]


async def test_what_is_about_the_same_waits_behind_what_was_set_aside_in_order() -> None:
    """It may be of the same batch, have gathered meanwhile, or come later."""
    record, poison = Record(), Poison("b1", "c1")
    async with GroupCommit("items", poison.commit, record, RecordingLog(), 0.001) as commits:
        poison.open.clear()
        for item in ("b1", "a1", "b2", "c1"):
            commits.put(item)
        await until(lambda: poison.tries == 1)
        commits.put("b3")
        poison.open.set()
        await until(lambda: commits.stuck and "and of 1 more" in str(commits.stuck))
        commits.put("b4")
        poison.poison.clear()
        await until(lambda: commits.stuck is None)

    assert [item for item in record.heard if item.startswith("b")] == ["b1", "b2", "b3", "b4"]
    assert sorted(record.heard) == ["a1", "b1", "b2", "b3", "b4", "c1"]


async def test_what_was_set_aside_is_tried_less_and_less_often() -> None:
    record, poison = Record(), Poison("b1")
    async with GroupCommit("items", poison.commit, record, RecordingLog(), 0.01) as commits:
        commits.put("b1")
        await asyncio.sleep(0.2)
        assert 3 <= poison.tries <= 5
        poison.poison.clear()

    assert record.heard == ["b1"]  # leaving tries once more


async def test_leaving_says_what_was_set_aside_and_not_recorded() -> None:
    log = RecordingLog()
    async with GroupCommit("items", Poison("b1").commit, Record(), log, 60) as commits:
        commits.put("b1")
        await until(lambda: commits.stuck)

    assert log.events("error") == ["stopped with unrecorded items"]


async def test_a_refusal_while_trying_again_keeps_what_was_set_aside() -> None:
    record, log = Record(), RecordingLog()
    answers = iter([ValueError(), StoreUnavailableError("locked"), None])

    async def commit(batch: Sequence[str]) -> None:
        if answer := next(answers, None):
            raise answer
        record.batches.append(list(batch))

    async with GroupCommit("items", commit, record, log, 0.001) as commits:
        commits.put("b1")
        await until(lambda: record.batches)

    assert record.heard == ["b1"]
    assert log.events("error") == ["the store cannot be written, keeping what it lacks"]


async def test_what_was_set_aside_can_be_taken_back() -> None:
    record, poison = Record(), Poison("b1", "c1")
    async with GroupCommit("items", poison.commit, record, RecordingLog(), 60) as commits:
        for item in ("b1", "b2", "c1"):
            commits.put(item)
        await until(lambda: commits.stuck and "and of 1 more" in str(commits.stuck))
        assert commits.take_back(lambda item: item == "b2") == ["b2"]
        assert commits.take_back(lambda item: item in {"b1", "c1"}) == ["b1", "c1"]
        assert commits.stuck is None

    assert record.heard == []


async def test_leaving_tries_once_more_what_was_refused() -> None:
    record, log = Record(), RecordingLog()
    record.refusals = [StoreUnavailableError("locked")]
    async with GroupCommit("items", record.commit, record, log) as commits:
        commits.put("a")
        await until(lambda: commits.refusal)

    assert record.batches == [["a"]]


async def test_a_refusal_between_single_items_keeps_the_rest_in_order() -> None:
    """One item poisons the batch; trying the others one by one, the store refuses the second of them."""
    record, answers = (
        Record(),
        iter([ValueError(), None, StoreUnavailableError("locked"), ValueError(), None, ValueError()]),
    )

    async def commit(batch: Sequence[str]) -> None:
        if answer := next(answers, None):
            raise answer
        record.batches.append(list(batch))

    async with GroupCommit("items", commit, record, RecordingLog(), 0.001) as commits:
        for item in "abc":
            commits.put(item)
        await until(lambda: record.heard == ["a", "b", "c"])


async def test_what_is_recorded_is_not_tried_again_when_its_owner_breaks() -> None:
    record, log = Record(), RecordingLog()
    record.breaks_after = True
    async with GroupCommit("items", record.commit, record, log) as commits:
        commits.put("a")

    assert record.batches == [["a"]]
    assert log.events("exception") == ["after recording"]


async def test_what_still_waits_can_be_taken_back() -> None:
    record = Record()
    async with GroupCommit("items", record.commit, record, RecordingLog()) as commits:
        for item in "abc":
            commits.put(item)
        assert commits.take_back(lambda item: item == "b") == ["b"]
        assert commits.take_back(lambda item: item == "x") == []

    assert record.heard == ["a", "c"]
