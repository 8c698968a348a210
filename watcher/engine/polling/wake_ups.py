"""What services tell by themselves: it makes a job due, or has new jobs looked for. Only a retrieve makes news."""

from __future__ import annotations

from collections.abc import Callable

from watcher.domain.jobs import JobKey
from watcher.engine.polling.sources import Sources
from watcher.engine.ports import JobStore
from watcher.engine.runtime import Runtime
from watcher.plugins.source import ReadWebhook, Webhook


class WakeUps:
    """Takes webhooks whose senders are known."""

    def __init__(self, store: JobStore, sources: Sources, runtime: Runtime, *, wake: Callable[[], None]) -> None:
        """`wake` is called when something is due."""
        self._store = store
        self._sources = sources
        self._runtime = runtime
        self._wake = wake

    def reader(self, source: str) -> ReadWebhook | None:
        """Return what checks and reads the webhooks of a source; None where there is no such source, or no secret."""
        return self._sources.webhook_reader_of(source)

    async def take(self, source: str, webhook: Webhook) -> None:
        """Have the job asked for that a webhook tells of, or new jobs looked for. Raises StoreError."""
        state = self._sources[source]
        if webhook.job_id is None:
            self._runtime.log.debug("webhook of something that is not watched", source=source, webhook_id=webhook.id)
            return
        key = JobKey(source, webhook.job_id)
        state.note_told(key)
        is_watched = await self._store.make_due(key, self._runtime.clock())
        if not is_watched and state.discovery:
            state.discovery.hasten()
        self._runtime.log.info("webhook taken", job=str(key), webhook_id=webhook.id, is_watched=is_watched)
        self._wake()
