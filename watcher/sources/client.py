"""How the API of a source is asked: each request in its turn, again while that may help, the key in no error."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Self, TypeVar
from urllib.parse import urlencode

import tenacity
from tenacity import RetryCallState

from watcher.engine.ports import Clock, Log
from watcher.errors import ConfigurationError, SourceError, TransientError
from watcher.http import Answer, Bounds, HttpClient, HttpError, Request, tls_context
from watcher.sources.errors import OK, request_id_of, trouble_of
from watcher.sources.openai.config import SourceConfig

ATTEMPTS = 3
"""Requests for one answer."""
LONGEST_WAIT_SECONDS = 8.0
"""The longest wait between attempts. A server that asks for more ends them: the next poll waits instead."""
SHORTEST_WAIT_SECONDS = 0.5
MASK = "***"
SHORTEST_SECRET = 8
"""Local services are given keys such as `none` or `ollama`: ordinary words, which are no secrets."""
SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer. A job object has about 1.4 kB, a page of the list a hundred of them."""

_random_exponential = tenacity.wait_random_exponential(min=SHORTEST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a source is asked."""

    at_once: int
    """Requests in flight."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits so many seconds before another attempt."""
    turn: Callable[[], Awaitable[None]] | None = None
    """Waits until a request may be sent; None when it always may."""


class SourceClient:
    """Asks what lies below `{base_url}/fine_tuning/jobs`."""

    def __init__(self, config: SourceConfig, clock: Clock, log: Log, pace: Pace) -> None:
        """Raises ConfigurationError for bad certificates, and for a base URL of a host that cannot be."""
        self.name = config.name
        self._url = config.base_url.rstrip("/") + "/fine_tuning/jobs"
        self._query = {"api-version": config.api_version} if config.api_version else {}
        is_secret = config.api_key is not None and len(config.api_key) >= SHORTEST_SECRET
        self._secret = config.api_key if is_secret else None
        self._clock = clock
        self._log = log
        self._turn = pace.turn
        self._client = HttpClient(
            Bounds(config.timeout, pace.at_once, SIZE_LIMIT),
            headers=config.headers(),
            tls=_client_certificate(config),
        )
        try:
            self.request()
        except ValueError:
            raise ConfigurationError(f"source {config.name}: no request can be sent to its base_url") from None
        self._retrying = tenacity.AsyncRetrying(
            sleep=pace.sleep,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait_seconds,
            retry=tenacity.retry_if_exception(_is_worth_another_attempt),
            reraise=True,
        )

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        await self._client.__aexit__(*exc_info)

    def request(self, path: str = "", **query: str) -> Request:
        """Build a request, which may be sent any number of times; the path is quoted already."""
        query |= self._query
        return self._client.request("GET", self._url + path + (f"?{urlencode(query)}" if query else ""))

    async def ask(self, request: Request, read: Callable[[Answer], T], **about: object) -> T:
        """Return what `read` makes of the answer to the request; what the request is about is for the log.

        Raises SourceError, also where `read` does.
        """
        failures: list[TransientError] = []

        async def attempt() -> T:
            if failures:
                raise failures.pop()
            return await self._attempt(request, read)

        try:
            return await attempt()
        except TransientError as error:
            # Only now: setting tenacity up costs a tenth of a poll, and nearly all polls go well.
            failures.append(error)
            return await self._retrying.copy(before_sleep=partial(self._log_retry, about))(attempt)

    async def _attempt(self, request: Request, read: Callable[[Answer], T]) -> T:
        answer = await self._exchange(request)
        if answer.status_code != OK:
            answer = self._without_secret(answer)
        if trouble := trouble_of(answer, self._clock()):
            raise trouble
        try:
            return read(answer)
        except SourceError as error:
            error.args = (self._masked(str(error)),)
            error.request_id = request_id_of(answer)
            raise

    async def _exchange(self, request: Request) -> Answer:
        if self._turn is not None:
            await self._turn()
        try:
            return await self._client.exchange(request)
        except HttpError as error:
            raise TransientError(str(error)) from None

    def _log_retry(self, about: Mapping[str, object], state: RetryCallState) -> None:
        error = _error_of(state)
        self._log.info(
            "request failed, trying again",
            source=self.name,
            **about,
            attempt=state.attempt_number,
            wait_seconds=round(state.upcoming_sleep, 1),
            error=str(error),
            request_id=getattr(error, "request_id", None),
        )

    def _without_secret(self, answer: Answer) -> Answer:
        """Take the key out of an answer that tells of trouble, for services that repeat it."""
        if self._secret is None:
            return answer
        return replace(answer, body=answer.body.replace(self._secret.encode(), MASK.encode()))

    def _masked(self, text: str) -> str:
        """Take the key out of a text, also where the text was cut in the middle of it."""
        if self._secret is None:
            return text
        text = text.replace(self._secret, MASK)
        telling = self._secret[:SHORTEST_SECRET]
        return text[: text.rindex(telling)] + MASK if telling in text[-len(self._secret) - 1 :] else text


def _client_certificate(config: SourceConfig) -> ssl.SSLContext | None:
    if not config.client_cert_file:
        return None
    try:
        return tls_context(config.client_cert_file, config.client_key_file)
    except OSError as error:
        raise ConfigurationError(
            f"source {config.name}: cannot use the client certificate {config.client_cert_file}"
            f" with the key {config.client_key_file or 'in the same file'}: {error.strerror or error}"
        ) from None


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _is_worth_another_attempt(error: BaseException) -> bool:
    return (
        isinstance(error, TransientError)
        and error.retryable
        and (error.retry_after is None or error.retry_after.total_seconds() <= LONGEST_WAIT_SECONDS)
    )


def _wait_seconds(state: RetryCallState) -> float:
    error = _error_of(state)
    if isinstance(error, TransientError) and error.retry_after is not None:
        return error.retry_after.total_seconds()
    return _random_exponential(state)
