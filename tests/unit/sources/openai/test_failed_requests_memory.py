"""No answer of a failed request waits for a collection of garbage: one leaves out what was in use at the last one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from tests.doubles import RecordingLog, job_in
from tests.unit.sources.requests_made import failing, world
from watcher.domain.polling_policy import PollFailure
from watcher.engine.polling.source_calls import poll
from watcher.http import Answer, HttpError
from watcher.simulator.script import Fault, FaultKind


@pytest.fixture
def without_collections() -> Iterator[None]:
    """Free only what nothing refers to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
    async with world(fault) as w:
        failure = await poll(w.source, job_in("queued"), RecordingLog())
        assert isinstance(failure, PollFailure)
        kept = [each for each in gc.get_objects() if isinstance(each, Answer | HttpError | ValidationError)]
    assert kept == []
