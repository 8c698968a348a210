"""What rules would make of the list of a source, without doing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.domain.discovery import Rule, Verdict
from watcher.domain.jobs import NO_METADATA, ListedJob, Page
from watcher.domain.states import JobState
from watcher.engine.polling.discovery import NO_FILTER
from watcher.engine.polling.list_scan import MOST_PAGES
from watcher.engine.polling.rule_scan import line_of
from watcher.engine.ports import JobSource, RecordedLine
from watcher.errors import SourceError


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule makes of a job."""

    rule: Rule
    job_id: str
    job: ListedJob
    state: JobState
    verdict: Verdict


async def whole_list(source: JobSource, metadata: Mapping[str, str] = NO_METADATA) -> list[Page]:
    """Return all pages of the list; where the service filters, of the jobs with this metadata. Raises SourceError."""
    wanted = metadata if source.capabilities.filters else NO_METADATA
    try:
        return await _pages(source, wanted)
    except SourceError as error:
        if not wanted or error.status_code not in NO_FILTER:
            raise
        return await _pages(source, NO_METADATA)


def judge_all(
    pages: Sequence[Page],
    rules: Sequence[Rule],
    lines: Mapping[str, RecordedLine],
    states: Callable[[str], JobState],
    now: datetime,
) -> Iterator[Judged]:
    """Say of each job on the pages what each rule makes of it. Why a rule means another job goes before its line."""
    listed = {job_id: job for page in pages for job_id, job in page.jobs.items()}
    adopted: Counter[str] = Counter()
    for rule in rules:
        line = line_of(rule, lines.get(rule.name), now).line
        for job_id, job in listed.items():
            state = states(job.status)
            verdict = rule.matcher.judge(job, state, now)
            if verdict is Verdict.ADOPTED:
                verdict = rule.judge(job_id, job, state, line, now)
            if verdict is Verdict.ADOPTED:
                adopted[rule.name] += 1
                verdict = verdict if adopted[rule.name] <= rule.limit else Verdict.LIMIT_REACHED
            yield Judged(rule, job_id, job, state, verdict)


async def _pages(source: JobSource, metadata: Mapping[str, str]) -> list[Page]:
    pages: list[Page] = []
    seen: set[str] = set()
    cursor: str | None = None
    while len(pages) < MOST_PAGES:
        page = await source.page(cursor, metadata=metadata)
        pages.append(page)
        cursor = page.after
        if cursor is None or (page.jobs and page.jobs.keys() <= seen):
            break
        seen |= page.jobs.keys()
    return pages
