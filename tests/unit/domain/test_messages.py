"""A transition in words and data."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles import START, a_transition
from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.domain.messages import (
    ENVELOPE_LIMIT,
    Severity,
    encode,
    line_of,
    message_of,
    message_of_test,
)
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint
from watcher.domain.transitions import Reason, event_id


def envelope(**changes: Any) -> dict[str, Any]:
    text = encode(message_of(a_transition(**changes)))
    read: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return read


def facts(**changes: Any) -> list[tuple[str, str]]:
    return [(fact.label, fact.value) for fact in message_of(a_transition(**changes)).facts]


def test_the_envelope_is_that_of_openai_s_webhooks_and_more() -> None:
    assert envelope(skipped=("queued",), reason=Reason.SKIPPED) == {
        "id": event_id("openai", "ftjob-abc123", 1_795_521_600),
        "object": "event",
        "created_at": int(START.timestamp()),
        "type": "fine_tuning.job.succeeded",
        "data": {
            "id": "ftjob-abc123",
            "source": "openai",
            "name": "support-bot v3",
            "labels": {"team": "nlp"},
            "previous_status": "running",
            "status": "succeeded",
            "state": "succeeded",
            "native_status": "succeeded",
            "reason": "skipped",
            "skipped": ["queued"],
            "observed_at": int(START.timestamp()),
            "job": {"id": "ftjob-abc123", "status": "succeeded", "hyperparameters": {"n_epochs": 3}, "seed": 7},
        },
    }


def test_a_success_tells_what_was_measured() -> None:
    measured = (MetricPoint("train_loss", 90, 0.123456, START), MetricPoint("valid_loss", 90, math.nan, START))
    assert facts(measured=measured)[-2:] == [("Train loss", "0.1235"), ("Valid loss", "nan")]
    at = START.isoformat()
    assert envelope(measured=measured)["data"]["metrics"] == [
        {"series": "train_loss", "step": 90, "value": 0.123456, "at": at},
        {"series": "valid_loss", "step": 90, "value": "nan", "at": at},
    ]


def test_what_is_not_known_is_null() -> None:
    data = envelope(name=None, labels={}, previous_status=None, reason=Reason.FIRST_SEEN)["data"]
    assert (data["name"], data["labels"], data["previous_status"]) == (None, {}, None)


def test_the_id_of_an_event_is_fixed_for_ever() -> None:
    assert event_id("openai", "ftjob-abc123", 1) == "evt_3f753b910506a8ed83accc9b77ab4c52"


def test_the_id_depends_on_source_job_and_number_alone() -> None:
    usual = message_of(a_transition())
    assert message_of(a_transition(name="x", labels={}, status="failed", document="{}")).id == usual.id
    others: list[dict[str, Any]] = [
        {"key": JobKey("azure", "ftjob-abc123")},
        {"key": JobKey("openai", "ftjob-abc12")},
        {"seq": 3},
    ]
    ids = {message_of(a_transition(**changes)).id for changes in others}
    assert len(ids | {usual.id}) == 4


def test_a_name_that_runs_into_the_next_one_is_another_name() -> None:
    assert event_id("a", "b:c", 1) != event_id("a:b", "c", 1)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "support-bot v3: succeeded"),
        ({"name": None}, "ftjob-abc123: succeeded"),
        ({"reason": Reason.FIRST_SEEN}, "support-bot v3: first seen, succeeded"),
        ({"reason": Reason.SKIPPED}, "support-bot v3: succeeded"),
        ({"reason": Reason.REGRESSED, "status": "queued"}, "support-bot v3: queued (regressed)"),
        ({"reason": Reason.REOPENED, "status": "running"}, "support-bot v3: running (reopened)"),
        ({"reason": Reason.UNRECOGNISED, "status": "paused"}, "support-bot v3: paused"),
    ],
)
def test_the_title_names_the_job_and_its_status(changes: dict[str, Any], title: str) -> None:
    assert message_of(a_transition(**changes)).title == title


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("succeeded", Severity.GOOD),
        ("failed", Severity.BAD),
        ("cancelled", Severity.CANCELLED),
        ("running", Severity.NEUTRAL),
        ("x", Severity.NEUTRAL),
    ],
)
def test_the_severity_follows_the_state(status: str, severity: Severity) -> None:
    assert message_of(a_transition(status=status)).severity is severity


def test_a_success_is_told_with_model_tokens_and_duration() -> None:
    assert facts() == [
        ("Job", "ftjob-abc123"),
        ("Model", "gpt-4o-mini-2024-07-18"),
        ("Before", "running"),
        ("Time in that status", "41m"),
        ("Fine-tuned model", "ft:gpt-4o-mini-2024-07-18:my-org::AbC"),
        ("Trained tokens", "1,234,567"),
        ("Duration", "1h"),
    ]


def test_names_to_be_copied_are_marked() -> None:
    marked = [fact.label for fact in message_of(a_transition()).facts if fact.is_code]
    assert marked == ["Job", "Fine-tuned model"]


def test_the_id_of_a_job_without_a_name_is_told_once() -> None:
    message = message_of(a_transition(name=None, facts=JobFacts()))
    assert (message.title.partition(":")[0], "Job" in dict(facts(name=None))) == ("ftjob-abc123", False)
    assert dict(facts(name=None, facts=JobFacts(suffix="bot")))["Job"] == "ftjob-abc123"


def test_what_the_api_did_not_say_is_left_out() -> None:
    assert facts(facts=JobFacts(), previous_status=None, previous_since=None) == [("Job", "ftjob-abc123")]
    assert facts(facts=JobFacts(), previous_since=None) == [("Job", "ftjob-abc123"), ("Before", "running")]
    assert facts(facts=JobFacts(), previous_since=None, status="failed") == [
        ("Job", "ftjob-abc123"),
        ("Before", "running"),
    ]


def test_no_tokens_are_told_as_zero() -> None:
    assert ("Trained tokens", "0") in facts(facts=JobFacts(trained_tokens=0))


def test_a_duration_without_an_end_runs_to_the_observation() -> None:
    assert ("Duration", "2h") in facts(facts=JobFacts(created_at=START - timedelta(hours=2)))


def test_statuses_passed_over_are_named() -> None:
    assert ("Passed over", "queued, running") in facts(skipped=("queued", "running"))


def test_a_failure_is_told_with_what_the_api_said_of_it() -> None:
    error = JobError("invalid_file", "The file is empty.", "training_file")
    assert facts(status="failed", facts=JobFacts(error=error))[-3:] == [
        ("Error code", "invalid_file"),
        ("Error", "The file is empty."),
        ("Parameter", "training_file"),
    ]
    assert facts(status="failed", facts=JobFacts(error=JobError(message="Oh")))[-1] == ("Error", "Oh")


def test_an_error_beside_a_success_is_no_news() -> None:
    assert not {"Error", "Error code"}.intersection(dict(facts(facts=JobFacts(error=JobError("a", "b", "c")))))


@pytest.mark.parametrize(
    ("document", "seen"),
    [
        ('{"loss": NaN}', None),
        ('{"loss": Infinity}', None),
        ('{"loss": -Infinity}', None),
        ('{"loss": 1e999}', None),
        ('{"loss": -1e999}', None),
        ('{"loss": 0.25}', 0.25),
        ('{"loss": ' + "9" * 5000 + "}", None),
        ('{"loss": 12345678901234567890}', 12345678901234567890),
    ],
)
def test_a_number_that_json_or_its_readers_do_not_know_is_null(document: str, seen: float | None) -> None:
    assert envelope(document=document)["data"]["job"] == {"loss": seen}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud800", "\ufffd"),
        (r"\udc00x", "\ufffdx"),
        (r"\ud800\ud800\udc00", "\ufffd\U00010000"),
        (r"\ud83d\ude00", "😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
        (r"\uD83D", "\ufffd"),
        ("Größe", "Größe"),
    ],
)
def test_half_a_character_is_replaced_and_a_whole_one_is_kept(written: str, read: str) -> None:
    assert envelope(document=f'{{"a": "{written}"}}')["data"]["job"] == {"a": read}


@pytest.mark.parametrize("name", ["a\nb", "\u2028", "\ud800", "\x00", "é"])
def test_the_envelope_is_one_line_of_ascii(name: str) -> None:
    text = encode(message_of(a_transition(name=name, labels={name: name})))
    assert text.isascii()
    assert text.isprintable()


def test_a_job_that_fits_is_whole() -> None:
    document = json.dumps({"id": "j", "events": ["x" * 1000] * 18})
    job = envelope(document=document)["data"]["job"]
    assert job == json.loads(document)


@pytest.mark.parametrize("filler", ["x", "é", "😀", "\\", '"'])
def test_a_job_too_large_is_cut_down_to_its_scalar_fields(filler: str) -> None:
    document = {
        "id": "ftjob-abc123",
        "model": "m",
        "seed": 7,
        "score": 0.5,
        "shared": True,
        "error": None,
        "hyperparameters": {"n_epochs": 3},
        "result_files": [filler * 30_000],
    }
    assert envelope(document=json.dumps(document))["data"]["job"] == {
        "id": "ftjob-abc123",
        "model": "m",
        "seed": 7,
        "score": 0.5,
        "shared": True,
        "error": None,
        "truncated": True,
    }


def test_a_scalar_too_large_is_shortened_and_a_name_too_large_is_left_out() -> None:
    document = {"id": "ftjob-abc123", "suffix": "x" * 30_000, "y" * 300: 1}
    assert envelope(document=json.dumps(document))["data"]["job"] == {
        "id": "ftjob-abc123",
        "suffix": "x" * 200,
        "truncated": True,
    }


def test_a_job_of_nothing_but_scalars_too_many_is_left_out() -> None:
    document = {f"field {number}": number for number in range(5000)}
    assert envelope(document=json.dumps(document))["data"]["job"] == {"truncated": True}


PIECES = [
    None,
    True,
    10**30,
    0.1,
    "",
    "x" * 199,
    "\ud800" * 200,
    "é" * 40_000,
    [],
    ["x" * 21_000],
    {"a": {"b": "x" * 15_000}},
]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefg") | st.just("n" * 21_000), st.sampled_from(PIECES)), st.integers(0, 3000)
)
def test_no_job_makes_the_envelope_too_large(job: dict[str, Any], more: int) -> None:
    document = job | {str(number): number for number in range(more)}
    text = encode(message_of(a_transition(document=json.dumps(document))))
    assert len(text.encode()) <= ENVELOPE_LIMIT
    assert json.loads(text)["data"]["id"] == "ftjob-abc123"


@pytest.mark.parametrize("document", ["[1, 2]", '"text"', "null"])
def test_a_document_that_is_no_object_is_passed_on(document: str) -> None:
    assert envelope(document=document)["data"]["job"] == json.loads(document)


def test_a_test_message_says_so_in_words_and_data() -> None:
    message = message_of_test("chat", START)
    assert message.title == "Test message for notifier chat"
    assert message.severity is Severity.NEUTRAL
    read = json.loads(encode(message))
    assert read["type"] == "watcher.test"
    assert read["data"] == {"test": True, "notifier": "chat"}
    assert read["id"] == message.id != message_of_test("chat", START + timedelta(seconds=1)).id


def test_a_message_fits_on_a_line() -> None:
    message = message_of(a_transition(name="a\nb\x1b[2J", facts=JobFacts()))
    assert line_of(message) == (
        r"2026-11-24T12:00:00Z  ✔ a\nb\x1b[2J: running → succeeded  job: ftjob-abc123  before: running  "
        rf"time in that status: 41m  source: openai  event: {message.id}"
    )


def test_a_service_of_its_own_words_is_told_in_openais_words_for_the_state() -> None:
    data = envelope(status="user_error", state=JobState.FAILED, event_word="failed")
    assert data["type"] == "fine_tuning.job.failed"
    assert (data["data"]["status"], data["data"]["native_status"]) == ("failed", "user_error")


def test_a_stay_whose_beginning_was_not_seen_is_told_as_at_least() -> None:
    assert ("Time in that status", "at least 41m") in facts(is_previous_exact=False)


def test_a_message_speaks_of_states_and_of_the_words_of_the_service() -> None:
    transition = a_transition(
        previous_status="JOB_STATE_RUNNING",
        previous_state=JobState.RUNNING,
        status="JOB_STATE_FAILED",
        state=JobState.FAILED,
        event_word="failed",
    )
    message = message_of(transition)
    assert message.title.endswith(": failed (JOB_STATE_FAILED)")
    assert "running (JOB_STATE_RUNNING)" in [fact.value for fact in message.facts]
    assert ": running (JOB_STATE_RUNNING) → failed (JOB_STATE_FAILED)" in line_of(message)
    assert message.data["previous_status"] == "JOB_STATE_RUNNING"


def test_a_long_name_hides_no_news() -> None:
    long = message_of(a_transition(name="n" * 200, status="failed"))
    assert long.title == "n" * 99 + "…: failed"


def test_a_reason_of_several_lines_is_told_on_one() -> None:
    reason = JobFacts(error=JobError(message="Traceback:\n  File x\n\nValueError: bad"))
    told = {fact.label: fact.value for fact in message_of(a_transition(status="failed", facts=reason)).facts}
    assert told["Error"] == "Traceback: / File x / ValueError: bad"
