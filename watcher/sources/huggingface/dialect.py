"""How Hugging Face is asked: jobs lie at `/api/jobs/{namespace}`; a header leads to the next page."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.huggingface.wire import parse, parse_page


class HuggingFaceDialect:
    """Asks for the jobs of a namespace."""

    rules = ErrorRules()
    capabilities = Capabilities(page_size=100, filters=True)
    """How many jobs a page has is not documented, nor is their order."""

    def __init__(self, pages: str) -> None:
        """Below `pages` each job has a page for people."""
        self._pages = pages

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        return Question(f"/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:
        """Ask for a page of the list: the first one of the jobs with these labels, or the one with this query."""
        if cursor is not None:
            return Question("", tuple(parse_qsl(cursor, keep_blank_values=True)))
        return Question("", tuple(("label", f"{name}={value}") for name, value in metadata.items()))

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock(), self._pages)

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of job objects."""
        return parse_page(answer.body, answer.headers.get("link", ""), cursor)
