"""The configured notifiers, opened: each with a client of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from watcher.engine.runtime import Log, Runtime
from watcher.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    # Loaded where they are used: `watch` without a configuration needs none of them.
    from watcher.domain.jobs import JobKey
    from watcher.domain.messages import Message
    from watcher.domain.telemetry import MetricPoint
    from watcher.engine.ports import Notifier
    from watcher.http import Pacer
    from watcher.settings.model import Settings

    Points = Callable[[JobKey], Awaitable[Sequence[MetricPoint]]]
    """Returns what was measured of a job. Raises StoreError."""

NOTIFIER_TIMEOUT = timedelta(seconds=15)
"""How long a receiver may take over a message."""
NOTIFIER_CONNECTIONS = 16
"""Connections of one notifier; how many messages it sends at once is its own choice."""
NOTIFIER_ANSWER_LIMIT = 64 * 1024
"""Bytes of a receiver's answer that are read."""


@dataclass(frozen=True, slots=True)
class NotifierLimits:
    """How long a notifier may take, and how fast it may send."""

    timeout: timedelta = NOTIFIER_TIMEOUT
    pacer: Pacer | None = None
    """Spaces out messages to one receiver; None: a new one."""


USUAL_LIMITS = NotifierLimits()


async def open_notifiers(  # noqa: PLR0913 - which ones, and what they may use
    settings: Settings,
    names: Iterable[str],
    runtime: Runtime,
    stack: AsyncExitStack,
    limits: NotifierLimits = NotifierLimits(),
    *,
    points: Points | None = None,
) -> Mapping[str, Notifier]:
    """Build notifiers, each with its own client, so that none can block another.

    `points` returns what was measured of a job, for pictures.
    """
    from watcher.http import Bounds, HttpClient, Pacer, tls_context
    from watcher.plugins.notifier import Context
    from watcher.plugins.registry import notifiers as kinds
    from watcher.service.message_templates import in_own_words, words_of

    pacer, tls = limits.pacer or Pacer(), tls_context()
    bounds = Bounds(limits.timeout, NOTIFIER_CONNECTIONS, NOTIFIER_ANSWER_LIMIT, keeps_connections=False)
    curve = partial(_curve, points, runtime.log) if points else None
    notifiers: dict[str, Notifier] = {}
    for name in names:
        if name not in settings.notifiers:
            known = ", ".join(sorted(settings.notifiers)) or "none"
            raise ConfigurationError(f"no notifier is named {name!r}; the configuration has: {known}")
        chosen = settings.notifiers[name]
        kind = kinds.plugin(chosen.kind)
        http = await stack.enter_async_context(HttpClient(bounds, tls=tls))
        notifier = kind.build(chosen, Context(name, http, pacer, runtime.clock, settings.http.public_url, curve))
        notifiers[name] = in_own_words(name, notifier, words_of(chosen, kind.markup), runtime.log)
    return notifiers


async def _curve(points: Points, log: Log, message: Message) -> bytes | None:
    """Draw how the job of a message trained: see `Context.curve`."""
    from watcher.curves.picture import curve_png
    from watcher.domain.jobs import JobKey

    key = JobKey(str(message.data.get("source")), str(message.data.get("id")))
    try:
        # A thread, since it takes a processor some 50 ms.
        return await asyncio.to_thread(curve_png, await points(key))
    except StoreError as error:
        log.debug("no picture of a job: the store cannot be read", job=str(key), error=str(error))
    except Exception as error:
        log.exception("no picture of a job: internal error", job=str(key), error=type(error).__name__)
    return None
