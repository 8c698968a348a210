"""How far a job has come, in words."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.doubles import START, a_transition, job_in
from watcher.domain.jobs import Basis, Forecast, Progress, ProgressUnit
from watcher.domain.messages import message_of, message_of_test
from watcher.domain.progress_message import with_progress
from watcher.domain.states import JobState

MESSAGE = message_of(a_transition(status="running", state=JobState.RUNNING))


@pytest.mark.parametrize(
    ("progress", "words", "title"),
    [
        (Progress(340, 600, START), "340 of 600 steps", ", 56 %"),
        (Progress(1340, None, START), "1,340 steps", ""),
        (Progress(40, None, START, ProgressUnit.PERCENT), "40 %", ", 40 %"),
        (Progress(9, 8, START, ProgressUnit.REQUESTS), "9 of 8 requests", ", 100 %"),
        (Progress(0, 0, START), "0 steps", ""),
    ],
)
def test_it_is_told_as_far_as_it_is_known(progress: Progress, words: str, title: str) -> None:
    told = with_progress(MESSAGE, job_in("running"), progress, [], START)
    assert told.title == f"support-bot v3: running{title}"
    assert [fact.value for fact in told.facts if fact.label == "Progress"] == [words]
    assert told.values is not None
    assert told.values()["progress"] == words


@pytest.mark.parametrize("at", [None, START - timedelta(minutes=1)])
def test_what_is_left_is_told_only_while_it_is_known(at: datetime | None) -> None:
    job = job_in("running", forecast=Forecast(at, Basis.HISTORY, START))
    told = with_progress(message_of_test("chat", START), job, Progress(1, 2, START), [], START)
    assert [fact.label for fact in told.facts] == ["Note", "Progress"]
    assert told.values is None
