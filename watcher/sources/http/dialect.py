"""How a service is asked whose settings say where it is and where the values stand."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urljoin, urlsplit

from watcher.domain.jobs import JobKey, Observation, Page
from watcher.http import Answer
from watcher.plugins.source import Capabilities, SourceContext
from watcher.sources.decoding import malformed
from watcher.sources.errors import ErrorRules
from watcher.sources.http.config import ID, Config, ListSettings, origin_of
from watcher.sources.http.wire import JobReader, ListReader
from watcher.sources.http_source import Question, quoted


class HttpDialect:
    """Asks at the URLs of the settings."""

    rules = ErrorRules()

    def __init__(self, config: Config) -> None:
        self.capabilities = Capabilities(lists=config.list is not None)
        self._url = config.url
        self._list = config.list
        self._job_reader = JobReader(config, config.state_map())
        self._list_reader = ListReader(config, config.list) if config.list else None

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        path, query = _behind_host(self._url)
        parameters = ((name, value.replace(ID, job_id)) for name, value in query)
        return Question(path.replace(ID, quoted(job_id)), tuple(parameters))

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        """Ask for a page of the list: the first one, or the one that a cursor leads to, a URL or a parameter."""
        listed = self._listed()
        if cursor is None or listed.next_parameter is None:
            return Question(*_behind_host(urljoin(listed.url, cursor or "")))
        path, query = _behind_host(listed.url)
        others = (pair for pair in query if pair[0] != listed.next_parameter)
        return Question(path, (*others, (listed.next_parameter, cursor)))

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read the answer about a job."""
        return self._job_reader.observation(answer.body, key, context.clock())

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page of the list."""
        assert self._list_reader is not None  # noqa: S101 - pages are asked for where there is a list
        jobs, after = self._list_reader.page(answer.body)
        listed = self._listed()
        if after is not None and listed.next_parameter is None:
            target = urljoin(listed.url, after)
            if origin_of(target) != origin_of(listed.url):
                raise malformed("its next page is at another host", target)
        return Page(jobs, after if after != cursor else None)

    def _listed(self) -> ListSettings:
        assert self._list is not None  # noqa: S101 - pages are asked for where there is a list
        return self._list


def _behind_host(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the path and the parameters of a URL."""
    parts = urlsplit(url)
    return parts.path, tuple(parse_qsl(parts.query, keep_blank_values=True))
