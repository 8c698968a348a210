"""No answer of a failed request waits for a collection of garbage: one leaves out what was in use at the last one."""

from __future__ import annotations

import gc

import pytest
from pydantic import ValidationError

from tests.doubles import RecordingLog, job_in
from tests.unit.sources.requests_made import failing, world
from watcher.domain.polling_policy import PollFailure
from watcher.engine.polling.source_calls import poll
from watcher.http import Answer, HttpError
from watcher.simulator.script import Fault, FaultKind


def alive() -> list[Answer | HttpError | ValidationError]:
    """Return what is in memory of answers and of what went wrong with them."""
    return [each for each in gc.get_objects() if isinstance(each, Answer | HttpError | ValidationError)]


@pytest.mark.usefixtures("without_collections")
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(failing(503, times=None), id="HTTP 503"),
        pytest.param(failing(404, times=None), id="HTTP 404"),
        pytest.param(failing(401, times=None), id="HTTP 401"),
        pytest.param(Fault(FaultKind.MALFORMED, times=None), id="HTML"),
        pytest.param(Fault(FaultKind.NO_STATUS, times=None), id="no status"),
        pytest.param(Fault(FaultKind.WRONG_ID, times=None), id="another job"),
        pytest.param(Fault(FaultKind.RESET, times=None), id="a connection that is reset"),
    ],
)
async def test_the_answer_is_let_go(fault: Fault) -> None:
    before = alive()
    async with world(fault) as w:
        failure = await poll(w.source, job_in("queued"), RecordingLog())
        assert isinstance(failure, PollFailure)
        kept = alive()
    assert [each for each in kept if not any(each is one for one in before)] == []
