"""The ntfy notifier: a push notification by ntfy.sh, or by a server of one's own.

Fields, limits and codes are those of ntfy's documentation ("Publish as JSON") and of its server's list of errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, SecretStr

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Detail, Message, Severity
from watcher.domain.text import excerpt
from watcher.http import Answer
from watcher.notifiers.http import Address, Receiver, json_of
from watcher.notifiers.wording import links_of, own_lines_of, small_print_of
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section
from watcher.plugins.values import Key

TITLE_LIMIT = 250
"""More characters than any phone shows of a title."""
MESSAGE_LIMIT = 4096
"""Bytes of a message; a longer one would become an attachment, and none in JSON may."""
URL_LIMIT = 2000
_LINE_LIMIT = 1500
_TOPIC_RULE = "must name a topic, as in https://ntfy.sh/my-topic: 1 to 64 letters, digits, - and _"
_LONGEST_TOPIC = 64
_PRIORITIES: Mapping[Severity, int] = {
    Severity.GOOD: 3,
    Severity.BAD: 4,  # a long vibration and a pop-over
    Severity.CANCELLED: 3,
    Severity.NEUTRAL: 2,  # without a sound
}
_TAGS: Mapping[Severity, str] = {
    Severity.GOOD: "white_check_mark",
    Severity.BAD: "x",
    Severity.CANCELLED: "no_entry_sign",
    Severity.NEUTRAL: "information_source",
}
"""Short codes that ntfy turns into an emoji before the title."""
_WHY = frozenset({"Error", "Error code"})
"""The facts that stand first: a phone shows the first lines only."""
_FINAL_CODES = frozenset({40009, 40010, 40011, 40017, 40018, 40024, 41303})
"""A topic that is not valid or not allowed, a body that the server cannot read, actions that it does not know, and a
body that is too large. A token that is refused is not among them: what is owed still goes out once it is mended."""


def _check_topic(address: SecretStr) -> SecretStr:
    _, topic = _split(address.get_secret_value())
    if (
        not 0 < len(topic) <= _LONGEST_TOPIC
        or not topic.isascii()
        or not topic.replace("-", "").replace("_", "").isalnum()
    ):
        raise ValueError(_TOPIC_RULE)
    return address


class Config(Section):
    """Where to publish."""

    url: Annotated[Address, AfterValidator(_check_topic)]
    """The address of the topic, such as `https://ntfy.sh/my-topic`. It is a secret: its name is enough to read it."""
    token: Key | None = None
    """An access token, for topics that not everyone may write to."""


class Ntfy:
    """Publishes to one topic."""

    concurrency = 4

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._public_url = context.public_url
        server, self._topic = _split(config.url.get_secret_value())
        token = config.token.get_secret_value() if config.token else None
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        secrets = [config.url.get_secret_value(), self._topic, *([token] if token else [])]
        self._receiver = Receiver(context, SecretStr(server), secrets=secrets, is_final=_is_final)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt."""
        body = json.dumps({"topic": self._topic, **compose(message, self._public_url)}, separators=(",", ":"))
        return await self._receiver.post(body, self._headers)


plugin = Plugin(Config, Ntfy)


def compose(message: Message, public_url: str | None = None) -> Mapping[str, object]:
    """Return the message in plain text: ntfy shows Markdown only where it is told to.

    `public_url` is where the watcher's page is. What is tapped opens the first link, each has a button.
    """
    links = links_of(message, public_url, URL_LIMIT)
    actions = [{"action": "view", "label": text, "url": target} for text, target in links.items()]
    return {
        "title": excerpt(message.title, TITLE_LIMIT),
        "message": _text(message),
        "priority": _PRIORITIES[message.severity],
        "tags": [_TAGS[message.severity]],
        **({"click": actions[0]["url"], "actions": actions} if actions else {}),
    }


def _text(message: Message) -> str:
    end = "\n".join(map(_line, small_print_of(message)))
    ordered = sorted(message.facts, key=lambda fact: fact.label not in _WHY)
    facts = "\n".join(map(_line, ordered) if message.text is None else own_lines_of(message, _LINE_LIMIT))
    room = MESSAGE_LIMIT - len(end.encode()) - len("…\n\n".encode())
    encoded = facts.encode()
    if len(encoded) > room:
        facts = encoded[:room].decode(errors="ignore") + "…"
    return "\n".join(filter(None, [facts, end]))


def _line(fact: Detail) -> str:
    return f"{fact.label}: {excerpt(fact.value, _LINE_LIMIT if fact.label == 'Error' else TITLE_LIMIT)}"


def _split(address: str) -> tuple[str, str]:
    """Return the address of the server, to which JSON is posted, and the topic."""
    parts = urlsplit(address)
    above, _, topic = parts.path.rstrip("/").rpartition("/")
    return parts._replace(path=f"{above}/", query="", fragment="").geturl(), unquote(topic)


def _is_final(answer: Answer) -> bool:
    return json_of(answer).get("code") in _FINAL_CODES
