"""Jobs that are found in the list of a source, and not named: `--all`, `--latest`, `--label`, or chosen from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.output import tell
from watcher.cli.selection import SelectedJobs
from watcher.cli.source_errors import code_of
from watcher.domain.jobs import TEXT_RULE, label_of
from watcher.domain.states import TERMINAL, JobState
from watcher.domain.text import excerpt
from watcher.errors import ConfigurationError, SourceError
from watcher.service.bootstrap import real_runtime

if TYPE_CHECKING:
    from watcher.domain.discovery import Matcher
    from watcher.domain.jobs import JobSpec, ListedJob
    from watcher.plugins.source import Source

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Search:
    """Which jobs of a list are meant."""

    is_all: bool
    """All that run."""
    is_latest: bool
    """The one that was created last, whether it runs or not."""
    labels: Mapping[str, str]
    """What the metadata of a job must say; globs."""
    offers: bool = False
    """Whether a person is there to choose, where nothing else says which jobs are meant."""

    def __bool__(self) -> bool:
        """Tell whether any job is meant."""
        return self.is_all or self.is_latest or bool(self.labels)

    def matcher(self) -> Matcher:
        """Return what the rules of discovery match by."""
        from watcher.domain.discovery import Matcher

        running = frozenset(state.value for state in set(JobState) - TERMINAL)
        return Matcher(metadata=self.labels, states=frozenset() if self.is_latest else running)


def read_label(text: str) -> tuple[str, str]:
    """Split KEY=VALUE. Raises BadParameter."""
    label = label_of(text)
    if label is None:
        raise typer.BadParameter(f"{excerpt(text, 60)!r} is not a label: expected KEY=VALUE, each of {TEXT_RULE}")
    return label


async def find_jobs(chosen: SelectedJobs, search: Search) -> SelectedJobs | Exit:
    """Return the selection with the jobs that are found; the exit code where none is, or the list cannot be read."""
    ((name, make),) = chosen.sources.items()
    async with make(real_runtime(chosen.log)) as source:
        if not source.capabilities.lists:
            raise ConfigurationError(f"source {name} has no list of jobs: name the jobs by their ids")
        try:
            specs, listed = await _find(chosen, name, source, search)
        except SourceError as error:
            facts = {"error": str(error), "request_id": error.request_id, "hint": chosen.hint(name, str(error))}
            chosen.log.error("the list cannot be read", source=name, **facts)
            return code_of(error)
    if len(specs) > 1 and search.offers and not search:
        from watcher.cli.choice import choose

        picked = await choose(f"{name} runs {len(specs)} jobs:", [_offer(spec, listed[spec.key.id]) for spec in specs])
        specs = [specs[number] for number in picked]
        if not specs:
            return Exit.NOT_FOUND
    if specs:
        return replace(chosen, specs=specs)
    tell(f"{name} lists no {'such ' if search.labels else ''}job{'' if search.is_latest else ' that runs'}")
    return Exit.OK if search.is_all else Exit.NOT_FOUND


async def _find(
    chosen: SelectedJobs, name: str, source: Source, search: Search
) -> tuple[Sequence[JobSpec], Mapping[str, ListedJob]]:
    """Return the jobs that are meant, and what the list says of each, by id."""
    from watcher.domain.discovery import Rule, Verdict
    from watcher.engine.polling.preview import whole_list
    from watcher.plugins.registry import sources
    from watcher.plugins.source import DEFAULT_KIND

    rule = Rule(name, name, search.matcher(), job_name="{suffix}")
    settings = chosen.settings.sources[name] if chosen.settings else None
    plugin = sources.plugin(settings.kind if settings else DEFAULT_KIND)
    states = plugin.states_at(settings) if settings else plugin.states
    now = datetime.now(UTC)
    found: dict[str, ListedJob] = {}
    for page in await whole_list(source, rule.matcher.filter):
        for job_id, job in page.jobs.items():
            if rule.matcher.judge(job, states(job.status), now) is Verdict.ADOPTED:
                found.setdefault(job_id, job)
    if search.is_latest:
        # Of several at one time the first one: lists mostly begin with the newest.
        newest = max(found, key=lambda job_id: found[job_id].created_at or _LONG_AGO, default=None)
        found = {newest: found[newest]} if newest is not None else {}
    return [rule.adopts(job_id, job) for job_id, job in found.items()], found


def _offer(spec: JobSpec, listed: ListedJob) -> Sequence[str]:
    """Return what a person chooses a job by: its name, its id, how it stands, and when it was created."""
    created = f"created {listed.created_at.astimezone():%d %b %H:%M}" if listed.created_at else ""
    return spec.name or spec.key.id, spec.key.id if spec.name else "", listed.status, created
