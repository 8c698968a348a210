"""How many columns of a terminal a text takes, and cutting it to fit."""

from __future__ import annotations

import os
import unicodedata
from typing import TextIO

USUAL_WIDTH = 80
"""Columns, where the terminal does not say how many there are."""
USUAL_HEIGHT = 24
_NO_COLUMN = {"Mn", "Me", "Cf"}
_TWO_COLUMNS = {"W", "F"}


def width_of(text: str) -> int:
    """Count the columns that a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return the beginning of the text, at most `width` columns wide, with `…` where it was cut."""
    if width_of(text) <= width:
        return text
    kept, left = "", width - 1
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept += character
    return (kept + "…")[: max(width, 0)]


def padded(text: str, width: int) -> str:
    """Return the text with blanks behind it up to a width."""
    return text + " " * (width - width_of(text))


def terminal_size(stream: TextIO) -> tuple[int, int]:
    """Return how many columns and rows the terminal behind a stream has at this moment."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((0, 0))
    return (
        size.columns or _number("COLUMNS") or USUAL_WIDTH,
        size.lines or _number("LINES") or USUAL_HEIGHT,
    )


def _number(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _TWO_COLUMNS else 1
