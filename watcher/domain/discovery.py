"""Rules of discovery: which listed jobs are watched without being named, as what, and why others are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from string import Formatter

from watcher.domain.discovery_line import Line
from watcher.domain.jobs import LONGEST_TEXT, JobKey, JobSpec, ListedJob
from watcher.domain.states import JobState, is_meant, is_terminal
from watcher.domain.text import excerpt

DEFAULT_LIMIT = 1_000
"""Jobs of one rule: those that run, and those that have ended within the last day."""
_SUFFIX, _ID, _MODEL = "suffix", "id", "model"
_OF_METADATA = "metadata."
NAME_RULE = "text with {suffix}, {id}, {model} or {metadata.KEY} in it, such as '{suffix}'"
"""What `check_template` accepts, for error messages."""
_WILDCARDS = frozenset("*?[")


class Verdict(StrEnum):
    """Whether a rule adopts a job, and if not, why not."""

    ADOPTED = "adopted"
    OTHER_MODEL = "other_model"
    OTHER_SUFFIX = "other_suffix"
    OTHER_METADATA = "other_metadata"
    TOO_OLD = "too_old"
    OTHER_STATE = "other_state"
    ENDED_BEFORE = "ended_before"
    SEEN_BEFORE = "seen_before"
    UNDATED = "undated"
    LIMIT_REACHED = "limit_reached"

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _WORDS[self]


_WORDS: Mapping[Verdict, str] = {
    Verdict.ADOPTED: "matches",
    Verdict.OTHER_MODEL: "another model",
    Verdict.OTHER_SUFFIX: "another suffix",
    Verdict.OTHER_METADATA: "other metadata",
    Verdict.TOO_OLD: "created too long ago",
    Verdict.OTHER_STATE: "in another state",
    Verdict.ENDED_BEFORE: "had ended before the rule existed",
    Verdict.SEEN_BEFORE: "decided at an earlier scan",
    Verdict.UNDATED: "has ended, and the list does not say when it was created",
    Verdict.LIMIT_REACHED: "the limit of the rule is reached",
}


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which jobs are meant: those that are as everything given says. Globs know `*`, `?` and `[…]`, and the case."""

    models: tuple[str, ...] = ()
    """Globs, one of which the model must match. Empty: any model, or none."""
    suffixes: tuple[str, ...] = ()
    """Globs, one of which what people called the job must match."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """A glob for each key that the job must have."""
    created_after: datetime | None = None
    max_age: timedelta | None = None
    """How long ago a job may have been created."""
    states: frozenset[str] = frozenset()
    """States or statuses, one of which the job must be in. Empty: any."""

    @property
    def filter(self) -> Mapping[str, str]:
        """The metadata that a service that filters can be asked for: that which is given without wildcards."""
        return {key: value for key, value in self.metadata.items() if _WILDCARDS.isdisjoint(value)}

    def judge(self, job: ListedJob, state: JobState, now: datetime) -> Verdict:
        """Say whether a job is meant, and if not, why not. A fact that the list does not tell matches nothing."""
        if self.models and not _matches(job.model, self.models):
            return Verdict.OTHER_MODEL
        if self.suffixes and not _matches(job.name, self.suffixes):
            return Verdict.OTHER_SUFFIX
        if any(not _matches(job.metadata.get(key), (glob,)) for key, glob in self.metadata.items()):
            return Verdict.OTHER_METADATA
        begin = self._begin(now)
        if begin and (job.created_at is None or job.created_at < begin):
            return Verdict.TOO_OLD
        if self.states and not any(is_meant(word, job.status, state) for word in self.states):
            return Verdict.OTHER_STATE
        return Verdict.ADOPTED

    def _begin(self, now: datetime) -> datetime | None:
        """Return when the oldest job that is meant may have been created."""
        begins = [self.created_after, now - self.max_age if self.max_age else None]
        return max(filter(None, begins), default=None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: which jobs of a source it adopts, and what it gives them."""

    name: str
    source: str
    matcher: Matcher = field(default_factory=Matcher)
    labels: Mapping[str, str] = field(default_factory=dict)
    labels_from: tuple[str, ...] = ()
    """Keys of metadata that become labels of the same name."""
    job_name: str | None = None
    """The template of a job's name: see `check_template`."""
    limit: int = DEFAULT_LIMIT
    backfill: timedelta = timedelta()
    """How long ago a job that had ended before the rule existed may have been created, to be told all the same."""

    @property
    def origin(self) -> str:
        """What a job that it brought says of its origin."""
        return origin_of(self.name)

    @property
    def fingerprint(self) -> str:
        """What tells a rule from what it was before: another one looks at all jobs again."""
        matcher = self.matcher
        which = matcher.models, matcher.suffixes, sorted(matcher.metadata.items()), sorted(matcher.states)
        return repr((self.source, which, matcher.created_after, matcher.max_age, self.limit, self.backfill))

    def judge(self, job_id: str, job: ListedJob, state: JobState, line: Line, now: datetime) -> Verdict:
        """Say whether the rule adopts a job, and if not, why not."""
        if job_id not in line.undecided and line.settles(job_id, job.created_at, has_ended=is_terminal(state)):
            if job.created_at is None and job_id not in line.recent:
                return Verdict.UNDATED
            return Verdict.SEEN_BEFORE if line.is_drawn else Verdict.ENDED_BEFORE
        return self.matcher.judge(job, state, now)

    def adopts(self, job_id: str, job: ListedJob) -> JobSpec:
        """Return what is watched of a job that the rule adopts."""
        taken = {key: label for key in self.labels_from if (label := _label(job.metadata.get(key)))}
        return JobSpec(JobKey(self.source, job_id), self._name_of(job_id, job), {**taken, **self.labels})

    def _name_of(self, job_id: str, job: ListedJob) -> str | None:
        """Return the name of a job; None when the list does not tell all that the template asks for."""
        if self.job_name is None:
            return None
        facts = {_ID: job_id, _SUFFIX: job.name, _MODEL: job.model}
        facts |= {_OF_METADATA + key: value for key, value in job.metadata.items()}
        parts = [(text, facts.get(field) if field else "") for text, field, _, _ in Formatter().parse(self.job_name)]
        if any(value is None for _, value in parts):
            return None
        return _label("".join(f"{text}{value}" for text, value in parts))


RULE_ORIGIN = "rule:"


def origin_of(rule: str) -> str:
    """Return what a job that a rule of this name brought says of its origin."""
    return RULE_ORIGIN + rule


def watch_all(source: str) -> Rule:
    """Return the rule for a source of which nothing was said: all that runs, and all that comes."""
    return Rule(source, source, job_name="{suffix}")


def check_template(template: str) -> None:
    """Raise ValueError that says what is expected for what is no template of a name."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise ValueError(NAME_RULE) from None
    for _, name, form, conversion in parts:
        is_known = name in {_SUFFIX, _ID, _MODEL} or (name or "").startswith(_OF_METADATA)
        if name is not None and (not is_known or form or conversion):
            raise ValueError(NAME_RULE)


def _matches(text: str | None, globs: tuple[str, ...]) -> bool:
    return text is not None and any(fnmatchcase(text, glob) for glob in globs)


def _label(text: str | None) -> str | None:
    """Return text from elsewhere as it can be a name or a label: of bounded length, and safe to show."""
    return excerpt(text, LONGEST_TEXT) if text else None
