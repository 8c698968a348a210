"""Rows as tables for people. On a narrow terminal columns are left out, rather than ids or statuses broken."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watcher.cli.output import write_line, write_text
from watcher.cli.text_width import cut, padded, terminal_size, width_of
from watcher.domain.text import printable
from watcher.logs import shows_colour

_GAP = "  "
_READABLE = 16
"""Columns of a text that are worth showing."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    """The key of its values in the rows; also its heading."""
    is_text: bool = False
    """Whether a value is prose, which may be cut. Ids, statuses and times may not."""

    @property
    def heading(self) -> str:
        """What stands above it."""
        return self.name.upper().replace("_", " ")


def write_table(
    columns: Sequence[Column | str], important: Sequence[str], rows: Sequence[Mapping[str, object]], nothing: str
) -> None:
    """Write rows under headings, or a text when there are none. Texts from the API are made safe to show.

    `important` names the columns that are kept the longest on a narrow terminal, the most important one first. Where
    even the first of them do not fit side by side, each row becomes a paragraph.
    """
    if not rows:
        write_line(nothing)
        return
    table = _Table([column if isinstance(column, Column) else Column(column) for column in columns], rows)
    if not sys.stdout.isatty():
        write_text(table.lines(table.columns, None))  # a pipe has no width: each row is one line
        return
    width, _ = terminal_size(sys.stdout)
    shown = table.fitting(important, width)
    if shown is None:
        write_text(table.paragraphs(important, width))
        return
    left_out = ", ".join(column.heading.lower() for column in table.columns if column not in shown)
    note = _dim(cut(f"(left out here: {left_out})", width)) + "\n" if left_out else ""
    write_text(table.lines(shown, width) + note)


class _Table:
    def __init__(self, columns: Sequence[Column], rows: Sequence[Mapping[str, object]]) -> None:
        self.columns = columns
        self._rows = [{column.name: printable(_cell(row.get(column.name))) for column in columns} for row in rows]
        self._widths = {
            column.name: max(width_of(column.heading), *(width_of(row[column.name]) for row in self._rows))
            for column in columns
        }

    def fitting(self, important: Sequence[str], width: int) -> list[Column] | None:
        """Return the columns that fit side by side; None if not even the two most important ones do."""
        ranked = self._ranked(important)
        least = min(2, len(ranked))
        for count in range(len(ranked), least - 1, -1):
            shown = ranked[:count]
            needed = sum(self._least_width(column) for column in shown) + len(_GAP) * (count - 1)
            if needed <= width:
                return [column for column in self.columns if column in shown]
        return None

    def lines(self, columns: Sequence[Column], width: int | None) -> str:
        """Write each row as a line. Texts share what columns of fixed width leave over."""
        widths = {column.name: self._widths[column.name] for column in columns}
        if width is not None:
            self._share(columns, widths, width)
        heading = {column.name: column.heading for column in columns}
        lines = []
        for row in (heading, *self._rows):
            cells = (padded(cut(row[name], columns), columns) for name, columns in widths.items())
            line = _GAP.join(cells).rstrip()
            lines.append(_bold(line) if row is heading else line)
        return "\n".join(lines) + "\n"

    def paragraphs(self, important: Sequence[str], width: int) -> str:
        """Write each row as a paragraph: its most important value, and a line for each other one that is there."""
        first, *others = self._ranked(important)
        label_width = max((width_of(column.heading) for column in others), default=0)
        lines = []
        for row in self._rows:
            lines.append(_bold(row[first.name]))
            for column in others:
                label = f"  {padded(column.heading.lower(), label_width)}  "
                if (value := row[column.name]) != _NOTHING:
                    lines.append(label + (cut(value, width - width_of(label)) if column.is_text else value))
        return "\n".join(lines) + "\n"

    def _ranked(self, important: Sequence[str]) -> list[Column]:
        return sorted(self.columns, key=lambda column: _rank(important, column.name))

    def _least_width(self, column: Column) -> int:
        whole = self._widths[column.name]
        return min(whole, max(width_of(column.heading), _READABLE)) if column.is_text else whole

    def _share(self, columns: Sequence[Column], widths: dict[str, int], width: int) -> None:
        """Narrow the texts, the widest one first, until the line fits."""
        too_much = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width
        texts = [column for column in columns if column.is_text]
        while too_much > 0 and texts:
            widest = max(texts, key=lambda column: widths[column.name] - self._least_width(column))
            if widths[widest.name] <= self._least_width(widest):
                return
            widths[widest.name] -= 1
            too_much -= 1


_NOTHING = "-"


def _cell(value: object) -> str:
    match value:
        case None | "":
            return _NOTHING
        case Mapping():
            return ", ".join(f"{name}={text}" for name, text in value.items()) or _NOTHING
        case list() | tuple():
            return ", ".join(map(str, value)) or _NOTHING
        case _:
            return str(value)


def _rank(important: Sequence[str], name: str) -> int:
    return important.index(name) if name in important else len(important)


def _bold(text: str) -> str:
    return _styled("1", text)


def _dim(text: str) -> str:
    return _styled("2", text)


def _styled(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if shows_colour(sys.stdout) else text
