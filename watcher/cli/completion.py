"""Completions for the shell: ids of jobs, notifiers, statuses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from watcher.settings.model import Settings


def complete_jobs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the jobs of the configuration, and those in the store."""
    return _offered(ctx, incomplete, _job_words)


def complete_notifiers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the notifiers of the configuration."""
    return _offered(ctx, incomplete, lambda settings: settings.notifiers)


def complete_sources(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the sources of the configuration."""
    return _offered(ctx, incomplete, lambda settings: settings.sources)


def complete_statuses(incomplete: str) -> list[str]:
    """Offer the documented statuses."""
    from watcher.domain.states import Status

    return [status.value for status in Status if status.startswith(incomplete)]


def complete_states(incomplete: str) -> list[str]:
    """Offer the states that the watcher knows."""
    from watcher.domain.states import JobState

    return [state.value for state in JobState if state.startswith(incomplete)]


def _offered(ctx: typer.Context, incomplete: str, words: Callable[[Settings], Iterable[str]]) -> list[str]:
    from watcher.settings.locations import find_config
    from watcher.settings.validation import load_for_store

    given: Any = ctx.params.get("config")
    try:
        settings = load_for_store(find_config(Path(given) if given else None, os.environ))
        return sorted({word for word in words(settings) if word.startswith(incomplete)})
    except Exception:  # noqa: BLE001 - a shell cannot show errors while it completes
        return []


def _job_words(settings: Settings) -> list[str]:
    return [job.key.id for job in settings.jobs] + _stored(settings)


def _stored(settings: Settings) -> list[str]:
    """Read the jobs of an existing store: completion creates no database."""
    import asyncio

    from watcher.service.bootstrap import open_store

    url = settings.store.resolved_url()
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        return []

    async def read() -> list[str]:
        async with open_store(settings) as store:
            return [job.key.id for job in await store.jobs()]

    return asyncio.run(read())
