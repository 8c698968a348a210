"""`watcher watch`: follow jobs until they end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.options import ConfigOption, JobsArgument, JsonOption, LogFormatOption, LogLevelOption, as_duration
from watcher.cli.selection import ApiKeyFileOption, BaseUrlOption, CommandOptions, SelectedJobs, select_jobs
from watcher.cli.signals import run_until_signal
from watcher.cli.watch_output import Screen, open_screen
from watcher.domain.jobs import Job
from watcher.domain.polling_policy import LONGEST_INTERVAL, PollFailure, PollingPolicy, PollOutcome
from watcher.domain.states import Status
from watcher.domain.transitions import Transition
from watcher.engine.polling.follow import Bounds, Ending, Follow, FollowListener
from watcher.errors import ConfigurationError
from watcher.service.bootstrap import real_runtime

if TYPE_CHECKING:
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.engine.ports import Log, Runtime

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

DEFAULT_INTERVAL = timedelta(seconds=10)


def watch(
    ids: JobsArgument,
    interval: Annotated[
        timedelta, typer.Option(parser=as_duration, metavar="DURATION", help="How often to ask.")
    ] = "10s",  # type: ignore[assignment]
    until: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="End when this status is reached or passed, not at the job's end."),
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
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A notifier of the configuration to tell, within a minute; repeatable. The exit code is the job's.",
        ),
    ] = None,
    base_url: BaseUrlOption = None,
    api_key_file: ApiKeyFileOption = None,
    config: ConfigOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Follow jobs until they end, and say how they ended in the exit code.

    - 0: succeeded, or reached the status of --until
    - 1: failed
    - 2: usage or configuration
    - 3: cancelled
    - 4: rejected by the source: 401, 403, or no quota left
    - 5: not found
    - 6: gave up, after nothing but failed polls
    - 124: timed out
    - 130, 143: interrupted by SIGINT, SIGTERM

    With several jobs it is the code of the first one, in the order given, that did not succeed.
    """
    if until and until not in set(Status) and (near := get_close_matches(until, list(Status), n=1)):
        raise typer.BadParameter(f"{until!r} is no status; did you mean {str(near[0])!r}?", param_hint="--until")
    chosen = select_jobs(ids, CommandOptions(config, log_level, log_format, base_url, api_key_file))
    polling_policy = PollingPolicy(interval, max(interval, LONGEST_INTERVAL), is_adaptive=False)
    bounds = Bounds(polling_policy, until, timeout, give_up_after)
    raise typer.Exit(run_until_signal(_watch(chosen, bounds, notify or [], as_json=as_json)))


async def _watch(chosen: SelectedJobs, bounds: Bounds, notify: list[str], *, as_json: bool) -> int:
    runtime = real_runtime(chosen.log)
    async with AsyncExitStack() as stack:
        sources = {
            name: await stack.enter_async_context(open_source(runtime)) for name, open_source in chosen.sources.items()
        }
        direct = await _open_direct_delivery(chosen, notify, runtime, stack) if notify else None
        with open_screen(as_json=as_json) as screen:
            listener = _Listener(screen, direct, chosen.log)
            watch = Follow(sources, bounds, FollowListener(listener.transition, listener.poll_failed), runtime)
            endings = await watch.run(chosen.specs)
    if timed_out := [str(key) for key, ending in endings.items() if ending is Ending.TIMED_OUT]:
        chosen.log.warning("timed out", jobs=timed_out)
    for delivery in direct.undelivered() if direct else ():
        chosen.log.error(
            "not delivered", notifier=delivery.notifier, type=delivery.event.type, error=delivery.last_error
        )
    return next((code for ending in endings.values() if (code := CODES[ending])), Exit.OK)


async def _open_direct_delivery(
    chosen: SelectedJobs, names: list[str], runtime: Runtime, stack: AsyncExitStack
) -> DirectDelivery:
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.service.bootstrap import open_notifiers
    from watcher.settings.conversion import routes

    if chosen.settings is None:
        raise ConfigurationError(
            "--notify takes the name of a notifier in the configuration, and there is none: see --config"
        )
    notifiers = await open_notifiers(chosen.settings, names, runtime, stack)
    # Who is named here hears of the jobs named here: labels sort the jobs of a service.
    wanted = [replace(route, labels={}) for route in routes(chosen.settings) if route.notifier in notifiers]
    return await stack.enter_async_context(DirectDelivery(notifiers, wanted, runtime))


class _Listener:
    """Passes on what happens: to the screen, to notifiers, and to the log."""

    def __init__(self, screen: Screen, direct: DirectDelivery | None, log: Log) -> None:
        self._screen = screen
        self._direct = direct
        self._log = log

    def transition(self, transition: Transition) -> None:
        self._screen.transition(transition)
        if self._direct:
            self._direct.tell(transition)

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        self._screen.poll_failed(job, failure, next_at)
        facts = {"job": str(job.key), "error": failure.error, "request_id": failure.request_id}
        if next_at is None:
            self._log.error(_LAST_WORDS[failure.outcome], **facts)
        elif job.failures == 1:
            self._log.warning("poll failed, going on", **facts)
        else:
            self._log.debug("poll failed again", failures=job.failures, **facts)


_LAST_WORDS = {
    PollOutcome.REJECTED: "the source rejects us",
    PollOutcome.MISSING: "job not found",
    PollOutcome.FAILED: "gave up: nothing but failed polls",
}
