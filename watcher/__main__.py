"""`python -m watcher`, and the command `watcher`."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from watcher.cli.exits import Exit
from watcher.domain.escaping import printable
from watcher.errors import ConfigurationError, OutputClosedError, WatcherError


def main() -> None:
    """Run the command line; turn what the watcher raises on purpose into words and an exit code."""
    try:
        from watcher.cli.app import app

        app()
    except KeyboardInterrupt:  # before, or after, a command has signals in its own hands
        sys.exit(Exit.INTERRUPTED)
    except OutputClosedError:
        sys.exit(Exit.OUTPUT_CLOSED)
    except ConfigurationError as error:
        sys.exit(_complain(Exit.USAGE, *error.mistakes))
    except WatcherError as error:
        sys.exit(_complain(Exit.FAILED, str(error)))
    finally:
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _complain(code: Exit, *mistakes: str) -> int:
    for mistake in mistakes:
        for line in mistake.splitlines():
            sys.stderr.write(f"watcher: {printable(line)}\n")
    return code


def _let_go(stream: TextIO | None) -> None:
    """Keep the interpreter from flushing once more into what is closed or full, and complaining of it."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
