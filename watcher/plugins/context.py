"""What every plugin gets of the world around it: the time, and the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

Clock = Callable[[], datetime]
"""Tells the time: aware, UTC."""


class Log(Protocol):
    """A structured log: a short event text, and its facts as keywords."""

    def debug(self, event: str, **facts: object) -> object:
        """Write what only a person looking for a fault wants to see."""
        ...

    def info(self, event: str, **facts: object) -> object:
        """Write what happened."""
        ...

    def warning(self, event: str, **facts: object) -> object:
        """Write what went wrong and mends itself, or may."""
        ...

    def error(self, event: str, **facts: object) -> object:
        """Write what needs a person."""
        ...

    def exception(self, event: str, **facts: object) -> object:
        """Write a fault of the watcher itself, with the traceback of the current exception."""
        ...
