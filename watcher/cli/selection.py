"""Which jobs a command means, and at which sources: for the commands that ask the API themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from watcher.sources.openai.config import DEFAULT_SOURCE, SourceConfig, source_from_environment

if TYPE_CHECKING:
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
    sources: Mapping[str, SourceConfig]
    log: WatcherLog
    settings: Settings | None
    """None when there is no configuration: the `OPENAI_*` variables were enough, and reading settings takes time."""


def select_jobs(references: Sequence[JobReference], surroundings: CommandOptions) -> SelectedJobs:
    """Find out what is meant. Raises ConfigurationError."""
    overrides = {
        "base_url": surroundings.base_url,
        "api_key": read_secret_file(surroundings.api_key_file) if surroundings.api_key_file else None,
    }
    if has_configuration(surroundings.config):
        return _from_settings(references, surroundings, overrides)
    config = source_from_environment(os.environ, **overrides)
    keys = [reference.key(DEFAULT_SOURCE) for reference in references]
    if others := sorted({key.source for key in keys} - {DEFAULT_SOURCE}):
        raise ConfigurationError(
            f"no source is named {others[0]!r}: there is no configuration, so only 'openai' is known"
        )
    secrets = frozenset({config.api_key} if config.api_key else ())
    log = WatcherLog(LogOptions(surroundings.level or QUIET, surroundings.log_format or "auto", secrets))
    return SelectedJobs(_distinct([JobSpec(key) for key in keys]), {DEFAULT_SOURCE: config}, log, None)


def _from_settings(
    references: Sequence[JobReference], surroundings: CommandOptions, overrides: Mapping[str, str | None]
) -> SelectedJobs:
    from watcher.settings.conversion import source_config

    settings = read_settings(
        surroundings.config,
        surroundings.level,
        surroundings.log_format,
        {"sources": {DEFAULT_SOURCE: {name: value for name, value in overrides.items() if value is not None}}},
    )
    specs = _distinct([spec_of(reference, settings) for reference in references])
    configs = {name: source_config(name, settings.sources[name]) for name in {spec.key.source for spec in specs}}
    level = settings.log.level if "level" in settings.log.model_fields_set else QUIET
    return SelectedJobs(specs, configs, WatcherLog(replace(log_options(settings), level=level)), settings)


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
