"""What the exit codes mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from watcher.engine.polling.ending import Ending


class Exit(IntEnum):
    """The exit codes of every command; `watch` uses them all."""

    OK = 0
    """It worked; for `watch`: the job succeeded, or reached the status asked for."""
    FAILED = 1
    """The job failed; for other commands: it could not be done."""
    USAGE = 2
    """The command, the configuration or the environment is wrong."""
    CANCELLED = 3
    """The job was cancelled."""
    REJECTED = 4
    """The source rejects us: 401, 403, or no quota left."""
    NOT_FOUND = 5
    """The source does not know the job."""
    GAVE_UP = 6
    """Nothing but failed polls for too long."""
    UNDELIVERED = 7
    """All is as for 0, but a message that `--notify-required` asks for could not be delivered."""
    BROKEN = 70
    """A fault of the watcher itself (EX_SOFTWARE)."""
    OUTPUT_FAILED = 74
    """Standard output cannot be written (EX_IOERR)."""
    TIMED_OUT = 124
    """Time was up (as `timeout` says it)."""
    INTERRUPTED = 130
    """SIGINT."""
    OUTPUT_CLOSED = 141
    """The reader of standard output is gone (SIGPIPE)."""
    TERMINATED = 143
    """SIGTERM."""


_ENDINGS: Mapping[Ending, Exit] = {
    Ending.REACHED: Exit.OK,
    Ending.SUCCEEDED: Exit.OK,
    Ending.FAILED: Exit.FAILED,
    Ending.CANCELLED: Exit.CANCELLED,
    Ending.REJECTED: Exit.REJECTED,
    Ending.NOT_FOUND: Exit.NOT_FOUND,
    Ending.GAVE_UP: Exit.GAVE_UP,
    Ending.TIMED_OUT: Exit.TIMED_OUT,
}


def exit_of(endings: Iterable[Ending]) -> Exit:
    """Return the exit code of `watch`: that of the first job, in the order given, that did not succeed."""
    return next((code for ending in endings if (code := _ENDINGS[ending])), Exit.OK)
