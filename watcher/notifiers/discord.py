"""The Discord notifier: an embed, posted by a channel's webhook.

Limits, answers and codes are those of Discord's documentation of webhooks, messages, rate limits and error codes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import SecretStr

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Detail, Message, Severity, TableRow
from watcher.domain.text import printable, spelled, utf16_length
from watcher.http import Answer
from watcher.notifiers.http import Address, Receiver, json_of
from watcher.notifiers.wording import MARKS, cut, headline_of, left_out, links_of, small_print_of
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section

SPACING = timedelta(seconds=0.5)
"""A webhook takes about five messages in two seconds."""
TITLE_LIMIT = 256
FIELD_NAME_LIMIT = 256
FIELD_LIMIT = 1024
FIELDS_LIMIT = 25
FOOTER_LIMIT = 2048
DESCRIPTION_LIMIT = 3500
EMBED_LIMIT = 6000
LINK_LIMIT = 900
"""The limits of an embed, in characters and fields; EMBED_LIMIT is for all of its texts together. A link may stand in
a field."""
_SHORT = 80
"""A longer value gets a line of its own."""
_LONGEST_NOTE = len(left_out(1000))
_COLOURS: Mapping[Severity, int] = {
    Severity.GOOD: 0x2E7D32,
    Severity.BAD: 0xC62828,
    Severity.CANCELLED: 0x757575,
    Severity.NEUTRAL: 0x1565C0,
}
_MARKDOWN = {character: f"\\{character}" for character in "\\*_~`|<[@"}
"""Whatever begins a style, a link or a mention in Discord's Markdown."""
_LINE_STARTS = ("#", "-", "+", ">")
"""What makes a heading, a list or a quotation of a line that begins with it."""
_CODE = {"`": "'"}
_FINAL_CODES = frozenset(
    {
        10003,  # unknown channel
        10015,  # unknown webhook: it was deleted
        40005,  # the request is too large
        50006,  # an empty message
        50027,  # the webhook's token is not valid
        50035,  # a form that is not valid
        220001,  # a forum's webhook wants a thread
    }
)
"""What Discord says of a message, or of a webhook, that it will never take."""
_Json = Mapping[str, object]


class Config(Section):
    """Where to post."""

    webhook_url: Address
    """The address of the channel's webhook. It is a secret."""


class Discord:
    """Posts one embed after the other."""

    concurrency = 1

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._address = config.webhook_url.get_secret_value()
        self._pacer, self._public_url = context.pacer, context.public_url
        asking = SecretStr(_asking_for_an_answer(self._address))
        self._receiver = Receiver(context, asking, secrets=[self._address], is_final=_is_final, wait_in=_wait_in)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt."""
        await self._pacer.turn(self._address, SPACING)
        body = json.dumps(compose(message, self._public_url), separators=(",", ":"))
        return await self._receiver.post(body, {"content-type": "application/json"})


def markup(value: str) -> str:
    """Write a value so that it means nothing but itself: for texts in words of the settings."""
    return spelled(value, _MARKDOWN, FIELD_LIMIT)


plugin = Plugin(Config, Discord, markup=markup)


def compose(message: Message, public_url: str | None = None) -> _Json:
    """Return the message as an embed that mentions no one. `public_url` is where the watcher's page is."""
    title = spelled(headline_of(message), _MARKDOWN, TITLE_LIMIT)
    footer = _footer(message)
    facts = message.facts if message.text is None and not message.table else ()
    links = list(links_of(message, public_url, LINK_LIMIT).items())
    more = list(map(_link, links[1:]))
    told = (title, footer, left_out(1000), *(str(field[part]) for field in more for part in ("name", "value")))
    fields = list(_fields(facts, EMBED_LIMIT - sum(map(utf16_length, told))))
    embed = {
        "title": title,
        **({"url": links[0][1]} if links else {}),
        **({"description": left_out(lacking)} if (lacking := len(facts) - len(fields)) else {}),
        **({"description": _rows(message.table)} if message.table else {}),
        **({"description": cut(message.text, DESCRIPTION_LIMIT)} if message.text is not None else {}),
        "color": _COLOURS[message.severity],
        "fields": [*fields, *more],
        "footer": {"text": footer},
        "timestamp": message.created_at.astimezone(UTC).isoformat(),
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _rows(table: Sequence[TableRow]) -> str:
    """Return a line for each row, as many as there is room for: an embed has no tables."""
    lines, room = [], DESCRIPTION_LIMIT
    for row in table:
        mark = f"{MARKS[row.severity]} " if row.outcome else ""
        told = (f"**{_spelled(row.name)}**", _spelled(row.outcome), _spelled(row.detail))
        lines.append(mark + " \u00b7 ".join(part for part in told if part))
        room -= utf16_length(lines[-1]) + 1
        if room < _LONGEST_NOTE:
            return "\n".join([*lines[:-1], f"and {len(table) - len(lines) + 1} more"])
    return "\n".join(lines)


def _spelled(text: str) -> str:
    return spelled(text, _MARKDOWN, FIELD_LIMIT)


def _fields(facts: Sequence[Detail], room: int) -> Iterator[_Json]:
    """Yield the facts that there is room for, in their order."""
    for fact in facts[: FIELDS_LIMIT - 1]:  # the last one may be a link
        name, value = spelled(fact.label, _MARKDOWN, FIELD_NAME_LIMIT), _value(fact)
        room -= utf16_length(name) + utf16_length(value)
        if room < 0:
            return
        yield {"name": name or "none", "value": value, "inline": len(fact.value) <= _SHORT and not fact.is_code}


def _link(link: tuple[str, str]) -> _Json:
    """Return a field for a link that the title, which has one, cannot have."""
    text, target = link
    return {"name": "Link", "value": f"[{text}]({target.replace('(', '%28').replace(')', '%29')})", "inline": False}


def _value(fact: Detail) -> str:
    if not fact.value:
        return "none"  # a field without a value is refused
    if fact.is_code:
        return f"`{spelled(fact.value, _CODE, FIELD_LIMIT - 2)}`"
    shield = "\\" if fact.value.startswith(_LINE_STARTS) else ""
    return shield + spelled(fact.value, _MARKDOWN, FIELD_LIMIT - 1)


def _footer(message: Message) -> str:
    # Discord shows no Markdown here, and the time in the reader's own zone beside it.
    told = (f"{fact.label.lower()} {fact.value}" for fact in small_print_of(message) if fact.label != "Time")
    return spelled(" · ".join(map(printable, told)), {}, FOOTER_LIMIT)


def _asking_for_an_answer(address: str) -> str:
    """Return the address with `wait`: without it Discord says nothing of a message that it does not keep."""
    parts = urlsplit(address)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "wait"]
    return parts._replace(query=urlencode([*query, ("wait", "true")])).geturl()


def _is_final(answer: Answer) -> bool:
    return json_of(answer).get("code") in _FINAL_CODES


def _wait_in(answer: Answer) -> timedelta | None:
    """Return how long Discord asks to wait: its body knows fractions of a second, its header does not."""
    seconds = json_of(answer).get("retry_after")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        return None
    return timedelta(seconds=min(float(seconds), timedelta(days=365).total_seconds()))
