"""The Slack notifier: what a person wants to read, posted to an incoming webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from urllib.parse import quote

from watcher.domain.deliveries import Outcome
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
URL_LIMIT = 2000
"""The limits of Block Kit, in characters and in fields of a section."""
_BLOCKS_OF_FACTS = 40
"""The most facts of a message: with header and context they stay below Slack's 50 blocks even if each has its own."""
_SHORT = 80
"""A longer value gets a section of its own, since the fields of a section stand in two narrow columns."""
_MARKS: Mapping[Severity, str] = {
    Severity.GOOD: "\u2705",
    Severity.BAD: "\u274c",
    Severity.CANCELLED: "\U0001f6ab",
    Severity.NEUTRAL: "\u2139\ufe0f",
}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_Json = Mapping[str, object]


class Config(Section):
    """Where to post."""

    webhook_url: Address
    """The address of the incoming webhook. It is a secret."""


class Slack:
    """Posts one message a second at most."""

    concurrency = 1

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._address = config.webhook_url
        self._context = context
        self._receiver = Receiver(context, config.webhook_url, is_final=_is_final)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt. When Slack asks to wait, the delivery waits, and with it all others to this notifier."""
        await self._context.pacer.turn(self._address.get_secret_value(), SPACING)
        body = json.dumps(compose(message), separators=(",", ":"))
        return await self._receiver.post(body, {"content-type": "application/json"})


plugin = Plugin(Config, Slack, {"SLACK_WEBHOOK_URL": "webhook_url"})


def compose(message: Message) -> _Json:
    """Return the message in Block Kit, with `text` for notifications and for clients that show no blocks."""
    headline = f"{_MARKS[message.severity]} {message.title}"
    facts = message.facts[:_BLOCKS_OF_FACTS]
    told = " · ".join([headline, *(f"{fact.label}: {fact.value}" for fact in facts)])
    return {
        "text": _escape(told, SECTION_LIMIT),
        "blocks": [
            {"type": "header", "text": _plain(headline, HEADER_LIMIT)},
            *_sections(facts),
            *_link(message),
            {"type": "context", "elements": [_context(message)]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


_FINAL_WORDS = frozenset(
    {
        b"invalid_payload",
        b"user_not_found",
        b"invalid_token",
        b"action_prohibited",
        b"channel_not_found",
        b"no_service",
        b"no_active_hooks",
        b"no_team",
        b"channel_is_archived",
        b"posting_to_general_channel_denied",
        b"too_many_attachments",
    }
)
"""What Slack says of a message, or an address, that it will never take: https://docs.slack.dev/messaging/."""


def _is_final(answer: Answer) -> bool:
    return answer.body.strip() in _FINAL_WORDS


def _context(message: Message) -> _Json:
    """Return the small print: where it happened, its team, when, and the id of the event."""
    moment = int(message.created_at.timestamp())
    in_utc = f"{message.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    labels = message.data.get("labels")
    team = labels.get("team") if isinstance(labels, Mapping) else None
    parts = [
        *([_escape(f"source {message.data['source']}", _SHORT)] if "source" in message.data else []),
        *([_escape(f"team {team}", _SHORT)] if team else []),
        f"<!date^{moment}^{{date_short_pretty}} {{time_secs}}|{in_utc}>",
        message.id,
    ]
    return _mrkdwn(" · ".join(parts))


def _link(message: Message) -> list[_Json]:
    """Return a link to the job's page at its service, where it has one."""
    if not message.url:
        return []
    target = quote(message.url, safe=":/?#[]@!$&'()*+,;=%")[:URL_LIMIT]
    return [{"type": "section", "text": _mrkdwn(f"<{_escape(target, URL_LIMIT)}|Open the job at its service>")}]


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

    Characters count as UTF-16 counts them, the largest count that a receiver uses.
    """
    pieces: list[str] = []
    left = limit - 1  # for the …
    safe = printable(text[: limit + 1])
    for character in safe:
        piece = _ENTITIES.get(character, character)
        left -= _length(piece)
        if left < 0:
            return "".join(pieces) + "…"
        pieces.append(piece)
    return "".join(pieces)


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
