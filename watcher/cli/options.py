"""Options that several commands share, and the reading of what they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand

from watcher.cli.completion import complete_jobs
from watcher.cli.job_reference import JobReference, parse_reference
from watcher.domain.durations import parse_duration
from watcher.logs import Format, Level, LogOptions, WatcherLog
from watcher.settings.locations import ENVIRONMENT_PREFIX, NO_SETTINGS, find_config

if TYPE_CHECKING:
    from watcher.settings.model import Settings

T = TypeVar("T")


class Command(TyperCommand):
    """A command whose help and suggestions are kept short."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                parameter.type = _nameless(parameter.type)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse. For a misspelt option the one is suggested that was most likely meant."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if near := getattr(error, "possibilities", None):  # the closest comes first
                error.possibilities = near[:1]  # type: ignore[attr-defined]
            raise


def _nameless(kind: Any) -> Any:
    """Return the type of an argument without its name for the help, such as `<str>`: the argument has one already."""
    copied = copy(kind)
    copied.get_metavar = lambda **_: ""
    return copied


def _or_usage_error(parse: Callable[[str], T]) -> Callable[[str], T]:
    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} is not {error}") from None

    return parsed


as_duration = _or_usage_error(parse_duration)
as_job = _or_usage_error(parse_reference)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration file.",
        show_default="$WATCHER_CONFIG, ./watcher.toml, ./config/watcher.toml, /etc/watcher/watcher.toml",
    ),
]
LogLevelOption = Annotated[Level | None, typer.Option(help="How much to log to standard error.", show_default="info")]
LogFormatOption = Annotated[
    Format | None, typer.Option(help="How to log.", show_default="console on a terminal, else json")
]
ComplaintLevelOption = Annotated[
    Level | None, typer.Option(help="How much to tell on standard error.", show_default="warning")
]
ComplaintFormatOption = Annotated[
    Format | None, typer.Option(help="Write records of a log to standard error, not words.", show_default="words")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
JobsArgument = Annotated[
    list[JobReference],
    typer.Argument(metavar="ID...", parser=as_job, autocompletion=complete_jobs, help="Job ids, each ID or SOURCE/ID."),
]
OptionalJobsArgument = Annotated[
    list[JobReference] | None,
    typer.Argument(
        metavar="[ID...]",
        parser=as_job,
        autocompletion=complete_jobs,
        help="Job ids, each ID or SOURCE/ID.",
        show_default=False,
    ),
]
JobArgument = Annotated[
    JobReference,
    typer.Argument(metavar="ID", parser=as_job, autocompletion=complete_jobs, help="A job: ID or SOURCE/ID."),
]


def read_settings(
    config: Path | None,
    level: Level | None = None,
    log_format: Format | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read the configuration. Raises ConfigurationError with every mistake in it."""
    from watcher.settings.validation import load

    log = {name: value for name, value in {"level": level, "format": log_format}.items() if value}
    return load(find_config(config, os.environ), {"log": log, **(overrides or {})})


def read_settings_for_store(config: Path | None) -> Settings:
    """Read what a command on the store needs: none of the service's secrets. Raises ConfigurationError."""
    from watcher.settings.validation import load_for_store

    return load_for_store(find_config(config, os.environ))


def has_configuration(config: Path | None) -> bool:
    """Return whether there is any configuration besides the `OPENAI_*` variables."""
    if find_config(config, os.environ):
        return True
    return any(name.startswith(ENVIRONMENT_PREFIX) and name not in NO_SETTINGS for name in os.environ)


def log_options(settings: Settings) -> LogOptions:
    """Return how the settings want the log, with every secret of theirs to be taken out of it."""
    from watcher.settings.display import secrets_of

    return LogOptions(settings.log.level, settings.log.format, secrets_of(settings))


def open_log(settings: Settings) -> WatcherLog:
    """Return the log that the settings ask for."""
    return WatcherLog(log_options(settings))
