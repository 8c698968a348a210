"""Which jobs are due: as the store says, or the cache while the store cannot be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from watcher.domain.jobs import Job
from watcher.engine.polling.job_cache import JobCache
from watcher.engine.ports import ClaimRequest, JobStore
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError, StoreUnavailableError

STORE_PATIENCE = timedelta(seconds=1)
"""How long the store is waited for before polling goes on from the cache."""


class DueJobs:
    """Claims due jobs, so that no other watcher polls them meanwhile."""

    def __init__(
        self, store: JobStore, cache: JobCache, runtime: Runtime, *, patience: timedelta = STORE_PATIENCE
    ) -> None:
        self._store = store
        self._cache = cache
        self._runtime = runtime
        self._log = runtime.log
        self._patience = patience
        self._answer: asyncio.Future[Sequence[Job]] | None = None
        """What the store has been asked for and has not answered yet."""
        self.on_late_answer = asyncio.Event()
        """Set when the store has answered after it was no longer waited for."""
        self.store_error: StoreError | None = None
        """Why the store cannot be read; None while it can."""
        self.recoveries = 0
        """How often the store was out of reach, and came back."""

    async def claim(
        self, requests: Mapping[str, ClaimRequest], now: datetime, longest_waits: Mapping[str, timedelta]
    ) -> Sequence[Job]:
        """Claim due jobs of each source. A late answer of the store may hold jobs of other sources too.

        `longest_waits` says the longest regular wait of a job of each source.
        """
        if not requests:
            return ()
        try:
            jobs = await self._from_store(requests, now)
        except StoreError as error:
            self._note(error)
            return self._from_cache(requests, now, longest_waits)
        except Exception as error:  # noqa: BLE001 - an internal error must not end the watching
            self._log.exception("cannot look for due jobs: internal error", error=type(error).__name__)
            return ()
        self._note(None)
        return jobs if self._cache.is_recorded else [self._cache.latest(job) for job in jobs]

    def close(self) -> None:
        """Stop waiting for the store."""
        if self._answer:
            self._answer.cancel()

    async def _from_store(self, requests: Mapping[str, ClaimRequest], now: datetime) -> Sequence[Job]:
        if self._answer is None:
            self._answer = asyncio.ensure_future(self._store.claim_due(requests, now))
        seconds = self._patience.total_seconds()
        await asyncio.wait([self._answer], timeout=seconds)
        if not self._answer.done():
            self._answer.add_done_callback(lambda _: self.on_late_answer.set())
            raise StoreUnavailableError(f"the store does not answer within {seconds:g} s")
        answer, self._answer = self._answer, None
        return answer.result()

    def _from_cache(
        self, requests: Mapping[str, ClaimRequest], now: datetime, longest_waits: Mapping[str, timedelta]
    ) -> list[Job]:
        return [
            job._replace(due_at=request.next_due)
            for name, request in requests.items()
            for job in islice(self._cache.due(name, now, longest_waits[name]), request.limit)
        ]

    def _note(self, error: StoreError | None) -> None:
        if error and not self.store_error:
            self._log.error("the store cannot be read, polling goes on from memory", error=str(error))
        if self.store_error and not error:
            self._log.info("the store can be read again")
            self.recoveries += 1
        self.store_error = error
