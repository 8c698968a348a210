"""`watcher watch`: follow jobs until they end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_notifiers, complete_sources, complete_statuses
from watcher.cli.exit_codes import Exit
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
from watcher.cli.watch_wishes import Wishes
from watcher.domain.jobs import Job
from watcher.engine.polling.source_calls import poll
from watcher.errors import ConfigurationError
from watcher.logs import can_be_driven
from watcher.service.bootstrap import real_runtime
from watcher.settings.locations import places

if TYPE_CHECKING:
    from watcher.engine.polling.follow import FirstPolls
    from watcher.plugins.source import Source


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
    told = (*(notify or ()), *([SLACK_URL_FILE] if slack_url_file else ()))
    if told and chosen.settings is None:
        raise ConfigurationError(
            f"--notify takes the name of a notifier in the configuration, and there is none (looked for {places()})"
        )
    wishes = Wishes(
        interval=interval,
        until=until,
        timeout=timeout,
        give_up_after=give_up_after,
        as_json=as_json,
        verbose=verbose,
        notify=told,
        is_notice_required=notify_required,
        tells_desktop=notify_desktop,
    )
    raise typer.Exit(run_until_signal(_watch(chosen, wishes, search)))


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


async def _watch(chosen: SelectedJobs, wishes: Wishes, search: Search) -> int:
    """Ask for each job, and load what follows them while the answers are on their way: that takes about as long."""
    if search or search.offers:
        found = await find_jobs(chosen, search)
        if isinstance(found, Exit):
            return found
        chosen = found
    runtime = real_runtime(chosen.log)
    async with AsyncExitStack() as stack:
        sources = {name: await stack.enter_async_context(opens(runtime)) for name, opens in chosen.sources.items()}
        first = await stack.enter_async_context(_first_polls(chosen, sources))
        await asyncio.to_thread(_load)
        from watcher.cli.watching import follow

        return await follow(chosen, sources, first, wishes, runtime)


@asynccontextmanager
async def _first_polls(chosen: SelectedJobs, sources: Mapping[str, Source]) -> AsyncIterator[FirstPolls]:
    """Ask for each job once; what is not answered at the end is given up."""
    jobs = [Job(spec.key, spec.name, spec.labels) for spec in chosen.specs]
    polls = {job.key: asyncio.create_task(poll(sources[job.key.source], job, chosen.log)) for job in jobs}
    try:
        await asyncio.sleep(0)  # they begin
        yield polls
    finally:
        for each in polls.values():
            each.cancel()
        await asyncio.gather(*polls.values(), return_exceptions=True)


def _load() -> None:
    import watcher.cli.watching  # noqa: F401 - so that it is there
