"""Webhooks of services, known by their signatures: each makes a job due, and says nothing more."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from math import ceil

from starlette.requests import Request
from starlette.responses import Response

from watcher.domain.text import excerpt
from watcher.domain.token_bucket import TokenBucket
from watcher.errors import WebhookError
from watcher.plugins.source import ReadWebhook, Webhook
from watcher.server.context import ServerContext
from watcher.server.parsing import LONGEST_ECHO, no_query, read_body
from watcher.server.problems import Problem

HOOKS_PER_MINUTE = 600
HOOKS_AT_ONCE = 100
"""How many may come to one source in a minute, and at once. Services send those again that are refused."""
REMEMBERED_FOR = timedelta(minutes=15)
"""How long an id is remembered; longer than a webhook may be on its way, five minutes early or late."""
IDS_REMEMBERED = 10_000
_CHALLENGE = {"WWW-Authenticate": "StandardWebhooks"}


class Webhooks:
    """Takes what services post."""

    def __init__(
        self,
        context: ServerContext,
        *,
        per_minute: float = HOOKS_PER_MINUTE,
        at_once: int = HOOKS_AT_ONCE,
        ids_remembered: int = IDS_REMEMBERED,
    ) -> None:
        self._context = context
        self._per_minute, self._at_once = per_minute, at_once
        self._ids_remembered = ids_remembered
        self._buckets: dict[str, TokenBucket] = {}
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        """The ids that were taken lately, with the source, and when."""

    async def take(self, request: Request) -> Response:
        """Check a webhook, and have asked for what it tells of; one that was taken before is answered as it was."""
        no_query(request)
        source, inbox = str(request.path_params["source"]), self._context.webhooks()
        read = inbox.reader(source) if inbox else None
        if inbox is None or read is None:
            shown = excerpt(source, LONGEST_ECHO)
            raise Problem(HTTPStatus.NOT_FOUND, f"No webhooks are taken for {shown}: no such source has a secret.")
        self._keep_to_rate(source)
        headers = _headers(request)
        webhook = self._read(read, source, headers, await read_body(request, self._context.body_timeout))
        if not self._has_seen(source, webhook):
            await inbox.take(source, webhook)
            self._remember(source, webhook)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    def _keep_to_rate(self, source: str) -> None:
        now = self._context.clock().timestamp()
        bucket = self._buckets.setdefault(source, TokenBucket(self._per_minute, self._at_once, now))
        if (left := bucket.left(now)) < 1:
            text = f"More than {self._per_minute:g} webhooks a minute; send it again later."
            wait = ceil((1 - left) * 60 / self._per_minute)
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, text, headers={"Retry-After": str(wait)})
        bucket.take()

    def _read(self, read: ReadWebhook, source: str, headers: Mapping[str, str], body: bytes) -> Webhook:
        try:
            return read(headers, body)
        except WebhookError as error:
            self._context.log.info("webhook refused", source=source, error=str(error))
            raise Problem(HTTPStatus.UNAUTHORIZED, str(error), headers=_CHALLENGE) from None

    def _has_seen(self, source: str, webhook: Webhook) -> bool:
        horizon = self._context.clock() - REMEMBERED_FOR
        while self._seen and next(iter(self._seen.values())) < horizon:
            self._seen.popitem(last=False)
        return (source, webhook.id) in self._seen

    def _remember(self, source: str, webhook: Webhook) -> None:
        self._seen[source, webhook.id] = self._context.clock()
        while len(self._seen) > self._ids_remembered:
            self._seen.popitem(last=False)


def _headers(request: Request) -> Mapping[str, str]:
    """Return the headers. Raises Problem for one of a webhook's own that is there twice: which one was signed?"""
    counts = Counter(name for name in request.headers if name.startswith("webhook-"))
    if twice := [name for name, count in counts.items() if count > 1]:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The header {excerpt(twice[0], LONGEST_ECHO)} is there more than once.")
    return request.headers
