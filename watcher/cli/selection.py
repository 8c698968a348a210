"""Which jobs a command means, and at which sources: for the commands that ask the API themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.options import (
    JobReference,
    has_configuration,
    log_options,
    read_secret_file,
    read_settings,
)
from watcher.domain.jobs import JobKey, JobSpec
from watcher.errors import ConfigurationError
from watcher.logs import Format, Level, LogOptions, WatcherLog
from watcher.plugins.source import DEFAULT_SOURCE
from watcher.service.bootstrap import default_source, open_source

if TYPE_CHECKING:
    from watcher.engine.ports import Runtime
    from watcher.plugins.source import Source
    from watcher.settings.model import Settings

BaseUrlOption = Annotated[
    str | None, typer.Option(help="Where the API is, for the source 'openai'.", show_default="$OPENAI_BASE_URL")
]
ApiKeyFileOption = Annotated[
    Path | None, typer.Option(help="A file with the API key of the source 'openai'.", show_default="$OPENAI_API_KEY")
]


QUIET: Level = "warning"
"""How much these commands log unless told otherwise: their results say what happened."""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """The options that say where a command runs."""

    config: Path | None
    level: Level | None
    log_format: Format | None
    base_url: str | None
    api_key_file: Path | None


@dataclass(frozen=True, slots=True)
class SelectedJobs:
    """The jobs that are meant, and what is needed to ask for them."""

    specs: Sequence[JobSpec]
    sources: Mapping[str, Callable[[Runtime], Source]]
    """What makes each source that is needed."""
    log: WatcherLog
    settings: Settings | None
    """None when there is no configuration: the `OPENAI_*` variables were enough, and reading settings takes time."""


def select_jobs(references: Sequence[JobReference], options: CommandOptions) -> SelectedJobs:
    """Find out what is meant. Raises ConfigurationError."""
    key = read_secret_file(options.api_key_file) if options.api_key_file else None
    named = {reference.source for reference in references} - {None, DEFAULT_SOURCE}
    if named or has_configuration(options.config):
        return _from_settings(references, options, key)
    environment = {**os.environ, "OPENAI_API_KEY": key} if key else os.environ
    source = default_source(environment, base_url=options.base_url, key_file=options.api_key_file)
    secrets = frozenset(filter(None, [environment.get("OPENAI_API_KEY", "").strip()]))
    log = WatcherLog(LogOptions(options.level or QUIET, options.log_format or "auto", secrets))
    specs = _distinct([JobSpec(reference.key(DEFAULT_SOURCE)) for reference in references])
    return SelectedJobs(specs, {DEFAULT_SOURCE: source}, log, None)


def _from_settings(references: Sequence[JobReference], options: CommandOptions, key: str | None) -> SelectedJobs:
    from watcher.plugins.registry import sources as kinds

    given = {"base_url": options.base_url, "api_key_file": str(options.api_key_file) if key else None}
    # A source that is named by its kind needs no settings.
    implied = {reference.source for reference in references}.intersection(kinds.kinds())
    overrides = {
        **{name: {} for name in implied if name},
        DEFAULT_SOURCE: {name: value for name, value in given.items() if value is not None},
    }
    settings = read_settings(options.config, options.level, options.log_format, {"sources": overrides})
    specs = _distinct([spec_of(reference, settings) for reference in references])
    sources = {name: partial(open_source, name, settings.sources[name]) for name in {spec.key.source for spec in specs}}
    level = settings.log.level if "level" in settings.log.model_fields_set else QUIET
    return SelectedJobs(specs, sources, WatcherLog(replace(log_options(settings), level=level)), settings)


def spec_of(reference: JobReference, settings: Settings) -> JobSpec:
    """Find the job in the configuration, for its name and labels; else take it from the only, or default, source."""
    from watcher.settings.conversion import job_spec, usual_source
    from watcher.settings.validation import read_job_id

    if reference.source and reference.source not in settings.sources:
        known = ", ".join(sorted(settings.sources))
        raise ConfigurationError(f"no source is named {reference.source!r}; the configuration has: {known}")
    source = reference.source or next(
        (job.source for job in settings.jobs if job.id == reference.id), usual_source(settings)
    )
    try:
        key = JobKey(source, read_job_id(settings, source, reference.id))
    except ValueError as error:
        raise ConfigurationError(f"{reference.id!r} is no job of the source {source!r}: expected {error}") from None
    return next((spec for spec in map(job_spec, settings.jobs) if spec.key == key), JobSpec(key))


def _distinct(specs: Sequence[JobSpec]) -> list[JobSpec]:
    """Keep each job once, in the order given."""
    return list({spec.key: spec for spec in reversed(specs)}.values())[::-1]
