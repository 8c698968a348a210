"""How Fireworks AI is asked: each kind of job has a path and a list; the pages of one list lead on to the next list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, ListOrder, SourceContext
from watcher.sources.errors import ErrorRules
from watcher.sources.fireworks.ids import KINDS, job_id, kind_and_own_id
from watcher.sources.fireworks.wire import parse, parse_page
from watcher.sources.http_source import Question, quoted

PAGE_SIZE = 200
"""The largest page that is documented."""


class FireworksDialect:
    """Asks for jobs of an account; a job that names no kind is a supervised one."""

    rules = ErrorRules()
    capabilities = Capabilities(order=ListOrder.IN_PARTS, page_size=PAGE_SIZE)

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        quoted(job_id)  # refuses what can be no id
        kind, own_id = kind_and_own_id(job_id)
        return Question(f"/{kind}/{quoted(own_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        """Ask for a page of the list of a kind: the cursor is its token, behind the kind unless that is the first."""
        kind, token = kind_and_own_id(cursor or "")
        behind = (("pageToken", token),) if token else ()
        # Without an order the list is sorted by name.
        return Question(f"/{kind}", (("pageSize", str(PAGE_SIZE)), ("orderBy", "createTime desc"), *behind))

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read a job object."""
        return parse(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page, which leads on to the next one of its list, or else to the next list."""
        kind, asked = kind_and_own_id(cursor or "")
        page, token = parse_page(answer.body, kind)
        following = KINDS[KINDS.index(kind) + 1 :]
        next_part = job_id(following[0], "") if following else None
        after = job_id(kind, token) if token and token != asked else next_part
        return replace(page, after=after, next_part=next_part)
