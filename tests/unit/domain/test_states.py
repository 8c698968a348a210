"""A status means a state, and a state has a word that receivers know."""

from __future__ import annotations

import pytest

from watcher.domain.states import OPENAI_STATES, JobState, Status, documented_word, is_meant, named_state


def test_a_map_gives_each_of_its_statuses_a_state_and_knows_no_others() -> None:
    assert set(Status) < OPENAI_STATES.statuses()
    assert {OPENAI_STATES(status) for status in OPENAI_STATES.statuses()} == set(JobState) - {
        JobState.PENDING,
        JobState.UNKNOWN,
    }
    assert OPENAI_STATES("SUCCEEDED") is JobState.UNKNOWN


@pytest.mark.parametrize(
    ("state", "word"),
    [(JobState.PENDING, "queued"), (JobState.VALIDATING, "validating_files"), (JobState.PAUSED, "paused")],
    ids=str,
)
def test_receivers_get_a_documented_word(state: JobState, word: str) -> None:
    assert documented_word(state) == word


def test_a_word_of_a_setting_names_a_state_or_a_status() -> None:
    assert named_state("validating_files") is JobState.VALIDATING
    assert named_state("running") is JobState.RUNNING
    assert named_state("resuming") is None
    assert is_meant("resuming", "resuming", JobState.PAUSED)
    assert is_meant("paused", "resuming", JobState.PAUSED)
    assert not is_meant("running", "resuming", JobState.PAUSED)
