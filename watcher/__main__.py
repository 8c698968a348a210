"""`python -m watcher`, and the command `watcher`."""

from __future__ import annotations

import gc
import sys

from watcher.cli.interrupts import end_at_once_on_signals

OBJECTS_OF_A_START = 200_000
"""More than are made until a command does its work: to look for cycles among them takes a twentieth of all that time,
and finds next to nothing."""


def main() -> None:
    """Run the command line; turn every way to end into a message and an exit code.

    Nothing is imported before the signals are handled: a command may be interrupted while it is still being loaded.
    """
    end_at_once_on_signals()
    gc.set_threshold(OBJECTS_OF_A_START)
    from watcher.cli.output import close_output, open_output

    open_output()
    try:
        sys.exit(_run())
    finally:
        close_output()


def _run() -> int:
    from watcher.cli.exit_codes import Exit
    from watcher.cli.output import tell
    from watcher.errors import ConfigurationError, OutputClosedError, OutputFailedError, WatcherError

    try:
        from watcher.cli.app import make_app

        make_app(sys.argv[1:])()
    except OutputClosedError:
        return Exit.OUTPUT_CLOSED
    except ConfigurationError as error:
        tell(*error.mistakes)
        return Exit.USAGE
    except OutputFailedError as error:
        tell(str(error))
        return Exit.OUTPUT_FAILED
    except WatcherError as error:
        tell(str(error))
        return Exit.FAILED
    except Exception:  # noqa: BLE001 - an internal error must not pass for an answer of `watch`
        import traceback

        sys.stderr.write(traceback.format_exc())
        tell("this is a fault of the watcher itself: please report it with the lines above")
        return Exit.BROKEN
    return Exit.OK


if __name__ == "__main__":
    main()
