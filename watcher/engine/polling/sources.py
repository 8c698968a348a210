"""All sources that are polled, and what holds over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from watcher.domain.conditions import Health
from watcher.domain.forecast import usual_stay
from watcher.domain.health import DiscoveryHealth
from watcher.domain.polling_policy import PollingPolicy
from watcher.engine.polling.source_state import SourceState
from watcher.engine.ports import JobStore
from watcher.engine.runtime import Log
from watcher.errors import StoreError
from watcher.plugins.source import ReadWebhook, TakesWebhooks

IDLE_INTERVAL = timedelta(seconds=30)
"""Stands for the polling interval where there is no source."""


class Sources:
    """How the sources stand, by name."""

    def __init__(self) -> None:
        self._states: dict[str, SourceState] = {}

    def __getitem__(self, name: str) -> SourceState:
        """Return the state of a source that is polled."""
        return self._states[name]

    def __iter__(self) -> Iterator[SourceState]:
        """Go through the states of all sources."""
        return iter(self._states.values())

    def add(self, state: SourceState) -> None:
        """Poll the jobs of a source."""
        self._states[state.name] = state

    @property
    def longest_wait(self) -> timedelta:
        """The longest regular wait of a job."""
        return max((state.longest_wait for state in self), default=timedelta())

    @property
    def shortest_interval(self) -> timedelta:
        """The shortest polling interval."""
        return min((state.policy.interval for state in self), default=IDLE_INTERVAL)

    @property
    def longest_poll_interval(self) -> timedelta:
        """The longest time between two answered polls of a job."""
        return max((state.policy.longest for state in self), default=IDLE_INTERVAL)

    def policy_of(self, name: str) -> PollingPolicy | None:
        """Return how a source is polled; None for one that is not in the configuration."""
        state = self._states.get(name)
        return state.policy if state else None

    def budget_of(self, name: str) -> int | None:
        """Return how many requests a minute this process may send to a source; None where there is no limit."""
        state = self._states.get(name)
        return state.rate_limit.requests_per_minute if state and state.rate_limit else None

    def requests_of(self, name: str) -> int | None:
        """Return how many requests this process has sent to a source in the last minute; None for an unknown one."""
        state = self._states.get(name)
        return state.requests.in_last_minute() if state else None

    def webhook_reader_of(self, name: str) -> ReadWebhook | None:
        """Return what checks and reads the webhooks of a source; None where there is no such source, or no secret."""
        state = self._states.get(name)
        return state.source.read_webhook if state and isinstance(state.source, TakesWebhooks) else None

    def health(self) -> list[Health]:
        """Return how each source has been answering."""
        return [state.health() for state in self]

    def discovered(self) -> list[DiscoveryHealth]:
        """Say what each rule of discovery has found."""
        return [each for state in self for each in state.discovered()]

    def clock_stepped(self, step: timedelta) -> None:
        """Keep what was measured by the host's clock right after the clock was set by `step`."""
        for state in self:
            state.clock_stepped(step)

    async def refresh_durations(self, store: JobStore, log: Log) -> None:
        """Look up how long earlier jobs were in each status, for forecasts."""
        for state in self:
            try:
                durations = await store.durations(state.name)
            except StoreError as error:
                log.debug("no durations of earlier jobs", source=state.name, error=str(error))
            else:
                found = ((status, usual_stay(lengths)) for status, lengths in durations.items())
                state.usual_stays = {status: stay for status, stay in found if stay}
