"""A message in Block Kit, within its limits, with every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watcher.domain.messages import Detail, Message
from watcher.domain.text import excerpt, spelled
from watcher.notifiers.wording import (
    TABLE_HEAD,
    cells_of,
    cut,
    headline_of,
    links_of,
    moment_of,
    team_of,
)

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
FIELDS_LIMIT = 10
URL_LIMIT = 2000
LINE_LIMIT = 300
CELL_LIMIT = 120
"""The limits of Block Kit, in characters and in fields of a section; a table may have 10,000 characters in all."""
_BLOCKS_OF_FACTS = 40
"""The most facts of a message: with header and context they stay below Slack's 50 blocks even if each has its own."""
_SHORT = 80
"""A longer value gets a section of its own, since the fields of a section stand in two narrow columns."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
Json = Mapping[str, object]


def compose(message: Message, mention: str = "", public_url: str | None = None) -> Json:
    """Return the message in Block Kit, with `text` for notifications and for clients that show no blocks.

    `mention` is markup that calls people; it comes from the settings and is not escaped. `public_url` is where the
    watcher's page is.
    """
    headline = headline_of(message)
    called = f"{mention} " if mention else ""
    return {
        "text": called + _told(message, headline, SECTION_LIMIT - len(called)),
        "blocks": [
            {"type": "header", "text": _plain(headline, HEADER_LIMIT)},
            *([{"type": "section", "text": _mrkdwn(mention)}] if mention else []),
            *_body(message),
            *_links(message, public_url),
            {"type": "context", "elements": [_context(message)]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def in_lines(message: Message) -> Message:
    """Return the message without a table, for a Slack that takes none: it says `invalid_blocks`, and posts nothing."""
    return replace(message, table=())


def line_of(message: Message) -> Json:
    """Return the message as one line: for the history of a job, below the message that tells how it stands."""
    text = _escape(headline_of(message), LINE_LIMIT)
    blocks = [{"type": "context", "elements": [_mrkdwn(text)]}, {"type": "context", "elements": [_context(message)]}]
    return {"text": text, "blocks": blocks}


def markup(value: str) -> str:
    """Write a value so that it means nothing but itself: for texts in words of the settings."""
    return _escape(value, SECTION_LIMIT)


def _body(message: Message) -> list[Json]:
    if message.text is not None:
        return [_own(message.text)]
    return [_table(message)] if message.table else _sections(message.facts[:_BLOCKS_OF_FACTS])


def _own(text: str) -> Json:
    return {"type": "section", "text": _mrkdwn(cut(text, SECTION_LIMIT))}


def _told(message: Message, headline: str, limit: int) -> str:
    """Return all of it as one text."""
    if message.text is not None:
        return cut(f"{_escape(headline, HEADER_LIMIT)}\n{message.text}", limit)
    facts = (f"{fact.label}: {fact.value}" for fact in message.facts[:_BLOCKS_OF_FACTS])
    return _escape(" · ".join([headline, *facts]), limit)


def _context(message: Message) -> Json:
    """Return the small print: where it happened, its team, when, and the id of the event."""
    moment, team = int(message.created_at.timestamp()), team_of(message)
    parts = [
        *([_escape(f"source {message.data['source']}", _SHORT)] if "source" in message.data else []),
        *([_escape(f"team {team}", _SHORT)] if team else []),
        f"<!date^{moment}^{{date_short_pretty}} {{time_secs}}|{moment_of(message)}>",
        message.id,
    ]
    return _mrkdwn(" · ".join(parts))


def _links(message: Message, public_url: str | None) -> list[Json]:
    """Return links to the job's pages: that of the watcher, and that of its service, where it has one."""
    targets = links_of(message, public_url, URL_LIMIT // 2)
    links = [f"<{_escape(target, SECTION_LIMIT // 2)}|{text}>" for text, target in targets.items()]
    return [{"type": "section", "text": _mrkdwn(" · ".join(links))}] if links else []


def _table(message: Message) -> Json:
    return {
        "type": "table",
        "rows": [[_cell(text) for text in row] for row in [TABLE_HEAD, *map(cells_of, message.table)]],
        "column_settings": [{"is_wrapped": True}, {}, {"is_wrapped": True}],
    }


def _cell(text: str) -> Json:
    # Raw: nothing in it is markup. An empty cell is refused.
    return {"type": "raw_text", "text": excerpt(text, CELL_LIMIT) or "\u2013"}


def _sections(facts: Sequence[Detail]) -> list[Json]:
    short = [_field(fact, FIELD_LIMIT) for fact in facts if len(fact.value) <= _SHORT]
    sections: list[Json] = [
        {"type": "section", "fields": short[start : start + FIELDS_LIMIT]}
        for start in range(0, len(short), FIELDS_LIMIT)
    ]
    long = [_field(fact, SECTION_LIMIT) for fact in facts if len(fact.value) > _SHORT]
    return sections + [{"type": "section", "text": field} for field in long]


def _field(fact: Detail, limit: int) -> Json:
    label = f"*{_escape(fact.label, _SHORT)}*\n"
    if not fact.is_code:
        return _mrkdwn(label + _escape(fact.value, limit - len(label)))
    code = _escape(fact.value.replace("`", "'"), limit - len(label) - 2)
    return _mrkdwn(f"{label}`{code}`")


def _mrkdwn(text: str) -> Json:
    # Verbatim: else Slack looks for @channel, #names and addresses in the text itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> Json:
    return {"type": "plain_text", "text": _escape(text, limit), "emoji": False}


def _escape(text: str, limit: int) -> str:
    return spelled(text, _ENTITIES, limit)
