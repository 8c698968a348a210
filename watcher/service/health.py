"""How the service stands: read from the running pipeline in one place, for everything that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.domain.health import HealthSnapshot
from watcher.engine.runtime import Clock

if TYPE_CHECKING:
    from watcher.service.bootstrap import Pipeline


class Health:
    """Takes snapshots of one generation of the pipeline, which begins now."""

    def __init__(self, pipeline: Pipeline, clock: Clock) -> None:
        self._pipeline = pipeline
        self._since = clock()

    def snapshot(self) -> HealthSnapshot:
        """Return how the pipeline stands now."""
        poller, deliver = self._pipeline.poller, self._pipeline.deliver
        error = poller.store_error() or deliver.store_error()
        stuck = poller.stuck() or deliver.stuck()
        return HealthSnapshot(
            since=self._since,
            longest_wait=poller.sources.longest_poll_interval,
            stalled=self._stalled(),
            watched=poller.watched,
            last_answers={source.name: source.last_success for source in poller.sources.health()},
            rejections={source.name: source.rejection for source in poller.sources.health() if source.rejection},
            notifiers=[notifier.name for notifier in deliver.health()],
            store_error=str(error) if error else None,
            sources=poller.sources.health(),
            receivers=deliver.health(),
            stuck=str(stuck) if stuck else None,
            discovery=poller.sources.discovered(),
            has_condition=self._pipeline.self_monitoring.is_anything_failing(),
        )

    def _stalled(self) -> list[str]:
        loops = {"observe": self._pipeline.poller.liveness, "deliver": self._pipeline.deliver.liveness}
        return [name for name, liveness in loops.items() if not liveness.is_steady()]
