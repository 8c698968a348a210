"""What `watch` shows of a job that it follows: what is expected of it, and what is odd about it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.doubles import START, job_in, observation
from watcher.cli.followed_jobs import FollowedJobs, JobRow
from watcher.cli.watch_history import learn_history
from watcher.domain.forecast import Stay
from watcher.domain.jobs import Basis, Job, JobFacts, JobKey, JobSpec
from watcher.domain.telemetry import EventPage, MetricPoint
from watcher.domain.transitions import detect
from watcher.settings.model import Settings

KEY = job_in(None).key
MINUTE = timedelta(minutes=1)
EARLIER = [
    Stay("running", model, minutes * MINUTE) for model, minutes in (("base", 40), ("large", 90)) for _ in range(8)
]


def followed(before: str | None, **facts: object) -> FollowedJobs:
    """Follow a job that runs since START, or was first seen then."""
    jobs = FollowedJobs([JobSpec(KEY)])
    seen = replace(observation("running", START, KEY), facts=JobFacts(**facts))  # type: ignore[arg-type]
    transition = detect(job_in(before), seen)
    assert transition
    jobs.transition(transition)
    return jobs


def row_of(jobs: FollowedJobs, minutes: float = 10) -> JobRow:
    (row,) = jobs.rows(START + minutes * MINUTE)
    return row


@pytest.mark.parametrize(
    ("before", "facts", "minutes"),
    [
        ("queued", {"model": "base"}, 40),
        ("queued", {"model": "large"}, 90),
        ("queued", {"model": "unheard of"}, None),
        (None, {"model": "base", "created_at": START - 5 * MINUTE}, 35),
        (None, {"model": "base"}, None),
    ],
    ids=["its model", "another one", "all disagree", "first seen, since it was created", "not known since when"],
)
def test_the_end_is_expected_as_earlier_jobs_of_the_model_took(
    before: str | None, facts: dict[str, object], minutes: float | None
) -> None:
    jobs = followed(before, **facts)
    jobs.learned({"openai": EARLIER})
    expected = row_of(jobs).expected
    assert (expected and (expected.at, expected.basis)) == (minutes and (START + minutes * MINUTE, Basis.HISTORY))
    assert row_of(jobs, 100).expected is None  # it has passed


def test_without_a_record_nothing_is_learned_and_none_is_made(tmp_path: Path) -> None:
    learned: list[Any] = []
    for url in (f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}"):
        settings = cast(Settings, SimpleNamespace(store=SimpleNamespace(resolved_url=lambda url=url: url)))
        learn_history(settings, ["openai"], learned.append).join()
    assert learned == [{}]
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_its_training_is_said_in_a_few_words() -> None:
    jobs = followed("queued")
    assert row_of(jobs).note is None
    jobs.told(job_in("running"), EventPage(points=(MetricPoint("train_loss", 1, math.nan, START),)))
    note = row_of(jobs).note
    assert note
    assert note.words == "loss is no number"


def test_a_job_is_called_as_people_call_it_unless_another_one_is_too() -> None:
    keys = [JobKey(KEY.source, f"ftjob-{number}") for number in range(3)]
    jobs = FollowedJobs([*(JobSpec(key) for key in keys[:2]), JobSpec(keys[2], "tagger")])
    called = []
    for key, suffix in zip(keys, ("bot", "bot", "base"), strict=True):
        seen = replace(observation("running", START, key), facts=JobFacts(suffix=suffix))
        transition = detect(Job(key, name="tagger" if key == keys[2] else None), seen)
        assert transition
        jobs.transition(transition)
        called.append([row.title for row in jobs.rows(START)])
    assert called[0] == ["bot", "ftjob-1", "tagger"]
    assert called[1] == called[2] == ["ftjob-0", "ftjob-1", "tagger"]
