"""A numbered list on a terminal, and a person who chooses from it."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from collections.abc import Sequence

from watcher.cli.output import write_line, write_text
from watcher.cli.text_width import cut, padded, terminal_size, width_of
from watcher.domain.text import excerpt, printable

_MOST_SHOWN = 30
"""More are not offered: whoever has so many jobs names the ones that are meant."""
_PROMPT = "Which? 1 or 1,3 or 2-4; Enter: all "
_LONGEST_ANSWER = 1000
_IDS = 1
"""The column of ids."""
_LEAST_OF_IDS = 8


async def choose(heading: str, offers: Sequence[Sequence[str]]) -> Sequence[int]:
    """Show what is offered, each in some columns, the most telling first, and return which were chosen, from 0 on.

    Without an answer at the end of the input, nothing.
    """
    width, _ = terminal_size(sys.stdout)
    write_line(cut(printable(heading), width))
    for line in listed(offers[:_MOST_SHOWN], width):
        write_line(line)
    if len(offers) > _MOST_SHOWN:
        write_line(f"… and {len(offers) - _MOST_SHOWN} more; name them by their ids")
    while True:
        write_text(_PROMPT)
        try:
            answer = await read_line()
        except asyncio.CancelledError:
            write_line("")  # the shell's prompt does not begin behind ours
            raise
        if answer is None:
            write_line("")
            return ()
        chosen = read_choice(answer, min(len(offers), _MOST_SHOWN)) if answer.strip() else range(len(offers))
        if chosen is not None:
            return chosen
        write_line(f"'{excerpt(answer.strip(), 40)}' is not among them.")


def read_choice(answer: str, count: int) -> Sequence[int] | None:
    """Read numbers from 1 to `count`, such as `1`, `1,3`, `2-4` or `all`; None for anything else."""
    if answer.strip().lower() in {"all", "a", "*"}:
        return range(count)
    chosen: list[int] = []
    for part in answer.replace(",", " ").split():
        first, dash, last = part.partition("-")
        ends = [first, last] if dash else [first, first]
        if not all(end.isascii() and end.isdigit() and 1 <= int(end[:9]) <= count for end in ends):
            return None
        chosen += range(int(ends[0]) - 1, int(ends[1]))
    return list(dict.fromkeys(chosen)) or None


def listed(offers: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return a numbered line for each offer.

    Where they are too wide, the last column goes, then the second one, of ids, shrinks to its end, then the widest.
    """
    rows = [[printable(cell) for cell in offer] for offer in offers]
    widths = [max(width_of(row[at]) for row in rows) for at in range(len(rows[0]))]
    digits = len(str(len(rows)))
    room = width - digits - 4
    if _sum_of(widths) > room:
        widths[-1] = 0
    while _sum_of(widths) > room and max(widths) > 1:
        shrinks = _IDS if widths[_IDS] > _LEAST_OF_IDS else widths.index(max(widths))
        widths[shrinks] -= 1
    return [
        f"{number:>{digits + 2}}  "
        + "  ".join(padded(_fitted(row, at, wide), wide) for at, wide in enumerate(widths) if wide).rstrip()
        for number, row in enumerate(rows, 1)
    ]


def _fitted(row: Sequence[str], at: int, width: int) -> str:
    """Return a cell as far as it fits; of an id the end, in which ids differ."""
    return f"…{row[at][1 - width :]}" if at == _IDS and width_of(row[at]) > width > 1 else cut(row[at], width)


def _sum_of(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + 2 * max(len(shown) - 1, 0)


async def read_line() -> str | None:
    """Read a line without a thread, so that a signal ends it; None at the end of the input."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[bytes] = loop.create_future()
    number = sys.stdin.fileno()

    def read() -> None:
        if not arrived.done():
            arrived.set_result(os.read(number, _LONGEST_ANSWER))

    loop.add_reader(number, read)
    try:
        line = await arrived
    finally:
        loop.remove_reader(number)
    return codecs.decode(line, "utf-8", "replace") if line else None
