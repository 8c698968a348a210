"""Pages that many look at, and pictures that chats and mail link: what each of them costs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.doubles import START
from tests.unit.server.running_server import Site, see, watch
from watcher.domain.jobs import JobKey
from watcher.domain.telemetry import MetricPoint
from watcher.errors import StoreError
from watcher.server.page.page_cache import SharedPages
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = timedelta(hours=1)


class Maker:
    """Makes pages when it is let, and counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.may_go_on = asyncio.Event()

    async def __call__(self) -> str:
        self.made += 1
        await self.may_go_on.wait()
        return f"page {self.made}"


async def test_who_asks_meanwhile_waits_for_the_same_page() -> None:
    shared, maker = SharedPages(timedelta(), lambda: "now"), Maker()
    asked = [asyncio.create_task(shared.get("/", maker)) for _ in range(12)]
    await asyncio.sleep(0)
    asked[0].cancel()  # who gives up takes it from nobody
    maker.may_go_on.set()
    found = await asyncio.gather(*asked[1:])
    assert {page.html for page in found} == {"page 1"}
    assert (await shared.get("/", maker)).html == "page 2"
    assert maker.made == 2


async def test_a_page_is_kept_by_its_address_until_something_changes() -> None:
    shared, maker = SharedPages(LONG, lambda: "now"), Maker()
    maker.may_go_on.set()
    first = [await shared.get(address, maker) for address in ("/", "/", "/?q=x")]
    assert [page.html for page in first] == ["page 1", "page 1", "page 2"]
    shared.clear()
    assert (await shared.get("/", maker)).html == "page 3"


async def test_a_page_grows_old() -> None:
    shared, maker = SharedPages(timedelta(milliseconds=1), lambda: "now"), Maker()
    maker.may_go_on.set()
    async with asyncio.timeout(5):
        while (await shared.get("/", maker)).html == "page 1":
            await asyncio.sleep(0)


async def test_a_page_that_cannot_be_made_is_not_kept() -> None:
    shared, maker = SharedPages(LONG, lambda: "now"), Maker()

    async def fail() -> str:
        raise StoreError("the disk is full")

    for _ in range(2):
        with pytest.raises(StoreError):
            await shared.get("/", fail)
    maker.may_go_on.set()
    assert (await shared.get("/", maker)).html == "page 1"


class CountingStore:
    """The store, and how often it was asked for something."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return CountingStore.of(self, getattr(self._store, name))

    def of(self, found: Any) -> Any:
        if not hasattr(found, "overview"):
            return found
        views = CountingStore(found)
        views.asked = self.asked
        return views


async def test_tabs_share_what_is_read_and_see_at_once_what_they_change(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    counting = CountingStore(store)
    async with site(instead=counting, page_age=LONG) as client:
        first = await client.get("/")
        asked = len(counting.asked)
        tag = {"If-None-Match": first.headers["etag"]}
        again = [await client.get("/", headers=tag) for _ in range(12)]
        assert [answer.status_code for answer in again] == [304] * 12
        assert len(counting.asked) == asked
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        await client.post("/deliveries", content="id=1&action=retry", headers=form)
        await client.get("/", headers=tag)
        assert len(counting.asked) > asked


async def test_a_curve_is_a_picture_of_its_own(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1", "ftjob-2")
    await see(store, "ftjob-1", "running")
    points = [MetricPoint("train_loss", step, 1 / step, START) for step in (1, 2, 3)]
    await store.record_points(JobKey("openai", "ftjob-1"), points, None, START)
    async with site() as client:
        svg, png = [await client.get(f"/jobs/openai/ftjob-1/curve.{kind}") for kind in ("svg", "png")]
        missing = [await client.get(f"/jobs/openai/{which}") for which in ("ftjob-2/curve.png", "none/curve.svg")]
        page = await client.get("/jobs/openai/ftjob-1")
    assert (svg.headers["content-type"], png.headers["content-type"]) == ("image/svg+xml", "image/png")
    assert "train_loss" in svg.text
    assert png.content.startswith(b"\x89PNG")
    assert [answer.status_code for answer in missing] == [404, 404]
    assert "/jobs/openai/ftjob-1/curve.png" in page.text
