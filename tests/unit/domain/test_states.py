"""What the words of services mean."""

from __future__ import annotations

import pytest

from watcher.domain.states import (
    OPENAI_STATES,
    JobState,
    StateMap,
    Status,
    documented_word,
    is_known,
    is_meant,
    is_openais_word,
    named_state,
    shown_status,
)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SUCCESS", JobState.SUCCEEDED),
        ("Succeeded", JobState.SUCCEEDED),
        ("completed", JobState.SUCCEEDED),
        ("FAILED", JobState.FAILED),
        ("FAILED_VALIDATION", JobState.FAILED),
        ("canceled", JobState.CANCELLED),
        ("CANCELLED", JobState.CANCELLED),
        ("notRunning", JobState.QUEUED),
        ("CANCELLATION_REQUESTED", JobState.UNKNOWN),
        ("canceling", JobState.UNKNOWN),
        ("on_holiday", JobState.UNKNOWN),
    ],
)
def test_words_of_other_services_at_openais_paths_are_known(status: str, state: JobState) -> None:
    """Else a job that has ended would be watched for ever."""
    assert OPENAI_STATES(status) is state


def test_a_word_is_taken_as_it_stands_unless_any_case_will_do() -> None:
    states = {"Done": JobState.SUCCEEDED, "done": JobState.FAILED}
    assert StateMap(states)("DONE") is JobState.UNKNOWN
    assert StateMap(states, any_case=True)("Done") is JobState.SUCCEEDED
    assert StateMap(states, any_case=True)("DONE") is JobState.FAILED


def test_openais_own_words_are_told_from_those_of_others() -> None:
    assert [word for word in ("running", "paused", "canceled", "SUCCESS", "") if is_openais_word(word)] == [
        "running",
        "paused",
    ]


def test_a_word_of_a_setting_is_known_if_it_is_a_state_or_openais() -> None:
    """The word of another service says nothing of a job at OpenAI, so it may be a typing error."""
    words = ("running", "pending", "validating_files", "resuming", "completed", "expired", "canceled", "SUCCESS", "")
    assert [word for word in words if is_known(word)] == list(words[:6])


def test_a_map_names_its_words() -> None:
    assert StateMap({"Done": JobState.SUCCEEDED}, any_case=True).statuses() == {"Done"}


def test_a_map_gives_each_of_its_statuses_a_state() -> None:
    assert set(Status) < OPENAI_STATES.statuses()
    assert {OPENAI_STATES(status) for status in OPENAI_STATES.statuses()} == set(JobState) - {JobState.UNKNOWN}


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


@pytest.mark.parametrize(
    ("status", "state", "shown"),
    [
        ("running", JobState.RUNNING, "running"),
        ("validating_files", JobState.VALIDATING, "validating_files"),
        ("pausing", JobState.PAUSED, "pausing"),
        ("RUNNING", JobState.RUNNING, "running"),
        ("JOB_STATE_FAILED", JobState.FAILED, "failed (JOB_STATE_FAILED)"),
        ("user_error", JobState.FAILED, "failed (user_error)"),
        ("on_holiday", JobState.UNKNOWN, "on_holiday"),
        ("COMPLETED", None, "COMPLETED"),
    ],
)
def test_people_read_the_state_and_the_word_of_the_service(status: str, state: JobState | None, shown: str) -> None:
    assert shown_status(status, state) == shown
