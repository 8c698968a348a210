"""What the watcher expects of any source, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from watcher.domain.jobs import JobKey, Observation
from watcher.domain.states import JobState
from watcher.errors import MalformedResponseError, MissingError, RejectedError, SourceError, TransientError
from watcher.plugins.source import Source, SourceContext, SourcePlugin
from watcher.plugins.testing.loopback import Reply, loopback
from watcher.plugins.testing.secrecy import check_hidden, check_settings

T = TypeVar("T")

_TIMEOUT = timedelta(seconds=5)


class SourceContract:
    """What the watcher expects of any source."""

    plugin: ClassVar[SourcePlugin[Any]]
    secrets: ClassVar[Sequence[str]] = ()
    """What the settings hold that nothing may show."""
    job_id: ClassVar[str]
    """An id as the service gives them."""
    statuses: ClassVar[Mapping[str, JobState]]
    """Words of the service, and what they mean: at least one."""

    def settings(self, url: str) -> Mapping[str, object]:
        """Return settings with which it asks this URL."""
        raise NotImplementedError

    def job(self, status: str) -> bytes:
        """Return the body with which the service answers for the job `job_id` in this status."""
        raise NotImplementedError

    def test_settings_show_no_secret(self) -> None:
        """Secrets are fields of the type SecretStr; what cannot be read is refused without being repeated."""
        check_settings(self.plugin.config, self.settings("http://127.0.0.1:9"), self.secrets)

    def test_each_status_is_kept_and_means_its_state(self) -> None:
        """The word stays as it is; one that is not known is kept as well, and does not end the watching."""
        for status, state in {**self.statuses, "baking-in-an-oven": JobState.UNKNOWN}.items():
            found = self._ask(Reply(body=self.job(status)), lambda source: source.retrieve(self.job_id))
            assert isinstance(found, Observation), f"{status}: {found}"
            assert found.key == JobKey("trial", self.job_id), f"{status}: it is taken for {found.key}"
            assert (found.status, found.state) == (status, state), f"{status}: {found.status}, {found.state}"

    def test_the_same_answer_again_says_nothing_new(self) -> None:
        """Most polls are such: None says so for a status that is known, and a status that is not is told again."""
        status = next(iter(self.statuses))

        async def ask_again(source: Source) -> Sequence[Observation | None]:
            return [await source.retrieve(self.job_id, known) for known in (None, status, "another")]

        first, same, other = self._ask(Reply(body=self.job(status)), ask_again)
        assert (bool(first), same, bool(other)) == (True, None, True), f"{first}, {same}, {other}"

    def test_trouble_has_its_kind(self) -> None:
        """What needs a person, what passes, and what is no answer are told apart; nothing else is raised."""
        body = self.job(next(iter(self.statuses)))
        trouble: list[tuple[Reply, type[SourceError]]] = [
            (Reply(401, b"{}"), RejectedError),
            (Reply(404, b"{}"), MissingError),
            (Reply(429, b"{}"), TransientError),
            (Reply(503, b"busy"), TransientError),
            (Reply(breaks=True), TransientError),
            (Reply(body=b"<html>hello</html>"), MalformedResponseError),
            (Reply(body=body[: len(body) // 2]), MalformedResponseError),
            (Reply(body=b"[]"), MalformedResponseError),
        ]
        for reply, kind in trouble:
            error = self._error(reply, self.job_id)
            assert isinstance(error, kind), f"{reply}: {error!r}"

    def test_the_object_of_another_job_is_no_answer(self) -> None:
        """A service or a proxy that mixes answers up must not end the wrong job."""
        body = self.job(next(iter(self.statuses)))
        error = self._error(Reply(body=body), self.job_id[:-1] + ("1" if self.job_id[-1] != "1" else "2"))
        assert isinstance(error, MalformedResponseError), f"{error!r}"

    def test_a_service_that_repeats_secrets_does_not_get_them_told(self) -> None:
        """Errors are shown and recorded."""
        for status in (200, 400, 401, 500):
            check_hidden(self.secrets, self._error(Reply(status, echoes=True), self.job_id))

    def _error(self, reply: Reply, job_id: str) -> SourceError | None:
        try:
            self._ask(reply, lambda source: source.retrieve(job_id))
        except SourceError as error:
            return error
        return None

    def _ask(self, reply: Reply, question: Callable[[Source], Awaitable[T]]) -> T:
        async def run() -> T:
            with loopback(reply) as server:
                config = self.plugin.config.model_validate(self.settings(server.url))
                context = SourceContext("trial", _now, _NoLog(), _TIMEOUT, sleep=_no_wait)
                async with self.plugin.build(config, context) as source:
                    return await question(source)

        return asyncio.run(run())


class _NoLog:
    def debug(self, event: str, **facts: object) -> None:
        """Write nothing, as the others."""

    info = warning = error = exception = debug


async def _no_wait(_seconds: float) -> None:
    """Try again at once."""


def _now() -> datetime:
    return datetime.now(UTC)
