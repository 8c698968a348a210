"""What is wrong with jobs and rules as entries of a list: those that are there twice, or live nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watcher.domain.jobs import is_job_id
from watcher.plugins.section import Mistake
from watcher.plugins.source import DEFAULT_SOURCE


def marked_jobs(jobs: Sequence[Any], sources: Sequence[str]) -> list[Any]:
    """Put a mistake in the place of a source that is not there, and of an id that was there before."""
    marked: list[Any] = []
    seen: set[tuple[str, str]] = set()
    for job in jobs:
        wrong: dict[str, Mistake] = {}
        if isinstance(job, Mapping):
            source, job_id = str(job.get("source", DEFAULT_SOURCE)), str(job.get("id", ""))
            wrong = _without_source(source, sources)
            if (source, job_id) in seen and is_job_id(job_id):
                wrong["id"] = Mistake(f"{source}/{job_id} is listed twice")
            seen.add((source, job_id))
        marked.append({**job, **wrong} if wrong else job)
    return marked


def marked_rules(rules: Sequence[Any], sources: Sequence[str]) -> list[Any]:
    """Put a mistake in the place of a source that is not there, and of a name that another rule has."""
    marked: list[Any] = []
    seen: set[str] = set()
    for rule in rules:
        wrong: dict[str, Mistake] = {}
        if isinstance(rule, Mapping):
            source = str(rule.get("source", DEFAULT_SOURCE))
            wrong, name = _without_source(source, sources), str(rule.get("rule", source))
            if name in seen:
                wrong["rule"] = Mistake(f"two rules are named {name!r}; give each a `rule` of its own")
            seen.add(name)
        marked.append({**rule, **wrong} if wrong else rule)
    return marked


def _without_source(source: str, sources: Sequence[str]) -> dict[str, Mistake]:
    if source in sources:
        return {}
    return {"source": Mistake(f"no source is named {source!r}; there are: {', '.join(sorted(sources))}")}
