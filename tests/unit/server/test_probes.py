"""Whether the service lives, and whether it does what it is for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles import ManualClock
from tests.unit.server.running_server import Site, a_health_snapshot
from watcher.server.app import CONCURRENT_ANSWERS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = timedelta(seconds=1)
SILENT = "no source has answered within 1m 30s"


async def test_it_lives_while_the_loops_turn(site: Site) -> None:
    async with site() as client:
        answer = await client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive", "stalled": []})


async def test_a_loop_that_hangs_is_named(site: Site) -> None:
    async with site(health=a_health_snapshot(stalled=["deliver"])) as client:
        answer = await client.get("/livez")
    assert (answer.status_code, answer.json()) == (503, {"status": "stalled", "stalled": ["deliver"]})


@pytest.mark.parametrize(
    ("watched", "silence", "last_answer", "verdict"),
    [
        pytest.param(1, 90, None, "ok", id="just started"),
        pytest.param(1, 91, None, SILENT, id="never answered"),
        pytest.param(1, 3600, 90, "ok", id="answered lately"),
        pytest.param(1, 3600, 91, SILENT, id="answered long ago"),
        pytest.param(0, 3600, None, "ok", id="nothing to ask for"),
    ],
)
async def test_it_is_ready_while_a_source_answers(
    site: Site, clock: ManualClock, watched: int, silence: int, last_answer: int | None, verdict: str
) -> None:
    clock.move(seconds=silence)
    answers = {"other": None, "openai": clock() - last_answer * SECOND if last_answer else None}
    async with site(health=a_health_snapshot(watched=watched, last_answers=answers)) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == (200 if verdict == "ok" else 503)
    assert answer.json() == {
        "status": "ready" if verdict == "ok" else "not ready",
        "checks": {"store": "ok", "sources": verdict},
    }


async def test_it_is_not_ready_without_its_record(site: Site, tmp_path: Path) -> None:
    (tmp_path / "watcher.db").write_bytes(b"this is no database any more" * 200)
    async with site() as client:
        answer = await client.get("/readyz")
        page = await client.get("/api/v1/jobs")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"store": "the store cannot be read", "sources": "ok"}
    assert page.status_code == 503
    assert page.headers["content-type"] == "application/problem+json"


async def test_a_store_that_does_not_answer_in_time_is_not_waited_for(site: Site) -> None:
    async with site(store_patience=timedelta(0)) as client:
        answer = await client.get("/readyz")
    assert answer.json()["checks"]["store"] == "the store does not answer in time"


async def test_a_store_that_hangs_is_asked_once_for_all_probes(site: Site) -> None:
    class Hanging:
        asked = 0

        async def page_of_jobs(self, *, limit: int) -> None:
            self.asked += limit
            await asyncio.Event().wait()

    store = Hanging()
    async with site(instead=store, store_patience=timedelta(seconds=0.01)) as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(5)))
        alive = await client.get("/livez")
    assert {answer.status_code for answer in answers} == {503}
    assert alive.status_code == 200
    assert store.asked == 1


async def test_requests_that_wait_for_the_store_are_few_and_keep_no_probe_waiting(site: Site) -> None:
    class Slow:
        asked = 0

        def __init__(self) -> None:
            self.is_asked = asyncio.Semaphore(0)
            self.may_answer = asyncio.Event()

        async def page_of_jobs(self, *, limit: int, **_query: object) -> list[object]:
            if limit > 1:
                self.asked += 1
                self.is_asked.release()
                await self.may_answer.wait()
            return []

        async def last_facts(self, _keys: object) -> dict[object, object]:
            return {}

    store = Slow()
    async with site(instead=store) as client:
        waiting = [asyncio.create_task(client.get("/api/v1/jobs")) for _ in range(9)]
        for _ in range(CONCURRENT_ANSWERS):
            await store.is_asked.acquire()
        probes = [await client.get(path) for path in ("/livez", "/readyz")]
        asked = store.asked
        store.may_answer.set()
        answers = await asyncio.gather(*waiting)
    assert [answer.status_code for answer in probes] == [200, 200]
    assert asked == CONCURRENT_ANSWERS
    assert {answer.status_code for answer in answers} == {200}
