"""Asking a source, its errors turned into values."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from watcher.errors import MissingError, RejectedError, SourceError, TransientError

if TYPE_CHECKING:
    # `watch` reads no list and no events.
    from watcher.domain.jobs import Job, Observation
    from watcher.domain.polling_policy import PollFailure
    from watcher.domain.telemetry import EventPage
    from watcher.engine.polling.discovery import Discovery
    from watcher.engine.polling.list_scan import ListScan
    from watcher.engine.ports import JobSource
    from watcher.engine.runtime import Log

T = TypeVar("T")


async def poll(source: JobSource, job: Job, log: Log) -> Observation | PollFailure | None:
    """Ask for a job: an observation, the failure, or None when there is nothing new."""
    return await _answer_to(source.retrieve(job.key.id, job.status), log, job=str(job.key))


async def read_list(scan: ListScan, wanted: frozenset[str], log: Log) -> dict[str, str] | PollFailure:
    """Read the list: the statuses of the wanted jobs that it holds, or the failure."""
    return await _answer_to(scan.read(wanted), log)


async def discover(discovery: Discovery, log: Log) -> int | PollFailure:
    """Look for new jobs: how many are watched that were not, or the failure."""
    return await _answer_to(discovery.scan(), log, source=discovery.rules[0].source)


async def read_events(source: JobSource, job: Job, cursor: str | None, log: Log) -> EventPage | PollFailure:
    """Ask for what is new of a job since a page that was read earlier: a page, or the failure."""
    return await _answer_to(source.events(job.key.id, cursor), log, job=str(job.key))


async def _answer_to(request: Awaitable[T], log: Log, **of: object) -> T | PollFailure:
    try:
        return await request
    except SourceError as error:
        # Its frames hold the answer, and where they hold the error too, nothing else would free them soon.
        return _failure(error.with_traceback(None))
    except Exception as error:  # an internal error must not end the watching of all other jobs
        log.exception("poll failed with an internal error", error=type(error).__name__, **of)
        return _failure(SourceError(f"internal error: {type(error).__name__}"))


def _failure(error: SourceError) -> PollFailure:
    from watcher.domain.polling_policy import PollFailure, PollOutcome  # `watch` asks that much sooner

    match error:
        case RejectedError():
            outcome = PollOutcome.REJECTED
        case MissingError():
            outcome = PollOutcome.MISSING
        case _:
            outcome = PollOutcome.FAILED
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    return PollFailure(outcome, str(error), retry_after, error.request_id)
