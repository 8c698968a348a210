"""How a service is asked: each request in its turn, again while that may help, the key in no error."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlencode

from watcher.errors import ConfigurationError, SourceError, TransientError
from watcher.http import Answer, AnswerTooLargeError, Bounds, Headers, HttpClient, HttpError, Request, tls_context
from watcher.plugins.source import SourceContext
from watcher.redaction import MASK, Redactor
from watcher.sources.endpoint import Endpoint
from watcher.sources.errors import OK, ErrorRules, complaint_of, failure_of, request_id_of

ATTEMPTS = 3
"""Requests for one answer."""
LONGEST_WAIT_SECONDS = 8.0
"""The longest wait between attempts. A server that asks for more ends them: the next poll waits instead."""
SHORTEST_WAIT_SECONDS = 0.5
SHORTEST_SECRET = 8
"""Local services are given keys such as `none` or `ollama`: ordinary words, which are no secrets."""
SECRETS_KEPT = 4
"""The last keys that were used: an answer may still repeat one that was renewed since."""
SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer. A job object has about 1.4 kB, a page of the list a hundred of them."""

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

T = TypeVar("T")


class SourceClient:
    """Asks a service: each request in its turn, again while that may help, with a key that is renewed when it ends."""

    def __init__(self, endpoint: Endpoint, context: SourceContext, rules: ErrorRules | None = None) -> None:
        """Raises ConfigurationError for bad certificates, and for a URL of a host that cannot be."""
        self.name = context.name
        self._endpoint = endpoint
        self._context = context
        self._rules = rules or ErrorRules()
        self._headers: Mapping[str, str] | None = None
        """With the last secret that was used."""
        self._secrets: list[str] = []
        self._client = HttpClient(
            Bounds(context.timeout, context.concurrency, SIZE_LIMIT),
            headers={"Accept": "application/json", **endpoint.headers},
            tls=_client_certificate(endpoint, context.name),
        )
        try:
            self.request("")
        except ValueError:
            raise ConfigurationError(f"source {self.name}: no request can be sent to {endpoint.url}") from None

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        await self._client.__aexit__(*exc_info)

    def request(self, path: str, query: Iterable[tuple[str, str]] = ()) -> Request:
        """Build a request, which may be sent any number of times; the path is quoted already."""
        fixed = self._endpoint.query
        parameters = [*(pair for pair in query if pair[0] not in fixed), *fixed.items()]
        url = self._endpoint.url + path + (f"?{urlencode(parameters)}" if parameters else "")
        return self._client.request("GET", url)

    async def ask(self, request: Request, read: Callable[[Answer], T], **about: object) -> T:
        """Send the request and return its answer, read by `read`; the subject of the request is for the log.

        Raises SourceError, also where `read` does.
        """
        outcome = await self._outcome(request, read)
        if isinstance(outcome, TransientError):
            failed = [outcome]

            async def attempt() -> T | TransientError:
                return failed.pop() if failed else await self._outcome(request, read)

            outcome = await self._retrying(about)(attempt)
        if isinstance(outcome, TransientError):
            raise outcome
        return outcome

    async def _outcome(self, request: Request, read: Callable[[Answer], T]) -> T | TransientError:
        """Ask once; a failure that may pass is a value, without the frames and the causes that hold its answer.

        Tenacity refers to itself, and so keeps what it was told of until a collection of garbage.
        """
        try:
            return await self._attempt(request, read)
        except TransientError as error:
            error.__context__ = error.__cause__ = None
            return error.with_traceback(None)

    async def _attempt(self, request: Request, read: Callable[[Answer], T]) -> T:
        answer, secret = await self._exchange(request)
        if answer.status_code != OK:
            answer = self._without_secrets(await self._with_another_secret(request, answer, secret))
        if failure := failure_of(answer, self._context.clock(), self._rules):
            raise failure
        try:
            return read(answer)
        except SourceError as error:
            error.args = (self._masked(str(error)),)
            error.request_id = request_id_of(self._without_secrets(answer), self._rules)
            raise

    async def _with_another_secret(self, request: Request, answer: Answer, secret: str | None) -> Answer:
        """Ask once more if the secret was refused and there is another one; return the answer that counts."""
        if secret is None or not self._rules.is_expired(complaint_of(answer, self._rules)):
            return answer
        if not await self._endpoint.credential.renew(secret):
            return answer
        self._context.log.info("credential renewed, trying again", source=self.name)
        return (await self._exchange(request))[0]

    async def _exchange(self, request: Request) -> tuple[Answer, str | None]:
        """Send the request when its turn has come; return the answer, and the secret that it was asked with."""
        if self._context.turn is not None:
            await self._context.turn()
        secret = await self._endpoint.credential.current()
        if secret is not None:
            self._use(request, secret)
        try:
            return await self._client.exchange(request), secret
        except AnswerTooLargeError as error:  # the next one would be as large
            raise TransientError(str(error), retryable=False) from None
        except HttpError as error:
            raise TransientError(str(error)) from None

    def _use(self, request: Request, secret: str) -> None:
        """Put the secret into the headers, which all requests share: ten thousand copies would take 8 MB."""
        if self._headers is None or secret != self._secrets[-1]:
            key = {self._endpoint.key_header.lower(): self._endpoint.key_prefix + secret}
            self._headers = {**request.headers, **key}
            self._secrets = [*self._secrets[1 - SECRETS_KEPT :], secret]
            if len(secret) >= SHORTEST_SECRET:
                self._context.hide_secret(secret)
        request.headers = self._headers

    def _retrying(self, about: Mapping[str, object]) -> AsyncRetrying:
        """Set tenacity up, only now: that costs a tenth of a poll, its import 15 ms, and nearly all polls go well."""
        import tenacity

        random_exponential = tenacity.wait_random_exponential(min=SHORTEST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)

        def wait_seconds(state: RetryCallState) -> float:
            error = _outcome_of(state)
            if isinstance(error, TransientError) and error.retry_after is not None:
                return error.retry_after.total_seconds()
            return random_exponential(state)

        return tenacity.AsyncRetrying(
            sleep=self._context.sleep,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=wait_seconds,
            retry=tenacity.retry_if_result(_is_worth_another_attempt),
            before_sleep=partial(self._log_retry, about),
            retry_error_callback=_outcome_of,
        )

    def _log_retry(self, about: Mapping[str, object], state: RetryCallState) -> None:
        error = _outcome_of(state)
        self._context.log.info(
            "request failed, trying again",
            source=self.name,
            **about,
            attempt=state.attempt_number,
            wait_seconds=round(state.upcoming_sleep, 1),
            error=str(error),
            request_id=getattr(error, "request_id", None),
        )

    def _without_secrets(self, answer: Answer) -> Answer:
        """Remove the keys from an error answer, for services that repeat them."""
        if not (secrets := self._telling_secrets()):
            return answer
        redactor = Redactor(secrets)
        text = redactor.hide(answer.body.decode("utf-8", "surrogateescape"))
        headers = Headers({name: redactor.hide(value) for name, value in answer.headers.items()})
        return replace(answer, headers=headers, body=text.encode("utf-8", "surrogateescape"))

    def _telling_secrets(self) -> list[str]:
        return [secret for secret in (*self._secrets, *self._endpoint.secrets) if len(secret) >= SHORTEST_SECRET]

    def _masked(self, text: str) -> str:
        """Take the keys out of a text, also where the text was cut in the middle of one."""
        secrets = self._telling_secrets()
        text = Redactor(secrets).hide(text)
        for secret in secrets:
            telling = secret[:SHORTEST_SECRET]
            if telling in text[-len(secret) - 1 :]:
                text = text[: text.rindex(telling)] + MASK
        return text


def _client_certificate(endpoint: Endpoint, name: str) -> ssl.SSLContext | None:
    if not endpoint.client_cert_file:
        return None
    try:
        return tls_context(endpoint.client_cert_file, endpoint.client_key_file)
    except OSError as error:
        raise ConfigurationError(
            f"source {name}: cannot use the client certificate {endpoint.client_cert_file}"
            f" with the key {endpoint.client_key_file or 'in the same file'}: {error.strerror or error}"
        ) from None


def _outcome_of(state: RetryCallState) -> object:
    """Return what the last attempt came to. Raises what it raised."""
    return state.outcome.result() if state.outcome else None


def _is_worth_another_attempt(outcome: object) -> bool:
    return (
        isinstance(outcome, TransientError)
        and outcome.retryable
        and (outcome.retry_after is None or outcome.retry_after.total_seconds() <= LONGEST_WAIT_SECONDS)
    )
