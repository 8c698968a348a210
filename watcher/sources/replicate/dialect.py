"""How Replicate is asked: jobs lie at `/trainings`."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.replicate.wire import parse, parse_page

_PATH = "/trainings"


class ReplicateDialect:
    """Asks what lies at `/trainings`."""

    rules = ErrorRules()
    capabilities = Capabilities(page_size=100)
    """A page has a hundred trainings; neither that nor the order can be asked for."""

    def job(self, job_id: str) -> Question:
        """Ask for a training."""
        return Question(f"{_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        """Ask for a page of the list: the first one, or the one that a cursor leads to."""
        return Question(_PATH, (("cursor", cursor),) if cursor else ())

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a training."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of trainings."""
        return parse_page(answer.body, cursor)
