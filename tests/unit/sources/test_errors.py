"""Every answer of the API is sorted into the right kind of failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from watcher.errors import MalformedResponseError, MissingError, RejectedError, SourceError, TransientError
from watcher.http import Answer
from watcher.sources.errors import failure_of
from watcher.sources.openai.dialect import OPENAI_RULES

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def answer(status_code: int, error: Mapping[str, object] | bytes | None = None, **headers: str) -> Answer:
    body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode() if error else b""
    return Answer(status_code, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), body)


def kind(status_code: int, error: dict[str, object] | None = None, **headers: str) -> type[SourceError] | None:
    failure = failure_of(answer(status_code, error, **headers), NOW, OPENAI_RULES)
    return type(failure) if failure else None


def test_a_whole_answer_is_no_failure() -> None:
    assert kind(200) is None


@pytest.mark.parametrize(
    ("status_code", "expected"),
    [
        (201, MalformedResponseError),
        (204, MalformedResponseError),
        (206, MalformedResponseError),
        (301, MalformedResponseError),
        (302, MalformedResponseError),
        (307, MalformedResponseError),
        (304, MalformedResponseError),
        (400, TransientError),
        (401, RejectedError),
        (403, RejectedError),
        (404, MissingError),
        (405, TransientError),
        (408, TransientError),
        (409, TransientError),
        (422, TransientError),
        (429, TransientError),
        (500, TransientError),
        (502, TransientError),
        (503, TransientError),
        (504, TransientError),
        (599, TransientError),
    ],
)
def test_the_status_decides(status_code: int, expected: type[SourceError]) -> None:
    assert kind(status_code) is expected


@pytest.mark.parametrize(
    "names",
    [
        {"type": "insufficient_quota"},
        {"code": "insufficient_quota"},
        {"code": "credit_balance_exhausted"},
        {"code": "project_spend_limit_exceeded"},
        {"code": "organization_usage_limit_exceeded"},
    ],
)
def test_a_429_for_want_of_quota_is_a_rejection(names: dict[str, object]) -> None:
    assert kind(429, {"message": "You exceeded your current quota", **names}) is RejectedError
    assert kind(500, {"message": "?", **names}) is TransientError


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "slow_down", None])
def test_another_429_passes(code: str | None) -> None:
    assert kind(429, {"message": "Slow down", "code": code}) is TransientError


@pytest.mark.parametrize(
    ("status_code", "advice", "retryable"),
    [
        (503, None, True),
        (409, None, True),
        (400, None, False),
        (503, "false", False),
        (400, "true", True),
        (401, "true", True),
        (404, "true", True),
    ],
)
def test_the_server_may_say_whether_to_try_again(status_code: int, advice: str | None, retryable: bool) -> None:
    failure = failure_of(answer(status_code, None, **({"x_should_retry": advice} if advice else {})), NOW, OPENAI_RULES)

    assert isinstance(failure, TransientError)
    assert failure.retryable is retryable


def test_the_recorded_404_is_told_in_the_apis_own_words() -> None:
    error = {
        "message": "Could not find fine tune: 123",
        "type": "invalid_request_error",
        "param": "fine_tune_id",
        "code": "fine_tune_not_found",
    }
    failure = failure_of(answer(404, error, x_request_id="req_1"), NOW, OPENAI_RULES)

    assert str(failure) == "HTTP 404: Could not find fine tune: 123 (fine_tune_not_found)"
    assert failure is not None
    assert (failure.status_code, failure.request_id) == (404, "req_1")


def test_a_wish_to_wait_is_passed_on() -> None:
    failure = failure_of(answer(429, None, retry_after_ms="1500"), NOW, OPENAI_RULES)

    assert isinstance(failure, TransientError)
    assert failure.retry_after == timedelta(seconds=1.5)


def test_a_redirect_says_where_to() -> None:
    failure = failure_of(answer(302, None, location="https://login.example.com/"), NOW, OPENAI_RULES)

    assert "a redirect to https://login.example.com/" in str(failure)
    assert "is the address right" in str(failure)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>" + b"x" * 10_000,
        b"\xff\xfe" * 500,
        b"[" * 100_000,
        b'{"error": "a string"}',
        b'{"error": {"message": {"deep": 1}}}',
        b"\x1b[2J",
    ],
)
def test_a_strange_body_is_cut_and_made_safe(body: bytes) -> None:
    failure = failure_of(answer(500, body), NOW, OPENAI_RULES)

    assert len(str(failure)) <= len("HTTP 500: ") + 200
    assert str(failure).isprintable()


def test_no_body_is_said() -> None:
    assert str(failure_of(answer(502), NOW, OPENAI_RULES)) == "HTTP 502: no body"
