"""What runs and what is stuck, for a digest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.doubles import KEY, START, ManualClock, RecordingLog, observation, runtime
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.routing import Route
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change
from watcher.service.digests import PresentJobs
from watcher.store.sql import SqlStore


async def test_a_digest_says_how_the_jobs_stand_that_its_notifier_hears_of(tmp_path: Path) -> None:
    clock, log = ManualClock(), RecordingLog()
    routes = [Route("chat"), Route("vision", labels={"team": "vision"})]
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as store:
        present = PresentJobs(store, routes, {"running": timedelta(hours=1)}, runtime(clock, log))
        await store.upsert_jobs([JobSpec(KEY, "bot"), JobSpec(JobKey("openai", "ftjob-2"))], START)
        job = await store.job(KEY)
        assert job
        change = detect(job, observation("running"))
        assert change
        await store.record([Change(0, moved(job, change), change)])
        clock.move(hours=2)
        assert {thread: row.outcome for thread, row in (await present("chat")).items()} == {str(KEY): "stuck"}
        assert await present("vision") == {}
        (tmp_path / "watcher.db").unlink()
        assert await present("chat") == {}
    assert [level for level, *_ in log.lines] == ["debug"]
