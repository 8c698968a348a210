"""How Together AI is asked: jobs lie at `/fine-tunes`, and the list comes whole."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.domain.telemetry import EventPage
from watcher.http import Answer
from watcher.plugins.source import Capabilities, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.together.events import EventCursor, parse_events, parse_metrics
from watcher.sources.together.wire import parse, parse_page

_PATH = "/fine-tunes"


class TogetherDialect:
    """Asks what lies at `/fine-tunes`."""

    rules = ErrorRules()
    capabilities = Capabilities(events=True, metrics=True, checkpoints=True)

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        return Question(f"{_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - there is one page
        """Ask for the list: all jobs in one answer, in no documented order."""
        return Question(_PATH)

    def events(self, job_id: str, cursor: str | None) -> Question:
        """Ask for all events of a job, and then for its metrics from the last step known on."""
        at = EventCursor.read(cursor)
        if not at.wants_metrics:
            return Question(f"{_PATH}/{quoted(job_id)}/events")
        since = (("global_step_from", str(at.step + 1)),) if at.step is not None else ()
        return Question(f"{_PATH}/{quoted(job_id)}/metrics", since)

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:  # noqa: ARG002 - there is one page
        """Read the list."""
        return parse_page(answer.body)

    def read_events(self, answer: Answer, cursor: str | None) -> EventPage:
        """Read events, or metrics where the cursor asked for them."""
        return (parse_metrics if EventCursor.read(cursor).wants_metrics else parse_events)(answer.body, cursor)
