"""What the answers of a service say, read by the expressions of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, RootModel

from watcher.domain.jobs import JobError, JobFacts, JobKey, ListedJob, Observation, Progress, ProgressUnit
from watcher.domain.states import PATH, JobState, StateMap
from watcher.domain.text import excerpt
from watcher.sources.decoding import complaint_about, malformed, read, text_of
from watcher.sources.http.config import Config, ListSettings
from watcher.sources.http.expressions import find
from watcher.sources.lenient import Text, Timestamp, words_of
from watcher.sources.listing import ListEntry, listed_jobs

_MILLISECONDS_FROM = 100_000_000_000
"""A number of this size is no number of seconds since 1970: it would be in the year 5138."""
_PAIR = 2
_LONGEST_ERROR = 1000
"""Characters of what stands where the reason of a failure is looked for, if that is neither text nor an object."""


class _Json(RootModel[Any]):
    """Whatever a service wrote."""


class _Values(BaseModel):
    """What messages speak of, as far as it is usable."""

    created_at: Timestamp = None
    finished_at: Timestamp = None
    model: Text = None
    result: Text = None


class JobReader:
    """Reads answers about jobs."""

    def __init__(self, config: Config, states: StateMap) -> None:
        self._config = config
        self._states = states
        self._path = tuple(state for state in PATH if state in config.states.values())

    def observation(self, body: bytes, key: JobKey, at: datetime) -> Observation:
        """Read the answer about a job, received at the time given.

        Raises MalformedResponseError, which says what is wrong, for one that is about another job or has no status.
        """
        text = text_of(body)
        document = read(_Json, text).root
        if not isinstance(document, dict | list):
            raise malformed("it is JSON, but no object", text)
        if self._config.id_path is not None:
            named = word(_found(self._config.id_path, document))
            if named != key.id:
                raise malformed("it is about another job" if named else "it has no id", named or text)
        status = word(_found(self._config.status_path, document))
        if status is None:
            raise malformed(f"it has no status at {self._config.status_path}", text)
        if complaint := complaint_about(status):
            raise malformed(complaint, text)
        state = self._states(status)
        progress = _progress(_found(self._config.progress_path, document), at)
        return Observation(
            key, status, state, at, self._facts(document, state), text, path=self._path, progress=progress
        )

    def _facts(self, document: Any, state: JobState) -> JobFacts:
        config = self._config
        values = _Values(
            created_at=_moment(_found(config.created_path, document)),
            finished_at=_moment(_found(config.finished_path, document)),
            model=_found(config.model_path, document),
            result=_found(config.result_path, document),
        )
        has_failed = state in {JobState.FAILED, JobState.CANCELLED}
        return JobFacts(
            model=values.model or None,
            # Many services name the result when they create the job.
            fine_tuned_model=values.result or None if state is JobState.SUCCEEDED else None,
            created_at=values.created_at,
            finished_at=values.finished_at,
            error=_error(_found(config.error_path, document)) if has_failed else None,
            suffix=word(_found(config.name_path, document)),
        )


class ListReader:
    """Reads pages of the list."""

    def __init__(self, config: Config, listed: ListSettings) -> None:
        self._jobs_path = listed.jobs_path
        self._next_path = listed.next_path
        self._paths = {
            "id": listed.id_path or config.id_path or "id",
            "status": listed.status_path or config.status_path,
            "created_at": listed.created_path or config.created_path,
            "model": listed.model_path or config.model_path,
            "name": listed.name_path or config.name_path,
            "metadata": listed.metadata_path,
        }

    def page(self, body: bytes) -> tuple[Mapping[str, ListedJob], str | None]:
        """Return the jobs, and what leads to the next page. Raises MalformedResponseError where there is no list."""
        text = text_of(body)
        document = read(_Json, text).root
        entries = document if self._jobs_path is None else _found(self._jobs_path, document)
        if not isinstance(entries, list):
            raise malformed(f"it has no list{f' at {self._jobs_path}' if self._jobs_path else ''}", text)
        jobs, _ = listed_jobs(map(self._entry, entries))
        return jobs, word(_found(self._next_path, document)) or None

    def _entry(self, document: Any) -> ListEntry:
        values = {name: _found(path, document) for name, path in self._paths.items()}
        values |= {name: word(values[name]) for name in ("id", "status")}
        return ListEntry.model_validate(values)


def word(found: object) -> str | None:
    """Return a text, number or flag as a text: some services number their jobs and statuses."""
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int) else None


def _found(path: str | None, document: Any) -> Any:
    if path is None:
        return None
    try:
        return find(path, document)
    except ValueError as error:
        raise malformed(str(error), "") from None


def _moment(found: object) -> object:
    if isinstance(found, int | float) and not isinstance(found, bool) and found >= _MILLISECONDS_FROM:
        return found / 1000
    return found


def _progress(found: object, at: datetime) -> Progress | None:
    """Return how far a job has come, by a percentage or by two numbers; None where neither is usable."""
    unit = ProgressUnit.STEPS if isinstance(found, list) else ProgressUnit.PERCENT
    numbers = [_number(each) for each in (found if isinstance(found, list) else [found, 100])]
    done, total = numbers if len(numbers) == _PAIR else (None, None)
    if done is None or total is None or not 0 <= done <= total or total < 1:
        return None
    return Progress(int(done), int(total), at, unit)


def _number(found: object) -> float | None:
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _error(found: object) -> JobError | None:
    """Return what says why a job failed; None where nothing does."""
    if isinstance(found, Mapping):
        message, code = (word(found.get(name)) for name in ("message", "code"))
        if message or code:
            return JobError(code=code, message=message)
    if found in (None, "", [], {}):
        return None
    words = words_of(found)
    return JobError(message=words if isinstance(words, str) else excerpt(str(found), _LONGEST_ERROR))
