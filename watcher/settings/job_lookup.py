"""Which job is meant by an id, with or without its source: one rule for the command line and for HTTP."""

from __future__ import annotations

from watcher.domain.jobs import JobKey, JobSpec
from watcher.errors import ConfigurationError
from watcher.settings.conversion import usual_source
from watcher.settings.model import Settings
from watcher.settings.validation import read_job_id


def find_job(settings: Settings, source: str | None, job_id: str) -> JobSpec:
    """Find the job in the configuration, for its name and labels; else take it from the only, or default, source.

    Raises ConfigurationError for a source that is not there, and for an id that the source does not know as one.
    """
    if source and source not in settings.sources:
        known = ", ".join(sorted(settings.sources))
        raise ConfigurationError(f"no source is named {source!r}; the configuration has: {known}")
    source = source or next(
        (spec.key.source for spec in settings.jobs if spec.key.id == job_id), usual_source(settings)
    )
    try:
        key = JobKey(source, read_job_id(settings, source, job_id))
    except ValueError as error:
        raise ConfigurationError(f"{job_id!r} is no job of the source {source!r}: expected {error}") from None
    return next((spec for spec in settings.jobs if spec.key == key), JobSpec(key))
