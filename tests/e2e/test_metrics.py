"""`watcher metrics` shows what the service has collected of a job."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime

from tests.e2e.processes import Command
from tests.e2e.settings import jobs, settings
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.telemetry import MetricPoint
from watcher.store.sql import SqlStore

JOB = "ftjob-1"
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def filled(watcher: Command) -> None:
    watcher.configure(settings("http://127.0.0.1:9/v1", watcher.database, jobs=jobs(JOB)))
    key = JobKey("openai", JOB)
    points = [MetricPoint("train_loss", step, 1 / step, AT) for step in range(1, 100)]
    async with SqlStore(f"sqlite:///{watcher.database}") as store:
        await store.upsert_jobs([JobSpec(key)], AT)
        await store.record_points(key, [*points, MetricPoint("valid_loss", 3, math.nan, AT)], None, AT)


async def test_points_are_shown_in_each_form(watcher: Command) -> None:
    await filled(watcher)
    table = (await watcher.run("metrics", JOB)).out
    assert "train_loss" in table
    listed = json.loads((await watcher.run("metrics", JOB, "--json")).out)
    assert (len(listed), listed[-1]["value"]) == (100, "nan")
    rows = list(csv.DictReader((await watcher.run("metrics", JOB, "--csv")).out.splitlines()))
    assert (rows[1]["series"], rows[1]["step"], rows[1]["value"]) == ("train_loss", "2", "0.5")
    drawn = (await watcher.run("metrics", JOB, "--plot")).out
    assert "█" in drawn
    assert "1 of 1 values are NaN or infinite" in drawn
    for width in (40, 120):
        drawn = (await watcher.run("metrics", JOB, "--plot", env={"COLUMNS": str(width)})).out
        assert width - 8 < max(map(len, drawn.splitlines())) <= width
    assert (await watcher.run("metrics", JOB, "--plot", "--csv")).code == 2


async def test_a_job_is_explained_with_the_last_of_each(watcher: Command) -> None:
    await filled(watcher)
    told = (await watcher.run("explain", JOB)).out
    assert "train_loss: 0.0101 at step 99" in told
    assert "Origins" not in told  # nobody noted who wanted it
    assert "valid_loss: nan at step 3" in told
    explained = json.loads((await watcher.run("explain", JOB, "--json")).out)
    assert [(point["series"], point["step"]) for point in explained["metrics"]] == [
        ("train_loss", 99),
        ("valid_loss", 3),
    ]
