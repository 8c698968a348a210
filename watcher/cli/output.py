"""What commands write to standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from watcher.domain.text import printable
from watcher.errors import OutputClosedError, OutputFailedError


def write_line(text: str) -> None:
    """Write one line and flush it. Raises OutputClosedError when nobody reads any more."""
    write_text(text + "\n")


def write_text(text: str, stream: TextIO | None = None) -> None:
    """Write text as it is and flush it.

    Raises OutputClosedError when nobody reads any more, and OutputFailedError when it cannot be written.
    """
    out = stream or sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        raise OutputClosedError("standard output was closed") from None
    except OSError as error:
        raise OutputFailedError(f"standard output: {error.strerror}") from None
    except UnicodeEncodeError:
        # A terminal of another encoding: what it cannot show is escaped.
        out.write(text.encode(out.encoding or "ascii", "backslashreplace").decode(out.encoding or "ascii"))
        out.flush()


def write_json(document: object) -> None:
    """Write a document as indented JSON."""
    write_line(json.dumps(document, indent=2, default=str))


def write_table(columns: Sequence[str], rows: Sequence[Mapping[str, object]], nothing: str) -> None:
    """Write rows under headings, or the words for having none. Texts from the API are made safe to show."""
    if not rows:
        write_line(nothing)
        return
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.upper().replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(row.get(column)))) for column in columns))
    # A pipe has no width: it gets each row on one line.
    buffer = StringIO()
    console = Console(file=buffer, width=None if sys.stdout.isatty() else 10_000, force_terminal=sys.stdout.isatty())
    console.print(table)
    write_text("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={text}" for name, text in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)
