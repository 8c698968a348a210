"""What is owed to whom, over HTTP."""

from __future__ import annotations

import pytest

from tests.doubles import ManualClock
from tests.unit.server.running_server import Site, as_query, see, watch
from watcher.domain.deliveries import Delivered, Rejected, after_attempt
from watcher.domain.overview import ORPHANED
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

DELIVERIES = "/api/v1/deliveries"


async def settle(store: SqlStore, clock: ManualClock, notifier: str, outcome: Delivered | Rejected) -> None:
    """Let an attempt at the first delivery to a notifier come to its end."""
    now = clock()
    (claimed,) = await store.claim({notifier: 1}, now, clock.move(seconds=30))
    await store.settle([after_attempt(claimed, outcome, now, 0)])


async def test_a_row_is_what_the_commands_show_with_times_for_programs(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "succeeded", recipients=("pager", "gone"))
    await settle(store, clock, "pager", Delivered("200 OK: thanks"))
    async with site() as client:
        gone, pager = (await client.get(DELIVERIES)).json()["data"]
    noon = "2026-11-24T12:00:00+00:00"
    assert gone == {
        "id": gone["id"],
        "notifier": "gone",
        "source": "openai",
        "job": "ftjob-1",
        "status": "succeeded",
        "state": "pending",
        "attempts": 0,
        "next_attempt": ORPHANED,
        "next_attempt_at": noon,
        "reason": None,
        "last_error": None,
        "answer": None,
        "settled_at": None,
        "observed_at": noon,
        "event_id": pager["event_id"],
    }
    settled = {"state": "delivered", "attempts": 1, "next_attempt": None, "next_attempt_at": None, "settled_at": noon}
    assert pager == {**gone, "id": pager["id"], "notifier": "pager", "answer": "200 OK: thanks", **settled}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [("pager", "queued"), ("chat", "queued")]),
        ({"state": "pending"}, [("pager", "queued")]),
        ({"state": "dead"}, [("chat", "queued")]),
        ({"state": "delivered"}, []),
        ({"notifier": "chat"}, [("chat", "queued")]),
        ({"notifier": "chat", "state": "pending"}, []),
    ],
    ids=as_query,
)
async def test_a_list_can_be_narrowed(
    site: Site, store: SqlStore, clock: ManualClock, query: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "queued", recipients=("chat", "pager"))
    await settle(store, clock, "chat", Rejected("gone"))
    async with site() as client:
        rows = (await client.get(DELIVERIES, params=query)).json()["data"]
    assert [(row["notifier"], row["status"]) for row in rows] == expected


async def test_paging_neither_repeats_nor_misses_when_deliveries_come(site: Site, store: SqlStore) -> None:
    await watch(store, "old", "new")
    await see(store, "old", "validating_files", "queued", "running", recipients=("pager",))
    async with site() as client:
        first = (await client.get(DELIVERIES, params={"limit": 2})).json()
        await see(store, "new", "queued", recipients=("pager",))
        second = (await client.get(DELIVERIES, params={"limit": 2, "after": first["next"]})).json()
    assert [row["status"] for row in first["data"]] == ["running", "queued"]
    assert [row["status"] for row in second["data"]] == ["validating_files"]
    assert second["next"] is None
