"""How Mistral is asked: as OpenAI, but for the list, whose pages have numbers."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.domain.telemetry import EventPage
from watcher.http import Answer
from watcher.plugins.source import Capabilities, ListOrder, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.mistral.checkpoints import parse_checkpoints
from watcher.sources.mistral.wire import PAGE_SIZE, parse, parse_page

_PATH = "/fine_tuning/jobs"


class MistralDialect:
    """Asks what lies at `/fine_tuning/jobs`."""

    rules = ErrorRules()
    # As recorded. A new job moves the others to later pages, where they are found as well.
    capabilities = Capabilities(
        order=ListOrder.NEWEST_FIRST, page_size=PAGE_SIZE, events=True, metrics=True, checkpoints=True
    )

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        return Question(f"{_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        """Ask for the page of a number."""
        return Question(_PATH, (("page", cursor or "0"), ("page_size", str(PAGE_SIZE))))

    def events(self, job_id: str, cursor: str | None) -> Question:  # noqa: ARG002 - all of it comes each time
        """Ask for the job once more: what is new of it stands in its object."""
        return self.job(job_id)

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of the list."""
        return parse_page(answer.body, int(cursor or 0))

    def read_events(self, answer: Answer, cursor: str | None) -> EventPage:
        """Read the checkpoints in a job object."""
        return parse_checkpoints(answer.body, cursor)
