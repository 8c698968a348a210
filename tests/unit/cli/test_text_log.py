"""The words that `watch` and `retrieve` have for trouble."""

from __future__ import annotations

import pytest

from watcher.cli.text_log import TextLog
from watcher.logs import Level

SECRET = "sk-secret-of-the-test"


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def log(level: Level = "warning") -> TextLog:
    return TextLog(level, {SECRET}, "openai")


def test_an_error_is_told_with_its_job_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    log().error(
        "the source rejects us", job="openai/ftjob-1", error="HTTP 401: no", request_id="req_1", hint="is it right?"
    )
    assert lines(capsys) == ["watcher: ftjob-1: HTTP 401: no (req_1); is it right?"]


def test_another_source_is_named_and_what_the_error_does_not_say_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    log().warning("poll failed, going on", job="azure/ftjob-1", error="HTTP 503", request_id=None)
    log().error("not delivered", notifier="chat", status="failed", error="410 Gone")
    assert lines(capsys) == [
        "watcher: azure/ftjob-1: poll failed, going on: HTTP 503",
        "watcher: chat: not delivered: 410 Gone",
    ]


def test_what_is_told_when_all_is_over_is_not_told_before(capsys: pytest.CaptureFixture[str]) -> None:
    log().error("delivery rejected", notifier="chat", error="410 Gone")
    assert lines(capsys) == []


def test_only_who_asks_hears_of_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    log().info("poll answered", job="openai/ftjob-1", status="running")
    log("debug").debug("poll answered", job="openai/ftjob-1", status="running")
    assert lines(capsys) == ["watcher: ftjob-1: poll answered (status=running)"]


def test_neither_secrets_nor_controls_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    log().error("not retrieved", job="openai/ftjob-1", error=f"HTTP 401: {SECRET}\x1b[2J")
    assert lines(capsys) == [r"watcher: ftjob-1: HTTP 401: ***\x1b[2J"]


def test_another_place_may_take_the_lines() -> None:
    taken: list[str] = []
    quiet = log()
    quiet.write = taken.append
    quiet.exception("poll failed with an internal error", job="openai/ftjob-1", error="KeyError")
    assert taken == ["ftjob-1: poll failed with an internal error (with --log-format console it shows where): KeyError"]
