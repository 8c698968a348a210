"""The one door to standard output and standard error."""

from __future__ import annotations

import codecs
import os
import sys
from typing import TextIO

from watcher.domain.text import printable
from watcher.errors import OutputClosedError, OutputFailedError

_ESCAPING = "watcher.escaping"
_BASIC_PLANE = 0x10000


def open_output() -> None:
    r"""Make both streams usable: writing to them never fails because of a character that they cannot show.

    A closed one is replaced by the null device, so that no later file or socket gets its number. A character that
    the encoding of a terminal lacks is written as JSON escapes it (`\u2714`), so that JSON stays JSON.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open for good
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open for good
    codecs.register_error(_ESCAPING, _escape)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ESCAPING)


def close_output() -> None:
    """Keep the interpreter from flushing once more into what is closed or full, and complaining of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_line(text: str) -> None:
    """Write one line and flush it. Raises OutputClosedError when the reader is gone."""
    write_text(text + "\n")


def write_text(text: str, stream: TextIO | None = None) -> None:
    """Write text as it is and flush it.

    Raises OutputClosedError when the reader is gone, and OutputFailedError when it cannot be written.
    """
    out = stream or sys.stdout
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        raise OutputClosedError("standard output was closed") from None
    except OSError as error:
        raise OutputFailedError(f"standard output: {error.strerror}") from None


def write_json(document: object) -> None:
    """Write a document as indented JSON."""
    import json

    write_line(json.dumps(document, indent=2, default=str))


def tell(*texts: str) -> None:
    """Write notes and errors to standard error, each line after `watcher: `, safe to show.

    A standard error that is full or closed is ignored.
    """
    lines = [f"watcher: {printable(line)}\n" for text in texts for line in text.splitlines()]
    try:
        sys.stderr.write("".join(lines))
        sys.stderr.flush()
    except OSError:  # there is no other way to report it
        return


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(map(_escaped, characters)), error.end


def _escaped(character: str) -> str:
    number = ord(character)
    if number < _BASIC_PLANE:
        return f"\\u{number:04x}"
    high, low = divmod(number - _BASIC_PLANE, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
