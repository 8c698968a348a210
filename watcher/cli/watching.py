"""What `watch` does once it has asked: follow the jobs, show and tell what happens, and say how that ended.

It is loaded while the first answers are on their way.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from watcher.cli.exit_codes import Exit, exit_of
from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.output import tell, write_text
from watcher.cli.selection import SelectedJobs
from watcher.cli.terminal_window import notification
from watcher.cli.text_log import TextLog
from watcher.cli.watch_history import learn_history
from watcher.cli.watch_listener import Listener
from watcher.cli.watch_output import Screen, Show, open_screen
from watcher.cli.watch_wishes import Wishes
from watcher.domain.polling_policy import LONGEST_INTERVAL, PollingPolicy
from watcher.engine.polling.ending import Ending
from watcher.engine.polling.follow import Bounds, FirstPolls, Follow
from watcher.engine.runtime import Runtime
from watcher.logs import WatcherLog, can_be_driven
from watcher.plugins.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.settings.model import Settings


async def follow(
    chosen: SelectedJobs, sources: Mapping[str, Source], first: FirstPolls, wishes: Wishes, runtime: Runtime
) -> Exit:
    """Follow the jobs to their ends; `first` are polls that are under way. Raises ConfigurationError."""
    policy = PollingPolicy(wishes.interval, max(wishes.interval, LONGEST_INTERVAL), is_adaptive=False)
    settings = chosen.settings.sources if chosen.settings else {}
    silent = frozenset(name for name, source in settings.items() if not source.progress)
    bounds = Bounds(policy, wishes.until, wishes.timeout, wishes.give_up_after, silent)
    jobs = FollowedJobs(chosen.specs)
    async with AsyncExitStack() as stack:
        screen, looks_on = await stack.enter_async_context(_screen(jobs, chosen, wishes, runtime))
        listener = Listener(jobs, screen, chosen, runtime, looks_on=looks_on)
        if wishes.notify and chosen.settings:
            listener.direct = await _open_direct_delivery(chosen.settings, wishes.notify, runtime, stack)
        endings = await Follow(sources, bounds, listener.ears(), runtime).run(chosen.specs, first)
    undelivered = listener.direct.undelivered() if listener.direct else ()
    for key, ending in endings.items():
        if ending is Ending.TIMED_OUT:
            chosen.log.warning("timed out", job=str(key))
    for delivery in undelivered:
        status = delivery.event.type.rpartition(".")[2]
        chosen.log.error("not delivered", notifier=delivery.notifier, status=status, error=delivery.last_error)
    code = exit_of(endings.values())
    return Exit.UNDELIVERED if undelivered and wishes.is_notice_required and code is Exit.OK else code


@asynccontextmanager
async def _screen(
    jobs: FollowedJobs, chosen: SelectedJobs, wishes: Wishes, runtime: Runtime
) -> AsyncIterator[tuple[Screen, bool]]:
    """Show what happens, complaints too; say whether somebody sees how the jobs train."""
    shares_terminal = isinstance(chosen.log, WatcherLog) and sys.stderr.isatty()  # records go through no view
    is_live = can_be_driven(sys.stdout) and not shares_terminal
    show = Show(wishes.as_json, wishes.verbose, is_live)
    screen = open_screen(jobs, runtime, show)
    if isinstance(chosen.log, TextLog):
        chosen.log.write = screen.aside
    terminal = next((stream for stream in (sys.stdout, sys.stderr) if stream.isatty()), None)
    if wishes.tells_desktop and not terminal:
        screen.aside("no output goes to a terminal: --notify-desktop has nothing to notify the desktop by")
    if show.has_view and chosen.settings:
        learn_history(chosen.settings, {spec.key.source for spec in chosen.specs}, jobs.learned)
    showing = asyncio.create_task(screen.run())
    try:
        yield screen, show.has_view
    finally:
        showing.cancel()
        await asyncio.wait([showing])
        screen.close()
        if isinstance(chosen.log, TextLog):
            chosen.log.write = tell
        if wishes.tells_desktop and terminal and (ended := jobs.ended(runtime.clock())):
            told = "; ".join(f"{row.title} {row.status}" for row, _ in ended)
            write_text(notification("watcher", told, os.environ), terminal)


async def _open_direct_delivery(
    settings: Settings, names: Sequence[str], runtime: Runtime, stack: AsyncExitStack
) -> DirectDelivery:
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.service.notifiers import open_notifiers
    from watcher.settings.conversion import routes

    notifiers = await open_notifiers(settings, names, runtime, stack)
    # Who is named here hears of the jobs named here: labels sort the jobs of a service.
    wanted = [replace(route, labels={}) for route in routes(settings) if route.notifier in notifiers]
    return await stack.enter_async_context(DirectDelivery(notifiers, wanted, runtime))
