"""`watcher notify`: try a notifier."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.options import ConfigOption, LogFormatOption, LogLevelOption, open_log, read_settings
from watcher.cli.signals import run_until_signal
from watcher.domain.deliveries import Delivered, Failed, Outcome
from watcher.domain.durations import format_duration
from watcher.domain.messages import message_of_test
from watcher.domain.text import printable
from watcher.service.bootstrap import open_notifiers, real_runtime

if TYPE_CHECKING:
    from watcher.engine.ports import Runtime
    from watcher.settings.model import Settings

app = typer.Typer(help="Try a notifier.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Try a notifier."""


@app.command()
def test(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A notifier of the configuration.")],
    config: ConfigOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Send a message that is plainly a test, and print the receiver's own answer. Exit 0 only if it was accepted."""
    settings = read_settings(config, log_level, log_format)
    raise typer.Exit(run_until_signal(_test(settings, name, real_runtime(open_log(settings)))))


async def _test(settings: Settings, name: str, runtime: Runtime) -> int:
    async with AsyncExitStack() as stack:
        notifiers = await open_notifiers(settings, [name], runtime, stack)
        outcome = await notifiers[name].send(message_of_test(name, runtime.clock()))
    # Not to standard output where the notifier itself has just written there.
    typer.echo(printable(f"{name}: {_words(outcome)}"), err=settings.notifiers[name].kind == "stdout")
    return Exit.OK if isinstance(outcome, Delivered) else Exit.FAILED


def _words(outcome: Outcome) -> str:
    match outcome:
        case Delivered(answer):
            return f"accepted: {answer}" if answer else "accepted"
        case Failed(error, retry_after):
            wait = f" (asks to wait {format_duration(retry_after)})" if retry_after else ""
            return f"not accepted, may be later: {error}{wait}"
        case _:
            return f"rejected for good: {outcome.error}"
