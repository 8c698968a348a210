"""What signals do while no command handles them: SIGINT and SIGTERM end the process at once, silently.

A SIGHUP that asks `watcher run` to reload waits until the service handles it, however early it comes. Python alone
would raise KeyboardInterrupt wherever the program happens to be, or let the signal kill it. This module is loaded
before all others of the command line, so it imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_at_once_on_signals() -> None:
    """From now on, let a signal end the process: exit code 128 and the signal's number."""
    for number in SIGNALS:
        signal.signal(number, end_at_once)
    if sys.argv[1:2] == ["run"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # until the service handles it: see service.signals


def end_at_once(number: int, _frame: object) -> None:
    """End the process. Nothing needs to be put away: what must last is committed, or the database rolls it back."""
    os._exit(128 + number)
