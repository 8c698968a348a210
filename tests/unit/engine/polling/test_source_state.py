"""How many polls of a source begin together."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock, ScriptedSource, source_state
from watcher.domain.jobs import Job, JobKey
from watcher.domain.polling_policy import PollingPolicy
from watcher.engine.polling.source_state import NEWS_AT_ONCE, SourceState

JOBS = 36


@pytest.fixture
def state() -> SourceState:
    """Return the state of a source at which jobs wait for their polls."""
    clock = ManualClock()
    policy = PollingPolicy(timedelta(seconds=30), timedelta(minutes=5))
    state = source_state(ScriptedSource(clock, {}), policy, clock, concurrency=100)
    state.note_claimed(JOBS, 100)
    state.enqueue([Job(JobKey("openai", f"ftjob-{number}")) for number in range(JOBS)], START)
    return state


def polled(state: SourceState, times: int, *, is_news: bool) -> None:
    for _ in range(times):
        state.note_poll(is_news=is_news)


def test_polls_that_bring_nothing_begin_all_at_once(state: SourceState) -> None:
    polled(state, 2_000, is_news=True)
    polled(state, 2_000, is_news=False)
    assert len(state.start()) == JOBS
    assert not state.can_start


def test_polls_that_bring_news_begin_part_by_part(state: SourceState) -> None:
    polled(state, 2_000, is_news=True)
    parts = []
    while state.can_start:
        parts.append(len(state.start()))
    assert parts == [NEWS_AT_ONCE] * (JOBS // NEWS_AT_ONCE)


def test_the_less_news_polls_bring_the_more_of_them_begin_together(state: SourceState) -> None:
    for _ in range(1_000):
        polled(state, 1, is_news=True)
        polled(state, 1, is_news=False)
    assert NEWS_AT_ONCE < len(state.start()) < JOBS // 2


def test_nothing_is_held_back_while_jobs_are_late(state: SourceState) -> None:
    polled(state, 2_000, is_news=True)
    state.note_claimed(100, 100)
    state.note_claimed(20, 20)  # of the few that still could begin
    assert len(state.start()) == NEWS_AT_ONCE
    state.note_claimed(50, 50)
    assert len(state.start()) == JOBS - NEWS_AT_ONCE
    assert not state.can_start
