"""What the page tells of a job's way: how far it is, how it trains, with what."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock
from tests.unit.server.running_server import Site, see, watch
from tests.unit.server.test_page import seen
from watcher.curves.charts import charts
from watcher.curves.sparkline import sparkline
from watcher.domain.jobs import Basis, Forecast, JobKey
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint, Milestone
from watcher.engine.ports import Change
from watcher.server.page.job import MOST_DETAILS, MOST_ROWS, details, table_of
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = JobKey("openai", "ftjob-1")


@pytest.mark.parametrize(
    ("minutes", "basis", "expected"),
    [
        (40, Basis.PROGRESS, "25 % ≈ 30m from its steps so far"),
        (20, Basis.ESTIMATED_FINISH, "50 % ≈ 10m the service's estimate"),
        (10, Basis.HISTORY, "99 % any moment as long as earlier jobs"),
    ],
)
async def test_a_job_under_way_says_what_is_left_and_what_says_so(
    site: Site, store: SqlStore, clock: ManualClock, minutes: int, basis: Basis, expected: str
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "running")
    job = await store.job(KEY)
    assert job
    foreseen = job._replace(forecast=Forecast(START + timedelta(minutes=minutes), basis, START))
    await store.record([Change(job.seq, foreseen)])
    losses = [MetricPoint("train_loss", step, 2 / step, START) for step in (1, 2, 4)]
    await store.record_points(KEY, losses, None, START)
    clock.move(minutes=10)
    async with site() as client:
        page = await seen(client, "/")
    assert f"{expected} 0.5 step 4" in page.text


async def test_what_happened_is_told_beside_what_was_observed_also_of_a_status_that_no_poll_saw(
    site: Site, store: SqlStore
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "validating_files", "running")
    await store.record_milestones(
        KEY,
        [
            Milestone(JobState.VALIDATING, START - timedelta(seconds=3)),
            Milestone(JobState.QUEUED, START + timedelta(seconds=41)),
            Milestone(JobState.RUNNING, START + timedelta(seconds=48.4)),
        ],
    )
    async with site() as client:
        page = await seen(client, "/jobs/openai/ftjob-1")
    for row in (
        "validating_files 2026-11-24 11:59:57Z 2026-11-24 12:00:00Z 44s first seen",
        "queued 2026-11-24 12:00:41Z by no poll 7.4s told by the service's events",
        "running 2026-11-24 12:00:48Z 2026-11-24 12:01:00Z",
    ):
        assert row in page.text
    assert "queued: 7.4s" in page.text  # on the timeline


async def test_a_line_of_losses_ends_where_the_training_stands() -> None:
    def drawn(*values: float) -> tuple[str, float, bool] | None:
        found = sparkline([MetricPoint("train_loss", step, value, START) for step, value in enumerate(values)])
        return (found.line, found.last, found.is_broken) if found else None

    assert drawn() is None
    assert drawn(1.0) == ("", 1.0, False)
    assert drawn(2.0, 1.0) == ("0,2 96,18", 1.0, False)
    assert drawn(2.0, 1.0, math.inf) == ("0,2 96,18", math.inf, True)
    assert drawn(1.0, 1.0) == ("0,10 96,10", 1.0, False)


async def test_files_and_settings_are_found_whatever_their_service_calls_them() -> None:
    said = {
        "id": "ft-1",
        "status": "completed",
        "training_file": "file-1",
        "result_files": ["file-2", "file-3"],
        "validation_file": "",
        "n_epochs": 3,
        "training_type": {"type": "Lora", "lora_r": 8},
        "hyperparameters": {"learning_rate": 1e-05, "warmup": None},
        "method": {"supervised": {"hyperparameters": {"learning_rate": 1e-05, "batch_size": 4}}},
        "wandb_project_name": "tickets",
        "integrations": [{"type": "wandb", "wandb": {"project": "tickets", "tags": ["a", "b"]}}],
    }
    found = details(json.dumps(said))
    assert found.files == [("training_file", "file-1"), ("result_files", "file-2, file-3")]
    assert found.settings == [
        ("n_epochs", "3"),
        ("training_type.type", "Lora"),
        ("training_type.lora_r", "8"),
        ("learning_rate", "1e-05"),
        ("batch_size", "4"),
        ("wandb_project_name", "tickets"),
        ("integrations.type", "wandb"),
        ("integrations.wandb.project", "tickets"),
        ("integrations.wandb.tags", "a, b"),
    ]


@pytest.mark.parametrize("document", ["", "[]", "null", "{}", '{"id": 1}'])
async def test_a_document_that_says_nothing_shows_nothing(document: str) -> None:
    assert not details(document).files
    assert not details(document).settings


async def test_a_document_of_any_size_shows_a_screen_of_it() -> None:
    document = json.dumps({f"setting {number}": number for number in range(1000)})
    assert len(details(document).settings) == MOST_DETAILS


async def test_curves_are_a_table_as_well() -> None:
    points = [MetricPoint("train_loss", step, float(step), START) for step in range(1, 1001)]
    (chart,) = charts([*points, MetricPoint("valid_loss", 1000, 7.0, START)])
    table = table_of(chart)
    assert table.series == ["train_loss", "valid_loss"]
    assert len(table.rows) <= MOST_ROWS
    assert table.rows[0] == (1, [1.0, None])
    assert table.rows[-1] == (1000, [1000.0, 7.0])
