"""A receipt comes back to the notifier with the next message about the same subject. On both databases."""

from __future__ import annotations

from datetime import timedelta

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import DELIVERED, FAILED, KEY, MINUTE, NOON, claim, key, owe, settle
from watcher.domain.deliveries import Delivered


async def _receipts(store: OpenStore, **capacity: int) -> dict[tuple[str, str], str | None]:
    """Claim what is due, and return the receipt that comes with it, by notifier and job."""
    claimed = await claim(store, NOON + MINUTE, **capacity)
    await settle(store, claimed, DELIVERED)
    return {(each.notifier, each.event.subject): each.previous_receipt for each in claimed}


async def test_the_first_message_about_a_subject_has_no_receipt(store: OpenStore) -> None:
    await owe(store, ["running"])
    assert await _receipts(store) == {("pager", str(KEY)): None}
    assert await store.count_rows("receipt") == 0


async def test_a_receipt_is_kept_by_notifier_and_subject(store: OpenStore) -> None:
    await owe(store, ["queued", "running"], "pager", "chat")
    await owe(store, ["queued", "running"], "pager", "chat", job=key(2))
    for each in await claim(store, pager=2, chat=2):
        await settle(store, [each], Delivered(receipt=f"of {each.notifier} for {each.event.subject}"))
    assert await _receipts(store, pager=2, chat=2) == {
        (notifier, f"openai/ftjob-{number}"): f"of {notifier} for openai/ftjob-{number}"
        for notifier in ("pager", "chat")
        for number in (1, 2)
    }


async def test_the_receipts_of_a_thread_can_be_looked_up(store: OpenStore) -> None:
    await owe(store, ["running"], "pager", "chat")
    await owe(store, ["running"], "pager", job=key(2))
    for each in await claim(store, pager=2, chat=2):
        await settle(store, [each], Delivered(receipt=f"{each.notifier} {each.event.subject}"))
    assert await store.receipts(str(KEY)) == {"pager": f"pager {KEY}", "chat": f"chat {KEY}"}
    assert await store.receipts(str(key(3))) == {}


async def test_a_newer_receipt_replaces_an_older_one_and_without_one_it_stays(store: OpenStore) -> None:
    await owe(store, ["validating_files", "queued", "running", "succeeded"])
    seen = []
    for outcome in (Delivered(receipt="1"), Delivered(receipt="2\0"), DELIVERED, DELIVERED):
        claimed = await claim(store)
        seen += [each.previous_receipt for each in claimed]
        await settle(store, claimed, outcome)
    assert seen == [None, "1", "2\0", "2\0"]
    assert await store.count_rows("receipt") == 1


async def test_a_retry_gets_the_receipt_as_well(store: OpenStore) -> None:
    await owe(store, ["queued", "running"])
    await settle(store, await claim(store), Delivered(receipt="1"))
    await settle(store, await claim(store), FAILED)
    assert [each.previous_receipt for each in await claim(store, NOON + 60 * MINUTE)] == ["1"]


async def test_a_receipt_outlives_a_restart_and_is_pruned_when_it_is_old(store: OpenStore, url: str) -> None:
    await owe(store, ["queued", "running"])
    await settle(store, await claim(store), Delivered(receipt="1"))
    async with OpenStore(url) as reopened:
        [delivery] = await claim(reopened)
        assert delivery.previous_receipt == "1"
    await store.prune(NOON - timedelta(days=1))
    assert await store.count_rows("receipt") == 1
    await store.prune(NOON + timedelta(days=1))
    assert await store.count_rows("receipt") == 0


async def test_a_settlement_that_came_too_late_leaves_the_receipt_of_the_one_that_counts(store: OpenStore) -> None:
    await owe(store, ("running", "succeeded"), "pager")
    late = await claim(store)
    in_time = await claim(store, NOON + 10 * MINUTE)
    assert [each.id for each in late] == [each.id for each in in_time]
    await settle(store, in_time, Delivered(receipt="counts"), NOON + 10 * MINUTE)
    await settle(store, late, Delivered(receipt="late"), NOON + 10 * MINUTE)
    assert [each.previous_receipt for each in await claim(store, NOON + 20 * MINUTE)] == ["counts"]
