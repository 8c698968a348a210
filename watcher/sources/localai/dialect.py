"""How LocalAI is asked: jobs lie at a path of its own, and the list comes whole."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, ListOrder, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.localai.wire import parse, parse_page

_PATH = "/api/fine-tuning/jobs"


class LocalAIDialect:
    """Asks what lies at `/api/fine-tuning/jobs`.

    The stream of progress is left to the page of the server: a reader takes its events from all others.
    """

    rules = ErrorRules()
    capabilities = Capabilities(order=ListOrder.NEWEST_FIRST)

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        return Question(f"{_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - there is one page
        """Ask for the list: all jobs in one answer."""
        return Question(_PATH)

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:  # noqa: ARG002 - there is one page
        """Read the list."""
        return parse_page(answer.body)
