"""The Microsoft Teams notifier: an Adaptive Card, posted to a webhook of Workflows.

The format is that of Microsoft's documentation of webhooks with Workflows and of Adaptive Cards. A workflow accepts a
card with 202 before it posts it: what fails behind that is seen in the workflow's own history only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Detail, Message, Severity
from watcher.domain.text import excerpt
from watcher.http import Answer
from watcher.notifiers.http import Address, Receiver, json_of
from watcher.notifiers.wording import (
    TABLE_HEAD,
    cells_of,
    headline_of,
    left_out,
    links_of,
    own_lines_of,
    small_print_of,
)
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section

SPACING = timedelta(seconds=0.25)
"""A webhook takes four messages a second."""
PAYLOAD_LIMIT = 20_000
"""Bytes. Teams takes 28 kB, counted after the workflow has wrapped the card: messages of 24 kB were refused."""
TITLE_LIMIT = 500
VALUE_LIMIT = 2000
URL_LIMIT = 2000
_STYLES: Mapping[Severity, str] = {
    Severity.GOOD: "good",
    Severity.BAD: "attention",
    Severity.CANCELLED: "warning",
    Severity.NEUTRAL: "emphasis",
}
_WIDTHS = (3, 2, 5)
"""Of the columns of a table, beside each other."""
_FINAL_CODES = frozenset({"WorkflowNotFound", "TriggerInputSchemaMismatch"})
"""A workflow that was deleted, and a card that it cannot take. One that is switched off may be switched on again."""
_Json = Mapping[str, object]


class Config(Section):
    """Where to post."""

    webhook_url: Address
    """The address of the workflow's trigger "When a Teams webhook request is received". It is a secret."""


class Teams:
    """Posts one card after the other."""

    concurrency = 1

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._address = config.webhook_url
        self._pacer, self._public_url = context.pacer, context.public_url
        self._receiver = Receiver(context, config.webhook_url, is_final=_is_final)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt."""
        await self._pacer.turn(self._address.get_secret_value(), SPACING)
        return await self._receiver.post(encode(message, self._public_url), {"content-type": "application/json"})


plugin = Plugin(Config, Teams)


def encode(message: Message, public_url: str | None = None) -> str:
    """Return the message with as many facts as there is room for. `public_url` is where the watcher's page is."""
    for count in range(len(_lines(message)), 0, -1):
        text = json.dumps(compose(message, count, public_url), separators=(",", ":"))
        if len(text) <= PAYLOAD_LIMIT:
            return text
    return json.dumps(compose(message, 0, public_url), separators=(",", ":"))


def compose(message: Message, count: int, public_url: str | None = None) -> _Json:
    """Return the message as a card with its first `count` facts.

    Texts stand in text runs, which know no Markdown, no HTML and no mentions, so nothing in them needs escaping.
    """
    links = links_of(message, public_url, URL_LIMIT)
    actions = [{"type": "Action.OpenUrl", "title": text, "url": target} for text, target in links.items()]
    lines = _lines(message)
    lacking, what = len(lines) - count, "fact" if message.text is None and not message.table else "line"
    title = _run(excerpt(headline_of(message), TITLE_LIMIT), size="Large", weight="Bolder")
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "Container", "style": _STYLES[message.severity], "bleed": True, "items": [_block(title)]},
            *lines[:count],
            *([_block(_run(left_out(lacking, what), isSubtle=True))] if lacking else []),
            _block(_run(_small_print(message), size="Small", isSubtle=True)),
        ],
        **({"actions": actions} if actions else {}),
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _lines(message: Message) -> Sequence[_Json]:
    if message.text is not None:
        return [_block(_run(line or " ")) for line in own_lines_of(message, VALUE_LIMIT)]
    if message.table:
        return [_row(TABLE_HEAD, weight="Bolder"), *(_row(cells_of(row)) for row in message.table)]
    return list(map(_line, message.facts))


def _row(cells: Sequence[str], **style: object) -> _Json:
    """Return a row of columns: clients that know no tables yet show them as such."""
    columns = [
        {"type": "Column", "width": width, "items": [_block(_run(excerpt(text, VALUE_LIMIT) or " ", **style))]}
        for text, width in zip(cells, _WIDTHS, strict=True)
    ]
    return {"type": "ColumnSet", "spacing": "Small", "columns": columns}


def _line(fact: Detail) -> _Json:
    value = excerpt(fact.value, VALUE_LIMIT) or "none"
    code = {"fontType": "Monospace"} if fact.is_code else {}
    return _block(_run(f"{excerpt(fact.label, TITLE_LIMIT)}: ", weight="Bolder"), _run(value, **code))


def _small_print(message: Message) -> str:
    return " · ".join(f"{fact.label.lower()} {excerpt(fact.value, TITLE_LIMIT)}" for fact in small_print_of(message))


def _block(*runs: _Json) -> _Json:
    return {"type": "RichTextBlock", "inlines": runs}


def _run(text: str, **style: object) -> _Json:
    return {"type": "TextRun", "text": text, **style}


def _is_final(answer: Answer) -> bool:
    error = json_of(answer).get("error")
    return isinstance(error, Mapping) and error.get("code") in _FINAL_CODES
