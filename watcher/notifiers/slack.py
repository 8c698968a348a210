"""The Slack notifier: what a person wants to read, posted to an incoming webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from watcher.domain.deliveries import SERVICE_RETRY_POLICY, Failed, Outcome
from watcher.domain.messages import Detail, Message, Severity
from watcher.domain.text import printable
from watcher.http import Answer
from watcher.notifiers.http import Address, Receiver
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section

SPACING = timedelta(seconds=1)
"""Slack takes about one message a second per webhook."""
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
FIELDS_LIMIT = 10
"""The limits of Block Kit, in characters and in fields of a section."""
_BLOCKS_OF_FACTS = 40
"""Facts told at most: with header and context they stay below Slack's 50 blocks even if each has its own."""
_SHORT = 80
"""A longer value gets a section of its own, since the fields of a section stand in two narrow columns."""
_MARKS: Mapping[Severity, str] = {Severity.GOOD: "\u2705", Severity.BAD: "\u274c", Severity.NEUTRAL: "\u2139\ufe0f"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_Json = Mapping[str, object]


class Config(Section):
    """Where to post."""

    webhook_url: Address
    """The address of the incoming webhook. It is a secret."""


class Slack:
    """Posts one message a second at most, and keeps quiet for as long as Slack asks."""

    at_once = 1

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._address = config.webhook_url
        self._context = context
        self._receiver = Receiver(context, config.webhook_url, accepts=_is_ok)
        self._quiet_until: datetime | None = None
        self._refusal = ""
        """What Slack said when it asked."""

    async def send(self, message: Message) -> Outcome:
        """Make one attempt, unless Slack's wish to be left alone still holds: going on might get the app disabled."""
        quiet = self._quiet()
        if quiet > timedelta():
            return Failed(f"not sent: Slack has asked to wait: {self._refusal}", quiet)
        await self._context.pacer.turn(self._address.get_secret_value(), SPACING)
        body = json.dumps(compose(message), separators=(",", ":"))
        outcome = await self._receiver.post(body, {"content-type": "application/json"})
        if isinstance(outcome, Failed) and outcome.retry_after:
            self._refusal = outcome.error
            self._quiet_until = self._context.clock() + min(
                outcome.retry_after, SERVICE_RETRY_POLICY.longest_retry_after
            )
        return outcome

    def _quiet(self) -> timedelta:
        return self._quiet_until - self._context.clock() if self._quiet_until else timedelta()


plugin = Plugin(Config, Slack)


def compose(message: Message) -> _Json:
    """Return the message in Block Kit, with `text` for notifications and for whatever shows no blocks."""
    headline = f"{_MARKS[message.severity]} {message.title}"
    facts = message.facts[:_BLOCKS_OF_FACTS]
    told = " · ".join([headline, *(f"{fact.label}: {fact.value}" for fact in facts)])
    return {
        "text": _escape(told, SECTION_LIMIT),
        "blocks": [
            {"type": "header", "text": _plain(headline, HEADER_LIMIT)},
            *_sections(facts),
            {"type": "context", "elements": [_plain(_origin(message), SECTION_LIMIT)]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _is_ok(answer: Answer) -> bool:
    # A 200 alone may come from a proxy on the way.
    return answer.is_success and answer.body.strip() == b"ok"


def _origin(message: Message) -> str:
    job = [f"{message.data['source']}/{message.data['id']}"] if "source" in message.data else []
    return " · ".join([*job, message.id, f"{message.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"])


def _sections(facts: Sequence[Detail]) -> list[_Json]:
    short = [_field(fact, FIELD_LIMIT) for fact in facts if len(fact.value) <= _SHORT]
    sections: list[_Json] = [
        {"type": "section", "fields": short[start : start + FIELDS_LIMIT]}
        for start in range(0, len(short), FIELDS_LIMIT)
    ]
    long = [_field(fact, SECTION_LIMIT) for fact in facts if len(fact.value) > _SHORT]
    return sections + [{"type": "section", "text": field} for field in long]


def _field(fact: Detail, limit: int) -> _Json:
    label = f"*{_escape(fact.label, _SHORT)}*\n"
    if not fact.is_code:
        return _mrkdwn(label + _escape(fact.value, limit - len(label)))
    code = _escape(fact.value.replace("`", "'"), limit - len(label) - 2)
    return _mrkdwn(f"{label}`{code}`")


def _mrkdwn(text: str) -> _Json:
    # Verbatim: else Slack looks for @channel, #names and addresses in the text itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> _Json:
    return {"type": "plain_text", "text": _escape(text, limit), "emoji": False}


def _escape(text: str, limit: int) -> str:
    """Return the text on one line, harmless in Slack's markup, at most `limit` characters long, `…` where it was cut.

    Characters count as UTF-16 counts them, the most that any receiver makes of them.
    """
    pieces: list[str] = []
    room = limit - 1  # for the …
    safe = printable(text[: limit + 1])
    for character in safe:
        piece = _ENTITIES.get(character, character)
        room -= _length(piece)
        if room < 0:
            return "".join(pieces) + "…"
        pieces.append(piece)
    return "".join(pieces)


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
