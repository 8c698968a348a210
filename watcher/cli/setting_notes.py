"""What is right in the settings and yet hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.domain.states import OPENAI_STATES, Status, named_state
from watcher.settings.locations import places

if TYPE_CHECKING:
    from watcher.settings.model import Settings


def notes_on(settings: Settings, path: Path | None) -> list[str]:
    """Say in a line each what a service with these settings would not do, and which statuses are not known.

    `path` is the file that the settings come from, if there is one.
    """
    return [*_missing(settings, path), *_unknown_statuses(settings)]


def _missing(settings: Settings, path: Path | None) -> Iterator[str]:
    if path is None:
        yield f"there is no configuration file; looked for {places()}"
    if not settings.jobs:
        yield "no job is configured: nothing is watched but what `watcher jobs add` adds"
    if not settings.notifiers:
        yield "no notifier is configured: no alert would be sent"


def _unknown_statuses(settings: Settings) -> Iterator[str]:
    from watcher.settings.error_text import nearest

    given = [(f"supervision.stuck_after.{status}", status) for status in settings.supervision.stuck_after]
    for name, notifier in settings.notifiers.items():
        given += [(f"notifiers.{name}.statuses", status) for status in notifier.statuses or ()]
    for where, status in given:
        if named_state(status) or status in OPENAI_STATES.statuses():
            continue
        near = nearest(status.lower(), Status)
        yield f"{where}: no status {status!r} is known, though a service may have one" + (
            f"; did you mean {near!r}?" if near else ""
        )
