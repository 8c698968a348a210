"""How Vertex AI is asked: jobs lie at `/tuningJobs` of a project in a location."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.vertex.ids import COLLECTION
from watcher.sources.vertex.wire import parse, parse_page

PAGE_SIZE = 50
"""A page holds whole objects, with examples of the data: of more jobs it might be too large an answer."""
_PATH = f"/{COLLECTION}"


class VertexDialect:
    """Asks what lies at `/tuningJobs`."""

    rules = ErrorRules()
    capabilities = Capabilities(page_size=PAGE_SIZE)
    """The order of the list is not documented."""

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        return Question(f"{_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        """Ask for a page of the list: the first one, or the one that a token leads to."""
        behind = (("pageToken", cursor),) if cursor else ()
        return Question(_PATH, (("pageSize", str(PAGE_SIZE)), *behind))

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of job objects."""
        return parse_page(answer.body, cursor)
