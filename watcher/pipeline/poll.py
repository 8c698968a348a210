"""One poll of one job, its errors turned into a value."""

from __future__ import annotations

from watcher.domain.cadence import PollOutcome, Trouble
from watcher.domain.jobs import Job, Observation
from watcher.errors import MissingError, RejectedError, SourceError, TransientError
from watcher.pipeline.ports import JobSource, Log


async def poll(source: JobSource, job: Job, log: Log) -> Observation | Trouble | None:
    """Ask the source for the job: an observation, the trouble there was, or None when there is nothing new."""
    try:
        return await source.retrieve(job.key.id, job.status)
    except SourceError as error:
        return _trouble(error)
    except Exception as error:  # a fault of ours must not end the watching of all other jobs
        log.exception("poll broke", job=str(job.key), error=type(error).__name__)
        return Trouble(PollOutcome.FAILED, f"internal error: {type(error).__name__}")


def _trouble(error: SourceError) -> Trouble:
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    return Trouble(_outcome(error), str(error), retry_after, error.request_id)


def _outcome(error: SourceError) -> PollOutcome:
    match error:
        case RejectedError():
            return PollOutcome.REJECTED
        case MissingError():
            return PollOutcome.MISSING
        case _:
            return PollOutcome.FAILED
