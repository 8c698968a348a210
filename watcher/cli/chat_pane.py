"""Messages in Block Kit as Slack would show them, in a pane of a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from watcher.cli.glyphs import BOLD, DIM, painted
from watcher.cli.text_width import cut, width_of
from watcher.domain.text import printable

_INDENT = "  "
_LEFT_OUT = {"Job", "Model", "Before", "Time in that status", "Parameter", "Error code"}
"""What the table beside tells as well, or what only a wide message has room for."""
_MOST_LINES = 2
"""A longer value is cut."""
_VARIATION = "\ufe0f"
"""Asks for a coloured picture: terminals disagree on its width."""


def message_lines(message: Mapping[str, Any], width: int, *, has_colour: bool) -> list[str]:
    """Draw a message: its headline, what it tells, and the time in small print."""
    lines: list[str] = []
    for block in message.get("blocks", ()):
        kind = block.get("type")
        if kind == "header":
            headline = _text(block["text"]["text"])
            first, *others = wrapped(headline, width)
            lines += [painted(line, BOLD if has_colour else None) for line in (first, *others)]
        elif kind == "section":
            for text in _texts(block):
                label, _, value = text.partition("\n")
                if value and label.strip("*") not in _LEFT_OUT:
                    told = f"{label.strip('*')}: {value.strip('`')}"
                    lines += [_INDENT + line for line in _shortened(told, width - len(_INDENT))]
    return lines


def _texts(block: Mapping[str, Any]) -> Iterator[str]:
    fields = block.get("fields") or [block.get("text") or {}]
    for field in fields:
        yield "\n".join(map(_text, str(field.get("text", "")).split("\n")))


def _text(markup: str) -> str:
    """Return the text that stands behind markup."""
    return printable(html.unescape(re.sub(r"<[^|>]*\|([^>]*)>", r"\1", markup)).replace(_VARIATION, ""))


def _shortened(text: str, width: int) -> list[str]:
    lines = wrapped(text, width)
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[: _MOST_LINES - 1], cut(f"{lines[_MOST_LINES - 1]} …", width)]


def wrapped(text: str, width: int) -> list[str]:
    """Break a text between words; a word that is too long for a line is cut."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if width_of(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return [cut(line, width) for line in lines if line] or [""]


def heading(channel: str, width: int, *, has_colour: bool) -> str:
    """Draw what stands above the messages."""
    return painted(cut(channel, width), DIM if has_colour else None)
