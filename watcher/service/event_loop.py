"""The event loop of the service: uvloop where that is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Mapping

from watcher.errors import ConfigurationError

LOOP_VARIABLE = "WATCHER_EVENT_LOOP"

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def loop_factory(environment: Mapping[str, str]) -> LoopFactory | None:
    """Return what makes the event loop that the environment asks for; None for asyncio's own.

    Raises ConfigurationError for an unknown one, or one that is not installed.
    """
    wish = environment.get(LOOP_VARIABLE, "")
    if wish not in {"", "asyncio", "uvloop"}:
        raise ConfigurationError(f"{LOOP_VARIABLE} must be asyncio or uvloop")
    if wish == "asyncio":
        return None
    if importlib.util.find_spec("uvloop") is None:
        if wish:
            raise ConfigurationError(f"{LOOP_VARIABLE}: install finetune-watcher[uvloop]")
        return None
    import uvloop

    made: LoopFactory = uvloop.new_event_loop
    return made
