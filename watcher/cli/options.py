"""Options that several commands share, and the reading of what they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from watcher.domain.durations import parse_duration
from watcher.domain.jobs import JobKey, split_reference
from watcher.errors import ConfigurationError
from watcher.logs import Format, Level, LogOptions, WatcherLog
from watcher.plugins.secret_file import read_secret
from watcher.settings.locations import find_config

if TYPE_CHECKING:
    from watcher.settings.model import Settings


T = TypeVar("T")


def _or_usage_error(parse: Callable[[str], T]) -> Callable[[str], T]:
    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} is not {error}") from None

    return parsed


def _parse_reference(text: str) -> JobReference:
    try:
        return JobReference(*split_reference(text))
    except ValueError as error:
        raise ValueError(f"a job: expected {error}") from None


class JobReference:
    """A job as named on the command line: `ID`, or `SOURCE/ID`."""

    def __init__(self, source: str | None, job_id: str) -> None:
        self.source = source
        self.id = job_id

    def key(self, default_source: str) -> JobKey:
        """Return the key, with the source given for a reference that names none."""
        return JobKey(self.source or default_source, self.id)


as_duration = _or_usage_error(parse_duration)
as_job = _or_usage_error(_parse_reference)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration file.", show_default="$WATCHER_CONFIG, ./config/watcher.toml"
    ),
]
LogLevelOption = Annotated[Level | None, typer.Option(help="How much to log to standard error.", show_default="info")]
LogFormatOption = Annotated[
    Format | None, typer.Option(help="How to log.", show_default="console on a terminal, else json")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
JobsArgument = Annotated[
    list[JobReference], typer.Argument(metavar="ID...", parser=as_job, help="Job ids, each ID or SOURCE/ID.")
]
JobArgument = Annotated[JobReference, typer.Argument(metavar="ID", parser=as_job, help="A job: ID or SOURCE/ID.")]


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
    """Read what a command on the record needs: none of the service's secrets. Raises ConfigurationError."""
    from watcher.settings.validation import load_for_store

    return load_for_store(find_config(config, os.environ))


def has_configuration(config: Path | None) -> bool:
    """Tell whether there is any configuration besides the `OPENAI_*` variables."""
    return find_config(config, os.environ) is not None or any(name.startswith("WATCHER_") for name in os.environ)


def log_options(settings: Settings) -> LogOptions:
    """Return how the settings want the log, with every secret of theirs to be taken out of it."""
    from watcher.settings.display import secrets_of

    return LogOptions(settings.log.level, settings.log.format, secrets_of(settings))


def open_log(settings: Settings) -> WatcherLog:
    """Return the log that the settings ask for."""
    return WatcherLog(log_options(settings))


def read_secret_file(path: Path) -> str:
    """Return what a file holds, without the white space around it. Raises ConfigurationError."""
    try:
        return read_secret(path, str(path))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
