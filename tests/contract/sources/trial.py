"""What is to be known of a kind of source to try it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Reply
from watcher.domain.states import JobState

KEY = "sk-Zr8mQ2xW5tKq-very-secret"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """A kind of source and how it is tried."""

    kind: str
    settings: Callable[[str], dict[str, Any]]
    """From the URL of a server."""
    job: Callable[[str, str], Json]
    """The object of a job, from its id and status."""
    page: Callable[[Sequence[Json], str | None], Json | Sequence[Json] | Reply]
    """A page of these objects, from what leads to the next one; None for the last one."""
    path: str
    """Where a job lies, without its id."""
    states: Mapping[str, JobState]
    """What its statuses mean, as the facts about the service have it."""
    pages: bool = True
    """Whether the list comes in pages."""
    events: Json | None = None
    """What tells that 24 of 72 steps are done; None for a service without events."""
    events_path: str = "/events"
    """Where that lies, behind the path of the job."""
    progress: Json = field(default_factory=dict)
    """Fields of a job object that tell how far it has come; none for a service that does not say it there."""
    done: tuple[int, int] = (24, 72)
    """What they tell."""
    query: str = ""
    """What stands behind the `?` of every request."""
    has_openais_words: bool = False
    """Whether words of OpenAI's name its events as they stand."""
    tells_why: bool = True
    """Whether it says why a job failed."""
    lead: Callable[[str], str] = str
    """From what leads to the next page to the cursor of that page."""
    end: str | None = None
    """The cursor of what comes behind the last page: another list, or nothing."""
    has_short_ids: bool = False
    """Whether of an id with slashes only the last part counts."""
    is_empty: bool = False
    """Whether an empty object is an empty list."""
    id_of: Callable[[Json], str] = lambda document: document["id"]
    model_of: Callable[[Json], str | None] = lambda document: document.get("model")
    """Where a recorded answer has the id and the model that is tuned."""
    result_of_failure: bool = False
    """Whether a job that failed may have a result."""
    private: Mapping[str, str] = field(default_factory=dict)
    """Private fields of a job object, with a value of each."""
    samples: Mapping[str, tuple[str, JobState]] = field(default_factory=dict)
    """The status and the state of each recorded answer to a retrieve."""

    @property
    def word(self) -> dict[JobState, str]:
        """A status for each state."""
        return {state: word for word, state in reversed(list(self.states.items()))}
