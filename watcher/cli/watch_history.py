"""What the record says of earlier jobs, where there is one, for those that `watch` follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING

from watcher.errors import WatcherError

if TYPE_CHECKING:
    from watcher.domain.forecast import Stay
    from watcher.settings.model import Settings


def learn_history(
    settings: Settings, sources: Collection[str], learned: Callable[[Mapping[str, Sequence[Stay]]], None]
) -> Thread:
    """Look up how long earlier jobs of the sources were in their statuses, while all else goes on.

    A record that is not there, or does not answer, says nothing; the end of the process waits for neither.
    """

    def look_up() -> None:
        from watcher.store.status_durations import read_stays

        try:
            learned(read_stays(settings.store.resolved_url(), sources))
        except WatcherError:
            return  # an estimate less

    thread = Thread(target=look_up, daemon=True, name="history")
    thread.start()
    return thread
