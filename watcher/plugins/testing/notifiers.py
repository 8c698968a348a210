"""What the watcher expects of any notifier, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from watcher.domain.deliveries import Delivered, Failed, Rejected
from watcher.domain.messages import Message, message_of_test
from watcher.domain.samples import kinds, sample
from watcher.http import Bounds, HttpClient, Pacer
from watcher.plugins.notifier import Context, Notifier, Plugin
from watcher.plugins.testing.loopback import Loopback, Reply, loopback
from watcher.plugins.testing.secrecy import check_hidden, check_settings

_TIMEOUT = timedelta(seconds=5)
_ANSWER_LIMIT = 64 * 1024
_TROUBLE = (400, 404, 429, 500, 503)


class NotifierContract:
    """What the watcher expects of any notifier."""

    plugin: ClassVar[Plugin[Any]]
    secrets: ClassVar[Sequence[str]] = ()
    """What the settings hold that nothing may show."""
    accepted: ClassVar[bytes] = b"ok"
    """The body with which its receiver takes a message."""
    speaks_http: ClassVar[bool] = True
    """Whether its messages go to the URL that `settings` is given; else only what needs no receiver is tried."""

    def settings(self, url: str) -> Mapping[str, object]:
        """Return settings with which it sends to this URL."""
        raise NotImplementedError

    def test_settings_show_no_secret(self) -> None:
        """Secrets are fields of the type SecretStr; what cannot be read is refused without being repeated."""
        check_settings(self.plugin.config, self.settings("http://127.0.0.1:9"), self.secrets)

    def test_every_kind_of_event_is_sent_with_its_id(self) -> None:
        """Each arrives once, and shows its id, by which receivers drop duplicates."""
        messages = [message_of_test("trial", _now()), *(sample(kind, _now()) for kind in kinds())]

        async def tell(notifier: Notifier, server: Loopback) -> None:
            for message in messages:
                server.received.clear()
                outcome = await notifier.send(message)
                assert isinstance(outcome, Delivered), f"{message.type}: {outcome}"
                arrived = [message.id in request for request in server.received]
                assert arrived == [True] or not self.speaks_http, f"{message.type}: the id is in {arrived} of requests"

        self._try(Reply(body=self.accepted), tell)

    def test_another_attempt_is_the_same_message(self) -> None:
        """It keeps nothing of an attempt: the watcher tries again, perhaps in another process."""

        async def repeat(notifier: Notifier, server: Loopback) -> None:
            message = _a_message()
            outcomes = [await notifier.send(message) for _ in range(2)]
            assert all(isinstance(outcome, Delivered) for outcome in outcomes), f"{outcomes}"
            assert len(server.received) == 2 or not self.speaks_http, f"{len(server.received)} requests"  # noqa: PLR2004

        self._try(Reply(body=self.accepted), repeat)

    def test_as_many_as_it_allows_go_out_side_by_side(self) -> None:
        """`concurrency` is how many."""

        async def crowd(notifier: Notifier, _server: Loopback) -> None:
            assert notifier.concurrency >= 1, "concurrency: at least 1"
            messages = [replace(_a_message(), id=f"evt_{number:032x}") for number in range(notifier.concurrency)]
            outcomes = await asyncio.gather(*(notifier.send(message) for message in messages))
            assert all(isinstance(outcome, Delivered) for outcome in outcomes), f"{outcomes}"

        self._try(Reply(body=self.accepted), crowd)

    def test_what_goes_wrong_at_the_receiver_is_an_outcome(self) -> None:
        """Failed is tried again, Rejected never: `send` raises nothing, makes one attempt, and takes none for sent."""
        replies = [*(Reply(status, b"trouble") for status in _TROUBLE), Reply(breaks=True)]
        for reply in replies if self.speaks_http else ():

            async def refuse(notifier: Notifier, server: Loopback, reply: Reply = reply) -> None:
                outcome = await notifier.send(_a_message())
                assert isinstance(outcome, Failed | Rejected), f"{reply}: {outcome}"
                assert len(server.received) == 1, f"{reply}: {len(server.received)} attempts"

            self._try(reply, refuse)

    def test_a_receiver_that_repeats_secrets_does_not_get_them_told(self) -> None:
        """What an outcome says is shown and recorded."""
        for status in (200, 400, 500) if self.speaks_http else ():

            async def echo(notifier: Notifier, _server: Loopback) -> None:
                check_hidden(self.secrets, await notifier.send(_a_message()), notifier)

            self._try(Reply(status, echoes=True), echo)

    def _try(self, reply: Reply, trial: Callable[[Notifier, Loopback], Awaitable[None]]) -> None:
        async def run() -> None:
            bounds = Bounds(_TIMEOUT, concurrency=16, size_limit=_ANSWER_LIMIT, keeps_connections=False)
            with loopback(reply) as server:
                config = self.plugin.config.model_validate(self.settings(server.url))
                async with HttpClient(bounds) as http:
                    await trial(self.plugin.build(config, Context("trial", http, _NoPacer(), _now)), server)

        asyncio.run(run())


class _NoPacer(Pacer):
    async def turn(self, address: str, spacing: timedelta) -> None:
        """Wait for nothing."""


def _now() -> datetime:
    return datetime.now(UTC)


def _a_message() -> Message:
    return sample("failed", _now())
