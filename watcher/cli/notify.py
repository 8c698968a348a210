"""`watcher notify`: try a notifier."""

from __future__ import annotations

import traceback
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_notifiers
from watcher.cli.exit_codes import Exit
from watcher.cli.options import (
    Command,
    ConfigOption,
    JsonOption,
    LogFormatOption,
    LogLevelOption,
    open_log,
    read_settings,
)
from watcher.cli.output import tell, write_json, write_line
from watcher.cli.signals import run_until_signal
from watcher.domain.deliveries import Delivered, Failed, Outcome
from watcher.domain.durations import format_duration
from watcher.domain.messages import Message, message_of_test
from watcher.domain.text import printable
from watcher.errors import WatcherError
from watcher.service.bootstrap import real_runtime
from watcher.service.notifiers import open_notifiers

if TYPE_CHECKING:
    from watcher.domain.jobs import JobKey
    from watcher.domain.telemetry import MetricPoint
    from watcher.engine.runtime import Runtime
    from watcher.settings.model import Settings

app = typer.Typer(help="Try a notifier.", no_args_is_help=True)
_SAMPLE_HELP = (
    "Send a sample of an event instead, which says that it is one: a state of a job such as failed, or stuck, missing, "
    "source-unreachable, notifier-failing, reminder, several, digest and the like."
)


def _complete_kinds(incomplete: str) -> list[str]:
    from watcher.domain.samples import kinds

    return [kind for kind in kinds() if kind.startswith(incomplete)]


def _message(name: str, kind: str | None, now: datetime) -> Message:
    if kind is None:
        return message_of_test(name, now)
    from watcher.domain.samples import kinds, sample

    if kind not in kinds():
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(kinds())}", param_hint="--sample")
    return sample(kind, now)


async def _points(_key: JobKey) -> list[MetricPoint]:
    """Return what was measured of the sample job."""
    from watcher.domain.samples import points

    return points(datetime.now(UTC))


@app.callback()
def _group() -> None:
    """Try a notifier."""


@app.command(cls=Command)
def test(
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=complete_notifiers, help="A notifier of the configuration.")
    ],
    sample_kind: Annotated[
        str | None,
        typer.Option("--sample", metavar="KIND", autocompletion=_complete_kinds, help=_SAMPLE_HELP),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Send a message that is plainly a test, and print the receiver's own answer. Exit 0 only if it was accepted."""
    message = _message(name, sample_kind, datetime.now(UTC))
    settings = read_settings(config, log_level, log_format)
    runtime = real_runtime(open_log(settings))
    raise typer.Exit(run_until_signal(_test(settings, name, message, runtime, as_json=as_json)))


async def _test(settings: Settings, name: str, message: Message, runtime: Runtime, *, as_json: bool) -> int:
    try:
        async with AsyncExitStack() as stack:
            notifiers = await open_notifiers(settings, [name], runtime, stack, points=_points)
            outcome = await notifiers[name].send(message)
    except WatcherError:
        raise
    except Exception as error:
        if not _tell_of_fault(settings, name, error):
            raise
        return Exit.FAILED
    # Not to standard output where the notifier itself has just written there.
    if settings.notifiers[name].kind == "stdout":
        typer.echo(printable(f"{name}: {_words(outcome)}"), err=True)
    elif as_json:
        write_json({"notifier": name, **_row(outcome)})
    else:
        write_line(printable(f"{name}: {_words(outcome)}"))
    return Exit.OK if isinstance(outcome, Delivered) else Exit.FAILED


def _tell_of_fault(settings: Settings, name: str, error: Exception) -> bool:
    """Return which plugin broke and where; False for a plugin that is part of the watcher."""
    from watcher.plugins.registry import notifiers as kinds
    from watcher.redaction import Redactor
    from watcher.settings.display import secrets_of

    kind = settings.notifiers[name].kind
    origin = kinds.origin_of(kind)
    if origin.module.split(".")[0] == "watcher":
        return False
    frames = traceback.extract_tb(error.__traceback__)
    first = next((place for place, frame in enumerate(frames) if "/watcher/" not in frame.filename), 0)
    redactor = Redactor(secrets_of(settings))
    own = "".join(traceback.format_list(frames[first:]))
    tell(
        f"{name}: the plugin {origin.module} of {origin.package}, kind {kind!r}, broke",
        redactor.hide(f"{type(error).__name__}: {error}"),
        redactor.hide(own.rstrip()),
        "the plugin is no part of the watcher: please report this to those who make it",
    )
    return True


def _row(outcome: Outcome) -> dict[str, object]:
    match outcome:
        case Delivered(answer):
            return {"outcome": "accepted", "answer": answer, "error": None, "retry_after_seconds": None}
        case Failed(error, retry_after):
            wait = retry_after.total_seconds() if retry_after else None
            return {"outcome": "failed", "answer": None, "error": error, "retry_after_seconds": wait}
        case _:
            return {"outcome": "rejected", "answer": None, "error": outcome.error, "retry_after_seconds": None}


def _words(outcome: Outcome) -> str:
    match outcome:
        case Delivered(answer):
            return f"accepted: {answer}" if answer else "accepted"
        case Failed(error, retry_after):
            wait = f" (asks to wait {format_duration(retry_after)})" if retry_after else ""
            return f"not accepted, may be later: {error}{wait}"
        case _:
            return f"rejected for good: {outcome.error}"
