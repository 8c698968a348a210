"""How OpenAI's fine-tuning API is asked, and services that speak it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.domain.states import OPENAI_STATES, StateMap
from watcher.http import Answer
from watcher.plugins.source import Capabilities, ListOrder, SourceContext
from watcher.sources.errors import Complaint, ErrorRules
from watcher.sources.http_source import Question, quoted
from watcher.sources.openai.event_cursor import EventCursor

if TYPE_CHECKING:
    # `watch` reads events when its first requests have left.
    from watcher.domain.telemetry import EventPage

PAGE_SIZE = 100
"""Jobs asked for at once. No maximum is documented; the API's usual page has 20."""
EVENTS_READ = 100
"""Events asked for at once; the API's usual page has 20."""
JOBS_PATH = "/fine_tuning/jobs"
BATCHES_PATH = "/batches"
_BATCH = "batch_"
"""What the ids of batches begin with, at OpenAI and at Azure; those of fine-tuning jobs begin with `ft`."""
_TOO_MANY = 429
_NO_QUOTA = {"insufficient_quota", "credit_balance_exhausted", "organization_usage_limit_exceeded"}
_NO_QUOTA_SUFFIX = "_spend_limit_exceeded"


def out_of_quota(complaint: Complaint) -> str | None:
    """Tell a 429 for want of money, which no waiting helps, from one that asks to slow down."""
    if complaint.status_code != _TOO_MANY:
        return None
    is_out = not complaint.words.isdisjoint(_NO_QUOTA) or any(
        word.endswith(_NO_QUOTA_SUFFIX) for word in complaint.words
    )
    return "" if is_out else None


OPENAI_RULES = ErrorRules(rejects=out_of_quota)
OPENAI_CAPABILITIES = Capabilities(
    order=ListOrder.NEWEST_FIRST,
    page_size=PAGE_SIZE,
    filters=True,
    events=True,
    metrics=True,
    checkpoints=True,
    webhooks=True,
)


def is_batch(job_id: str) -> bool:
    """Tell the id of a batch from that of a fine-tuning job."""
    return job_id.startswith(_BATCH)


def listing(dialect: OpenAIDialect, *, batches: bool) -> OpenAIDialect:
    """Return the dialect that lists jobs, or batches."""
    if not batches:
        return dialect
    # No filter by metadata is documented for them.
    return replace(dialect, listed_path=BATCHES_PATH, capabilities=replace(dialect.capabilities, filters=False))


def dialect_without(lacks: Collection[str], *, newest_first: bool, expired: Collection[int]) -> OpenAIDialect:
    """Return the dialect of a service that lacks some capabilities: see `presets.toml`."""
    capabilities = replace(
        OPENAI_CAPABILITIES,
        order=ListOrder.NEWEST_FIRST if newest_first else ListOrder.UNKNOWN,
        **dict.fromkeys(lacks, False),
    )
    rules = replace(OPENAI_RULES, is_expired=lambda complaint: complaint.status_code in expired)
    return OpenAIDialect(rules=rules, capabilities=capabilities)


@dataclass(frozen=True, slots=True)
class OpenAIDialect:
    """Asks what lies at `/fine_tuning/jobs`, and for the ids of batches at `/batches`.

    Its readers are imported while the first request is under way: they need pydantic, and `watch` reaches the API that
    much sooner.
    """

    states: StateMap = OPENAI_STATES
    rules: ErrorRules = OPENAI_RULES
    capabilities: Capabilities = OPENAI_CAPABILITIES
    listed_path: str = JOBS_PATH
    """What lies there is listed."""
    tells_estimates: bool = True
    """Whether what it says of the end of a job is worth telling."""
    pages: str | None = None
    """Where the service shows its jobs to people."""

    def job(self, job_id: str) -> Question:
        """Ask for a job, or for a batch."""
        return Question(f"{BATCHES_PATH if is_batch(job_id) else JOBS_PATH}/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:
        """Ask for a page of the list: the newest jobs, or those behind an id, all or those with this metadata."""
        behind = () if cursor is None else (("after", cursor),)
        chosen = ((f"metadata[{name}]", value) for name, value in metadata.items())
        return Question(self.listed_path, (("limit", str(PAGE_SIZE)), *behind, *chosen))

    def events(self, job_id: str, cursor: str | None) -> Question | None:
        """Ask for the newest events of a job, for those behind the last page, or its checkpoints; a batch has none."""
        if is_batch(job_id):
            return None
        at = EventCursor.read(cursor)
        if at.wants_checkpoints:
            return Question(f"{JOBS_PATH}/{quoted(job_id)}/checkpoints", (("limit", str(EVENTS_READ)),))
        behind = () if at.behind is None else (("after", at.behind),)
        return Question(f"{JOBS_PATH}/{quoted(job_id)}/events", (("limit", str(EVENTS_READ)), *behind))

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read the object of a job, or of a batch."""
        if is_batch(key.id):
            from watcher.sources.openai.batches import parse as parse_batch

            return self._with_page(parse_batch(answer.body, key, context.clock(), self.states))
        from watcher.sources.openai.wire import parse

        seen = self._with_page(parse(answer.body, key, context.clock(), self.states))
        return seen if self.tells_estimates else replace(seen, facts=replace(seen.facts, estimated_finish=None))

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of job objects."""
        from watcher.sources.openai.list import parse_page

        return parse_page(answer.body, cursor)

    def read_events(self, answer: Answer, cursor: str | None) -> EventPage:
        """Read events, or checkpoints where the cursor asked for them."""
        from watcher.sources.openai.events import parse_checkpoints, parse_events

        wants_checkpoints = EventCursor.read(cursor).wants_checkpoints
        return (parse_checkpoints if wants_checkpoints else parse_events)(answer.body, cursor)

    def _with_page(self, observation: Observation) -> Observation:
        if self.pages is None:
            return observation
        job_id = observation.key.id
        page = f"{self.pages}/{'batches' if is_batch(job_id) else 'finetune'}/{quoted(job_id)}"
        return replace(observation, facts=replace(observation.facts, page_url=page))
