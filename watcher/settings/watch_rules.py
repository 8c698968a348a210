"""The rules of discovery, as they are set: which jobs are watched without being named."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from watcher.domain.discovery import DEFAULT_LIMIT, check_template
from watcher.domain.jobs import TEXT_PATTERN
from watcher.plugins.section import Duration, Section, expected
from watcher.plugins.source import DEFAULT_SOURCE
from watcher.settings.values import JobName, Labels, Name, StatusName

MOMENT_RULE = "a date such as 2026-11-01, or a date and a time"
LARGEST_LIMIT = 100_000


def _read_moment(given: object) -> datetime:
    try:
        if isinstance(given, str):
            given = datetime.fromisoformat(given)
        if isinstance(given, date) and not isinstance(given, datetime):
            given = datetime.combine(given, time())
    except ValueError:
        raise expected(MOMENT_RULE) from None
    if not isinstance(given, datetime):
        raise expected(MOMENT_RULE)
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _as_list(given: object) -> object:
    return [given] if isinstance(given, str) else given


def _check_name(template: str) -> str:
    try:
        check_template(template)
    except ValueError as error:
        raise expected(str(error)) from None
    return template


Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2026-11-01", "2026-11-01T08:00:00Z"]}),
]
"""A moment, aware; in UTC where no offset is given."""
Globs = Annotated[
    tuple[JobName, ...],
    BeforeValidator(_as_list),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string", "minLength": 1}}]}
    ),
]
"""A glob, or several."""
NameTemplate = Annotated[
    JobName, AfterValidator(_check_name), WithJsonSchema({"type": "string", "pattern": TEXT_PATTERN})
]


class MatchSettings(Section):
    """Which jobs a rule means: those that are as everything given here says. `*` stands for any text."""

    model: Globs = ()
    """The model that is tuned, such as `gpt-4o-*`, or a list of which one must match."""
    suffix: Globs = ()
    """What people called the job at its service: a suffix or a display name."""
    metadata: dict[JobName, JobName] = Field(default_factory=dict)
    """What people attached to the job at its service, which may call this labels."""
    created_after: Moment | None = None
    """When the oldest job that is meant may have been created."""
    max_age: Duration | None = None
    """How long ago a job may have been created."""
    states: tuple[StatusName, ...] = ()
    """The states or statuses, one of which the job must be in to be adopted. Later it may be in any."""


class WatchSettings(Section):
    """Jobs to watch without naming them: all that a rule matches, from now on."""

    rule: Name | None = None
    """The name of the rule, for `--rule` and for the origin of jobs. Default: that of its source."""
    source: Name = DEFAULT_SOURCE
    """The name of the source whose list is looked at."""
    match: MatchSettings = Field(default_factory=MatchSettings)
    """Which jobs are meant. Default: all."""
    name: NameTemplate | None = None
    """What the jobs are called: text with `{suffix}`, `{id}`, `{model}` or `{metadata.KEY}` in it."""
    labels: Labels = Field(default_factory=dict)
    """Labels that the jobs get."""
    labels_from: tuple[JobName, ...] = ()
    """Keys of the metadata that become labels of the same name."""
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT)
    """How many jobs of this rule may run, or have ended within the last day. Those beyond it are not watched, which the
    log tells: a list that makes jobs up cannot fill the store."""
    backfill: Duration | None = None
    """How long ago a job may have been created that had ended before the rule existed, to be told all the same.
    Default: none of them is."""

    @property
    def rule_name(self) -> str:
        """The name that the rule goes by."""
        return self.rule or self.source
