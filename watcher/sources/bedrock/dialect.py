"""How Bedrock is asked: jobs lie at `/model-customization-jobs`; the name of an error stands in a header."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, ListOrder, SourceContext
from watcher.sources.bedrock.wire import parse, parse_page
from watcher.sources.errors import UNAUTHORIZED, Complaint, ErrorRules
from watcher.sources.http_source import Question, quoted

PAGE_SIZE = 100
"""A thousand are allowed; a page of a hundred is as large as those of other services."""
_PATH = "/model-customization-jobs"
_FORBIDDEN = 403
_EXPIRED = "ExpiredTokenException"


def is_expired(complaint: Complaint) -> bool:
    """Tell whether the key has ended: AWS says so with 403, and by the words of other refusals as well."""
    if complaint.status_code == UNAUTHORIZED:
        return True
    said = (complaint.message or "").lower()
    return complaint.status_code == _FORBIDDEN and (_EXPIRED in complaint.words or "expired" in said)


class BedrockDialect:
    """Asks what lies at `/model-customization-jobs`."""

    rules = ErrorRules(is_expired=is_expired, request_id="x-amzn-requestid", error_name="x-amzn-errortype")
    capabilities = Capabilities(order=ListOrder.NEWEST_FIRST, page_size=PAGE_SIZE)

    def job(self, job_id: str) -> Question:
        """Ask for a job by its name or its ARN."""
        return Question(f"{_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        """Ask for a page of the list: the newest jobs, or those that a token leads to."""
        behind = (("nextToken", cursor),) if cursor else ()
        order = (("sortBy", "CreationTime"), ("sortOrder", "Descending"))
        return Question(_PATH, (("maxResults", str(PAGE_SIZE)), *order, *behind))

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of summaries."""
        return parse_page(answer.body, cursor)
