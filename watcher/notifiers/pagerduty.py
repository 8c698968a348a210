"""The PagerDuty notifier: an alert for what needs a person, resolved when that is over; other news as change events.

Fields, limits and answers are those of PagerDuty's documentation of the Events API v2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Detail, Message, Severity
from watcher.domain.text import excerpt
from watcher.http import Answer
from watcher.notifiers.http import Receiver, json_of
from watcher.notifiers.wording import left_out, links_of, own_lines_of, small_print_of
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section
from watcher.plugins.values import BaseUrl, Key

SUMMARY_LIMIT = 1024
DEDUP_KEY_LIMIT = 255
LABEL_LIMIT = 100
DETAIL_LIMIT = 800
"""Characters of a detail."""
DETAILS_LIMIT = 40
"""With these bounds an event stays below PagerDuty's 512 kB, however its characters are written in JSON."""
URL_LIMIT = 2000
KEY_RULE = 'must be the integration key of 32 characters of an integration "Events API v2"'
_KEY_LENGTH = 32
_ACTIONS: Mapping[Severity, str] = {
    Severity.BAD: "trigger",
    Severity.GOOD: "resolve",
    Severity.CANCELLED: "resolve",  # what has been stopped needs no person any more
}
"""All other news are change events, which send no notification."""
_WARNINGS = ("watcher.job.",)
"""What may need a person is a warning; what has failed is an error."""


def _check_routing_key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) != _KEY_LENGTH or not key.get_secret_value().isalnum():
        raise ValueError(KEY_RULE)
    return key


class Config(Section):
    """Which integration gets the events."""

    routing_key: Annotated[Key, AfterValidator(_check_routing_key)]
    """The integration key of a service's integration "Events API v2"."""
    url: BaseUrl = "https://events.pagerduty.com"
    """Where the Events API is; accounts in the EU: `https://events.eu.pagerduty.com`."""


class PagerDuty:
    """Sends events to one integration."""

    concurrency = 4

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._public_url = context.public_url
        self._key = config.routing_key.get_secret_value()
        self._alerts, self._changes = (
            Receiver(context, SecretStr(config.url + path), secrets=[self._key], is_final=_is_final)
            for path in ("/v2/enqueue", "/v2/change/enqueue")
        )

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - by its key
        """Make one attempt."""
        receiver = self._alerts if message.severity in _ACTIONS else self._changes
        body = json.dumps({"routing_key": self._key, **compose(message, self._public_url)}, separators=(",", ":"))
        return await receiver.post(body, {"content-type": "application/json"})


plugin = Plugin(Config, PagerDuty, takes_groups=False)


def compose(message: Message, public_url: str | None = None) -> Mapping[str, object]:
    """Return the message as an event for alerts, or as a change event when it is neither good nor bad.

    `public_url` is where the watcher's page is.
    """
    source = excerpt(str(message.data.get("source", "finetune-watcher")), DEDUP_KEY_LIMIT)
    links = [{"href": target, "text": text} for text, target in links_of(message, public_url, URL_LIMIT).items()]
    payload = {
        "summary": excerpt(message.title, SUMMARY_LIMIT),
        "source": source,
        "timestamp": message.created_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "custom_details": _details(message),
    }
    event: dict[str, object] = {"links": links} if links else {}
    if message.severity not in _ACTIONS:
        return event | {"payload": payload}
    payload |= {
        "severity": "warning" if message.type.startswith(_WARNINGS) else "error",
        "component": source,
        "class": excerpt(message.type, DEDUP_KEY_LIMIT),
    }
    if message.severity is not Severity.BAD:
        payload["severity"] = "info"
    return event | {
        "event_action": _ACTIONS[message.severity],
        "dedup_key": dedup_key_of(message),
        "client": "finetune-watcher",
        "payload": payload,
    }


def dedup_key_of(message: Message) -> str:
    """Return the name of the alert: the same for all that a job or a condition does, from its trouble to its end."""
    key = f"finetune-watcher/{message.thread or message.id}"
    return (
        key if len(key) <= DEDUP_KEY_LIMIT and key.isascii() else f"finetune-watcher/{sha256(key.encode()).hexdigest()}"
    )


def _details(message: Message) -> Mapping[str, str]:
    details: dict[str, str] = {}
    facts = (
        message.facts if message.text is None else (Detail("Text", " / ".join(own_lines_of(message, DETAIL_LIMIT))),)
    )
    for fact in [*facts[:DETAILS_LIMIT], *small_print_of(message)]:
        label = excerpt(fact.label, LABEL_LIMIT)
        details[f"{label} ({len(details) + 1})" if label in details else label] = excerpt(fact.value, DETAIL_LIMIT)
    if (lacking := len(facts) - DETAILS_LIMIT) > 0:
        details["Note"] = left_out(lacking)
    return details


def _is_final(answer: Answer) -> bool:
    """Tell whether PagerDuty itself calls the event not valid: "no" is its documented answer to "retry?"."""
    return json_of(answer).get("status") == "invalid event"
