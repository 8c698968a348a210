"""One poll turns every error of a source into the right kind of trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import ManualClock, RecordingLog, ScriptedSource, job_in
from watcher.domain.jobs import Observation
from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.engine.polling.source_calls import poll
from watcher.errors import MalformedResponseError, MissingError, RejectedError, SourceError, TransientError


async def polled(entry: str | Exception, log: RecordingLog | None = None) -> Observation | PollFailure | None:
    source = ScriptedSource(ManualClock(), {"ftjob-1": [entry]})
    return await poll(source, job_in("queued"), log or RecordingLog())


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (
            TransientError("HTTP 429", request_id="req_1", retry_after=timedelta(seconds=9)),
            PollFailure(PollOutcome.FAILED, "HTTP 429", timedelta(seconds=9), "req_1"),
        ),
        (MalformedResponseError("HTML"), PollFailure(PollOutcome.FAILED, "HTML")),
        (RejectedError("HTTP 401", request_id="req_2"), PollFailure(PollOutcome.REJECTED, "HTTP 401", None, "req_2")),
        (MissingError("HTTP 404"), PollFailure(PollOutcome.MISSING, "HTTP 404")),
        (SourceError("anything"), PollFailure(PollOutcome.FAILED, "anything")),
    ],
)
async def test_an_error_becomes_a_value(error: SourceError, trouble: PollFailure) -> None:
    assert await polled(error) == trouble


async def test_news_is_an_observation_and_no_news_is_none() -> None:
    news = await polled("running")

    assert isinstance(news, Observation)
    assert news.status == "running"
    assert await polled("queued") is None


async def test_a_fault_of_ours_is_trouble_and_logged() -> None:
    log = RecordingLog()

    assert await polled(KeyError("x"), log) == PollFailure(PollOutcome.FAILED, "internal error: KeyError")
    assert log.events("exception") == ["poll failed with an internal error"]
