"""Text from elsewhere, made safe to show on a terminal and in a line of a log."""

from __future__ import annotations

import unicodedata

_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, invisible formatting (bidirectional overrides among it), surrogates, line and paragraph ends."""


def printable(text: str) -> str:
    r"""Return the text with everything that could drive a terminal or forge a line written as `\x1b`, `\n`, …."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if _is_unsafe(character) else character for character in text)


def excerpt(text: str, limit: int) -> str:
    """Return the beginning of the text, at most `limit` characters, safe to show, with `…` where it was cut."""
    # Escaping only ever lengthens, so what lies beyond the limit need not be escaped to be cut.
    safe = printable(text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
