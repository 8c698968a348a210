"""What is ready is committed together, and what is refused is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.doubles import RecordingLog, until
from watcher.engine import group_commit
from watcher.engine.group_commit import GroupCommit
from watcher.errors import StoreUnavailableError


class Record:
    """A record that can be held up, and can refuse."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refusals: list[Exception] = []
        self.heard: list[str] = []
        self.lost: list[str] = []
        self.breaks_after = False
        self.open = asyncio.Event()
        self.open.set()

    def committed(self, items: Sequence[str], result: object) -> None:
        self.heard += items
        if self.breaks_after:
            raise ZeroDivisionError
        assert result is None

    def dropped(self, item: str) -> None:
        self.lost.append(item)

    async def commit(self, batch: Sequence[str]) -> None:
        await self.open.wait()
        if self.refusals and not (isinstance(self.refusals[0], ValueError) and "poison" not in batch):
            raise self.refusals.pop(0) if not isinstance(self.refusals[0], ValueError) else self.refusals[0]
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


async def test_a_refused_batch_is_kept_in_order_and_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", 0.001)
    record, log = Record(), RecordingLog()
    record.refusals = [StoreUnavailableError("disk full")] * 3
    async with GroupCommit("items", record.commit, record, log) as commits:
        commits.put("a")
        await until(lambda: len(record.refusals) == 2)
        commits.put("b")
        await until(lambda: record.batches)

    assert [item for batch in record.batches for item in batch] == ["a", "b"]
    assert log.events("error") == ["record not written, keeping what it lacks"]
    assert log.events("info") == ["record written again"]


async def test_leaving_does_not_wait_for_a_record_that_refuses() -> None:
    record, log = Record(), RecordingLog()
    record.refusals = [StoreUnavailableError("read-only")] * 9
    async with GroupCommit("items", record.commit, record, log) as commits:
        commits.put("a")

    assert record.batches == []
    assert log.events("error")[-1] == "stopped with unrecorded items"


async def test_one_item_that_breaks_the_record_does_not_hold_up_the_others() -> None:
    record, log = Record(), RecordingLog()
    record.refusals = [ValueError("cannot be written")]
    async with GroupCommit("items", record.commit, record, log) as commits:
        for item in ("a", "poison", "b"):
            commits.put(item)

    assert record.batches == [["a"], ["b"]]
    assert (record.heard, record.lost) == (["a", "b"], ["poison"])
    assert log.events("exception") == ["item cannot be recorded, dropped"]


async def test_leaving_tries_once_more_what_was_refused() -> None:
    record, log = Record(), RecordingLog()
    record.refusals = [StoreUnavailableError("locked")]
    async with GroupCommit("items", record.commit, record, log) as commits:
        commits.put("a")
        await until(lambda: commits.refusal)

    assert record.batches == [["a"]]


async def test_a_refusal_between_single_items_keeps_the_rest_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """One item poisons the batch; trying the others one by one, the record refuses the second of them."""
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", 0.001)
    record, answers = (
        Record(),
        iter([ValueError(), None, StoreUnavailableError("locked"), ValueError(), None, ValueError()]),
    )
    log = RecordingLog()

    async def commit(batch: Sequence[str]) -> None:
        answer = next(answers, None)
        if answer:
            raise answer
        record.batches.append(list(batch))

    async with GroupCommit("items", commit, record, log) as commits:
        for item in "abc":
            commits.put(item)
        await until(lambda: record.lost)

    assert (record.heard, record.lost) == (["a", "b"], ["c"])


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
