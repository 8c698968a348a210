"""Pictures of the page, for people to look at: `uv run python -m tests.screenshots DIRECTORY`.

Each page is taken light, dark and on a phone, by Debian's chromium.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.doubles import START, ManualClock, RecordingLog, planned
from tests.unit.server.running_server import TOKEN, a_health_snapshot, find_job
from watcher.domain.conditions import Health
from watcher.domain.deliveries import Delivered, Rejected, after_attempt
from watcher.domain.jobs import Basis, Forecast, JobError, JobFacts, JobKey, JobSpec, Observation
from watcher.domain.polling_policy import MISSING_TOLERATED, PollingPolicy
from watcher.domain.silences import Silence
from watcher.domain.states import OPENAI_STATES, JobState, is_terminal
from watcher.domain.telemetry import MetricPoint, Milestone
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change
from watcher.server.app import Access, make_app
from watcher.server.context import ServerContext
from watcher.server.listening import Listen
from watcher.server.metrics import PrometheusTelemetry
from watcher.server.serving import serving
from watcher.store.sql import SqlStore

PAGES = {
    "overview": "/",
    "job": "/jobs/openai/ftjob-support",
    "failed": "/jobs/openai/ftjob-sql",
    "deliveries": "/deliveries",
    "notifiers": "/notifiers",
    "silences": "/silences",
    "sources": "/sources",
    "found": "/?label=team%3Dnlp&state=running",
}
LOOKS = {"light": ("light", 1200, 800), "dark": ("dark", 1200, 800), "phone": ("light", 360, 720)}
NOW = START + timedelta(hours=30)
MODEL = "gpt-4o-mini-2024-07-18"
WAY = ("validating_files", "queued", "running")
BROKEN = JobError("invalid_training_file", "Line 1207 of the training file has no assistant message.", "training_file")


class Scene:
    """Lets jobs live before a moment."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def job(
        self,
        job_id: str,
        name: str | None,
        ages: Sequence[float],
        end: str | None = None,
        error: JobError | None = None,
        way: Sequence[str] = WAY,
    ) -> JobKey:
        """Let a job go its way, with a status so many minutes ago each, and perhaps an end as the last."""
        key = JobKey("openai", job_id)
        team = {"team": "nlp" if "s" in job_id else "search"}
        await self._store.upsert_jobs([JobSpec(key, name, team)], NOW - timedelta(minutes=ages[0]))
        statuses = [*way[: len(ages) - bool(end)], *([end] if end else [])]
        for status, age in zip(statuses, ages, strict=True):
            known = await self._store.job(key)
            assert known
            document = {"id": job_id, "status": status, "model": MODEL, "training_file": "file-7kQ2", "seed": 683058546}
            document["hyperparameters"] = {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.8}
            facts = JobFacts(
                model=MODEL,
                created_at=NOW - timedelta(minutes=ages[0]),
                finished_at=NOW - timedelta(minutes=age) if status == end else None,
                fine_tuned_model=f"ft:{MODEL}:my-org::{job_id[-4:]}" if status == "succeeded" else None,
                trained_tokens=1_234_567 if status == "succeeded" else None,
                error=error if status == "failed" else None,
            )
            state = OPENAI_STATES(status)
            seen = Observation(key, status, state, NOW - timedelta(minutes=age), facts, json.dumps(document))
            transition = detect(known, seen)
            assert transition
            after = moved(known, transition)
            after = after._replace(due_at=None if is_terminal(after.state) else NOW + timedelta(seconds=12))
            told = planned("slack", "pager") if is_terminal(after.state) else ()
            await self._store.record([Change(known.seq, after, transition, told)])
            began = NOW - timedelta(minutes=age, seconds=7)
            told_too = (
                [Milestone(JobState.QUEUED, began - timedelta(seconds=12))] if "queued" in transition.skipped else []
            )
            await self._store.record_milestones(key, [*told_too, Milestone(transition.state, began)])
        return key

    async def expect(self, key: JobKey, minutes: float, basis: Basis) -> None:
        """Let the end of a job's status be foreseen."""
        known = await self._store.job(key)
        assert known
        forecast = Forecast(NOW + timedelta(minutes=minutes), basis, NOW)
        await self._store.record([Change(known.seq, known._replace(forecast=forecast))])

    async def trains(self, key: JobKey, steps: int, *, goes_wrong: bool = False) -> None:
        """Let losses be measured."""
        chance = random.Random(key.id)
        fall = [0.35 + 2.1 * math.exp(-4 * step / steps) + chance.gauss(0, 0.05) for step in range(1, steps + 1)]
        rise = [0.4 + 2.0 * math.exp(-5 * step / steps) + 0.4 * (step / steps) ** 2 for step in range(1, steps + 1)]
        points = [MetricPoint("train_loss", step, value, NOW) for step, value in enumerate(fall, 1)]
        points += [MetricPoint("valid_loss", step, value, NOW) for step, value in enumerate(rise, 1) if step % 20 == 0]
        accuracy = [
            MetricPoint("train_mean_token_accuracy", step, 1 - value / 3, NOW) for step, value in enumerate(fall, 1)
        ]
        if goes_wrong:
            points.append(MetricPoint("train_loss", steps + 1, math.nan, NOW))
        await self._store.record_points(key, points + accuracy, None, NOW)

    async def play(self) -> None:
        """Let everything have happened that the page has a form for."""
        for job_id, name, ages, minutes, basis in (
            ("ftjob-support", "support-bot v3", (64, 52), 38, Basis.PROGRESS),
            ("ftjob-search", "search-ranker", (30, 28, 25), 55, Basis.HISTORY),
            ("ftjob-triage", "triage", (130, 128, 121), 4, Basis.ESTIMATED_FINISH),
        ):
            # Of the first one no poll has seen the queueing.
            key = await self.job(job_id, name, ages, way=WAY if len(ages) == len(WAY) else WAY[::2])
            await self.expect(key, minutes, basis)
            await self.trains(key, 340 if name == "support-bot v3" else 80, goes_wrong=name == "triage")
        await self.job("ftjob-waits", None, (9, 8))
        await self.job("ftjob-stays", "tickets-de", (1700, 1690, 1600))
        gone = await self._store.job(await self.job("ftjob-gone", "old-experiment", (50, 44)))
        assert gone
        lost = gone._replace(missing=MISSING_TOLERATED + 1, last_error="HTTP 404: No such fine-tuning job: ftjob-gone")
        await self._store.record([Change(gone.seq, lost)])
        await self.trains(await self.job("ftjob-sql", "sql-helper", (40, 38, 36, 25), "failed", BROKEN), 14)
        for number in range(4):
            await self.job(f"ftjob-done{number}", f"nightly {number}", (600 + 60 * number, 590, 580, 500), "succeeded")
        await self.job("ftjob-stop", None, (400, 390, 380, 370), "cancelled")
        rack = Silence(
            "new", NOW + timedelta(hours=3), {"team": "nlp"}, "openai", "the new rack is tried", created_by="ada"
        )
        await self._store.add_silence(rack, NOW - timedelta(minutes=20))
        await self.job("ftjob-s-muted", "rack-test", (18, 17, 16, 2), "failed", BROKEN)
        for notifier, outcome in (
            ("slack", Delivered("200 OK: ok")),
            ("pager", Rejected("HTTP 410: this integration was deleted")),
        ):
            for _ in range(4):
                for claimed in await self._store.claim({notifier: 9}, NOW, NOW + timedelta(seconds=30)):
                    await self._store.settle([after_attempt(claimed, outcome, NOW, 0)])


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[str]:
    """Serve the scene; yields its address."""
    clock, log, telemetry = ManualClock(NOW), RecordingLog(), PrometheusTelemetry()
    receivers = [Health("slack", NOW), Health("pager", rejection="HTTP 410: this integration was deleted")]
    sources = [Health("openai", NOW), Health("azure", failing_since=NOW - timedelta(minutes=9), error="HTTP 503")]
    answers = {"openai": NOW, "azure": NOW - timedelta(minutes=9)}
    health = a_health_snapshot(sources=sources, receivers=receivers, last_answers=answers, notifiers=("slack", "pager"))

    async def send_test(_notifier: str) -> Delivered:
        return Delivered()

    async with SqlStore(f"sqlite:///{directory}/watcher.db") as store:
        await Scene(store).play()
        policy = PollingPolicy(timedelta(seconds=30), timedelta(minutes=5))
        context = ServerContext(store, clock, log, "1", lambda: health, find_job, lambda _: policy, send_test=send_test)
        async with serving(make_app(context, telemetry, Access(TOKEN, ())), Listen("127.0.0.1", 0), log) as listen:
            yield f"http://{listen}"


async def take(directory: Path) -> None:
    """Take a picture of each page in each look."""
    from playwright.async_api import async_playwright

    with TemporaryDirectory() as scratch:
        async with served(Path(scratch)) as address, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for look, (scheme, width, height) in LOOKS.items():
                page = await browser.new_page(
                    color_scheme=scheme,  # type: ignore[arg-type] # one of the three words
                    viewport={"width": width, "height": height},
                    http_credentials={"username": "me", "password": TOKEN},
                )
                for name, path in PAGES.items():
                    await page.goto(address + path)
                    await page.screenshot(path=directory / f"{name}-{look}.png", full_page=True)
            await browser.close()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(target))
