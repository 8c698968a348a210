"""Which jobs a command means, and at which sources: for the commands that ask the API themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.job_reference import JobReference
from watcher.cli.options import has_configuration, log_options, read_settings
from watcher.cli.secret_file import read_secret_file
from watcher.cli.word_log import WordLog
from watcher.domain.jobs import JobKey, JobSpec
from watcher.errors import ConfigurationError
from watcher.logs import Format, Level, LogOptions, WatcherLog
from watcher.settings.locations import places
from watcher.sources.openai.config import DEFAULT_SOURCE, SourceConfig, source_from_environment

if TYPE_CHECKING:
    from watcher.settings.model import Settings

BaseUrlOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where the API is, for the source 'openai'.", show_default="$OPENAI_BASE_URL"),
]
ApiKeyFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A file with the API key of the source 'openai'.", show_default="$OPENAI_API_KEY"
    ),
]

QUIET: Level = "warning"
"""How much these commands tell of trouble unless told otherwise: their results say what happened."""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """The options that say where a command runs."""

    config: Path | None
    level: Level | None
    log_format: Format | None
    base_url: str | None
    api_key_file: Path | None
    api_key: str | None = None


@dataclass(frozen=True, slots=True)
class SelectedJobs:
    """The jobs that are meant, and what is needed to ask for them."""

    specs: Sequence[JobSpec]
    sources: Mapping[str, SourceConfig]
    log: WatcherLog | WordLog
    """Words for people, unless records were asked for."""
    settings: Settings | None
    """None when there is no configuration: the `OPENAI_*` variables were enough, and reading settings takes time."""
    key_origin: str | None
    """What gave the API key of the source `openai`, if that was not the configuration."""

    def hint(self, source: str, error: str) -> str | None:
        """Say what to do about an error of a source, where that is known."""
        if not error.startswith("HTTP 401"):
            return None
        origin = self.key_origin if source == DEFAULT_SOURCE else None
        return f"is {origin or f'the api_key of [sources.{source}]'} the right one?"


def select_jobs(references: Sequence[JobReference], options: CommandOptions) -> SelectedJobs:
    """Find out what is meant. Raises ConfigurationError."""
    key, origin = _api_key(options)
    overrides = {"base_url": options.base_url, "api_key": key}
    try:
        if has_configuration(options.config):
            return _from_settings(references, options, overrides, origin)
        return _from_environment(references, options, overrides, origin)
    except ConfigurationError as error:
        if origin is None and any("no API key" in mistake for mistake in error.mistakes):
            raise ConfigurationError(*error.mistakes, "this command also takes --api-key-file") from None
        raise


def _from_environment(
    references: Sequence[JobReference], options: CommandOptions, overrides: Mapping[str, str | None], origin: str | None
) -> SelectedJobs:
    config = source_from_environment(os.environ, **overrides)
    keys = [reference.key(DEFAULT_SOURCE) for reference in references]
    if others := sorted({key.source for key in keys} - {DEFAULT_SOURCE}):
        raise ConfigurationError(
            f"no source is named {others[0]!r}: without a configuration only 'openai' is known (looked for {places()})"
        )
    secrets = frozenset({config.api_key} if config.api_key else ())
    log = _log(options, LogOptions(options.level or QUIET, options.log_format or "auto", secrets))
    return SelectedJobs(_distinct([JobSpec(key) for key in keys]), {DEFAULT_SOURCE: config}, log, None, origin)


def _api_key(options: CommandOptions) -> tuple[str | None, str | None]:
    """Return the key that the command line gives, and what gives the key that counts."""
    if options.api_key is not None and options.api_key_file:
        raise ConfigurationError("give either --api-key or --api-key-file, not both")
    if options.api_key is not None:
        if not options.api_key.strip():
            raise ConfigurationError("--api-key: expected a key, got nothing")
        return options.api_key, "--api-key"
    if options.api_key_file:
        return read_secret_file(options.api_key_file), f"the key in {options.api_key_file}"
    return None, "OPENAI_API_KEY" if os.environ.get("OPENAI_API_KEY", "").strip() else None


def _from_settings(
    references: Sequence[JobReference], options: CommandOptions, overrides: Mapping[str, str | None], origin: str | None
) -> SelectedJobs:
    from watcher.settings.conversion import source_config

    settings = read_settings(
        options.config,
        options.level,
        options.log_format,
        {"sources": {DEFAULT_SOURCE: {name: value for name, value in overrides.items() if value is not None}}},
    )
    specs = _distinct([spec_of(reference, settings) for reference in references])
    configs = {name: source_config(name, settings.sources[name]) for name in {spec.key.source for spec in specs}}
    level = settings.log.level if "level" in settings.log.model_fields_set else QUIET
    log = _log(options, replace(log_options(settings), level=level))
    return SelectedJobs(specs, configs, log, settings, origin)


def _log(options: CommandOptions, log: LogOptions) -> WatcherLog | WordLog:
    """Return a log of records if the command line asks for one: that of the configuration is the service's."""
    if options.log_format:
        return WatcherLog(log)
    return WordLog(options.level or QUIET, log.secrets, DEFAULT_SOURCE)


def spec_of(reference: JobReference, settings: Settings) -> JobSpec:
    """Find the job in the configuration, for its name and labels; else take it from the only, or default, source."""
    from watcher.settings.conversion import job_spec, usual_source

    for job in settings.jobs:
        if job.id == reference.id and reference.source in {None, job.source}:
            return job_spec(job)
    if reference.source and reference.source not in settings.sources:
        known = ", ".join(sorted(settings.sources))
        raise ConfigurationError(f"no source is named {reference.source!r}; the configuration has: {known}")
    if reference.source:
        return JobSpec(JobKey(reference.source, reference.id))
    return JobSpec(JobKey(usual_source(settings), reference.id))


def _distinct(specs: Sequence[JobSpec]) -> list[JobSpec]:
    """Keep each job once, in the order given."""
    return list({spec.key: spec for spec in reversed(specs)}.values())[::-1]
