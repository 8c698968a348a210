"""The Apprise notifier: a bridge to all the services that Apprise knows, by its URLs.

Apprise makes one attempt and says yes or no. What it does not pass on is lost: how long a service asks to be left
alone, and whether it refuses a message for good. So every failure is tried again, by the schedule alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from watcher.domain.deliveries import Delivered, Failed, Outcome
from watcher.domain.messages import Message, Severity
from watcher.domain.text import excerpt
from watcher.errors import ConfigurationError
from watcher.notifiers.blocking import BlockingAttempts
from watcher.notifiers.wording import links_of, own_lines_of, small_print_of
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section
from watcher.redaction import Redactor

if TYPE_CHECKING:
    from apprise import Apprise

PATIENCE = timedelta(seconds=15)
"""How long an attempt may take."""
CONCURRENCY = 2
_THREADS = 4
"""Attempts at most, abandoned ones among them: nothing can end them early."""
TITLE_LIMIT = 200
VALUE_LIMIT = 1000
FACTS_LIMIT = 100
URL_LIMIT = 2000
_ERROR_EXCERPT = 200
_DEFAULTS: Mapping[str, str] = {"rto": "10", "cto": "5", "overflow": "truncate"}
"""Seconds to read and to connect, where the URL does not say; and a text that a service finds too long is cut."""
_TYPES: Mapping[Severity, str] = {
    Severity.GOOD: "success",
    Severity.BAD: "failure",
    Severity.CANCELLED: "warning",
    Severity.NEUTRAL: "info",
}


class Config(Section):
    """Which service, in Apprise's words."""

    url: SecretStr
    """An Apprise URL such as `tgram://token/chat`, for one service and one target. It is a secret."""


class AppriseNotifier:
    """Sends by Apprise, each attempt in a thread."""

    concurrency = CONCURRENCY

    def __init__(self, config: Config, context: Context, patience: timedelta = PATIENCE) -> None:
        """Make the notifier. Raises ConfigurationError without Apprise, and for what is no URL of one target."""
        url, self._public_url = config.url.get_secret_value(), context.public_url
        self._apprise = _open(context.name, _with_defaults(url))
        self._mask = Redactor([url, *url.partition("://")[2].replace("?", "/").replace("@", "/").split("/")])
        self._attempts = BlockingAttempts(_THREADS, patience)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt."""
        title, kind = excerpt(message.title, TITLE_LIMIT), _TYPES[message.severity]
        body = text_of(message, self._public_url)
        return await self._attempts.run(lambda: self._notify(title, body, kind), lambda: None)

    def _notify(self, title: str, body: str, kind: str) -> Outcome:
        result = self._apprise.notify(body=body, title=title, notify_type=kind, body_format="text")
        if result:
            return Delivered()
        told = [entry.message for entry in result.logs() if entry.level in {"WARNING", "ERROR", "CRITICAL"}]
        why = " ".join(self._mask.hide(" ".join(told)).split())
        return Failed(excerpt(f"Apprise says no: {why}" if why else "Apprise says no", _ERROR_EXCERPT))


plugin = Plugin(Config, AppriseNotifier)


def text_of(message: Message, public_url: str | None = None) -> str:
    """Return the message in plain text, which Apprise escapes for services that show markup.

    `public_url` is where the watcher's page is.
    """
    links = links_of(message, public_url, URL_LIMIT)
    facts = message.facts[:FACTS_LIMIT] if message.text is None else ()
    told = [*facts, *small_print_of(message)]
    lines = [
        *own_lines_of(message, VALUE_LIMIT),
        *(f"{excerpt(fact.label, TITLE_LIMIT)}: {excerpt(fact.value, VALUE_LIMIT)}" for fact in told),
    ]
    return "\n".join([*lines, *(f"{text}: {target}" for text, target in links.items())])


def _open(name: str, url: str) -> Apprise:
    try:
        from apprise import Apprise, AppriseAsset
    except ImportError:
        raise ConfigurationError(
            f"notifier {name}: Apprise is not installed; install it with the extra: finetune-watcher[apprise]"
        ) from None
    # What these say of a request repeats its address.
    logging.getLogger("apprise").propagate = False
    logging.getLogger("apprise").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    opened = Apprise(asset=AppriseAsset(app_id="finetune-watcher", async_mode=False, secure_logging=True))
    if not opened.add(url) or len(opened) != 1 or len(opened[0]) != 1:
        raise ConfigurationError(f"notifier {name}: url must be an Apprise URL of one service with one target")
    return opened


def _with_defaults(url: str) -> str:
    for name, value in _DEFAULTS.items():
        if f"{name}=" not in url:
            url += f"{'&' if '?' in url else '?'}{name}={value}"
    return url
