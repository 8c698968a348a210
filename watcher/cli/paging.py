"""What may be many: read page by page, shown to people up to a limit, and written for programs as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from watcher.cli.output import tell, write_text

PAGE = 500
"""Rows that are read, and held in memory, at once."""

T = TypeVar("T")
Row = dict[str, Any]


async def first_of(pages: AsyncIterator[Sequence[T]], limit: int) -> tuple[list[T], int]:
    """Return the first rows, and how many more there are."""
    shown: list[T] = []
    more = 0
    async for page in pages:
        room = limit - len(shown)
        shown += page[:room]
        more += max(len(page) - room, 0)
    return shown, more


async def write_json_list(pages: AsyncIterator[Sequence[Row]]) -> None:
    """Write the rows as one indented JSON list, each page when it has come."""
    import json

    before = "["
    async for page in pages:
        text = ""
        for row in page:
            text += f"{before}\n  " + json.dumps(row, indent=2, default=str).replace("\n", "\n  ")
            before = ","
        write_text(text)
    write_text("[]\n" if before == "[" else "\n]\n")


def tell_of_more(more: int) -> None:
    """Say on standard error that a limit has left rows out."""
    if more:
        tell(f"and {more:,} more: --limit shows more of them, --json all")
