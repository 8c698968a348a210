"""`python -m watcher`, and the command `watcher`."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TextIO

from watcher.cli.exit_codes import Exit
from watcher.domain.text import printable
from watcher.errors import ConfigurationError, OutputClosedError, OutputFailedError, WatcherError


def main() -> None:
    """Run the command line; turn whatever ends it into words and an exit code."""
    _open_closed_streams()
    try:
        from watcher.cli.app import app

        app()
    except KeyboardInterrupt:  # before, or after, a command has signals in its own hands
        sys.exit(Exit.INTERRUPTED)
    except OutputClosedError:
        sys.exit(Exit.OUTPUT_CLOSED)
    except ConfigurationError as error:
        sys.exit(_complain(Exit.USAGE, *error.mistakes))
    except OutputFailedError as error:
        sys.exit(_complain(Exit.OUTPUT_FAILED, str(error)))
    except WatcherError as error:
        sys.exit(_complain(Exit.FAILED, str(error)))
    except Exception:  # noqa: BLE001 - a fault of ours must not pass for an answer of `watch`
        sys.stderr.write(traceback.format_exc())
        sys.exit(_complain(Exit.BROKEN, "this is a fault of the watcher itself: please report it with the lines above"))
    finally:
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _open_closed_streams() -> None:
    """Fill the places of standard streams that were closed: else the next file or socket would get their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open for good
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open for good


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
