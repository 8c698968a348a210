"""What the exit code of a command says of a source that brought no answer."""

from __future__ import annotations

from watcher.cli.exit_codes import Exit
from watcher.errors import MissingError, RejectedError, SourceError


def code_of(error: SourceError) -> Exit:
    """Return the exit code."""
    match error:
        case RejectedError():
            return Exit.REJECTED
        case MissingError():
            return Exit.NOT_FOUND
        case _:
            return Exit.GAVE_UP
