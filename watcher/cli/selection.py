"""Which jobs a command means, and at which sources: for the commands that ask the API themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.job_reference import JobReference
from watcher.cli.options import has_configuration, log_options, read_settings
from watcher.cli.secret_file import read_secret_file
from watcher.cli.text_log import TextLog
from watcher.domain.jobs import JobSpec
from watcher.errors import ConfigurationError
from watcher.logs import Format, Level, LogOptions, WatcherLog
from watcher.plugins.source import DEFAULT_SOURCE
from watcher.service.bootstrap import default_source, open_source
from watcher.settings.locations import places

if TYPE_CHECKING:
    from watcher.engine.runtime import Runtime
    from watcher.plugins.source import Source
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

SLACK_URL_FILE = "slack-url-file"
"""The notifier that a command line describes by a file with its address."""
QUIET: Level = "warning"
"""The default log level of these commands: their results say what happened."""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """The options that say where a command runs."""

    config: Path | None
    level: Level | None
    log_format: Format | None
    base_url: str | None
    api_key_file: Path | None
    api_key: str | None = None
    slack_url_file: Path | None = None
    """A file with the address of an incoming webhook of Slack, for a notifier SLACK_URL_FILE."""


@dataclass(frozen=True, slots=True)
class SelectedJobs:
    """The jobs that are meant, and what is needed to ask for them."""

    specs: Sequence[JobSpec]
    sources: Mapping[str, Callable[[Runtime], Source]]
    """What makes each source that is needed."""
    log: WatcherLog | TextLog
    """Words for people, unless records were asked for."""
    settings: Settings | None
    """None when there is no configuration: the `OPENAI_*` variables were enough, and reading settings takes time."""
    key_origin: str | None
    """What gave the API key of the source `openai`, if that was not the configuration."""

    def hint(self, source: str, error: str) -> str | None:
        """Return what to do about an error of a source, where that is known."""
        if not error.startswith("HTTP 401"):
            return None
        origin = self.key_origin if source == DEFAULT_SOURCE else None
        return f"is {origin or f'the api_key of [sources.{source}]'} the right one?"


def select_jobs(
    references: Sequence[JobReference], options: CommandOptions, *, listed_by: str | None = None
) -> SelectedJobs:
    """Find out what is meant. Without references the selection has one source, whose list is to say which jobs are.

    `listed_by` names that source; None: the usual one. Raises ConfigurationError.
    """
    key, origin = _api_key(options)
    named = {listed_by, *(reference.source for reference in references)} - {None, DEFAULT_SOURCE}
    try:
        if (
            named
            or options.slack_url_file
            or has_configuration(options.config)
            or (not origin and _is_elsewhere(options.base_url))
        ):
            return _from_settings(references, options, (key, origin), listed_by)
        return _from_environment(references, options, key, origin)
    except ConfigurationError as error:
        if origin is None and any("no API key" in mistake for mistake in error.mistakes):
            raise ConfigurationError(*error.mistakes, "this command also takes --api-key-file") from None
        if named and not has_configuration(options.config):
            raise ConfigurationError(*error.mistakes, f"there is no configuration (looked for {places()})") from None
        raise


def _is_elsewhere(base_url: str | None) -> bool:
    """Return whether the environment describes other services than the usual one, of which no key is given."""
    if base_url or os.environ.get("OPENAI_BASE_URL"):
        return False
    from watcher.settings.source_kinds import implied_kinds

    return bool(implied_kinds(()))


def _from_environment(
    references: Sequence[JobReference], options: CommandOptions, key: str | None, origin: str | None
) -> SelectedJobs:
    environment = {**os.environ, "OPENAI_API_KEY": key} if key else os.environ
    source = default_source(environment, base_url=options.base_url, key_file=options.api_key_file)
    secrets = frozenset(filter(None, [environment.get("OPENAI_API_KEY", "").strip()]))
    log = _log(options, LogOptions(options.level or QUIET, options.log_format or "auto", secrets))
    specs = _distinct([JobSpec(reference.key(DEFAULT_SOURCE)) for reference in references])
    return SelectedJobs(specs, {DEFAULT_SOURCE: source}, log, None, origin)


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
    references: Sequence[JobReference],
    options: CommandOptions,
    given_key: tuple[str | None, str | None],
    listed_by: str | None,
) -> SelectedJobs:
    from watcher.plugins.registry import sources as kinds
    from watcher.settings.conversion import usual_source

    key, origin = given_key
    given = {
        "base_url": options.base_url,
        "api_key": key if key and not options.api_key_file else None,
        "api_key_file": str(options.api_key_file) if options.api_key_file else None,
    }
    # A source that is named by its kind needs no settings.
    implied = {listed_by, *(reference.source for reference in references)}.intersection(kinds.kinds())
    overrides: dict[str, dict[str, str]] = {name: {} for name in implied if name}
    if told := {name: value for name, value in given.items() if value is not None}:
        overrides[DEFAULT_SOURCE] = told
    given_parts: dict[str, object] = {"sources": overrides} if overrides else {}
    if options.slack_url_file:
        slack = {"kind": "slack", "webhook_url_file": str(options.slack_url_file)}
        given_parts["notifiers"] = {SLACK_URL_FILE: slack}
    settings = read_settings(options.config, options.level, options.log_format, given_parts)
    specs = _distinct([spec_of(reference, settings) for reference in references])
    needed = {spec.key.source for spec in specs} or {listed_by or usual_source(settings)}
    if unknown := needed - settings.sources.keys():
        known = ", ".join(sorted(settings.sources))
        raise ConfigurationError(f"no source is named {min(unknown)!r}; the configuration has: {known}")
    sources = {name: partial(open_source, name, settings.sources[name]) for name in needed}
    level = settings.log.level if "level" in settings.log.model_fields_set else QUIET
    log = _log(options, replace(log_options(settings), level=level))
    return SelectedJobs(specs, sources, log, settings, origin)


def _log(options: CommandOptions, log: LogOptions) -> WatcherLog | TextLog:
    """Return a log of records if the command line asks for one: that of the configuration is the service's."""
    if options.log_format:
        return WatcherLog(log)
    return TextLog(options.level or QUIET, log.secrets, DEFAULT_SOURCE)


def spec_of(reference: JobReference, settings: Settings) -> JobSpec:
    """Find the job that is meant. Raises ConfigurationError."""
    from watcher.settings.job_lookup import find_job

    return find_job(settings, reference.source, reference.id)


def _distinct(specs: Sequence[JobSpec]) -> list[JobSpec]:
    """Keep each job once, in the order given."""
    return list({spec.key: spec for spec in reversed(specs)}.values())[::-1]
