"""`watcher watch`: follow jobs until they end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_notifiers, complete_sources, complete_statuses
from watcher.cli.exit_codes import Exit
from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.found_jobs import Search, find_jobs, read_label
from watcher.cli.job_reference import JobReference
from watcher.cli.options import (
    ComplaintFormatOption,
    ComplaintLevelOption,
    ConfigOption,
    JsonOption,
    OptionalJobsArgument,
    as_duration,
)
from watcher.cli.output import tell
from watcher.cli.selection import (
    SLACK_URL_FILE,
    ApiKeyFileOption,
    BaseUrlOption,
    CommandOptions,
    SelectedJobs,
    select_jobs,
)
from watcher.cli.signals import run_until_signal
from watcher.cli.status_words import doubt_about
from watcher.cli.text_log import TextLog
from watcher.cli.watch_listener import Listener
from watcher.cli.watch_output import Show, open_screen
from watcher.domain.jobs import JobKey
from watcher.domain.polling_policy import LONGEST_INTERVAL, PollingPolicy
from watcher.engine.polling.follow import Bounds, Ending, Follow
from watcher.errors import ConfigurationError
from watcher.logs import WatcherLog, can_be_driven
from watcher.service.bootstrap import real_runtime
from watcher.settings.locations import places

if TYPE_CHECKING:
    from watcher.domain.deliveries import Delivery
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.engine.ports import Runtime

CODES: Mapping[Ending, Exit] = {
    Ending.REACHED: Exit.OK,
    Ending.SUCCEEDED: Exit.OK,
    Ending.FAILED: Exit.FAILED,
    Ending.CANCELLED: Exit.CANCELLED,
    Ending.REJECTED: Exit.REJECTED,
    Ending.NOT_FOUND: Exit.NOT_FOUND,
    Ending.GAVE_UP: Exit.GAVE_UP,
    Ending.TIMED_OUT: Exit.TIMED_OUT,
}


def watch(
    ids: OptionalJobsArgument = None,
    interval: Annotated[
        timedelta, typer.Option(parser=as_duration, metavar="DURATION", help="How often to ask.")
    ] = "10s",  # type: ignore[assignment]
    until: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            autocompletion=complete_statuses,
            help="End when this status is reached or passed, not at the job's end.",
        ),
    ] = None,
    timeout: Annotated[
        timedelta | None,
        typer.Option(parser=as_duration, metavar="DURATION", help="How long to watch at most."),
    ] = None,
    give_up_after: Annotated[
        timedelta,
        typer.Option(parser=as_duration, metavar="DURATION", help="How long to put up with nothing but failed polls."),
    ] = "15m",  # type: ignore[assignment]
    as_json: JsonOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Write all that is known of each transition.")
    ] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_notifiers,
            help="A notifier of the configuration to tell, within a minute; repeatable. The exit code is the job's.",
        ),
    ] = None,
    slack_url_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with the address of an incoming webhook of Slack, to be told too."),
    ] = None,
    notify_desktop: Annotated[
        bool,
        typer.Option(
            "--notify-desktop",
            help="Notify the desktop of the end, where the terminal can; else ring its bell. Works over ssh.",
        ),
    ] = False,
    notify_required: Annotated[
        bool, typer.Option("--notify-required", help="Exit with 7, not 0, when a message could not be delivered.")
    ] = False,
    is_all: Annotated[bool, typer.Option("--all", help="All jobs that run now, in place of ids.")] = False,
    is_latest: Annotated[
        bool, typer.Option("--latest", help="The job that was created last, in place of ids.")
    ] = False,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="The jobs that run now and whose metadata says this; repeatable."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_sources,
            help="Whose list --all, --latest and --label look at.",
            show_default="the only one of the configuration, or openai",
        ),
    ] = None,
    base_url: BaseUrlOption = None,
    api_key_file: ApiKeyFileOption = None,
    config: ConfigOption = None,
    log_level: ComplaintLevelOption = None,
    log_format: ComplaintFormatOption = None,
) -> None:
    """Follow jobs until they end, and say how they ended in the exit code.

    The jobs are named by their ids, or found in the list of a source: with --all, --latest or --label. With none of
    these, a terminal offers the jobs that run now.

    - 0: succeeded, or reached the status of --until
    - 1: failed
    - 2: usage or configuration
    - 3: cancelled
    - 4: rejected by the source: 401, 403, or no quota left
    - 5: not found
    - 6: gave up, after nothing but failed polls
    - 7: undelivered, with --notify-required: all else is as for 0
    - 124: timed out
    - 130, 143: interrupted by SIGINT, SIGTERM

    With several jobs it is the code of the first one, in the order given, that did not succeed.
    """
    if until and (doubt := doubt_about(until)):
        tell(f"--until: {doubt}")
    may_ask = can_be_driven(sys.stdout) and sys.stdin.isatty() and not as_json
    search = Search(is_all, is_latest, dict(map(read_label, label or [])), offers=may_ask and not ids)
    _check_choice(ids or [], search, source)
    options = CommandOptions(config, log_level, log_format, base_url, api_key_file, slack_url_file=slack_url_file)
    chosen = select_jobs(ids or [], options, listed_by=source)
    policy = PollingPolicy(interval, max(interval, LONGEST_INTERVAL), is_adaptive=False)
    bounds = Bounds(policy, until, timeout, give_up_after)
    told = (*(notify or ()), *([SLACK_URL_FILE] if slack_url_file else ()))
    wishes = _Wishes(as_json, verbose, told, notify_required, notify_desktop)
    raise typer.Exit(run_until_signal(_watch(chosen, bounds, wishes, search)))


def _check_choice(ids: Sequence[JobReference], search: Search, source: str | None) -> None:
    """Refuse a command that names no job, or does so in two ways. Raises UsageError."""
    if not ids and search.offers:
        return
    if bool(ids) == bool(search):
        raise typer.BadParameter("give either the ids of jobs, or --all, --latest or --label", param_hint="ID...")
    if search.is_all and search.is_latest:
        raise typer.BadParameter("give either --all or --latest, not both", param_hint="--latest")
    if source is not None and not search:
        raise typer.BadParameter(
            "is for --all, --latest and --label; an id names its source as SOURCE/ID", param_hint="--source"
        )


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What is shown, and which notifiers are used."""

    as_json: bool
    verbose: bool
    notify: Sequence[str]
    is_notice_required: bool
    tells_desktop: bool


