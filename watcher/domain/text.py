"""Text from elsewhere, made safe to show on a terminal and in a line of a log."""

from __future__ import annotations

import re
from collections.abc import Mapping

HALVES = "\\ud800-\\udfff"
"""Halves of characters, which are no text; engines of regular expressions that know text only refuse to name them."""
UNSAFE = (
    "\\u0000-\\u001f\\u007f-\\u009f"  # controls: they drive terminals and end lines
    "\\u2028\\u2029"  # ends of lines and paragraphs
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069"  # bidirectional marks, overrides and isolates: they reorder
    "\\u00ad\\u180e\\u200b\\u2060-\\u2065\\u206a-\\u206f\\ufeff\\ufff9-\\ufffb"  # invisible
    f"{HALVES}"  # halves of characters
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # invisible as well
)
"""The characters that are escaped, as they stand between the brackets of a regular expression.

The joiners U+200C and U+200D are not among them: Persian, the scripts of India and emoji are written with them.
"""
_LONGEST_NAME = 100
_UNSAFE = re.compile(f"[{UNSAFE}]")


def printable(text: str) -> str:
    r"""Return the text with everything that could drive a terminal or forge a line written as `\x1b`, `\n`, …."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def is_printable(text: str) -> bool:
    """Return whether nothing in the text needs to be escaped."""
    return _UNSAFE.search(text) is None


def excerpt(text: str, limit: int) -> str:
    """Return the beginning of the text, at most `limit` characters, safe to show, with `…` where it was cut."""
    # Escaping only ever lengthens, so what lies beyond the limit need not be escaped to be cut.
    safe = printable(text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def shortened(name: str) -> str:
    """Return a name for a title, cut so that what is said of it stays in sight."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def on_one_line(text: str) -> str:
    """Return a text of several lines with ` / ` between them."""
    return " / ".join(filter(None, map(str.strip, text.split("\n"))))


def spelled(text: str, spelling: Mapping[str, str], limit: int) -> str:
    """Return the text on one line, safe to show, with what has another spelling in some markup written that way.

    It is at most `limit` characters long, `…` where it was cut, and no spelling is cut in two. Characters count as
    UTF-16 counts them, the largest count that a receiver uses.
    """
    pieces: list[str] = []
    left = limit - 1  # for the …
    for character in printable(text[: limit + 1]):
        piece = spelling.get(character, character)
        left -= utf16_length(piece)
        if left < 0:
            return "".join(pieces) + "…"
        pieces.append(piece)
    return "".join(pieces)


def utf16_length(text: str) -> int:
    """Count the characters as UTF-16 does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")
