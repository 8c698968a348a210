"""The fine-tuning jobs of OpenAI, Azure, or a service that speaks the same API."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Self
from urllib.parse import quote

import tenacity
from tenacity import RetryCallState

from watcher.domain.jobs import ID_RULE, JobKey, Observation, is_job_id
from watcher.errors import ConfigurationError, SourceError, TransientError
from watcher.http import Answer, Bounds, HttpClient, HttpError, Request, tls_context
from watcher.pipeline.ports import Clock, Log
from watcher.sources.answers import OK, request_id_of, trouble_of
from watcher.sources.environment import SourceConfig

ATTEMPTS = 3
"""Requests within one poll."""
LONGEST_WAIT_SECONDS = 8.0
"""The longest wait within a poll. A server that asks for more ends the poll: the job's next one waits instead."""
SHORTEST_WAIT_SECONDS = 0.5
MASK = "***"
SHORTEST_SECRET = 8
"""Local services are given keys such as `none` or `ollama`: ordinary words, which are no secrets."""
SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer. A job object has about 1.4 kB."""

_random_exponential = tenacity.wait_random_exponential(min=SHORTEST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)


class OpenAISource:
    """A source that speaks `GET {base_url}/fine_tuning/jobs/{id}`."""

    def __init__(
        self,
        config: SourceConfig,
        clock: Clock,
        log: Log,
        *,
        at_once: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make a source with at most `at_once` requests in flight.

        Raises ConfigurationError for bad certificates, and for a base URL of a host that cannot be.
        """
        self.name = config.name
        self._url = config.base_url.rstrip("/") + "/fine_tuning/jobs/"
        is_secret = config.api_key is not None and len(config.api_key) >= SHORTEST_SECRET
        self._secret = config.api_key if is_secret else None
        self._clock = clock
        self._log = log
        self._client = HttpClient(
            Bounds(config.timeout, at_once, SIZE_LIMIT),
            headers=config.headers(),
            params={"api-version": config.api_version} if config.api_version else None,
            tls=_client_certificate(config),
        )
        try:
            self._client.request("GET", self._url)
        except ValueError:
            raise ConfigurationError(f"source {config.name}: no request can be sent to its base_url") from None
        self._requests: dict[str, Request] = {}
        self._last: dict[str, tuple[bytes, str]] = {}
        """The digest of the last body of each job, and the status it said. The body itself would take the memory."""
        self._retrying_ask = tenacity.AsyncRetrying(
            sleep=sleep,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait_seconds,
            retry=tenacity.retry_if_exception(_is_worth_another_attempt),
            before_sleep=self._log_retry,
            reraise=True,
        ).wraps(self._ask)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        await self._client.__aexit__(*exc_info)

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        """Ask for the job: see `JobSource`."""
        return await self._retrying_ask(job_id, known)

    def forget(self, job_id: str) -> None:
        """Drop what is remembered of a job that is polled no more."""
        self._requests.pop(job_id, None)
        self._last.pop(job_id, None)

    async def _ask(self, job_id: str, known: str | None) -> Observation | None:
        answer = await self._exchange(job_id)
        if trouble := trouble_of(self._without_secret(answer) if answer.status_code != OK else answer, self._clock()):
            raise trouble
        digest = hashlib.blake2b(answer.body, digest_size=16).digest()
        if known is not None and self._last.get(job_id) == (digest, known):
            self._log.debug(
                "poll answered, nothing new", source=self.name, job=job_id, request_id=request_id_of(answer)
            )
            return None
        observation = self._parse(job_id, answer)
        self._last[job_id] = digest, sys.intern(observation.status)
        return observation

    async def _exchange(self, job_id: str) -> Answer:
        try:
            return await self._client.exchange(self._request(job_id))
        except HttpError as error:
            raise TransientError(str(error)) from None

    def _request(self, job_id: str) -> Request:
        request = self._requests.get(job_id)
        if request is None:
            if not is_job_id(job_id):
                raise ConfigurationError(f"not a job id: expected {ID_RULE}")
            request = self._requests[job_id] = self._client.request("GET", self._url + quote(job_id, safe=""))
        return request

    def _parse(self, job_id: str, answer: Answer) -> Observation:
        # pydantic is imported while the first request is under way: `watch` reaches the API that much sooner.
        from watcher.sources import wire

        try:
            observation = wire.parse(answer.body, JobKey(self.name, job_id), self._clock())
        except SourceError as error:
            error.args = (self._masked(str(error)),)
            error.request_id = request_id_of(answer)
            raise
        self._log.debug(
            "poll answered",
            source=self.name,
            job=job_id,
            status=observation.status,
            request_id=request_id_of(answer),
        )
        return observation

    def _log_retry(self, state: RetryCallState) -> None:
        error = _error_of(state)
        self._log.info(
            "request failed, trying again",
            source=self.name,
            job=state.args[0],
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