async def _watch(chosen: SelectedJobs, bounds: Bounds, wishes: _Wishes, search: Search) -> int:
    if search or search.offers:
        found = await find_jobs(chosen, search)
        if isinstance(found, Exit):
            return found
        chosen = found
    runtime = real_runtime(chosen.log)
    jobs = FollowedJobs(chosen.specs)
    shares_terminal = isinstance(chosen.log, WatcherLog) and sys.stderr.isatty()  # records go through no view
    is_live = can_be_driven(sys.stdout) and not shares_terminal
    show = Show(wishes.as_json, wishes.verbose, is_live, wishes.tells_desktop)
    screen = open_screen(jobs, runtime, show)
    if isinstance(chosen.log, TextLog):
        chosen.log.write = screen.aside
    showing = asyncio.create_task(screen.run())
    try:
        listener = Listener(jobs, screen, chosen, runtime, looks_on=show.has_view)
        endings, undelivered = await _follow(chosen, bounds, wishes.notify, listener, runtime)
    finally:
        showing.cancel()
        await asyncio.wait([showing])
        screen.close()
        if isinstance(chosen.log, TextLog):
            chosen.log.write = tell
    for key, ending in endings.items():
        if ending is Ending.TIMED_OUT:
            chosen.log.warning("timed out", job=str(key))
    for delivery in undelivered:
        status = delivery.event.type.rpartition(".")[2]
        chosen.log.error("not delivered", notifier=delivery.notifier, status=status, error=delivery.last_error)
    code = next((code for ending in endings.values() if (code := CODES[ending])), Exit.OK)
    return Exit.UNDELIVERED if undelivered and wishes.is_notice_required and code is Exit.OK else code


async def _follow(
    chosen: SelectedJobs, bounds: Bounds, notify: Sequence[str], listener: Listener, runtime: Runtime
) -> tuple[Mapping[JobKey, Ending], Sequence[Delivery]]:
    """Follow the jobs; return how each ended, and what could not be delivered."""
    async with AsyncExitStack() as stack:
        sources = {
            name: await stack.enter_async_context(open_source(runtime)) for name, open_source in chosen.sources.items()
        }
        direct = await _open_direct_delivery(chosen, notify, runtime, stack) if notify else None
        listener.direct = direct
        endings = await Follow(sources, bounds, listener.ears(), runtime).run(chosen.specs)
    return endings, direct.undelivered() if direct else ()


async def _open_direct_delivery(
    chosen: SelectedJobs, names: Sequence[str], runtime: Runtime, stack: AsyncExitStack
) -> DirectDelivery:
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.service.notifiers import open_notifiers
    from watcher.settings.conversion import routes

    if chosen.settings is None:
        raise ConfigurationError(
            f"--notify takes the name of a notifier in the configuration, and there is none (looked for {places()})"
        )
    notifiers = await open_notifiers(chosen.settings, names, runtime, stack)
    # Who is named here hears of the jobs named here: labels sort the jobs of a service.
    wanted = [replace(route, labels={}) for route in routes(chosen.settings) if route.notifier in notifiers]
    return await stack.enter_async_context(DirectDelivery(notifiers, wanted, runtime))
